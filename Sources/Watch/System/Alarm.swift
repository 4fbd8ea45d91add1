internal import Glibc

/// Wakes a thread that waits in poll(2).
final class Alarm: Sendable {
    /// Readable once rung; -1 where the process has no descriptor left, and the thread wakes when its time is up.
    let descriptor: Int32
    private let bell: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { (descriptor, bell) = (-1, -1); return }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (descriptor, bell) = (ends[0], ends[1])
    }

    deinit {
        for end in [descriptor, bell] where end >= 0 { close(end) }
    }

    func ring() {
        var byte: UInt8 = 1
        // A full pipe rings already.
        _ = write(bell, &byte, 1)
    }

    func silence() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(descriptor, &bytes, bytes.count) > 0 {}
    }
}
