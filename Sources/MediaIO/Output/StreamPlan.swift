/// What becomes of each media stream of a source.
///
/// A pure function over facts: the muxers' answers come in through a closure, so it is tested without files.
struct StreamPlan: Equatable {
    /// Where a stream may be written to.
    enum Carrier: String, Hashable { case output, movSidecar, nutSidecar }

    enum Action: Equatable {
        /// The converted video.
        case encode
        /// Packet for packet.
        case copy(Carrier)
        /// One picture or file, which the output keeps as an attachment.
        case attach
        /// A cover picture, which the output keeps among its tags.
        case coverTag
        /// The muxer writes it anew from this timecode tag.
        case regenerateTimecode(String)
        /// The muxer writes it anew from the chapters.
        case regenerateChapters
        /// Its content becomes a file of its own beside the output.
        case sidecarFile
    }

    struct Entry: Equatable {
        var index: Int
        var action: Action
        /// Why the output does not take it, in the muxer's words; nil where it does.
        var refusal: String?
    }

    var entries: [Entry]

    func entries(in carrier: Carrier) -> [Int] {
        entries.filter { $0.action == .copy(carrier) || (carrier == .output && $0.action == .encode) }.map(\.index)
    }

    /// The streams that the output itself does not hold.
    var outside: [Entry] {
        entries.filter { [.copy(.movSidecar), .copy(.nutSidecar), .sidecarFile].contains($0.action) }
    }

    var timecode: String? {
        entries.lazy.compactMap { if case .regenerateTimecode(let text) = $0.action { text } else { nil } }.first
    }

    /// Plans in the order of the source.
    ///
    /// `refusal` asks a carrier's muxer whether it takes these streams together: nil for yes, else its words.
    static func make(
        _ streams: [StreamFacts], target: TargetFacts, refusal: (Carrier, [Int]) -> String?
    ) -> StreamPlan {
        var plan = StreamPlan(entries: [])
        // The video is not up for choice, so the others are asked beside it.
        var taken: [Carrier: [Int]] = [.output: streams.filter(\.isConverted).map(\.index)]
        for stream in streams {
            if stream.isConverted {
                plan.entries.append(Entry(index: stream.index, action: .encode))
                continue
            }
            if let action = withoutMuxer(stream, target) {
                plan.entries.append(Entry(index: stream.index, action: action))
                continue
            }
            plan.entries.append(place(stream, target, &taken, refusal))
        }
        return plan
    }

    /// What is decided without asking a muxer.
    private static func withoutMuxer(_ stream: StreamFacts, _ target: TargetFacts) -> Action? {
        if stream.isChapterTrack { return target.writesChapters ? .regenerateChapters : nil }
        if let timecode = stream.timecode, target.regeneratesTimecode, stream.packetCount ?? 1 <= 1 {
            return .regenerateTimecode(timecode)
        }
        if stream.isCoverArt {
            if target.takesAttachments { return .attach }
            if target.takesCoverTags && ["mjpeg", "png", "bmp"].contains(stream.codecName) { return .coverTag }
        }
        if stream.kind == .attachment && target.takesAttachments { return .attach }
        return nil
    }

    private static func place(
        _ stream: StreamFacts, _ target: TargetFacts, _ taken: inout [Carrier: [Int]],
        _ refusal: (Carrier, [Int]) -> String?
    ) -> Entry {
        // Attachments have no packets, and a cover picture is no video track.
        if stream.kind == .attachment || stream.isCoverArt {
            return Entry(
                index: stream.index, action: .sidecarFile,
                refusal: "\(target.name) files hold no attachments of this kind")
        }
        var reason: String?
        if !target.recognises(stream) {
            reason = "\(target.name) files hold it as private data only, which no reader recognises"
        }
        if stream.kind == .data && !target.takesData {
            reason = "\(target.name) files hold no data streams"
        }
        if stream.isReordered && !target.takesEarlyDecoding {
            reason = "\(target.name) files hold no reordered pictures without moving all times"
        }
        let carriers: [Carrier] = reason == nil ? [.output, .movSidecar, .nutSidecar] : [.movSidecar, .nutSidecar]
        for carrier in carriers {
            let together = taken[carrier, default: []] + [stream.index]
            let answer = refusal(carrier, together)
            if answer == nil {
                taken[carrier] = together
                return Entry(index: stream.index, action: .copy(carrier), refusal: reason)
            }
            if carrier == .output { reason = answer }
        }
        return Entry(index: stream.index, action: .sidecarFile, refusal: reason)
    }
}

/// What the plan needs to know of a source's media stream.
struct StreamFacts: Equatable {
    var index: Int
    var kind: MediaStreamInfo.Kind
    var codecName: String
    var isConverted = false
    var isCoverArt = false
    /// A text track that holds the names of chapters, and that libav reads as chapters.
    var isChapterTrack = false
    /// The timecode of a timecode track's only sample, such as `01:00:00;02`.
    var timecode: String?
    var packetCount: Int?
    /// True for video whose pictures are decoded in another order than shown.
    var isReordered = false
}

/// What the plan needs to know of the output's container.
struct TargetFacts: Equatable {
    var name: String
    var takesAttachments: Bool
    var takesCoverTags: Bool
    var writesChapters: Bool
    var regeneratesTimecode: Bool
    var takesEarlyDecoding: Bool
    var takesData: Bool
    /// nil where the muxer can be asked.
    var recognisedCodecs: Set<String>?

    func recognises(_ stream: StreamFacts) -> Bool { recognisedCodecs?.contains(stream.codecName) ?? true }

    init(_ container: ContainerFormat) {
        name = container.name
        recognisedCodecs = container.recognisedCodecs
        takesEarlyDecoding = container.takesEarlyDecoding
        takesData = container.takesData
        takesAttachments = container.name == "matroska"
        takesCoverTags = container.isISOMedia
        writesChapters = ["mp4", "mov", "ipod"].contains(container.name) || container.isMatroska
        // MP4 and MOV write a timecode track from the tag, Matroska keeps the tag.
        regeneratesTimecode = ["mp4", "mov"].contains(container.name) || container.isMatroska
    }
}
