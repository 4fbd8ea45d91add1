public import Foundation
internal import Synchronization

/// Tells the service manager how the daemon is (sd_notify(3)): one datagram of `NAME=value` lines for each word.
public final class Notify: Sendable {
    private let socket: UnixDatagram
    /// Seconds within which the manager wants a sign of life; nil where it wants none.
    public let watchdog: Double?
    private let lastSign = Mutex<ContinuousClock.Instant?>(nil)
    private let lastStatus = Mutex<String?>(nil)

    /// Seconds that a word which must not be lost waits for the manager to have room for it.
    private static let patience = 2.0

    /// Throws `SystemFailure` `.badSocket`.
    public init(socket path: String, watchdog: Double? = nil) throws(SystemFailure) {
        socket = try UnixDatagram(path: path)
        self.watchdog = watchdog
    }

    /// Nil where no service manager listens, which `$NOTIFY_SOCKET` would say.
    public static func fromEnvironment(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> Notify? {
        guard let path = environment["NOTIFY_SOCKET"] else { return nil }
        let isForUs = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
        let interval = environment["WATCHDOG_USEC"].flatMap { Double($0) }.flatMap { $0 > 0 ? $0 * 1e-6 : nil }
        return try? Notify(socket: path, watchdog: isForUs ? interval : nil)
    }

    /// The daemon is at work: for the first time, or again after `reloading()`.
    public func ready() { send("READY=1", patience: Self.patience) }

    /// The configuration is being read again; `ready()` ends that.
    public func reloading() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        send("RELOADING=1\nMONOTONIC_USEC=\(Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)", patience: Self.patience)
    }

    public func stopping() { send("STOPPING=1", patience: Self.patience) }

    /// A line for `systemctl status`; one that was told last is not told again.
    public func status(_ text: String) {
        let line = text.replacingOccurrences(of: "\n", with: " ")
        let isNew = lastStatus.withLock { last in
            defer { last = line }
            return last != line
        }
        if isNew { send("STATUS=\(line)") }
    }

    /// A sign of life from the work loop; may be called as often as wanted, and is sent four times within the watchdog's interval.
    public func alive() {
        guard let watchdog else { return }
        let now = ContinuousClock.now
        let isDue = lastSign.withLock { last in
            if let last, now - last < .seconds(watchdog / 4) { return false }
            last = now
            return true
        }
        if isDue { send("WATCHDOG=1") }
    }

    private func send(_ text: String, patience: Double = 0) { socket.send(Array(text.utf8), patience: patience) }
}
