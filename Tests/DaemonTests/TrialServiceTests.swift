import Foundation
import Glibc
import TestSupport
import Testing

extension Trial {
    @Suite("as a service, with relays") struct Services {
        @Test("systemd hears that it is ready, alive, reloading and stopping")
        func notified() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let manager = try NotifySocket(bench.folder.path("notify"))
            try bench.configure()
            let daemon = try bench.serve(environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "1000000"])
            #expect(daemon.wait { manager.hears("READY=1") == 1 }, "\(manager.heard)")
            try bench.put(.plain, as: "a.mp4")
            #expect(daemon.wait("a.mp4", is: "done"), daemon.story)
            // One each half second is what is asked for (sd_watchdog_enabled(3)); twice that is sent, by a machine that does not stall.
            let isAlive = (0..<10).contains { _ in
                let before = manager.hears("WATCHDOG=1")
                sleep(3)
                return manager.hears("WATCHDOG=1") >= before + 5
            }
            #expect(isAlive, "\(manager.heard)")
            daemon.running.send(signal: SIGHUP)
            #expect(daemon.wait { manager.hears("READY=1") == 2 }, "\(manager.heard)")
            #expect(manager.heard.contains { $0.contains("RELOADING=1") && $0.contains("MONOTONIC_USEC=") }, "\(manager.heard)")
            #expect(daemon.stop().outcome.status == 0)
            #expect(manager.hears("STOPPING=1") == 1, "\(manager.heard)")
        }

        @Test("a work loop that hangs is no sign of life: nothing is sent while the daemon is stopped")
        func silent() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let manager = try NotifySocket(bench.folder.path("notify"))
            try bench.configure()
            let daemon = try bench.serve(environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"])
            #expect(daemon.wait { manager.hears("READY=1") == 1 }, "\(manager.heard)")
            sleep(2)
            // The watchdog is meant for another process.
            #expect(manager.hears("WATCHDOG=1") == 0, "\(manager.heard)")
        }

        @Test("a relay of the configuration: seen from outside, started again when it dies, ended with the daemon")
        func relay() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let port = try FreePort.next(), film = try TrialClip.long.path()
            func relay(_ strength: String) -> String {
                "relays:\n  - name: road\n    source: \(film)\n    realtime-file: yes\n    loop: yes\n    listen: rtsp://127.0.0.1:\(port)/road\n    network-size: 256x128\n    strength: \(strength)\n"
            }
            try bench.configure(more: relay("0"))
            let daemon = try bench.serve()
            func state() -> JSONRow? { daemon.status?.rows("relays").first }
            #expect(daemon.wait { state().state == "playing" }, "\(daemon.status?.description ?? "") \(daemon.story)")
            #expect(state()?.text("name") == "road" && state()?.count("starts") == 1)
            #expect(daemon.wait { (state()?.number("fps_out") ?? 0) > 5 }, "\(daemon.status?.description ?? "")")
            #expect(daemon.wait { daemon.get("/api/v1/relays/road/after.jpg")?.status == 200 })
            let first = try #require(daemon.relays.first)
            kill(first.pid, SIGKILL)
            #expect(daemon.wait { state()?.count("starts") == 2 && state().state == "playing" }, "\(daemon.status?.description ?? "")")
            let probe = try Program.run("ffprobe", ["-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", "-of", "csv=p=0", "rtsp://127.0.0.1:\(port)/road"], limit: 30)
            #expect(probe.output.contains("h264"), "\(probe.output)\(probe.errors)")
            // A reload that does not concern it leaves it alone; one that does starts it anew.
            let second = daemon.relays.first?.pid
            try bench.configure(top: ["jobs": "1"], more: relay("0"))
            daemon.running.send(signal: SIGHUP)
            #expect(daemon.wait { daemon.lines("configuration reloaded").count == 1 }, daemon.story)
            #expect(daemon.relays.first?.pid == second)
            try bench.configure(more: relay("0.5"))
            daemon.running.send(signal: SIGHUP)
            #expect(daemon.wait { daemon.relays.first.map { $0.pid != second } ?? false && state().state == "playing" }, daemon.story)
            // It does not stand in the way of the files.
            try bench.put(.plain, as: "a.mp4")
            #expect(daemon.wait("a.mp4", is: "done"), daemon.story)
            let outcome = daemon.stop().outcome
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(daemon.children.isEmpty)
        }

        @Test("relays and workers end with a daemon that is killed")
        func orphans() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let port = try FreePort.next(), film = try TrialClip.long.path()
            try bench.configure(
                more: "relays:\n  - {name: road, source: \(film), realtime-file: yes, loop: yes, listen: 'rtsp://127.0.0.1:\(port)/road', network-size: 256x128, strength: 0}\n")
            let daemon = try bench.serve()
            try bench.put(.endless, as: "a.mkv")
            #expect(daemon.wait { !daemon.workers.isEmpty && !daemon.relays.isEmpty }, daemon.story)
            daemon.kill(.daemon)
            let end = Date().addingTimeInterval(60)
            while !daemon.children.isEmpty, Date() < end { usleep(100_000) }
            #expect(daemon.children.isEmpty, "\(daemon.children)")
        }
    }
}

/// The service manager's end of sd_notify(3).
final class NotifySocket {
    let path: String
    private let descriptor: Int32
    private var datagrams: [String] = []

    init(_ path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw POSIXError(.ENAMETOOLONG) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 }
        }
        guard isBound else { throw POSIXError(.EADDRNOTAVAIL) }
    }

    deinit { close(descriptor) }

    /// Everything that has come until now.
    var heard: [String] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT)), count > 0 {
            datagrams.append(String(decoding: buffer[..<count], as: UTF8.self))
        }
        return datagrams
    }

    /// How often a line has come.
    func hears(_ line: String) -> Int { heard.flatMap { $0.split(separator: "\n") }.filter { $0 == line }.count }
}
