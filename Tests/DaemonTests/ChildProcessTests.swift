import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Daemon

/// Lines that came from another thread.
final class Collected: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: Data) { lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
    var all: [String] { lines.withLock { $0 } }
}

@Suite("child processes") struct ChildProcessTests {
    private func shell(_ script: String, input: Data = Data(), keepsInputOpen: Bool = false) -> ChildOrder {
        ChildOrder("/bin/sh", ["-c", script], input: input, keepsInputOpen: keepsInputOpen)
    }

    @Test("lines, errors and the exit status arrive")
    func speaks() async throws {
        let lines = Collected(), errors = Collected()
        let child = try ChildProcess.start(
            shell("echo one; echo two >&2; printf three; exit 7"), onLine: lines.add, onErrorLine: errors.add)
        let end = await child.ended()
        #expect(end.cause == .exited(7))
        #expect(end.sent == nil)
        #expect(lines.all == ["one", "three"])
        #expect(errors.all == ["two"] && end.errors == "two\n")
        #expect(end.peakMemory > 0)
        #expect(child.end == end && !child.isRunning)
    }

    @Test("input goes in both ways, and its end is seen")
    func hears() async throws {
        let lines = Collected()
        let child = try ChildProcess.start(
            shell("cat", input: Data("first\n".utf8), keepsInputOpen: true), onLine: lines.add)
        #expect(child.send(line: Data("second".utf8)))
        child.closeInput()
        #expect(await child.ended().cause == .exited(0))
        #expect(lines.all == ["first", "second"])
        #expect(!child.send(line: Data("third".utf8)))
    }

    @Test("more than a pipe holds goes both ways at once")
    func large() async throws {
        let lines = Collected()
        let text = (0..<20_000).map { "line \($0) of many\n" }.joined()
        let child = try ChildProcess.start(shell("cat", input: Data(text.utf8)), onLine: lines.add)
        #expect(await child.ended().cause == .exited(0))
        #expect(lines.all.count == 20_000 && lines.all.last == "line 19999 of many")
    }

    @Test("a crash is told from a signal that was sent")
    func crashes() async throws {
        let crashed = await (try ChildProcess.start(shell("kill -SEGV $$"))).ended()
        #expect(crashed.cause == .signalled(SIGSEGV) && crashed.sent == nil)
        let child = try ChildProcess.start(ChildOrder("/bin/sleep", ["60"]))
        child.kill()
        let killed = await child.ended()
        #expect(killed.cause == .signalled(SIGKILL) && killed.sent == SIGKILL)
    }

    @Test("one that does not hear SIGTERM is killed")
    func stubborn() async throws {
        let lines = Collected()
        let ready = Handback<Bool>()
        let child = try ChildProcess.start(shell("trap '' TERM; echo ready; while :; do sleep 0.05; done")) {
            lines.add($0)
            ready.put(true)
        }
        _ = ready.take()
        child.stop(patience: .milliseconds(300))
        #expect(await child.ended().cause == .signalled(SIGKILL))
    }

    @Test("what it has started goes with it, and does not hold up its end")
    func descendants() async throws {
        let lines = Collected()
        let child = try ChildProcess.start(shell("sleep 600 & echo $!; exit 0"), onLine: lines.add)
        #expect(await child.ended().cause == .exited(0))
        let descendant = try #require(lines.all.first.flatMap { Int32($0) })
        // Killed, which it notices when it next has the processor; a zombie until whoever adopted it looks.
        var state: String?
        #expect(await eventually {
            state = (try? String(contentsOfFile: "/proc/\(descendant)/stat", encoding: .utf8)).map { String($0.split(separator: " ")[2]) }
            return state == nil || state == "Z"
        }, "\(state ?? "")")
    }

    @Test("no signal is blocked or ignored in it, no file of ours is open, its group is its own")
    func isClean() async throws {
        let folder = try TemporaryFolder()
        let open = open(folder.path("open"), O_CREAT | O_RDWR, 0o600)
        defer { close(open) }
        let lines = Collected()
        let child = try ChildProcess.start(
            shell("grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | tr '\\n' ' '; echo; cut -d' ' -f5 /proc/$$/stat; cat /proc/$$/oom_score_adj"),
            onLine: lines.add)
        _ = await child.ended()
        try #require(lines.all.count == 5, "\(lines.all)")
        #expect(lines.all[0].hasSuffix("0000000000000000"))
        #expect(UInt64(lines.all[1].split(separator: "\t").last ?? "x", radix: 16).map { $0 & 0x7fff_ffff } == 0, "\(lines.all[1])")
        // Its standard streams, and the folder that ls reads.
        #expect(lines.all[2].split(separator: " ").count == 4, "\(lines.all[2])")
        #expect(lines.all[3] == "\(child.pid)")
        #expect(lines.all[4] == "500")
    }

    @Test("what cannot be started is an error that names it")
    func missing() {
        #expect { try ChildProcess.start(ChildOrder("/no/such/program", [])) } throws: {
            ($0 as? SystemFailure)?.code == .cannotStart && "\($0)".contains("/no/such/program")
        }
    }

    @Test("the tail of standard error and a line are bounded")
    func bounded() async throws {
        let lines = Collected()
        let child = try ChildProcess.start(
            shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; head -c 100000 /dev/zero | tr '\\0' e >&2; echo last >&2"),
            onLine: lines.add)
        let end = await child.ended()
        #expect(lines.all.map(\.count) == [ChildProcess.longestLine])
        #expect(end.errors.utf8.count == ChildProcess.mostErrors && end.errors.hasSuffix("e" + "last\n"))
    }

    @Test("input that nobody reads is bounded too")
    func unread() async throws {
        let child = try ChildProcess.start(ChildOrder("/bin/sleep", ["60"]))
        let chunk = Data(repeating: 65, count: 300_000)
        var taken = 0
        while taken < 20, child.send(line: chunk) { taken += 1 }
        #expect((1..<20).contains(taken))
        child.kill()
        _ = await child.ended()
    }

    @Test("many at once")
    func many() async throws {
        let ends = try await withThrowingTaskGroup(of: ChildEnd.self) { group in
            for number in 0..<30 {
                let child = try ChildProcess.start(shell("exit \(number)"))
                group.addTask { await child.ended() }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(ends.map { "\($0.cause)" }).count == 30)
    }
}
