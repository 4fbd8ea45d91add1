internal import Foundation
internal import TSIT

/// A small picture in a terminal's cells: each shows two pixels, the upper as the block's colour, the lower as the ground's.
enum HalfBlocks {
    /// True where standard output is a terminal that shows 24-bit colour, as far as one can know (https://no-color.org).
    static var areShown: Bool {
        let environment = ProcessInfo.processInfo.environment
        guard isatty(STDOUT_FILENO) == 1, let terminal = environment["TERM"], !terminal.isEmpty, terminal != "dumb" else {
            return false
        }
        return environment["NO_COLOR", default: ""].isEmpty
    }

    /// The picture in lines of `columns` characters, or fewer where it is narrower; a cell is twice as high as wide.
    static func text(_ picture: StyleThumbnail, columns: Int) -> String {
        let columns = min(columns, picture.width)
        let rows = max(1, Int((Double(picture.height * columns) / Double(picture.width) / 2).rounded()))
        func colour(_ column: Int, _ half: Int) -> String {
            mean(picture, column * picture.width / columns..<(column + 1) * picture.width / columns,
                 half * picture.height / (2 * rows)..<(half + 1) * picture.height / (2 * rows))
        }
        return (0..<rows).map { row in
            let cells = (0..<columns).map { column in
                "\u{1B}[38;2;\(colour(column, 2 * row))m\u{1B}[48;2;\(colour(column, 2 * row + 1))m▀"
            }
            return cells.joined() + "\u{1B}[0m"
        }.joined(separator: "\n")
    }

    /// The mean colour of an area as `r;g;b`; of its first pixel where it is empty.
    private static func mean(_ picture: StyleThumbnail, _ columns: Range<Int>, _ rows: Range<Int>) -> String {
        let xs = columns.isEmpty ? columns.lowerBound..<columns.lowerBound + 1 : columns
        let ys = rows.isEmpty ? rows.lowerBound..<rows.lowerBound + 1 : rows
        let sums = ys.reduce(into: [0, 0, 0]) { sums, y in
            for x in xs {
                for plane in 0..<3 { sums[plane] += Int(picture.pixels[(y * picture.width + x) * 3 + plane]) }
            }
        }
        let count = xs.count * ys.count
        return sums.map { String(($0 + count / 2) / count) }.joined(separator: ";")
    }
}
