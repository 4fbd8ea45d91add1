internal import Synchronization

/// Storage of pictures that have ended, for the next ones of the same size: a stage that makes a picture for every frame
/// would otherwise have the kernel clear fresh pages for each.
///
/// It never holds more than were in use at once, and frees all with itself. Pictures keep the pool alive.
public final class PicturePool: Sendable {
    static let alignment = 64

    private struct Block: @unchecked Sendable {
        // Safe to send: a block in the pool belongs to the pool alone.
        let start: UnsafeMutableRawPointer
    }

    private let idle = Mutex<[Int: [Block]]>([:])

    public init() {}

    deinit {
        idle.withLock { idle in
            for block in idle.values.joined() { block.start.deallocate() }
        }
    }

    /// Storage of `byteCount` bytes, used or new, which belongs to the caller until it is given back.
    func take(byteCount: Int) -> UnsafeMutableRawPointer {
        idle.withLock { $0[byteCount]?.popLast() }?.start
            ?? .allocate(byteCount: byteCount, alignment: Self.alignment)
    }

    /// Takes back what `take` has lent.
    func give(_ start: UnsafeMutableRawPointer, byteCount: Int) {
        let block = Block(start: start)
        idle.withLock { $0[byteCount, default: []].append(block) }
    }
}
