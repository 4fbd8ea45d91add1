internal import Foundation
internal import MediaIO
internal import Pipeline
internal import RTSP
internal import Synchronization
internal import TSIT

/// A relay: a live source goes in, its translation comes out at every target, until it is told to stop.
///
///     read - decode - [newest] - translate - finish - target
///       |                                      |    - target
///       + audio - - - - - - - - - - - - - - - -+ - - server - readers
///
/// Each part runs on a thread of its own. Between decoder and generator only the newest frame waits; behind the encoder every
/// target has a ring of its own.
public struct RelayJob: Sendable {
    public let request: RelayRequest

    public init(_ request: RelayRequest) { self.request = request }

    /// Runs until the source ends for good, or the task is cancelled, which is the usual way and no error; then says goodbye to
    /// everybody and finishes every file, within five seconds.
    ///
    /// - Parameter onEvent: called from any thread.
    /// - Throws: `MediaError`, `TSITError`, `RTSPError`, `RelayError`.
    public func run(onEvent: @escaping @Sendable (RelayEvent) -> Void) async throws {
        try request.check()
        try await onOwnThread(named: "check") { try request.checkOutputs() }
        let translator = try await Translator.load(for: request.translation)
        for notice in translator.notices { onEvent(.notice(notice)) }
        let parts = try RelayParts(request, translator: translator, onEvent: onEvent)
        try await withTaskCancellationHandler {
            try await parts.run()
        } onCancel: {
            parts.stop.raise()
        }
    }
}

extension RelayRequest {
    /// Throws `RelayError` `.badRequest` for what contradicts itself.
    func check() throws(RelayError) {
        guard !targets.isEmpty || listener != nil else {
            throw RelayError(.badRequest, "there is nowhere to relay to", remedy: "name a target, or give --listen")
        }
        guard translation.also.isEmpty else { throw RelayError(.badRequest, "a relay has one style at a time") }
        if let target = targets.first(where: { $0.scheme == .device || $0.scheme == .http || $0.scheme == .https }) {
            throw RelayError(
                .badRequest, "\(target) is nothing that a relay sends to",
                remedy: "give an rtsp, rtmp, srt or udp address, a file, or a playlist ending in .m3u8")
        }
        if segment != nil, !targets.contains(where: \.isPlainFile) {
            throw RelayError(.badRequest, "--segment cuts files, and no target is one", remedy: "name a file such as night.mkv")
        }
        guard keep == nil || segment != nil else {
            throw RelayError(.badRequest, "--keep removes rolling files, and there are none", remedy: "give --segment too")
        }
    }
}

extension RelayRequest {
    /// Tries the encoder, and asks every target whether it takes what comes out: a mistake is to show at once, not when the
    /// camera is switched on. Blocks.
    ///
    /// Throws `MediaError` `.unknownEncoder`, `.unsupportedOption`, `.outputExists`, `.unknownContainer`.
    func checkOutputs() throws {
        let format = try format ?? LiveFormat(width: 640, height: 352, frameRate: Rational(25, 1))
        let encoder: VideoEncoder
        do {
            encoder = try VideoEncoder(live: encoding, format: format)
        } catch {
            // An encoder may refuse this size and take the source's.
            guard error.code == .unsupported, self.format == nil else { throw error }
            return
        }
        let streams = try LiveStreams(encoder: encoder, audio: nil)
        for target in targets {
            if segment != nil, target.isPlainFile { continue }
            try LiveOutput.check(target, streams: streams)
        }
        if listener != nil { _ = try RTPPacketizer(streams: streams) }
    }
}

extension MediaAddress {
    /// A file that is not a playlist of many.
    var isPlainFile: Bool { scheme == .file && !path.lowercased().hasSuffix(".m3u8") }
}
