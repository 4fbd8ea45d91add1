internal import CFFmpeg
internal import Imaging

extension SampleLayout {
    /// The layout of a source of labels or instances. Throws `MediaError` `.badLabels` for a pixel format that holds none,
    /// unless `isForced` for YCbCr.
    static func checked(of source: SourceInfo, isForced: Bool) throws(MediaError) -> SampleLayout {
        let format = source.video.pixelFormatName
        guard let layout = SampleLayout(pixelFormat: format) else {
            throw MediaError(
                .badLabels, "\(source.path) holds \(format) pictures, whose samples are no labels",
                remedy: "give labels as 8-bit gray or RGB (PNG, FFV1)")
        }
        guard layout.kind != .luma || isForced else {
            throw MediaError(
                .badLabels, "\(source.path) holds \(format) pictures, from which ids and colours do not come back exactly",
                remedy: "give labels as 8-bit gray or RGB (PNG, FFV1), or take the nearest with --force")
        }
        return layout
    }
}

extension UprightWalk {
    init(_ video: VideoInfo) { self.init(width: video.width, height: video.height, orientation: video.orientation) }
}

extension Frame {
    /// Throws `.internalFailure` for a frame that does not look as its video does.
    func check(isOf video: VideoInfo) throws(MediaError) {
        guard width == video.width, height == video.height, pixelFormatName == video.pixelFormatName else {
            throw MediaError(.internalFailure, "a frame of \(width)x\(height) \(pixelFormatName) is not what its video is")
        }
    }
}

extension PlanarImage<UInt8> {
    /// Calls `body` for every pixel with its place in the upright picture and its colour, 0xRRGGBB.
    func scan(_ walk: UprightWalk, _ body: (_ place: Int, _ colour: UInt32) -> Void) {
        withPlane(0) { red in
            withPlane(1) { green in
                withPlane(2) { blue in
                    for y in 0..<height {
                        var place = walk.start + y * walk.stepY
                        for index in y * rowStride..<y * rowStride + width {
                            body(place, UInt32(red[index]) << 16 | UInt32(green[index]) << 8 | UInt32(blue[index]))
                            place += walk.stepX
                        }
                    }
                }
            }
        }
    }
}

/// The nearest classes of colours, the last few thousand remembered: at edges a lossy video has any number of colours.
struct NearestColours {
    private var keys = [UInt32](repeating: .max, count: 4096)
    private var ids = [UInt8](repeating: 0, count: 4096)

    /// The class of `table` that is nearest to `colour`; 0 for an empty table.
    mutating func id(of colour: UInt32, in table: ColourTable) -> UInt8 {
        let slot = Int((colour &* 0x9E37_79B1) >> 20)
        if keys[slot] != colour { (keys[slot], ids[slot]) = (colour, table.nearest(to: colour) ?? 0) }
        return ids[slot]
    }
}
