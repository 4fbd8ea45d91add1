import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs

/// The folder beside a target, in a folder that others may write to.
@Suite("Hidden folders") struct HiddenFolderTests {
    private let bench: TemporaryFolder

    init() throws {
        bench = try TemporaryFolder()
        for name in ["out", "work", "victim", "victim/deep"] { try FileManager.default.createDirectory(atPath: bench.path(name), withIntermediateDirectories: true) }
        for name in ["victim/a", "victim/deep/b"] { try Data("precious".utf8).write(to: URL(fileURLWithPath: bench.path(name))) }
    }

    private var folder: HiddenFolder {
        HiddenFolder(target: FilePath(bench.path("out/a.mp4")), workFolder: bench.path("work"), token: "tok", job: 2)
    }

    private var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: bench.path("out"))) ?? [] }

    private var isVictimWhole: Bool {
        ["victim/a", "victim/deep/b"].allSatisfy { FileManager.default.contents(atPath: bench.path($0)) == Data("precious".utf8) }
    }

    /// A folder of an earlier life, with a file in it, and its path.
    private func made() throws -> String {
        let folder = folder
        try folder.make()
        try Data("half".utf8).write(to: URL(fileURLWithPath: folder.path.string + "/half.mp4"))
        let name = try #require(names.first)
        return bench.path("out/" + name)
    }

    @Test("is found again by the next life, and by nobody who does not know its name")
    func nextLife() throws {
        let path = try made()
        #expect((path as NSString).lastPathComponent.hasPrefix(".solstice-tok-2-"))
        let next = folder
        #expect(next.open() && next.bytes == 4)
        try next.make()
        #expect(names.count == 1)
        #expect(next.remove())
        #expect(names.isEmpty && !FileManager.default.fileExists(atPath: bench.path("work/hidden")))
        #expect(folder.remove(), "nothing is left of it")
        // Made anew, it has another name.
        #expect(try made() != path)
    }

    @Test("is not left behind where a life ended before it could note all of it")
    func unnoted() throws {
        let name = ".solstice-tok-2-unfinished"
        #expect(HiddenFolderNote(bench.path("work")).write(name, number: nil))
        try FileManager.default.createDirectory(atPath: bench.path("out/" + name), withIntermediateDirectories: false)
        let next = folder
        #expect(!next.open())
        try next.make()
        #expect(names.count == 1 && names != [name], "\(names)")
        #expect(next.remove())
        #expect(names.isEmpty)
    }

    @Test("stays known where its note cannot be read for now")
    func unreadableNote() throws {
        let path = try made(), note = bench.path("work/hidden")
        // A folder can be opened, and reading it fails.
        try FileManager.default.moveItem(atPath: note, toPath: note + "-away")
        try FileManager.default.createDirectory(atPath: note, withIntermediateDirectories: false)
        #expect(throws: Errno.self) { try folder.make() }
        #expect(!folder.remove() && names == [(path as NSString).lastPathComponent])
        try FileManager.default.removeItem(atPath: note)
        try FileManager.default.moveItem(atPath: note + "-away", toPath: note)
        let next = folder
        try next.make()
        #expect(next.bytes == 4 && next.remove() && names.isEmpty)
    }

    @Test("is not a link that has got its name")
    func link() throws {
        let path = try made()
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: bench.path("victim"))
        let next = folder
        #expect(!next.open() && next.bytes == 0)
        next.empty()
        next.removeIfEmpty()
        #expect(next.remove())
        #expect(isVictimWhole)
    }

    @Test("is not another folder of the same user that was given its name")
    func otherFolder() throws {
        let path = try made()
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: bench.path("victim"), toPath: path)
        #expect(folder.remove())
        try FileManager.default.moveItem(atPath: path, toPath: bench.path("victim"))
        #expect(isVictimWhole)
    }

    @Test("is not another user's folder", .enabled(if: geteuid() == 0, "only root can give files away"))
    func foreign() throws {
        let path = try made()
        #expect(chown(path, 1001, 1001) == 0)
        #expect(folder.remove())
        #expect(FileManager.default.fileExists(atPath: path + "/half.mp4"))
    }

    @Test("loses the links in it, and not what they lead to")
    func linksInside() throws {
        let path = try made()
        try FileManager.default.createDirectory(atPath: path + "/inner", withIntermediateDirectories: false)
        for place in ["/to-folder", "/inner/to-folder"] {
            try FileManager.default.createSymbolicLink(atPath: path + place, withDestinationPath: bench.path("victim"))
        }
        #expect(folder.remove())
        #expect(isVictimWhole && names.isEmpty)
    }

    @Test("stays the same while it is open, whatever gets its name, or its folder's")
    func turned() throws {
        let path = try made()
        let open = folder
        #expect(open.open() && open.isInPlace)
        #expect(rename(bench.path("out"), bench.path("away")) == 0)
        try FileManager.default.createSymbolicLink(atPath: bench.path("out"), withDestinationPath: bench.path("victim"))
        #expect(!open.isInPlace)
        open.empty()
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.path("away/" + (path as NSString).lastPathComponent)).isEmpty)
        #expect(isVictimWhole)
    }

    @Test("that was about to be made is removed where it is empty only")
    func unfinished() throws {
        let note = HiddenFolderNote(bench.path("work"))
        for name in [".solstice-tok-2-empty", ".solstice-tok-2-full"] { try FileManager.default.createDirectory(atPath: bench.path("out/" + name), withIntermediateDirectories: false) }
        try Data().write(to: URL(fileURLWithPath: bench.path("out/.solstice-tok-2-full/x")))
        for name in [".solstice-tok-2-empty", ".solstice-tok-2-full"] {
            #expect(note.write(name, number: nil))
            #expect(folder.remove())
        }
        #expect(names == [".solstice-tok-2-full"])
        // The next life's own folder takes the place of what was about to be made.
        try FileManager.default.createDirectory(atPath: bench.path("out/.solstice-tok-2-begun"), withIntermediateDirectories: false)
        #expect(note.write(".solstice-tok-2-begun", number: nil))
        let next = folder
        try next.make()
        #expect(!names.contains(".solstice-tok-2-begun") && names.count == 2)
        #expect(next.remove())
        // A note that names another folder is none.
        try Data("../victim\n1\n".utf8).write(to: URL(fileURLWithPath: bench.path("work/hidden")))
        #expect(try note.read() == nil)
    }
}
