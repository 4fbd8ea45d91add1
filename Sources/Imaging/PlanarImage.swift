/// A sample type that a picture may hold, and the range its values span.
///
/// `UInt8` spans 0...255, `UInt16` the full 0...65535 whatever the source's bit depth was, and `Float` -1...1, the
/// range that TSIT's networks take and give.
public protocol PlanarSample: Sendable, BitwiseCopyable {}
extension UInt8: PlanarSample {}
extension UInt16: PlanarSample {}
extension Float: PlanarSample {}

/// An RGB picture in three planes of one allocation: layout `[plane R, G, B][height][rowStride]`.
///
/// Rows start at multiples of 64 bytes, and 64 readable bytes follow the last row, so that a kernel may load a whole
/// vector at any sample. The padding's content is unspecified.
public final class PlanarImage<Sample: PlanarSample>: @unchecked Sendable {
    // Safe to send: the storage is owned by this object alone and freed in deinit; a stage that has handed a picture
    // on does not write to it any more.
    public let width: Int
    public let height: Int
    /// Distance between rows, in samples.
    public let rowStride: Int
    private let storage: UnsafeMutableRawPointer
    private let byteCount: Int
    /// Where the storage goes back to.
    let pool: PicturePool?

    public static var planeCount: Int { 3 }
    private static var alignment: Int { PicturePool.alignment }

    /// A picture of `width` x `height` samples per plane; its content is unspecified.
    ///
    /// - Parameter pool: lends the storage, which goes back to it with the picture's end; nil allocates it.
    public init(width: Int, height: Int, pool: PicturePool? = nil) {
        precondition(width > 0 && height > 0, "a picture has at least one sample")
        self.width = width
        self.height = height
        let rowBytes = (width * MemoryLayout<Sample>.stride + Self.alignment - 1) / Self.alignment * Self.alignment
        rowStride = rowBytes / MemoryLayout<Sample>.stride
        byteCount = rowBytes * height * Self.planeCount + Self.alignment
        self.pool = pool
        storage = pool?.take(byteCount: byteCount) ?? .allocate(byteCount: byteCount, alignment: Self.alignment)
    }

    deinit {
        if let pool { pool.give(storage, byteCount: byteCount) } else { storage.deallocate() }
    }

    /// Lends plane `index` (0 red, 1 green, 2 blue): `height * rowStride` samples, valid inside `body` only.
    public func withPlane<Result, Failure: Error>(
        _ index: Int, _ body: (UnsafeMutableBufferPointer<Sample>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition((0..<Self.planeCount).contains(index))
        let count = rowStride * height
        let base = storage.assumingMemoryBound(to: Sample.self) + index * count
        return try body(UnsafeMutableBufferPointer(start: base, count: count))
    }

    /// The sample of plane `plane` in row `y`, column `x`; for tests and single looks, not for loops over a frame.
    public subscript(plane: Int, y: Int, x: Int) -> Sample {
        get { withPlane(plane) { $0[y * rowStride + x] } }
        set { withPlane(plane) { $0[y * rowStride + x] = newValue } }
    }
}
