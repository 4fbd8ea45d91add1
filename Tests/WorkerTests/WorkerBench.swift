import Foundation
import Glibc
import Jobs
import MediaIO
import Pipeline
import Synchronization
import SystemPackage
import TSIT
import TestSupport
import Testing

@testable import Worker

/// Folders for one worker, and what it tells. Sources are passed on without a translation, losslessly, so that a result's frames can
/// be held against the source's.
final class WorkerBench: Sendable {
    let folder: TemporaryFolder
    private let heard = Mutex<[WorkMessage]>([])

    init() throws {
        folder = try TemporaryFolder()
        for name in ["in", "out"] { try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: false) }
    }

    static let sound = "-f lavfi -i sine=d=4"

    /// Makes `in/NAME`: 4 s of pictures and sound, unless told otherwise.
    @discardableResult
    func source(_ name: String, _ arguments: String? = nil) throws -> String {
        let words = arguments ?? "-f lavfi -i testsrc2=s=160x90:r=25:d=4 \(Self.sound) -c:v libx264 -g 20 -bf 2 -c:a aac -metadata title=Road"
        try Program.output("ffmpeg", ["-v", "error", "-y", "-nostdin"] + words.split(separator: " ").map(String.init) + [folder.path("in/" + name)])
        return folder.path("in/" + name)
    }

    static func request() -> ConvertRequest {
        var request = ConvertRequest(input: "", output: "")
        request.strength = Timeline(0)
        request.encoder = EncoderSettings(crf: 0, preset: "ultrafast")
        return request
    }

    func order(
        _ source: FilePath, _ target: FilePath, job: Int64 = 7, settings: String = "abc", hash: String? = nil, twin: FilePath? = nil,
        relativePath: FilePath? = nil, checkpoint: Double = 0.02
    ) throws -> WorkOrder {
        let status = try #require(try WorkFiles.status(source))
        return WorkOrder(
            job: job, source: source, relativePath: relativePath ?? FilePath(source.lastComponent?.string ?? ""), target: target, workFolder: folder.path("work\(job)"),
            identity: SourceIdentity(size: status.size, modified: status.modified, contentHash: hash),
            settings: JobSettings(arguments: [], identity: settings), checkpointSeconds: checkpoint, token: "tok", twin: twin)
    }

    func order(_ name: String, job: Int64 = 7, settings: String = "abc", twin: String? = nil, target: String? = nil) throws -> WorkOrder {
        try order(
            FilePath(folder.path("in/" + name)), FilePath(folder.path("out/" + (target ?? name))), job: job, settings: settings,
            twin: twin.map { FilePath(folder.path("out/" + $0)) })
    }

    /// Runs a worker to its end; `listen` hears every message.
    @discardableResult
    func run(
        _ order: WorkOrder, request: ConvertRequest = WorkerBench.request(), stop: StopSwitch = StopSwitch(),
        listen: @escaping @Sendable (WorkMessage) -> Void = { _ in },
        identity: @escaping @Sendable (JobSettings) throws -> String = { $0.identity }
    ) async throws -> WorkMessage {
        heard.withLock { $0 = [] }
        let worker = try Worker(order, request: request, stop: stop, identity: identity, codeName: { ($0 as? MediaError)?.code.rawValue ?? "other" }) { message in
            self.heard.withLock { $0.append(message) }
            listen(message)
        }
        let last = await worker.run()
        #expect(messages.last == last)
        return last
    }

    /// Of the last run.
    var messages: [WorkMessage] { heard.withLock { $0 } }

    var hash: String? {
        for case .hashed(let hash) in messages { return hash }
        return nil
    }

    /// Names in a folder, hidden ones too.
    func names(_ name: String) -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder.path(name)).sorted()) ?? [] }

    /// A hash of every picture of a file, with its time.
    static func pictures(_ path: String) throws -> [String] {
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", path, "-map", "0:v:0", "-f", "framemd5", "-"])
            .split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }
}

extension WorkMessage {
    var failure: JobFailure? {
        if case .failed(let failure) = self { return failure }
        return nil
    }

    var frames: Int? {
        if case .finished(let frames, _, _) = self { return frames }
        return nil
    }
}
