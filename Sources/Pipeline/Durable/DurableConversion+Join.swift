internal import Foundation
public import MediaIO

extension DurableConversion {
    /// What a join has made.
    public struct Joined: Sendable {
        public let report: OutputReport
        /// Packets of the video from which on it decodes by itself, by number.
        public let runStarts: [Int]
        /// What the user should know.
        public let notices: [String]
    }

    /// Writes the result to `path`: the source's other streams, tags and sidecars as they are, and the journal's packets in
    /// place of the video. Reads it back packet by packet. Blocks.
    ///
    /// - Throws: `MediaError`; `.cancelled` after a stop. Nothing is left behind then.
    public func join(to path: String, mark: OutputMark, translator: Translator, stop: StopSwitch) async throws -> Joined {
        let interrupt = Interrupt()
        return try await stop.whileStopping({ interrupt.trigger() }) {
            try await onOwnThread(named: "join") { try self.join(to: path, mark, translator, interrupt) }
        }
    }

    private func join(_ journal: PacketJournal, into output: MediaOutput, from demuxer: Demuxer) throws {
        let packets = journal.packets(streamIndex: source.video.streamIndex)
        while let packet = try demuxer.next() {
            guard packet.streamIndex == source.video.streamIndex else {
                try output.write(packet)
                continue
            }
            // Where the source has its video, so that what belongs together stays together in the file.
            if let rendered = try packets.next() { try output.write(rendered) }
        }
        while let rendered = try packets.next() { try output.write(rendered) }
    }

    private func join(
        to path: String, _ mark: OutputMark, _ translator: Translator, _ interrupt: Interrupt
    ) throws -> Joined {
        let encoder = try encoder(ConvertParts.shown(source, by: translator))
        let journal = try journal(encoder)
        guard let commit = journal.commit, commit.isEnd else {
            throw MediaError(.internalFailure, "the frames of \(source.path) are not all rendered")
        }
        let demuxer = try Demuxer(path: source.path, interrupt: interrupt)
        let output = try MediaOutput(
            path: path, source: demuxer, encoder: encoder, overwrite: true, mark: mark, interrupt: interrupt)
        do {
            try join(journal, into: output, from: demuxer)
            let report = try output.complete(expectedFrames: commit.frames)
            try MediaOutput.publish([output])
            if try OutputMark.read(path: path, interrupt: interrupt) != mark { mark.writeAttribute(of: path) }
            var notices = source.notices + translator.notices + report.warnings
            if !commit.note.isEmpty { notices.append(commit.note) }
            return Joined(report: report, runStarts: journal.runStarts, notices: notices)
        } catch {
            output.abandon()
            throw error
        }
    }
}
