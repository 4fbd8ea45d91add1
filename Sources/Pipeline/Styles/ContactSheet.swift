internal import Imaging
internal import MediaIO
internal import TSIT

/// The thumbnail of a style: its picture, or a grid of up to nine where it was taken from several.
struct ContactSheet {
    /// Every `step`th picture so far: nobody knows how many there will be, since a video may have fewer than are wanted.
    private var pictures: [PlanarImage<UInt8>] = []
    private var step = 1
    private var count = 0

    private static let most = 9

    /// Takes the next picture, upright. `sampleAspect` is the width of a sample by its height.
    mutating func add(_ picture: PlanarImage<UInt8>, sampleAspect: Double = 1) throws {
        defer { count += 1 }
        if pictures.count == 2 * Self.most {
            pictures = stride(from: 0, to: pictures.count, by: 2).map { pictures[$0] }
            step *= 2
        }
        guard count % step == 0 else { return }
        let (width, height) = Self.fitted(Double(picture.width) * sampleAspect, Double(picture.height))
        pictures.append(try picture.resizedBicubic(width: width, height: height))
    }

    /// The size of that shape whose longer side is as long as a thumbnail's may be, or the picture's own where that is less.
    private static func fitted(_ width: Double, _ height: Double) -> (width: Int, height: Int) {
        let longest = Double(StyleThumbnail.longestSide)
        let scale = min(1, longest / max(width, height))
        func side(_ length: Double) -> Int { Int(min(longest, max(1, (length * scale).rounded()))) }
        return (side(width), side(height))
    }

    /// Nil before the first picture.
    func thumbnail() throws -> StyleThumbnail? {
        let number = min(pictures.count, Self.most)
        let pictures = (0..<number).map { self.pictures[($0 * self.pictures.count + self.pictures.count / 2) / number] }
        guard let first = pictures.first else { return nil }
        guard pictures.count > 1 else { return StyleThumbnail(first) }
        let columns = pictures.count == 4 ? 2 : min(3, pictures.count)
        let rows = (pictures.count + columns - 1) / columns
        // All cells have the first picture's shape, as large as the grid allows.
        let side = Double(StyleThumbnail.longestSide)
        let scale = min(side / Double(columns * first.width), side / Double(rows * first.height))
        let width = max(1, Int(Double(first.width) * scale)), height = max(1, Int(Double(first.height) * scale))
        guard columns * width <= StyleThumbnail.longestSide, rows * height <= StyleThumbnail.longestSide else {
            return StyleThumbnail(first)
        }
        let sheet = PlanarImage<UInt8>(width: columns * width, height: rows * height)
        for plane in 0..<3 { sheet.withPlane(plane) { $0.update(repeating: 0) } }
        for (place, picture) in pictures.enumerated() {
            try Self.paste(picture, width, height, into: sheet, x: place % columns * width, y: place / columns * height)
        }
        return StyleThumbnail(sheet)
    }

    /// Fills a cell with the middle of `picture`.
    private static func paste(
        _ picture: PlanarImage<UInt8>, _ width: Int, _ height: Int, into sheet: PlanarImage<UInt8>, x: Int, y: Int
    ) throws {
        let scale = max(Double(width) / Double(picture.width), Double(height) / Double(picture.height))
        let covering = try picture.resizedBicubic(
            width: max(width, Int((Double(picture.width) * scale).rounded())),
            height: max(height, Int((Double(picture.height) * scale).rounded())))
        let (left, top) = ((covering.width - width) / 2, (covering.height - height) / 2)
        for plane in 0..<3 {
            covering.withPlane(plane) { from in
                sheet.withPlane(plane) { to in
                    for row in 0..<height {
                        for column in 0..<width {
                            to[(y + row) * sheet.rowStride + x + column] = from[(top + row) * covering.rowStride + left + column]
                        }
                    }
                }
            }
        }
    }
}
