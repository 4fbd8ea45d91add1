internal import NIOCore
internal import Synchronization

/// What the threads of the program and the server's own share. Nothing here waits for anything but a short lock.
final class Board: Sendable {
    private struct Inbox {
        var description: StreamDescription?
        var ring = MediaRing(limits: Board.limits, hasVideo: false)
        /// Of rings that were replaced.
        var lostBefore = 0
        var isWoken = false
        var wake: (@Sendable () -> Void)?
    }

    /// For a thread that is late, not for readers that are slow.
    private static let limits = MediaRing.Limits(units: 1024, bytes: 16 << 20, age: 2_000_000_000)

    private let inbox = Mutex(Inbox())
    private let statuses = Mutex<[String: ReaderStatus]>([:])

    var description: StreamDescription? { inbox.withLock { $0.description } }
    /// Frames that the server's thread was too late for.
    var lost: Int { inbox.withLock { $0.lostBefore + $0.ring.lost } }
    var readers: [ReaderStatus] { statuses.withLock { Array($0.values) }.sorted { $0.address < $1.address } }

    func describe(_ description: StreamDescription) {
        inbox.withLock {
            $0.description = description
            $0.lostBefore += $0.ring.lost
            $0.ring = MediaRing(limits: Self.limits, hasVideo: description.isVideo.contains(true), startsAtKeyframe: false)
        }
    }

    /// - Parameter wake: makes the server's thread call `next` until there is nothing.
    func connect(wake: @escaping @Sendable () -> Void) { inbox.withLock { $0.wake = wake } }
    func disconnect() { inbox.withLock { $0.wake = nil } }

    func post(_ unit: MediaUnit, at arrival: UInt64) {
        guard let isVideo = description?.isVideo, isVideo.indices.contains(unit.track),
            let framed = FramedUnit(unit, isVideo: isVideo[unit.track], arrival: arrival)
        else { return }
        let wake: (@Sendable () -> Void)? = inbox.withLock { inbox in
            guard let wake = inbox.wake else { return nil }
            inbox.ring.append(framed)
            guard !inbox.isWoken else { return nil }
            inbox.isWoken = true
            return wake
        }
        wake?()
    }

    func next() -> FramedUnit? {
        inbox.withLock { inbox in
            let unit = inbox.ring.popFirst()
            if unit == nil { inbox.isWoken = false }
            return unit
        }
    }

    /// - Parameter id: of the session.
    func show(_ status: ReaderStatus?, of id: String) { statuses.withLock { $0[id] = status } }
}
