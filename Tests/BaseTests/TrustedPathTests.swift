import Foundation
import Glibc
import TestSupport
import Testing

@testable import Base

@Suite("Paths that others have a part in") struct TrustedPathTests {
    private let folder: TemporaryFolder
    private static let isRoot = geteuid() == 0

    init() throws {
        folder = try TemporaryFolder()
        for path in ["in/deep", "away/deep"] { try FileManager.default.createDirectory(atPath: folder.path(path), withIntermediateDirectories: true) }
        for path in ["in/deep/a", "away/deep/b", "secret"] { try Data(path.utf8).write(to: URL(fileURLWithPath: folder.path(path))) }
    }

    /// The content of the file that is found.
    private func read(_ path: String) throws(TrustedPath.Failure) -> String {
        let named = try TrustedPath.name(Array(path.utf8), below: Array(folder.path("in").utf8))
        defer { close(named) }
        let file = TrustedPath.open(named: named)
        guard file >= 0 else { throw .system(errno) }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { throw .system(errno) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    private func failure(_ path: String) -> TrustedPath.Failure? {
        do throws(TrustedPath.Failure) { _ = try read(path) } catch { return error }
        return nil
    }

    private func link(_ path: String, to target: String, owner: uid_t? = nil) {
        #expect(symlink(target, folder.path(path)) == 0)
        if let owner { #expect(lchown(folder.path(path), owner, owner) == 0) }
    }

    @Test("are followed through one's own links, whatever these say")
    func own() throws {
        #expect(try read("deep/a") == "in/deep/a")
        #expect(try read("./deep//a") == "in/deep/a")
        link("in/relative", to: "deep/../deep/./a")
        link("in/absolute", to: folder.path("secret"))
        link("in/chain", to: "relative")
        link("in/aside", to: "../away/deep/b")
        link("folder", to: "away/deep")
        link("in/throughFolder", to: "../folder/b")
        for (name, content) in ["relative": "in/deep/a", "absolute": "secret", "chain": "in/deep/a", "aside": "away/deep/b", "throughFolder": "away/deep/b"] {
            #expect(try read(name) == content, "\(name)")
        }
    }

    @Test("lead to nothing where nothing is, and not through a folder that a link has replaced")
    func absent() {
        link("in/circle", to: "circle")
        link("in/nowhere", to: "no/where")
        link("in/up", to: "/")
        link("in/replaced", to: "../away/deep")
        for (name, code) in ["none": ENOENT, "nowhere": ENOENT, "circle": ELOOP, "up": EISDIR, "deep/a/x": ENOTDIR, "replaced/b": ELOOP] {
            #expect(failure(name) == .system(code), "\(name)")
        }
        #expect(failure(String(repeating: "n", count: 300)) == .system(ENAMETOOLONG))
    }

    @Test("are not followed through links to what is not their owner's", .enabled(if: isRoot, "only root can give links away"))
    func foreign() throws {
        let (attacker, victim): (uid_t, uid_t) = (54_321, 54_322)
        #expect(chown(folder.path("secret"), victim, victim) == 0)
        link("in/theirs", to: folder.path("secret"), owner: attacker)
        link("in/victims", to: folder.path("secret"), owner: victim)
        // A link that may be followed leads to one that may not, and the other way round.
        link("in/first", to: "theirs", owner: victim)
        link("in/last", to: "victims", owner: attacker)
        link("in/middle", to: "../turned/b", owner: victim)
        link("turned", to: "away/deep", owner: attacker)
        #expect(chown(folder.path("away/deep/b"), victim, victim) == 0)
        #expect(try read("victims") == "secret")
        for name in ["theirs", "first", "last", "middle"] { #expect(failure(name) == .foreignLink(link: attacker, file: victim), "\(name)") }
        // One's own.
        #expect(chown(folder.path("secret"), attacker, attacker) == 0)
        #expect(try read("theirs") == "secret")
    }
}

@Suite("Marks of processes") struct ProcessMarkTests {
    @Test("are the same as long as a process lives, and differ between processes")
    func marks() throws {
        #expect(ProcessMark.own != 0 && ProcessMark.of(getpid()) == ProcessMark.own)
        let parent = getppid()
        if parent > 0 { #expect(ProcessMark.of(parent) != ProcessMark.own) }
        #expect(ProcessMark.of(0) == nil && ProcessMark.of(.max) == nil)
    }

    @Test("are read whatever the program's name is")
    func names() {
        let numbers = (4...52).map(String.init).joined(separator: " ")
        #expect(ProcessMark.startTime(in: "7 (a) b) S \(numbers)") == "22")
        #expect(ProcessMark.startTime(in: "7 (a") == nil && ProcessMark.startTime(in: "7 (a) S 1 2") == nil)
    }
}
