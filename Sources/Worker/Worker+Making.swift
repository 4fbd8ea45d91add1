internal import Foundation
internal import Jobs
internal import MediaIO
internal import Pipeline
internal import Synchronization
internal import SystemPackage

/// From the source to a verified result in the hidden folder.
extension Worker {
    /// Makes the result, unless a life before this one has; nil after a stop.
    func make(_ source: SourceInfo, _ mark: OutputMark, key: String) async throws -> MadeResult? {
        if let made = try MadeResult.load(from: paths.folder, key: key), made.isStill(paths.result) {
            note(safe: made.frames)
            return made
        }
        MadeResult.forget(in: paths.folder)
        try WorkFiles.makeFolder(paths.target.removingLastComponent())
        do throws(Errno) { try paths.hidden.make() } catch {
            throw WorkFiles.error(error.rawValue, "a folder beside \(paths.target.shown) cannot be made")
        }
        paths.hidden.empty()
        if let copied = try await copyTwin(source, mark, key: key) { return copied }
        var request = request
        request.output = paths.resultText
        let conversion = try DurableConversion(
            request, source: source, folder: paths.folder, key: key, checkpointSeconds: order.checkpointSeconds)
        guard try await render(conversion, source) else { return nil }
        tellVerifying()
        let translator = try await own("load") { try self.translation.load() }
        let joined = try await conversion.join(to: paths.resultText, mark: mark, translator: translator, stop: stop)
        let made = try madeResult(key, frames: joined.report.frames, files: joined.report.files.map(Self.lastName), runStarts: joined.runStarts, notices: joined.notices)
        try made.save(in: paths.folder)
        return made
    }

    private static func lastName(_ path: String) -> String { path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) } ?? path }

    /// False after a stop.
    private func render(_ conversion: DurableConversion, _ source: SourceInfo) async throws -> Bool {
        let pace = Pace()
        let total = source.frameCountEstimate
        let outcome = try await conversion.render(stop: stop, load: { try self.translation.load() }, onLoaded: { try self.checkInputs() }) { frames, safe, rate in
            self.note(safe: safe)
            guard pace.isDue(safe: safe, rate: rate) else { return }
            self.tell(.progress(frames: frames, safe: safe, total: total, framesPerSecond: rate))
        }
        switch outcome {
        case .rendered(let frames):
            note(safe: frames)
            tell(.progress(frames: frames, safe: frames, total: frames, framesPerSecond: pace.rate))
            return true
        case .stopped(let safe):
            note(safe: safe)
            return false
        }
    }

    private func madeResult(
        _ key: String, frames: Int, files: [String], runStarts: [Int], notices: [String], isCopy: Bool = false
    ) throws -> MadeResult {
        guard let status = try WorkFiles.status(paths.result) else {
            throw WorkerError(.unwritable, "\(paths.target.shown) was removed while it was made", remedy: "leave the hidden folder alone")
        }
        return MadeResult(
            key: key, frames: frames, bytes: status.size, modified: status.modified, files: files, runStarts: runStarts,
            notices: notices.map(paths.shown), isCopy: isCopy)
    }

    // MARK: - Verification

    /// Decodes the result, from where a life before this one has come to; false after a stop.
    func verify(_ made: inout MadeResult) async throws -> Bool {
        do { return try await decode(&made) } catch let error as MediaError {
            guard try await mayRead(again: error) else { throw failed(error) }
        }
        do { return try await decode(&made) } catch let error as MediaError { throw failed(error) }
    }

    private func decode(_ made: inout MadeResult) async throws -> Bool {
        let checked = Mutex((made: made, saved: ContinuousClock.now))
        do {
            let before = made
            _ = try await interruptible("verify") { interrupt in
                try ResultVerifier.decode(
                    path: self.paths.resultText, expectedFrames: before.frames, runStarts: before.runStarts,
                    first: before.runsChecked, interrupt: interrupt
                ) { runs in
                    checked.withLock { checked in
                        checked.made.runsChecked = runs
                        guard ContinuousClock.now - checked.saved > .seconds(5) else { return }
                        // What is not noted is checked again.
                        try? checked.made.save(in: self.paths.folder)
                        checked.saved = .now
                    }
                }
            }
        } catch let error as MediaError where stop.isStopped && error.code == .cancelled {
            return false
        }
        made = checked.withLock { $0.made }
        return true
    }

    /// True where the result did not open, or not all of it was read, and the disk gives all its bytes now. Throws `.unreadable`
    /// where it does not: that may pass, and the rendered frames and the result are kept for then.
    func mayRead(again error: MediaError) async throws -> Bool {
        guard ![.internalFailure, .cancelled, .outOfMemory].contains(error.code) else { return false }
        do {
            return try await own("read") { try ContentHash.of(self.paths.result, isStopped: { self.stop.isStopped }) } != nil
        } catch let error as WorkerError {
            throw WorkerError(
                .unreadable, "the result made of \(paths.source.shown) cannot be read back", remedy: "it is tried again", cause: error.cause)
        }
    }

    /// Of what decoding has found wrong nothing is to be trusted, nor of what it was made of.
    func failed(_ error: MediaError) -> MediaError {
        guard error.code != .cancelled, error.code != .outOfMemory else { return error }
        MadeResult.forget(in: paths.folder)
        WorkFiles.remove(.init(paths.folder).appending(DurableConversion.journalName))
        paths.hidden.empty()
        guard error.code != .internalFailure else { return error }
        return MediaError(
            .internalFailure, "the result made of \(paths.source.shown) does not read back as it should: \(error.message)",
            remedy: "try again, or with another encoder", cause: error.cause)
    }

    // MARK: - Twins

    /// Copies the result of the same content with the same settings, with all that goes with it; nil where there is none that
    /// is whole, and after a stop.
    private func copyTwin(_ source: SourceInfo, _ mark: OutputMark, key: String) async throws -> MadeResult? {
        guard let bytes = order.twin, let twin = TwinFiles(bytes, of: paths), let files = try await files(of: twin, mark)
        else { return nil }
        let paths = paths
        let isWhole = try await interruptible("verify") { interrupt in
            // Beside the content where the container holds no mark.
            if try OutputMark.read(path: paths.resultText, interrupt: interrupt) != mark { mark.writeAttribute(of: paths.resultText) }
            return try OutputVerifier.isComplete(output: paths.resultText, matches: source, interrupt: interrupt)
        }
        guard isWhole else {
            paths.hidden.empty()
            return nil
        }
        let frames = try await interruptible("verify") {
            try ResultVerifier.decode(path: paths.resultText, expectedFrames: nil, interrupt: $0)
        }
        var made = try madeResult(key, frames: frames, files: files, runStarts: [0], notices: [], isCopy: true)
        made.runsChecked = 1
        try made.save(in: paths.folder)
        return made
    }
}

extension Worker {
    /// What is copied of a twin; nil where it is none. One that cannot be read does not keep its copy from being made anew.
    private func files(of twin: TwinFiles, _ mark: OutputMark) async throws -> [String]? {
        let stop = stop
        do {
            guard try await interruptible("look", { try OutputMark.read(path: twin.text, interrupt: $0) }) == mark else { return nil }
            return try await own("copy") { try twin.copy { stop.isStopped } }
        } catch where (error as? MediaError)?.code == .unreadable || (error as? WorkerError)?.code == .unreadable {
            paths.hidden.empty()
            return nil
        }
    }
}

/// Lets through as many messages as anybody can read.
private final class Pace: Sendable {
    private struct State {
        var last: ContinuousClock.Instant?
        var safe = 0
        var rate = 0.0
    }

    private let state = Mutex(State())
    /// Frames per second, as last heard.
    var rate: Double { state.withLock { $0.rate } }

    func isDue(safe: Int, rate: Double) -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            state.rate = rate
            if let last = state.last, now - last < .milliseconds(500), safe == state.safe { return false }
            (state.last, state.safe) = (now, safe)
            return true
        }
    }
}
