import Foundation
import Testing

@testable import solstice

/// The same content with the same identity is translated once.
@Suite struct JobIdentityTests {
    private func identity(_ option: String, _ text: String, in folder: URL) throws -> String {
        let path = folder.appendingPathComponent("schedule.txt")
        try Data(text.utf8).write(to: path)
        return try JobIdentity.of(["\(option)=@\(path.path)"])
    }

    @Test(arguments: [("--strength-at", "0:00=0\n", "0:00=1\n")]) func aScheduleCountsByWhatIsInIt(_ option: String, _ one: String, _ other: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("identity-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let first = try identity(option, one, in: folder)
        #expect(try identity(option, other, in: folder) != first)
        #expect(try identity(option, one, in: folder) == first)
        // A pipe would be waited for.
        #expect(mkfifo(folder.appendingPathComponent("pipe").path, 0o600) == 0)
        #expect(throws: (any Error).self) { try JobIdentity.of(["\(option)=@\(folder.appendingPathComponent("pipe").path)"]) }
    }
}
