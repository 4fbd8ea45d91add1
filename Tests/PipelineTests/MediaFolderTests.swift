import Foundation
import Testing

@testable import Pipeline

@Suite struct MediaFolderTests {
    /// A slash before a combining character makes one `Character` with it.
    @Test func namesThatBeginWithACombiningCharacterStayWhole() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("media-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let names = ["\u{301}a.mp4", "\u{301}b/\u{308}c.mp4", "plain.mp4"]
        try MediaFolder.makeParent(of: folder + "/\u{301}b/\u{308}c.mp4")
        for name in names { try #require(FileManager.default.createFile(atPath: folder + "/" + name, contents: Data([1]))) }
        let found = try MediaFolder.files(below: folder, except: []).files
        #expect(found.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) } == names.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) })
    }
}
