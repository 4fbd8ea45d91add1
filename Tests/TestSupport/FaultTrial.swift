public import Foundation
internal import Synchronization

/// Seeded places for faults, chosen from what a dry run really calls.
///
/// SOLSTICE_TRIAL_SEED chooses the places, SOLSTICE_TRIAL_FAULTS how many there are in all scenes of a trial together (default: a
/// few), SOLSTICE_TRIAL_TABLE a file that gets a line about each.
public enum FaultTrial {
    private static func number(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }

    /// How many places a scene gets.
    /// - Parameters:
    ///   - usual: where nobody asks for more.
    ///   - share: of what is asked for.
    public static func count(usual: Int, share: Double) -> Int {
        number("SOLSTICE_TRIAL_FAULTS").map { Int((Double($0) * share).rounded(.up)) } ?? usual
    }

    /// Every other place is one of all calls, alike likely; the others are spread over the kinds, of which some have few calls.
    public static func places(_ count: Int, of calls: [Faults.Kind: Int], scene: String) -> [Faults.Place] {
        let present = Faults.Kind.allCases.filter { (calls[$0] ?? 0) > 0 }
        let total = present.reduce(0) { $0 + (calls[$1] ?? 0) }
        guard total > 0 else { return [] }
        let seed = scene.utf8.reduce(UInt64(number("SOLSTICE_TRIAL_SEED") ?? 6)) { $0 &* 31 &+ UInt64($1) }
        var random = SeededRandom(seed: seed)
        return (0..<count).map { index in
            var kind = present[(index / 2) % present.count], place = Int.random(in: 0..<(calls[kind] ?? 1), using: &random)
            if index % 2 == 0 {
                place = Int.random(in: 0..<total, using: &random)
                for candidate in present {
                    kind = candidate
                    if place < calls[candidate] ?? 0 { break }
                    place -= calls[candidate] ?? 0
                }
            }
            let failures = Faults.Failure.allCases.filter { $0.happens(to: kind) }
            let failure = failures.randomElement(using: &random) ?? .inputOutput
            return Faults.Place(kind, place + 1, failure, lasts: !failure.isHarmless && Bool.random(using: &random))
        }
    }

    private static let table = Mutex(())

    /// Notes how a place went: `outcome` in a word or two.
    public static func note(_ scene: String, _ place: Faults.Place, _ outcome: String, _ hit: String = "") {
        guard let path = ProcessInfo.processInfo.environment["SOLSTICE_TRIAL_TABLE"] else { return }
        table.withLock { _ in
            let file = FileHandle(forWritingAtPath: path) ?? {
                _ = FileManager.default.createFile(atPath: path, contents: nil)
                return FileHandle(forWritingAtPath: path)
            }()
            file?.seekToEndOfFile()
            file?.write(Data("\(scene)\t\(place.kind.rawValue)\t\(place.failure.rawValue)\t\(place)\t\(outcome)\t\(hit)\n".utf8))
        }
    }
}

/// Everything below a folder as it is: bytes of files, and hidden folders.
public struct FolderSnapshot: Equatable, Sendable {
    public let files: [String: Data]

    public init(_ folder: String) {
        var files: [String: Data] = [:]
        for name in FileManager.default.enumerator(atPath: folder)?.compactMap({ $0 as? String }) ?? [] {
            var isFolder: ObjCBool = false
            let path = folder + "/" + name
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { continue }
            if isFolder.boolValue {
                if (name as NSString).lastPathComponent.hasPrefix(".") { files[name + "/"] = Data() }
            } else {
                files[name] = try? Data(contentsOf: URL(fileURLWithPath: path))
            }
        }
        self.files = files
    }

    public var names: [String] { files.keys.sorted() }
}
