import Foundation
import Jobs
import TestSupport
import Testing

@Suite("Whether a process is still the same") struct ProcessTests {
    @Test func thisOneIsAlive() throws {
        #expect(ProcessIdentity.current.isAlive && ProcessIdentity.current.pid == getpid())
        #expect(ProcessIdentity.of(getpid()) == .current)
        #expect(try JSONDecoder().decode(ProcessIdentity.self, from: JSONEncoder().encode(ProcessIdentity.current)) == .current)
    }

    @Test func anotherProcessWithTheNumberIsNotTakenForIt() {
        var other = ProcessIdentity.current
        other.startTime += 1
        #expect(!other.isAlive)
        other = .current
        other.bootID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
        #expect(!other.isAlive)
        #expect(ProcessIdentity.of(0) == nil && ProcessIdentity.of(-1) == nil && ProcessIdentity.of(Int32.max) == nil)
    }

    @Test func aKilledOneIsDeadBeforeAndAfterItIsReaped() throws {
        var child: pid_t = 0
        // Its name, which /proc shows unquoted, looks like further fields.
        let folder = try TemporaryFolder(), name = folder.path("a) Z 1 1 (b")
        try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: name)
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("600"), nil]
        defer { for argument in arguments { free(argument) } }
        try #require(posix_spawn(&child, name, nil, nil, &arguments, environ) == 0)
        let identity = try #require(ProcessIdentity.of(child))
        #expect(identity.isAlive && identity.startTime >= ProcessIdentity.current.startTime)
        kill(child, SIGKILL)
        // It is a zombie until somebody waits for it.
        let end = Date().addingTimeInterval(60)
        while identity.isAlive, Date() < end { usleep(5000) }
        #expect(!identity.isAlive)
        var status: Int32 = 0
        waitpid(child, &status, 0)
        #expect(!identity.isAlive && ProcessIdentity.of(child) != identity)
    }
}
