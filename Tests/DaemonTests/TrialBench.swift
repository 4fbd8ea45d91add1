import Foundation
import Glibc
import TestSupport
import Testing

/// The daemon run as a program and judged from outside: files go in; results, jobs and log lines come out. One test after
/// another, as each takes the machine's cores.
@Suite("the daemon from outside", .serialized) struct Trial {}

/// A watched folder with a daemon, for one test. Nothing that it started or mounted is left after `close`.
final class TrialBench {
    let folder: TemporaryFolder
    private let logs: TemporaryFolder
    private var daemons: [DaemonProgram] = []
    private var mounts: [String] = []

    var input: String { folder.path("in") }
    var output: String { folder.path("out") }
    var state: String { folder.path("state") }

    /// Small pictures, the smallest network, and an encoder that loses nothing, so that results can be compared frame by frame.
    static let conversion = ["network-size": "256x128", "crf": "0", "preset": "ultrafast"]
    static let conversionArguments = conversion.sorted { $0.key < $1.key }.map { "--\($0.key)=\($0.value)" }

    init() throws {
        folder = try TemporaryFolder()
        logs = try TemporaryFolder()
        for path in [input, output] { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    }

    func close() {
        for daemon in daemons { daemon.discard() }
        for mount in mounts.reversed() { umount2(mount, Int32(MNT_DETACH)) }
        daemons = []
        mounts = []
    }

    // MARK: - Daemons

    /// Writes a configuration with one folder and returns its path; `top` and `folder` replace or add values, `more` is added as
    /// it is.
    @discardableResult
    func configure(
        _ name: String = "solstice.yaml", top: [String: String] = [:], folder options: [String: String] = [:], more: String = ""
    ) throws -> String {
        let general = ["state": state, "jobs": "2", "checkpoint": "1s", "disk-floor": "1MiB", "web": "{listen: 127.0.0.1:0}"].merging(top) { $1 }
        let watched = ["in": input, "out": output, "settle": "200ms", "scan": "2s"].merging(Self.conversion) { $1 }.merging(options) { $1 }
        var text = general.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\n" }.joined()
        text += "folders:\n  - name: drop\n" + watched.sorted { $0.key < $1.key }.map { "    \($0.key): \($0.value)\n" }.joined() + more
        let path = folder.path(name)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    func start(_ arguments: [String], environment: [String: String] = [:], program: String = Program.solstice) throws -> DaemonProgram {
        let daemon = try DaemonProgram(arguments, environment: environment, program: program, in: logs.url)
        daemons.append(daemon)
        return daemon
    }

    /// A daemon of a configuration that has been written; with `waits` it is ready when this returns.
    func serve(_ name: String = "solstice.yaml", environment: [String: String] = [:], waits: Bool = true) throws -> DaemonProgram {
        let daemon = try start(["serve", "--config", folder.path(name)], environment: environment)
        if waits, !daemon.waitReady() { throw Program.Failure(description: "the daemon does not become ready: \(daemon.log)") }
        return daemon
    }

    /// `solstice jobs …` on this bench's state folder.
    func jobs(_ arguments: String...) throws -> Program.Outcome {
        try Program.run(Program.solstice, ["jobs"] + arguments + ["--state-folder", state])
    }

    /// All jobs as the command line tells them, newest first or not; works with and without a daemon.
    func jobList() throws -> [JSONRow] {
        let outcome = try jobs("list", "--json", "--limit", "2000")
        guard outcome.status == 0 else { throw Program.Failure(description: "jobs list: \(outcome.status): \(outcome.errors)") }
        return outcome.rows
    }

    // MARK: - Files

    func source(_ name: String) -> String { input + "/" + name }
    func result(_ name: String) -> String { output + "/" + name }

    /// Puts a copy of a clip into the watched folder at once, as a move within a file system does.
    func put(_ clip: TrialClip, as name: String, variant: Int = 0) throws {
        let ready = folder.path("ready-\(UUID().uuidString)")
        try clip.bytes(variant: variant).write(to: URL(fileURLWithPath: ready))
        let target = source(name)
        try FileManager.default.createDirectory(atPath: (target as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        guard rename(ready, target) == 0 else { throw POSIXError(.EIO) }
    }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// The folders of work in progress in a state folder.
    static func work(of state: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: state + "/work/solstice-jobs")) ?? []).filter { $0 != "lock" }
    }

    /// Names below the output folder that are no results of a done job: hidden folders, partial files, leases. And what is left
    /// of work in progress.
    var leftovers: [String] {
        let hidden = Tree.files(output).keys.filter { $0.split(separator: "/").contains { $0.hasPrefix(".") } }
        let work = Self.work(of: state)
        return hidden.sorted() + Tree.folders(output).filter { ($0 as NSString).lastPathComponent.hasPrefix(".") } + work.map { "work/" + $0 }
    }

    // MARK: - Mounts

    /// Mounts a small file system of its own over a folder; nil where that is not allowed.
    func mount(_ path: String, size: String) -> Bool {
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard Glibc.mount("solstice-trial", path, "tmpfs", 0, "size=\(size),mode=0777") == 0 else { return false }
        mounts.append(path)
        return true
    }

    func resize(_ path: String, size: String) -> Bool { Glibc.mount("solstice-trial", path, "tmpfs", UInt(MS_REMOUNT), "size=\(size),mode=0777") == 0 }
    func makeReadOnly(_ path: String, _ isReadOnly: Bool) -> Bool {
        Glibc.mount("solstice-trial", path, "tmpfs", UInt(MS_REMOUNT) | (isReadOnly ? UInt(MS_RDONLY) : 0), nil) == 0
    }

    func unmount(_ path: String) -> Bool {
        mounts.removeAll { $0 == path }
        return umount2(path, Int32(MNT_DETACH)) == 0
    }

    /// Tests that need a file system of their own say so where they may not have one.
    static let mayMount: Bool = {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("solstice-mount-\(UUID().uuidString)").path
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { rmdir(path) }
        guard Glibc.mount("solstice-trial", path, "tmpfs", 0, "size=64k") == 0 else { return false }
        umount2(path, Int32(MNT_DETACH))
        return true
    }()
}

/// Everything below a folder, hidden names included. Names that are no text are escaped.
enum Tree {
    /// Content of each file with the moment of its last change, by its path below `root`.
    static func files(_ root: String) -> [String: Stamp] {
        var found: [String: Stamp] = [:]
        walk(Array(root.utf8), "") { path, name, status in
            if status.st_mode & S_IFMT == S_IFREG { found[name] = Stamp(status, path) }
        }
        return found
    }

    static func folders(_ root: String) -> [String] {
        var found: [String] = []
        walk(Array(root.utf8), "") { _, name, status in if status.st_mode & S_IFMT == S_IFDIR { found.append(name) } }
        return found.sorted()
    }

    /// A file as it is: what must not change in a source.
    struct Stamp: Equatable {
        let bytes: [UInt8]
        let inode: UInt
        let seconds: Int
        let nanoseconds: Int

        init(_ status: stat, _ path: [UInt8]) {
            (inode, seconds, nanoseconds) = (UInt(status.st_ino), status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
            bytes = Tree.read(path)
        }
    }

    static func name(_ bytes: [UInt8]) -> String {
        String(validating: bytes, as: UTF8.self) ?? bytes.map { $0 < 128 ? String(UnicodeScalar($0)) : "\\x" + String($0, radix: 16, uppercase: true) }.joined()
    }

    private static func walk(_ folder: [UInt8], _ below: String, _ visit: ([UInt8], String, stat) -> Void) {
        guard let directory = opendir((folder + [0]).map(CChar.init(bitPattern:))) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let bytes = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard bytes != [46], bytes != [46, 46] else { continue }
            let path = folder + [47] + bytes, shown = below.isEmpty ? name(bytes) : below + "/" + name(bytes)
            var status = stat()
            guard lstat((path + [0]).map(CChar.init(bitPattern:)), &status) == 0 else { continue }
            visit(path, shown, status)
            if status.st_mode & S_IFMT == S_IFDIR { walk(path, shown, visit) }
        }
    }

    private static func read(_ path: [UInt8]) -> [UInt8] {
        let descriptor = open((path + [0]).map(CChar.init(bitPattern:)), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { Glibc.close(descriptor) }
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = Glibc.read(descriptor, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
        return bytes
    }
}
