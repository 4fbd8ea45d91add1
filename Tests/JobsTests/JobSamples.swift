import Foundation
import Jobs
import SystemPackage
import TestSupport
import Testing

/// Jobs and stores to test with.
enum Sample {
    static let now = Date(timeIntervalSince1970: 1_700_000_000)
    static let settings = JobSettings(arguments: ["--to", "night"], identity: "night 1")
    static let failure = JobFailure(code: "outOfMemory", text: "there is not enough memory", mayPass: true)
    /// A process that is not there: no machine has had this start.
    static let deadOwner = ProcessIdentity(pid: 1, startTime: 3, bootID: "a boot of long ago")

    static func job(_ id: Int64 = 7, name: FilePath = "a.mp4") -> Job {
        Job(
            id: id, folder: "cam", relativePath: name, source: FilePath("/in").appending(name.components),
            target: FilePath("/out").appending(name.components), identity: SourceIdentity(size: 100, modified: 5), settings: settings, created: now)
    }

    static func candidate(
        _ name: FilePath, folder: String = "cam", size: Int64 = 100, settings: JobSettings = settings, out: FilePath = "/out"
    ) -> JobCandidate {
        JobCandidate(
            folder: folder, relativePath: name, source: FilePath("/in/\(folder)").appending(name.components),
            target: out.appending(folder).appending(name.components), identity: SourceIdentity(size: size, modified: 5), settings: settings)
    }
}

extension JobStore {
    /// Makes one job and gives it to this process.
    func started(_ name: FilePath, folder: String = "cam") throws -> Job {
        _ = try offer([Sample.candidate(name, folder: folder)], now: Sample.now)
        return try #require(try claim(owner: .current, now: Sample.now) { $0.relativePath == name && $0.folder == folder })
    }

    /// Takes a job from its start to its end.
    @discardableResult
    func finish(_ id: Int64, hash: String, now: Date = Sample.now) throws -> Job {
        try apply(.hashed(hash), to: id, now: now)
        try apply(.probed(frames: 30), to: id, now: now)
        try apply(.verifying, to: id, now: now)
        return try apply(.finished(frames: 30, bytes: 1000, copyOf: nil), to: id, now: now)
    }
}
