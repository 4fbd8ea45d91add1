internal import Foundation

/// What the detail transfer of one frame leaves for the next one: the maps as they were applied, averaged over time, how bright
/// each window was, and what the next frame finds the source's motion by.
///
/// The average is exponential and counts in seconds: `timeConstant` after a change 63 % of it has arrived, at any frame rate.
public final class DetailState: @unchecked Sendable {
    // Safe to send: the storage is written by the call that makes it alone, and only read after that call has returned.
    struct Size: Equatable {
        let width, height, networkWidth, networkHeight: Int
    }

    /// Seconds.
    public static let timeConstant = 0.25
    /// Seconds between two frames beyond which the later one begins anew.
    public static let longestGap = 1.0

    let size: Size
    /// When the frame was shown.
    public let seconds: Double
    let floats: UnsafeMutablePointer<Float>
    private let count: Int
    private let pool: PicturePool

    init(count: Int, size: Size, seconds: Double, pool: PicturePool) {
        self.size = size
        self.seconds = seconds
        self.count = count
        self.pool = pool
        floats = pool.take(byteCount: count * MemoryLayout<Float>.stride).bindMemory(to: Float.self, capacity: count)
    }

    deinit { pool.give(UnsafeMutableRawPointer(floats), byteCount: count * MemoryLayout<Float>.stride) }

    /// How much of this state a frame keeps that is shown at `seconds`: 0...1, nothing where time goes back or makes a leap.
    func share(keptAt seconds: Double) -> Float {
        let gap = seconds - self.seconds
        return gap > 0 && gap <= Self.longestGap ? Float(exp(-gap / Self.timeConstant)) : 0
    }

    // MARK: - On a disk

    private static let format: UInt32 = 2

    /// The state as bytes, from which `DetailTransfer.state(from:)` makes the same again: a version, the sizes, the time and the
    /// floats, in the machine's byte order.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headSize + count * MemoryLayout<Float>.stride)
        withUnsafeBytes(of: Self.format) { bytes.append(contentsOf: $0) }
        for side in [size.width, size.height, size.networkWidth, size.networkHeight] {
            withUnsafeBytes(of: UInt32(clamping: side)) { bytes.append(contentsOf: $0) }
        }
        withUnsafeBytes(of: seconds.bitPattern) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: floats, count: count * MemoryLayout<Float>.stride))
        return bytes
    }

    private static let headSize = 5 * MemoryLayout<UInt32>.size + MemoryLayout<UInt64>.size

    convenience init?(bytes: [UInt8], count: Int, size: Size, pool: PicturePool) {
        let floatBytes = count * MemoryLayout<Float>.stride
        guard bytes.count == Self.headSize + floatBytes else { return nil }
        let head = bytes.withUnsafeBytes { raw in
            (0..<5).map { raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<UInt32>.size, as: UInt32.self) }
        }
        let seconds = bytes.withUnsafeBytes {
            Double(bitPattern: $0.loadUnaligned(fromByteOffset: 5 * MemoryLayout<UInt32>.size, as: UInt64.self))
        }
        let sides = [size.width, size.height, size.networkWidth, size.networkHeight].map { UInt32(clamping: $0) }
        guard head == [Self.format] + sides else { return nil }
        self.init(count: count, size: size, seconds: seconds, pool: pool)
        bytes.withUnsafeBytes { raw in
            UnsafeMutableRawBufferPointer(start: floats, count: floatBytes).copyMemory(from: .init(rebasing: raw[Self.headSize...]))
        }
    }
}
