internal import Foundation

/// Runs programs for whom calls on files fail as those of a broken, full or interrupted disk do.
public enum Faults {
    /// Calls of the C library that fail alike (`kinds` of Fixtures/faults.c).
    public enum Kind: String, CaseIterable, Sendable, Codable {
        case read, write, copy, sync, open, create, rename, link, unlink, truncate, close, folder

        /// True for calls that change nothing.
        public var isReading: Bool { self == .read || self == .open }
    }

    /// How a call fails.
    public enum Failure: String, CaseIterable, Sendable {
        case noSpace = "ENOSPC", inputOutput = "EIO", stale = "ESTALE", interrupted = "EINTR"
        /// It moves half of what it was asked to.
        case short

        var number: Int32 {
            switch self {
            case .noSpace: ENOSPC
            case .inputOutput: EIO
            case .stale: ESTALE
            case .interrupted: EINTR
            case .short: 0
            }
        }

        /// True for what the caller is to try again at once: the result is right then.
        public var isHarmless: Bool { self == .interrupted || self == .short }

        /// True where calls of this kind can fail so.
        public func happens(to kind: Kind) -> Bool {
            switch self {
            case .noSpace: !kind.isReading
            case .short: [.read, .write, .copy].contains(kind)
            case .inputOutput, .stale, .interrupted: true
            }
        }
    }

    /// One call that fails.
    public struct Place: Sendable, CustomStringConvertible {
        public var kind: Kind
        /// Which call of the kind it is, from 1.
        public var number: Int
        public var failure: Failure
        /// All later calls of the kind fail too.
        public var lasts: Bool

        public init(_ kind: Kind, _ number: Int, _ failure: Failure, lasts: Bool = false) {
            (self.kind, self.number, self.failure, self.lasts) = (kind, number, failure, lasts)
        }

        public var description: String { "\(kind.rawValue) \(number) \(failure.rawValue)\(lasts ? " from then on" : "")" }
    }

    /// The library that is preloaded, built by the toolchain's clang in this process's temporary folder; nil where that is impossible.
    private static let library: String? = {
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/faults.c").path
        let output = FileManager.default.temporaryDirectory
            .appendingPathComponent("faults-\(ProcessInfo.processInfo.processIdentifier).so").path
        let built = try? Program.run("clang", ["-shared", "-fPIC", "-O1", "-o", output, source, "-ldl"])
        return built?.status == 0 ? output : nil
    }()

    /// False where the tests that need faults are to be skipped: there is no clang that builds the library.
    public static var isAvailable: Bool { library != nil }

    /// The environment of a program for whom reads of files whose path ends in `file` fail from byte `offset` on.
    public static func environment(file: String, from offset: Int) -> [String: String] {
        ["LD_PRELOAD": library ?? "", "FAULT_FILE": file, "FAULT_FROM": "\(offset)", "FAULT_KIND": Kind.read.rawValue]
    }

    /// The environment of a program for whom a call on a file below `folder`, a real path, fails; with no `place` its calls are only
    /// counted.
    public static func environment(below folder: String, _ place: Place?, report: FaultReport) -> [String: String] {
        var environment = ["LD_PRELOAD": library ?? "", "FAULT_BELOW": folder, "FAULT_REPORT": report.path]
        if let place {
            environment["FAULT_KIND"] = place.kind.rawValue
            environment["FAULT_AT"] = "\(place.number)"
            environment["FAULT_ERROR"] = "\(place.failure.number)"
            environment["FAULT_LASTS"] = place.lasts ? "1" : "0"
        }
        return environment
    }
}

/// What became of a run with faults: the file into which Fixtures/faults.c writes.
public struct FaultReport: Sendable {
    public let path: String
    /// REPORT_SIZE of Fixtures/faults.c.
    private static let size = 4096

    /// Makes the file, which the caller's folder keeps.
    public init(at path: String) throws {
        self.path = path
        try Data(count: Self.size).write(to: URL(fileURLWithPath: path))
    }

    private var bytes: Data { (try? Data(contentsOf: URL(fileURLWithPath: path))) ?? Data(count: Self.size) }

    /// The calls of each kind so far.
    public var calls: [Faults.Kind: Int] {
        let bytes = bytes
        return bytes.withUnsafeBytes { bytes in
            Dictionary(uniqueKeysWithValues: Faults.Kind.allCases.enumerated().map { number, kind in
                (kind, Int(bytes.loadUnaligned(fromByteOffset: 8 * number, as: UInt64.self)))
            })
        }
    }

    /// The first call that has failed, and its path; nil where none has.
    public var hit: (call: String, path: String)? {
        let text = String(decoding: bytes.dropFirst(8 * Faults.Kind.allCases.count).prefix { $0 != 0 }, as: UTF8.self)
        guard let space = text.firstIndex(of: " ") else { return nil }
        return (String(text[..<space]), String(text[text.index(after: space)...]))
    }
}
