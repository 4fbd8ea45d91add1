internal import Foundation

/// Standard output and standard error, a line at a time.
enum Terminal {
    /// True where standard error is a terminal that a bar may be drawn on.
    static let drawsBars = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

    /// Columns of the terminal, 80 where it does not say.
    static var columns: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    /// Writes to standard output.
    static func print(_ line: String) { write(line + "\n", to: .standardOutput) }

    /// Writes a line to standard error; names of files, which may hold anything, stay within it.
    static func note(_ line: String) { write(printable(line) + "\n", to: .standardError) }

    /// Draws over the current line of standard error.
    static func redraw(_ line: String) { write("\r\u{1B}[2K" + line, to: .standardError) }

    /// Words of a file made safe to print: control characters, and those that turn the direction of writing, are escaped.
    static func printable(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: result += scalar.escaped(asASCII: true)
            default: result.unicodeScalars.append(scalar)
            }
        }
    }

    /// A reader that has gone away, as in `solstice convert --json … | head -1`, is no reason to stop translating.
    private static func write(_ text: String, to handle: FileHandle) { try? handle.write(contentsOf: Data(text.utf8)) }
}
