import Foundation
import FuzzKit
import TestSupport
import Testing

/// The harnesses of `.ci/fuzz` with the inputs that are kept: those that fuzzing begins with, and those that it has found.
@Suite("fuzz harnesses") struct FuzzTests {
    private static let harnesses = tsitHarnesses + rtspHarnesses + mediaIOHarnesses + serviceHarnesses
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let corpus = folder.appendingPathComponent("Corpus")

    @Test("Every kept input is read or refused, and some are read", arguments: harnesses.map(\.name))
    func corpus(_ name: String) throws {
        let harness = try #require(Self.harnesses.first { $0.name == name })
        let folder = Self.corpus.appendingPathComponent(name)
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(files.count >= 4)
        var read = 0
        for file in files.sorted(by: { $0.path < $1.path }) {
            let bytes = Array(try Data(contentsOf: file))
            #expect(throws: Never.self, "\(name)/\(file.lastPathComponent)") { if try harness.run(bytes) { read += 1 } }
        }
        #expect(read > 0)
        #expect(throws: Never.self, "\(name): nothing at all") { _ = try harness.run([]) }
    }

    @Test("The script knows the harnesses, and each has its inputs")
    func names() throws {
        let script = Self.folder.deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(".ci/fuzz")
        let listed = try Program.output(script.path, ["list"]).split(separator: "\n").map(String.init)
        #expect(listed == Self.harnesses.map(\.name))
        #expect(try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path).sorted() == listed.sorted())
    }
}
