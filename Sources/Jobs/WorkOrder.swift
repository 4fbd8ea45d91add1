public import SystemPackage

/// What a worker process is to do: one JSON object on its standard input. It works until that input ends or it is done.
public struct WorkOrder: Sendable, Codable {
    public var job: Int64
    /// Paths are bytes: file names need not be UTF-8.
    public var source: [UInt8]
    /// The source's path below the watched folder: what others may make of it is not followed, see `TrustedPath`.
    public var relativePath: [UInt8]
    public var target: [UInt8]
    /// The job's own folder for the journal and pictures of the running frame; outlives the worker.
    public var workFolder: String
    /// What the daemon took the source for; a source that is another one by now is not converted.
    public var identity: SourceIdentity
    public var settings: JobSettings
    /// Seconds of work that may be lost by a kill.
    public var checkpointSeconds: Double
    /// Result of the same content with the same settings, to be copied instead of converting where it still is that.
    public var twin: [UInt8]?
    /// Names the hidden folder beside the target, so that daemons that share it do not meet.
    public var token: String

    public init(
        job: Int64, source: FilePath, relativePath: FilePath, target: FilePath, workFolder: String, identity: SourceIdentity,
        settings: JobSettings, checkpointSeconds: Double, token: String, twin: FilePath? = nil
    ) {
        self.job = job
        self.source = source.bytes
        self.relativePath = relativePath.bytes
        self.target = target.bytes
        self.workFolder = workFolder
        self.identity = identity
        self.settings = settings
        self.checkpointSeconds = checkpointSeconds
        self.token = token
        self.twin = twin?.bytes
    }
}

/// What a worker tells, one JSON object a line on its standard output; its last line is `finished`, `failed` or `stopped`,
/// and a process that ends without one has died.
public enum WorkMessage: Sendable, Codable, Equatable {
    /// The content, before anything decodes it.
    case hashed(String)
    /// `JobSettings.identity` as it is now, where that is not the order's: the job fails with `JobFailure.inputsChanged`.
    case settingsNow(identity: String)
    /// What the source is: frames as far as its container says, and seconds.
    case probed(frames: Int?, seconds: Double?)
    /// Frames rendered, of which `safe` are in the journal.
    case progress(frames: Int, safe: Int, total: Int?, framesPerSecond: Double)
    /// Rendering is done; the result is joined and read back.
    case verifying
    case notice(String)
    /// The result is in place and on the disk.
    case finished(frames: Int, bytes: Int64, copied: Bool)
    /// It was there already, made of this content with these settings.
    case foundDone(bytes: Int64)
    case failed(JobFailure)
    /// Told to stop; everything rendered is in the journal.
    case stopped(safe: Int)
}

extension FilePath {
    /// The path as the kernel takes it, without the closing zero.
    public var bytes: [UInt8] { withPlatformString { Array(UnsafeBufferPointer(start: $0, count: length)).map(UInt8.init(bitPattern:)) } }

    /// Nil where `bytes` hold a zero.
    public init?(bytes: [UInt8]) {
        guard !bytes.contains(0) else { return nil }
        self = (bytes + [0]).map(CChar.init(bitPattern:)).withUnsafeBufferPointer { FilePath(platformString: $0.baseAddress!) }
    }

    /// The folder that a relative path counts from whose end this path has, and that relative path: the last name alone where this
    /// path ends otherwise.
    public func split(at relativePath: FilePath) -> (root: FilePath, relativePath: FilePath) {
        guard !relativePath.isEmpty, relativePath.isRelative, ends(with: relativePath) else {
            return (removingLastComponent(), FilePath(root: nil, lastComponent.map { [$0] } ?? []))
        }
        var root = self
        for _ in relativePath.components { root.removeLastComponent() }
        return (root, relativePath)
    }

    /// For people: what is not UTF-8 or not printable is escaped, as in `a\xFFb`.
    public var shown: String {
        var text = ""
        for scalar in String(decoding: self).unicodeScalars { text.unicodeScalars.append(scalar) }
        guard String(validating: self) == nil || text.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else { return text }
        return escaped
    }

    private var escaped: String {
        var result = ""
        var rest = bytes[...]
        while let first = rest.first {
            // The longest run of one character's bytes that is valid by itself.
            if let length = (1...4).first(where: { $0 <= rest.count && first >= 32 && first != 127 && String(validating: Array(rest.prefix($0)), as: UTF8.self) != nil }) {
                result += String(decoding: rest.prefix(length), as: UTF8.self)
                rest = rest.dropFirst(length)
            } else {
                result += "\\x" + (first < 16 ? "0" : "") + String(first, radix: 16, uppercase: true)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
