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

extension MediaAddress {
    /// A file that is not a playlist of many.
    var isPlainFile: Bool { scheme == .file && !path.lowercased().hasSuffix(".m3u8") }
}
