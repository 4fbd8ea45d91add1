import Foundation
import Glibc
import TestSupport
import Testing

extension Trial {
    /// A daemon of a user of its own, as under systemd, beside other users who may write to its folders.
    @Suite("among other users") struct Users {
        private static let isPossible = geteuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")
        private static let daemonUser: UInt32 = 65534

        /// A bench whose folders belong to the daemon's user.
        private func bench(_ options: [String: String]) throws -> TrialBench {
            let bench = try TrialBench()
            try bench.configure(folder: options)
            try FileManager.default.createDirectory(atPath: bench.state, withIntermediateDirectories: true)
            for path in [bench.folder.url.path, bench.input, bench.output, bench.state] { #expect(chown(path, Self.daemonUser, Self.daemonUser) == 0) }
            return bench
        }

        private func serve(_ bench: TrialBench, capabilities: String) throws -> DaemonProgram {
            let user = ["--reuid=\(Self.daemonUser)", "--regid=\(Self.daemonUser)", "--clear-groups"]
            let sets = capabilities.isEmpty
                ? ["--inh-caps=-all", "--bounding-set=-all"] : ["--inh-caps=-all,+\(capabilities)", "--ambient-caps=-all,+\(capabilities)", "--bounding-set=-all,+\(capabilities)"]
            let daemon = try bench.start(
                user + sets + [Program.solstice, "serve", "--config", bench.folder.path("solstice.yaml")],
                environment: ["HOME": bench.state, "XDG_CACHE_HOME": bench.state], program: "/usr/bin/setpriv")
            guard daemon.waitReady() else { throw Program.Failure(description: "the daemon does not become ready: \(daemon.log)") }
            return daemon
        }

        /// A file of root's with the beginning of a clip in it, which stays open for writing; its rest is still to come.
        private func begin(_ bench: TrialBench, _ name: String) throws -> (file: FileHandle, rest: Data) {
            let whole = try TrialClip.camera.bytes()
            let path = bench.source(name)
            _ = FileManager.default.createFile(atPath: path, contents: nil)
            let file = try #require(FileHandle(forWritingAtPath: path))
            try file.write(contentsOf: whole.prefix(whole.count / 2))
            return (file, Data(whole.dropFirst(whole.count / 2)))
        }

        @Test("with the unit's capability, a recording is taken and deleted when its writer has closed it", .enabled(if: isPossible, "needs root and setpriv"))
        func known() throws {
            let bench = try bench(["after": "delete"])
            defer { bench.close() }
            let (file, rest) = try begin(bench, "a.mov")
            let daemon = try serve(bench, capabilities: "lease")
            // One that is whole comes later and is done before it.
            try bench.put(.plain, as: "b.mp4")
            #expect(daemon.wait("b.mp4", is: "done"), daemon.story)
            #expect(daemon.wait { !bench.exists(bench.source("b.mp4")) }, daemon.story)
            #expect(daemon.job("a.mov") == nil && bench.exists(bench.source("a.mov")), daemon.story)
            try file.write(contentsOf: rest)
            try file.close()
            #expect(daemon.wait("a.mov", is: "done"), daemon.story)
            #expect(daemon.wait { !bench.exists(bench.source("a.mov")) }, daemon.story)
            try TrialClip.camera.expectResult(bench.result("a.mov"))
        }

        @Test("without it, nothing is taken early or deleted that may be open", .enabled(if: isPossible, "needs root and setpriv"))
        func unknown() throws {
            let bench = try bench(["after": "delete"])
            defer { bench.close() }
            let (file, rest) = try begin(bench, "a.mov")
            let daemon = try serve(bench, capabilities: "")
            // Moved here, so that it is known to be whole; who has it open is not.
            try bench.put(.plain, as: "b.mp4")
            #expect(daemon.wait("b.mp4", is: "done"), daemon.story)
            #expect(daemon.wait { !daemon.lines("it is not known who has sources open for writing").isEmpty }, daemon.story)
            #expect(bench.exists(bench.source("b.mp4")) && daemon.job("a.mov") == nil, daemon.story)
            #expect(daemon.lines("open for writing is not known").count == 1, daemon.story)
            var status = stat()
            #expect(fstat(file.fileDescriptor, &status) == 0 && status.st_nlink == 1)
            // Closed, which is heard of.
            try file.write(contentsOf: rest)
            try file.close()
            #expect(daemon.wait("a.mov", is: "done"), daemon.story)
            try TrialClip.camera.expectResult(bench.result("a.mov"))
            #expect(bench.exists(bench.source("a.mov")))
        }

        @Test("a link of another user to what only the daemon may read is not translated", .enabled(if: isPossible, "needs root and setpriv"))
        func foreignLink() throws {
            let bench = try bench([:])
            defer { bench.close() }
            let secret = bench.folder.path("secret.mp4")
            try TrialClip.red.bytes().write(to: URL(fileURLWithPath: secret))
            #expect(chown(secret, Self.daemonUser + 1, Self.daemonUser) == 0 && chmod(secret, 0o640) == 0)
            #expect(symlink(secret, bench.source("a.mp4")) == 0 && lchown(bench.source("a.mp4"), 1001, 1001) == 0)
            let daemon = try serve(bench, capabilities: "lease")
            #expect(daemon.wait { !daemon.lines("a.mp4 is a link of user 1001 to a file of user \(Self.daemonUser + 1)").isEmpty }, daemon.story)
            try bench.put(.plain, as: "b.mp4")
            #expect(daemon.wait("b.mp4", is: "done"), daemon.story)
            #expect(daemon.job("a.mp4") == nil && Tree.files(bench.output).keys.sorted() == ["b.mp4"], daemon.story)
            #expect(daemon.lines("a.mp4 is a link of user").count == 1, daemon.story)
        }

        @Test("a link at a hidden folder's name makes it remove nothing")
        func link() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: ["jobs": "1"])
            let victim = bench.folder.path("victim")
            try FileManager.default.createDirectory(atPath: victim + "/deep", withIntermediateDirectories: true)
            for name in ["/a", "/deep/b"] { try Data("precious".utf8).write(to: URL(fileURLWithPath: victim + name)) }
            let daemon = try bench.serve()
            let token = try String(contentsOfFile: bench.state + "/lock", encoding: .utf8)
            // What others see while a job runs: its hidden folder's name; the numbers of jobs count up.
            try bench.put(.endless, as: "a.mkv")
            var seen: String?
            #expect(daemon.wait { seen = Tree.folders(bench.output).first { $0.hasPrefix(".solstice-\(token)-1") }; return seen != nil }, daemon.story)
            let name = try #require(seen)
            for guess in [".solstice-\(token)-2", name.replacingOccurrences(of: "-\(token)-1", with: "-\(token)-2")] {
                symlink(victim, bench.output + "/" + guess)
            }
            // And the very folder of the job that runs.
            #expect(rename(bench.output + "/" + name, bench.output + "/.away") == 0 && symlink(victim, bench.output + "/" + name) == 0)
            #expect(try bench.jobs("cancel", "1").status == 0)
            #expect(daemon.wait("a.mkv", is: "cancelled"), daemon.story)
            try bench.put(.plain, as: "b.mp4")
            #expect(daemon.wait("b.mp4", is: "done"), daemon.story)
            #expect(Tree.files(victim).keys.sorted() == ["a", "deep/b"], daemon.story)
            try TrialClip.plain.expectResult(bench.result("b.mp4"))
        }
    }
}
