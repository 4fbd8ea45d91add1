/// What the output, read back, lacks of the source's tags although it was told them.
struct OutputLosses {
    struct Tag: Equatable {
        /// `container` or `stream N` (of the source).
        var place: String
        var key: String
        var value: String
    }
    var tags: [Tag] = []
    /// Data streams that the container keeps under another four-character code.
    var retagged: [(index: Int, tag: String)] = []
    var losesRotation = false

    /// Handler names that FFmpeg itself gives to streams without one.
    private static let fillers: Set<String> = [
        "VideoHandler", "SoundHandler", "SubtitleHandler", "DataHandler", "Core Media Video", "Core Media Audio",
    ]

    init(source: SourceInfo, plan: StreamPlan, census: PacketCensus, ledger: OutputLedger, container: ContainerFormat) {
        tags = Self.missing(source.metadata, in: census.metadata, place: "container")
        let inOutput = plan.entries(in: .output)
        let matched = ledger.match(inOutput, in: census, info: source)
        for index in inOutput {
            guard let position = matched[index], let stream = source.streams.first(where: { $0.index == index }) else {
                continue
            }
            var expected = stream.metadata
            // MP4 names a track in a box that libavformat writes but does not read.
            if container.isISOMedia { expected["title"] = nil }
            // Matroska dates the file, not its tracks.
            if Self.isSameTime(expected["creation_time"], census.metadata["creation_time"]) {
                expected["creation_time"] = nil
            }
            // The timecode may be anywhere that a reader looks for it.
            if census.metadata["timecode"] != nil { expected["timecode"] = nil }
            tags += Self.missing(expected, in: census.streamMetadata[position], place: "stream \(index)")
            let tag = census.streams[position].codecTag
            if stream.kind == .data, tag != stream.codecTag { retagged.append((index, tag)) }
            if index == source.video.streamIndex, source.video.displayMatrix != nil {
                losesRotation = !census.streams[position].isTurned
            }
        }
    }

    private static func missing(_ expected: [String: String], in found: [String: String], place: String) -> [Tag] {
        let found = Dictionary(found.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
        return expected.sorted { $0.key < $1.key }.compactMap { key, value in
            guard !OutputTags.belongsToFile(key), !OutputMark.isMark(key, value), !isFiller(key, value) else { return nil }
            // Readers fold the language of a tag into its name.
            let plain = key.lowercased().split(separator: "-").first.map(String.init) ?? ""
            guard found[key.lowercased()] != value, found[plain] != value else { return nil }
            return Tag(place: place, key: key, value: value)
        }
    }

    /// Compares to the second; libav writes fractions of it differently.
    private static func isSameTime(_ a: String?, _ b: String?) -> Bool {
        guard let a, let b else { return false }
        return a.prefix(19) == b.prefix(19)
    }

    /// Values that say nothing.
    private static func isFiller(_ key: String, _ value: String) -> Bool {
        switch key.lowercased() {
        case "language": value == "und"
        case "vendor_id": value.allSatisfy { "[0]FMPEG ".contains($0) }
        case "handler_name": fillers.contains(value)
        default: value.isEmpty
        }
    }

    /// - Parameter canDescribe: false where the file beside the output that would hold what is lost has too long a name.
    func notices(target: String, canDescribe: Bool) -> [String] {
        var lines: [String] = []
        let place = canDescribe ? "saved in \(target).streams.json" : "lost, since the name is too long for a file beside it"
        if !tags.isEmpty {
            let keys = Array(Set(tags.map(\.key))).sorted()
            let names = keys.prefix(6).joined(separator: ", ") + (keys.count > 6 ? ", ..." : "")
            lines.append(
                "\(target) holds no tags \(names) where the source has them: they are \(place)")
        }
        for stream in retagged {
            lines.append(
                "stream \(stream.index) is in \(target) with the code '\(stream.tag)': its own is \(place)"
            )
        }
        if losesRotation {
            lines.append(
                "\(target) cannot hold the rotation of the source, so players show it unturned: give the output the ending .mp4 or .mov to keep it"
            )
        }
        return lines
    }
}
