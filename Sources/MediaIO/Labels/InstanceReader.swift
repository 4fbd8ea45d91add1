/// Reads which object each pixel of an instance source belongs to. Only whether neighbours differ matters, so that any
/// numbers do: gray of 8 to 16 bits (Cityscapes' files: class times 1000 plus a count), the index into a palette, or an
/// 8-bit RGB colour as 0xRRGGBB; if forced, YCbCr by its RGB colours.
public final class InstanceReader: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the stage that preprocesses.
    private let source: SourceInfo
    private let layout: SampleLayout
    private let walk: UprightWalk
    private let scaler: PictureScaler?

    /// - Parameters:
    ///   - source: from `SourceProbe`, its coding checked by `LabelCoding`.
    ///   - isForced: takes YCbCr.
    /// - Throws: `MediaError` `.badLabels` for a pixel format that holds no ids.
    public init(source: SourceInfo, isForced: Bool) throws(MediaError) {
        self.source = source
        layout = try SampleLayout.checked(of: source, isForced: isForced)
        walk = UprightWalk(source.video)
        scaler = layout.kind == .luma ? try PictureScaler(source: source.video, network: .native) : nil
    }

    /// Size of the upright picture.
    public var size: (width: Int, height: Int) { (walk.width, walk.height) }

    /// The object of each pixel, upright: layout `[height][width]`.
    public func instances(of frame: Frame) throws(MediaError) -> [UInt32] {
        try frame.check(isOf: source.video)
        var result = [UInt32](repeating: 0, count: walk.width * walk.height)
        try result.withUnsafeMutableBufferPointer { (target) throws(MediaError) in
            if let scaler {
                try scaler.fullSize8(of: frame).scan(walk) { place, colour in target[place] = colour }
            } else {
                try layout.scan(frame, walk) { place, value in target[place] = value }
            }
        }
        return result
    }
}
