/// Writes classes into a feature map as ones and zeros: where a pixel's class changes its one moves, and nothing else is
/// touched.
public final class OneHotMap: @unchecked Sendable {
    // Safe to send: as FeatureMap.
    public let map: FeatureMap
    private let markChannel: Int?
    private let planes: [Int]
    /// Where in the storage each pixel's one is; -1 where it has none.
    private var ones: [Int]
    /// The map holds values that are not of this object's making.
    private var isForeign = false

    /// What a table of channels has in the place of an id without a channel.
    public static let none = UInt16.max

    /// - Parameters:
    ///   - map: all zero; nothing else may write to it.
    ///   - markChannel: the channel of `marks`, which is no id's; nil for none.
    public init(_ map: FeatureMap, markChannel: Int?) {
        precondition(markChannel.map { (0..<map.channels).contains($0) } ?? true)
        self.map = map
        self.markChannel = markChannel
        ones = Array(repeating: -1, count: map.width * map.height)
        // What a channel adds to the offset of channel 0.
        planes = (0..<map.channels).map { map.offset(channel: $0, y: 0, x: 0) - map.offset(channel: 0, y: 0, x: 0) }
    }

    /// Sets the map to a picture of ids that has `step` times its width and height, of which every `step`th pixel of every
    /// `step`th row counts.
    ///
    /// - Parameters:
    ///   - ids: layout `[step * height][step * width]`.
    ///   - channels: the channel of each of the 256 ids; every id that occurs has one.
    ///   - marks: layout as `ids`, true where the channel of marks is 1; of no meaning without that channel.
    public func load(_ ids: [UInt8], channels: [UInt16], marks: [Bool], step: Int) {
        let (width, height) = (map.width, map.height)
        precondition(ids.count == step * step * width * height && channels.count == 256)
        precondition(markChannel == nil || marks.count == ids.count)
        if isForeign { clear() }
        let values = map.storage.base
        let markOffset = markChannel.map { planes[$0] }
        ones.withUnsafeMutableBufferPointer { ones in
            for y in 0..<height {
                let row = map.offset(channel: 0, y: y, x: 0)
                for x in 0..<width {
                    let source = (y * width * step + x) * step
                    let pixel = row + x * FeatureMap.block
                    let one = pixel + planes[Int(channels[Int(ids[source])])]
                    let last = ones[y * width + x]
                    if last != one {
                        if last >= 0 { values[last] = 0 }
                        values[one] = 1
                        ones[y * width + x] = one
                    }
                    if let markOffset { values[pixel + markOffset] = marks[source] ? 1 : 0 }
                }
            }
        }
    }

    /// Sets the map to any values, layout `[channels][height][width]`.
    public func load(values: [Float]) {
        map.values = values
        isForeign = true
    }

    private func clear() {
        map.storage.base.update(repeating: 0, count: map.storage.count)
        for index in ones.indices { ones[index] = -1 }
        isForeign = false
    }
}
