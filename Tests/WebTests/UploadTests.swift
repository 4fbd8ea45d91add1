import Base
import Foundation
import TestSupport
import Testing
@testable import Web

@Suite struct UploadTests {
    /// A server with one watch folder.
    private func withFolder(
        _ configure: (inout WebConfiguration) -> Void = { _ in }, _ body: @Sendable (TestServer, TemporaryFolder) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        let backend = FakeBackend { state in
            state.roots = ["dashcam": folder.url.path]
            state.status.folders = [FolderStatus(name: "dashcam", input: folder.url.path, output: "/out", state: "watching")]
        }
        try await TestServer.run(backend, configure) { server in try await body(server, folder) }
    }

    private static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }

    @Test(arguments: [1, 1000, 3_000_000])
    func aFileComesInWhole(size: Int) async throws {
        try await withFolder { (server, folder) async throws in
            let content = Self.bytes(size)
            let answer = try await server.client.send("PUT", "/api/v1/folders/dashcam/files/Stra%C3%9Fe%20%231.mp4", body: content)
            #expect(answer.status == 201)
            #expect(try answer.json()["file"] as? String == "Straße #1.mp4")
            #expect(folder.names == ["Straße #1.mp4"])
            #expect(FileManager.default.contents(atPath: folder.path("Straße #1.mp4")) == Data(content))
        }
    }

    @Test func foldersAreMade() async throws {
        try await withFolder { (server, folder) async throws in
            #expect(try await server.client.send("PUT", "/api/v1/folders/dashcam/files/a/b/c.mp4", body: [1, 2]).status == 201)
            #expect(try await server.client.send("PUT", "/api/v1/folders/dashcam/files/a/b/d.mp4", body: [3]).status == 201)
            #expect(FileManager.default.contents(atPath: folder.path("a/b/c.mp4")) == Data([1, 2]))
            #expect(FileManager.default.contents(atPath: folder.path("a/b/d.mp4")) == Data([3]))
            #expect(folder.names == ["a"])
        }
    }

    @Test(arguments: [
        "../x.mp4", "%2e%2e/x.mp4", "..%2fx.mp4", "a/../../x.mp4", "a%2f..%2f..%2fx.mp4", "/etc/x.mp4", "%2fetc%2fx.mp4", ".hidden.mp4", "a/.git/x.mp4", ".", "..", "",
        "a//b.mp4", "a/", "x%00.mp4", "x%0a.mp4", "x%ff.mp4", "x%zz.mp4", "x.mp4.part", "x.TMP", "x.mp4~", "link/x.mp4", "%2e%2e%5c%2e%2e/x.mp4",
    ])
    func noPathLeadsElsewhere(path: String) async throws {
        let outside = try TemporaryFolder()
        try await withFolder { (server, folder) async throws in
            try FileManager.default.createSymbolicLink(atPath: folder.path("link"), withDestinationPath: outside.url.path)
            let answer = try await server.client.send("PUT", "/api/v1/folders/dashcam/files/\(path)", body: [1])
            #expect(answer.status == 400 || answer.status == 404, "\(answer.status) \(answer.text)")
            #expect(folder.names == ["link"])
            #expect(outside.names.isEmpty)
            let above = folder.url.deletingLastPathComponent().appendingPathComponent("x.mp4").path
            #expect(!FileManager.default.fileExists(atPath: above))
        }
    }

    /// What the watcher would leave alone for ever is refused.
    @Test(arguments: UnfinishedNames.endings + ["~"]) func namesOfUnfinishedFilesAreRefused(_ ending: String) {
        for ending in [ending, ending.uppercased()] {
            #expect(throws: Problem.self) { try UploadPath(encoded: Substring("drive.mp4\(ending)")) }
        }
    }

    @Test func nothingIsReplaced() async throws {
        let outside = try TemporaryFolder()
        try await withFolder { (server, folder) async throws in
            try Data([9]).write(to: folder.url.appendingPathComponent("x.mp4"))
            try FileManager.default.createSymbolicLink(atPath: folder.path("y.mp4"), withDestinationPath: outside.path("target"))
            for name in ["x.mp4", "y.mp4"] {
                let answer = try await server.client.send("PUT", "/api/v1/folders/dashcam/files/\(name)", body: [1])
                #expect(answer.status == 409 && answer.code == "fileExists")
            }
            #expect(FileManager.default.contents(atPath: folder.path("x.mp4")) == Data([9]))
            #expect(folder.names == ["x.mp4", "y.mp4"] && outside.names.isEmpty)
        }
    }

    /// Another file of the name comes while the upload is under way.
    @Test func nothingIsReplacedAtTheEndEither() throws {
        let folder = try TemporaryFolder()
        let upload = try Upload(root: folder.url.path, to: try UploadPath(encoded: "x.mp4"), size: 1)
        try upload.write([1])
        try Data([9]).write(to: folder.url.appendingPathComponent("x.mp4"))
        #expect(throws: Problem.self) { try upload.finish() }
        upload.abandon()
        #expect(FileManager.default.contents(atPath: folder.path("x.mp4")) == Data([9]))
        #expect(folder.names == ["x.mp4"])
    }

    @Test func tooLargeIsSaidBeforeTheBodyIsSent() async throws {
        try await withFolder({ $0.uploadLimit = 1000 }) { (server, folder) async throws in
            let port = server.port
            let answer = try await HTTPClient.blocking {
                let connection = try Connection(port: port)
                try connection.write("PUT /api/v1/folders/dashcam/files/x.mp4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
                return try connection.answer()
            }
            #expect(answer.status == 413 && answer.code == "tooLarge" && answer.headers["connection"] == "close")
            #expect(try await server.client.send("PUT", "/api/v1/folders/dashcam/files/y.mp4", body: Self.bytes(1000)).status == 201)
            #expect(folder.names == ["y.mp4"])
        }
    }

    @Test func lengthAndFolderMustBeKnown() async throws {
        try await withFolder { (server, folder) async throws in
            let port = server.port
            let chunked = try await HTTPClient.blocking {
                let connection = try Connection(port: port)
                try connection.write("PUT /api/v1/folders/dashcam/files/x.mp4 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
                return try connection.answer()
            }
            #expect(chunked.status == 411)
            #expect(try await server.client.send("PUT", "/api/v1/folders/dashcam/files/x.mp4", body: []).status == 400)
            #expect(try await server.client.send("PUT", "/api/v1/folders/other/files/x.mp4", body: [1]).code == "noSuchFolder")
            #expect(folder.names.isEmpty)
        }
    }

    @Test func aBrokenUploadLeavesNothing() async throws {
        try await withFolder { (server, folder) async throws in
            let port = server.port
            let connection = try await HTTPClient.blocking {
                let connection = try Connection(port: port)
                try connection.write("PUT /api/v1/folders/dashcam/files/x.mp4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
                try connection.write(Self.bytes(700_000))
                return connection
            }
            // Hidden meanwhile.
            #expect(await eventually { folder.names.contains { $0.hasPrefix(Upload.hiddenPrefix) } })
            #expect(!folder.names.contains("x.mp4"))
            shutdown(connection.number, Int32(SHUT_RDWR))
            #expect(await eventually { folder.names.isEmpty })
        }
    }

    @Test func leftoversOfAnEarlierLifeGo() async throws {
        let folder = try TemporaryFolder()
        for name in [".solstice-upload-dead.part", ".solstice-upload-live.part", ".other.part"] { try Data([1]).write(to: folder.url.appendingPathComponent(name)) }
        let root = try SystemFile.folder(folder.url.path)
        let live = try root.existingFile(".solstice-upload-live.part")
        #expect(live.lock())
        Upload.removeLeftovers(in: folder.url.path)
        #expect(folder.names == [".other.part", ".solstice-upload-live.part"])
        withExtendedLifetime(live) {}
    }

    @Test func noRoom() throws {
        let folder = try TemporaryFolder()
        let problem = #expect(throws: Problem.self) { _ = try Upload(root: folder.url.path, to: try UploadPath(encoded: "x.mp4"), size: 1 << 60) }
        #expect(problem?.status.code == 507)
        #expect(folder.names.isEmpty)
    }

    @Test func aFolderThatIsAway() throws {
        let folder = try TemporaryFolder()
        let problem = #expect(throws: Problem.self) { _ = try Upload(root: folder.path("gone"), to: try UploadPath(encoded: "x.mp4"), size: 1) }
        #expect(problem?.code == "folderUnavailable")
    }
}
