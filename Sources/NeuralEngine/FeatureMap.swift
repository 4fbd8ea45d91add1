internal import CKernels

/// The activations of one layer: layout `[blocks][height + 2][width + 2][16]`, channels in blocks of 16.
///
/// The border of one pixel and the channels that pad the last block are zero, so that a convolution never asks where
/// the map ends.
public final class FeatureMap: @unchecked Sendable {
    // Safe to send: the storage is owned by this object alone; a network runs one pass at a time.
    public let channels: Int
    public let width: Int
    public let height: Int
    let storage: Storage

    static let block = Int(CK_BLOCK)
    /// Channels with those that fill the last block.
    static func padded(_ channels: Int) -> Int { (channels + block - 1) / block * block }
    var blocks: Int { (channels + Self.block - 1) / Self.block }
    private var row: Int { (width + 2) * Self.block }
    private var blockStride: Int { (height + 2) * row }

    /// A map of zeros.
    /// - Throws: `NeuralError` `.badShape` or `.outOfMemory`.
    public init(channels: Int, width: Int, height: Int) throws(NeuralError) {
        guard channels > 0, width > 0, height > 0, max(channels, width, height) <= 1 << 24 else {
            throw NeuralError(.badShape, "a feature map of \(channels) x \(height) x \(width) values")
        }
        self.channels = channels
        self.width = width
        self.height = height
        let blocks = (channels + Self.block - 1) / Self.block
        storage = try Storage(blocks, height + 2, width + 2, Self.block)
    }

    var map: ck_map { ck_map(origin: storage.base + row + Self.block, block: blockStride, row: row) }

    /// Where a value lies in the storage.
    func offset(channel: Int, y: Int, x: Int) -> Int {
        channel / Self.block * blockStride + (y + 1) * row + (x + 1) * Self.block + channel % Self.block
    }

    /// Copies a plane in as a channel: row `y` begins at `samples[y * rowStride]` and has `width` samples.
    public func load(channel: Int, from samples: UnsafeMutableBufferPointer<Float>, rowStride: Int) {
        precondition((0..<channels).contains(channel) && samples.count >= (height - 1) * rowStride + width)
        for y in 0..<height {
            for x in 0..<width { storage.base[offset(channel: channel, y: y, x: x)] = samples[y * rowStride + x] }
        }
    }

    /// All values, layout `[channels][height][width]`; for tests, traces, and maps that are computed once.
    public var values: [Float] {
        get {
            [Float](unsafeUninitializedCapacity: channels * height * width) { buffer, count in
                forEach { index, offset in buffer[index] = storage.base[offset] }
                count = channels * height * width
            }
        }
        set {
            precondition(newValue.count == channels * height * width)
            forEach { index, offset in storage.base[offset] = newValue[index] }
        }
    }

    private func forEach(_ body: (_ index: Int, _ offset: Int) -> Void) {
        for channel in 0..<channels {
            let plane = channel / Self.block * blockStride + channel % Self.block
            for y in 0..<height {
                for x in 0..<width {
                    body((channel * height + y) * width + x, plane + (y + 1) * row + (x + 1) * Self.block)
                }
            }
        }
    }
}

/// A map of few channels, such as a picture: layout `[channels][height + 2][stride]` with a zero border of one pixel.
public final class PlanarMap: @unchecked Sendable {
    // Safe to send: as FeatureMap.
    public let channels: Int
    public let width: Int
    public let height: Int
    let storage: Storage
    private let row: Int

    /// Floats before column 0, so that rows begin on a cache line and column -1 exists; and what a vector may read past the end.
    private static var margin: Int { 16 }

    /// A map of zeros.
    /// - Throws: `NeuralError` `.badShape` or `.outOfMemory`.
    public init(channels: Int, width: Int, height: Int) throws(NeuralError) {
        guard channels > 0, width > 0, height > 0, max(channels, width, height) <= 1 << 24 else {
            throw NeuralError(.badShape, "a planar map of \(channels) x \(height) x \(width) values")
        }
        self.channels = channels
        self.width = width
        self.height = height
        row = (width + 15) / 16 * 16 + 2 * Self.margin
        storage = try Storage(channels, height + 2, row)
    }

    var map: ck_map { ck_map(origin: storage.base + row + Self.margin, block: (height + 2) * row, row: row) }

    /// Copies a plane in: row `y` begins at `samples[y * rowStride]` and has `width` samples.
    public func load(plane: Int, from samples: UnsafeMutableBufferPointer<Float>, rowStride: Int) {
        precondition((0..<channels).contains(plane) && samples.count >= (height - 1) * rowStride + width)
        guard let base = samples.baseAddress else { return }
        for y in 0..<height {
            (map.origin + plane * map.block + y * row).update(from: base + y * rowStride, count: width)
        }
    }

    /// Copies all planes in, layout `[channels][height][width]`.
    public func load(_ values: [Float]) {
        precondition(values.count == channels * height * width)
        values.withUnsafeBufferPointer { from in
            guard let base = from.baseAddress else { return }
            for line in 0..<channels * height {
                (map.origin + line / height * map.block + line % height * row).update(
                    from: base + line * width, count: width)
            }
        }
    }

    /// All values, layout `[channels][height][width]`; for tests and traces.
    public var values: [Float] {
        (0..<channels * height).flatMap { line in
            UnsafeBufferPointer(start: map.origin + line / height * map.block + line % height * row, count: width)
        }
    }
}
