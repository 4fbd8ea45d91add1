internal import Imaging
internal import MediaIO
internal import Synchronization

/// A picture of one frame, before and after side by side, upright: kept while the video runs, written at its end.
final class PreviewPicture: FrameWitness {
    private let file: PictureFile
    /// The frame that is wanted; until it comes, the first one stands in.
    private let wanted: Int
    private let picture = Mutex<PlanarImage<UInt8>?>(nil)

    init(file: PictureFile, wanted: Int) {
        self.file = file
        self.wanted = wanted
    }

    func wants(index: Int) -> Bool { index == 0 || index == wanted }

    func offer(index: Int, before: FullSizePicture, after: FullSizePicture, orientation: Orientation) {
        guard wants(index: index) else { return }
        let pair = Self.sideBySide(
            before.eightBit.turned(by: orientation), after.eightBit.turned(by: orientation))
        picture.withLock { $0 = pair }
    }

    /// Writes the picture as PNG and returns the file, which is yet to be published; nil where no frame came.
    /// Throws `MediaError` `.unwritable` or `.diskFull`.
    func write() throws -> PictureFile? {
        guard let picture = picture.withLock({ $0 }) else {
            file.abandon()
            return nil
        }
        try file.write(picture)
        return file
    }

    func abandon() { file.abandon() }

    private static func sideBySide(_ left: PlanarImage<UInt8>, _ right: PlanarImage<UInt8>) -> PlanarImage<UInt8> {
        let pair = PlanarImage<UInt8>(width: left.width + right.width, height: left.height)
        for plane in 0..<PlanarImage<UInt8>.planeCount {
            for y in 0..<left.height {
                for x in 0..<left.width {
                    pair[plane, y, x] = left[plane, y, x]
                    pair[plane, y, left.width + x] = right[plane, y, x]
                }
            }
        }
        return pair
    }
}

extension FullSizePicture {
    /// The picture with 8 bits a sample, for showing.
    var eightBit: PlanarImage<UInt8> {
        switch self {
        case .eight(let picture): return picture
        case .sixteen(let picture):
            let shown = PlanarImage<UInt8>(width: picture.width, height: picture.height)
            for plane in 0..<PlanarImage<UInt8>.planeCount {
                for y in 0..<picture.height {
                    for x in 0..<picture.width { shown[plane, y, x] = UInt8((Int(picture[plane, y, x]) * 255 + 32767) / 65535) }
                }
            }
            return shown
        }
    }
}
