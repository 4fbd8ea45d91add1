import Base
import Foundation
import TestSupport
import Testing

@Suite("A secret's file") struct SecretFileTests {
    private let folder = NSTemporaryDirectory() + "secret-\(UUID().uuidString)"

    private func line(_ content: String) throws -> String? {
        try Data(content.utf8).write(to: URL(fileURLWithPath: folder))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return SecretFile.firstLine(folder)
    }

    @Test("is read up to its first line's end") func firstLine() throws {
        #expect(try line("") == "")
        #expect(try line("word") == "word")
        #expect(try line("word with spaces \nmore\n") == "word with spaces ")
        #expect(try line("word\r\nmore") == "word")
        #expect(try line("g\u{fc}n\n") == "gün")
    }

    @Test("is none where it cannot be read, or has no end") func refused() throws {
        #expect(SecretFile.firstLine(folder) == nil)
        #expect(SecretFile.firstLine(NSTemporaryDirectory()) == nil)
        #expect(SecretFile.firstLine("/dev/zero") == nil)
        let longest = String(repeating: "x", count: SecretFile.longest)
        #expect(try line(longest + "\nmore") == longest)
        #expect(try line(longest + "x") == nil)
    }
}
