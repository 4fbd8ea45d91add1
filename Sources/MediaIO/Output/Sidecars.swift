internal import CFFmpeg

/// The bytes of an attachment or a cover picture.
enum AttachedContent {
    static func with(
        _ stream: UnsafeMutablePointer<AVStream>, _ body: (UnsafeRawBufferPointer) throws(MediaError) -> Void
    ) throws(MediaError) {
        let isCover = stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0
        let parameters = stream.pointee.codecpar.pointee
        let bytes =
            isCover
            ? UnsafeRawBufferPointer(
                start: stream.pointee.attached_pic.data, count: max(0, Int(stream.pointee.attached_pic.size)))
            : UnsafeRawBufferPointer(start: parameters.extradata, count: max(0, Int(parameters.extradata_size)))
        try body(bytes)
    }
}

/// Boxes of the source that libav does not read, as they are, one after the other.
enum SavedBoxes {
    private static let chunk: Int64 = 1 << 20

    /// Throws `.unreadable` where a byte of them cannot be read, `.diskFull`, `.unwritable`, `.cancelled`.
    static func copy(_ boxes: [UnreadBox], from source: some ByteSource, to file: PartialFile, interrupt: Interrupt)
        throws(MediaError)
    {
        for box in boxes {
            var position = box.offset
            // A box may claim more than the file has.
            let end = min(source.size, box.offset.addingClamped(max(0, box.size)))
            while position >= 0, position < end {
                try interrupt.check()
                let bytes = try source.read(at: position, count: Int(min(chunk, end - position)))
                guard !bytes.isEmpty else {
                    throw MediaError(.unreadable, "the source has become shorter while it was read", remedy: "give a file that nobody writes to")
                }
                try file.append(bytes)
                position += Int64(bytes.count)
            }
        }
    }
}

/// The JSON beside the output: what its sidecars hold, and what each stream was in the source.
struct SidecarDescription {
    private struct Place {
        var file: String
        var position: Int?
    }
    var boxesFile: String?
    /// Tags that the output's container does not hold: where, key, value.
    var lostTags: [(place: String, key: String, value: String)] = []
    /// Streams that the output holds under another tag: index and new tag.
    var retagged: [(index: Int, tag: String)] = []
    private let source: SourceInfo
    private let plan: StreamPlan
    private var places: [Int: Place] = [:]

    init(source: SourceInfo, plan: StreamPlan) {
        self.source = source
        self.plan = plan
    }

    mutating func place(stream: Int, file: String, position: Int?) {
        places[stream] = Place(file: file, position: position)
    }

    var isEmpty: Bool { places.isEmpty && boxesFile == nil && lostTags.isEmpty && retagged.isEmpty }

    func json(outputName: String) -> String {
        var members: [(String, JSONText)] = [("output", .string(outputName)), ("source", .string(name(source.path)))]
        members.append(("streams", .array(source.streams.filter { places[$0.index] != nil }.map(describe))))
        if !retagged.isEmpty {
            members.append(
                (
                    "retagged",
                    .array(
                        retagged.map { entry in
                            .object(identity(source.streams[entry.index]) + [("outputTag", .string(entry.tag))])
                        })
                ))
        }
        if let boxesFile {
            members.append(
                ("boxes", .object([("file", .string(name(boxesFile))), ("content", .array(describeBoxes()))])))
        }
        if !lostTags.isEmpty {
            members.append(
                (
                    "tags",
                    .array(
                        lostTags.map { tag in
                            .object([
                                ("of", .string(tag.place)), ("key", .string(tag.key)), ("value", .string(tag.value)),
                            ])
                        })
                ))
        }
        return JSONText.object(members).text() + "\n"
    }

    private func describe(_ stream: MediaStreamInfo) -> JSONText {
        var members = identity(stream)
        if let place = places[stream.index] {
            members.append(("file", .string(name(place.file))))
            if let position = place.position { members.append(("fileIndex", .integer(Int64(position)))) }
        }
        if let refusal = plan.entries.first(where: { $0.index == stream.index })?.refusal {
            members.append(("reason", .string(refusal)))
        }
        return .object(members)
    }

    private func identity(_ stream: MediaStreamInfo) -> [(String, JSONText)] {
        var members: [(String, JSONText)] = [
            ("index", .integer(Int64(stream.index))), ("kind", .string(stream.kind.rawValue)),
            ("codec", .string(stream.codecName)),
            ("tag", .string(stream.codecTag)), ("timeBase", .string(stream.timeBase.description)),
        ]
        if let handler = stream.handlerName { members.append(("handler", .string(handler))) }
        if let language = stream.language { members.append(("language", .string(language))) }
        if !stream.dispositions.isEmpty {
            members.append(("dispositions", .array(stream.dispositions.map(JSONText.string))))
        }
        let tags = stream.metadata.sorted { $0.key < $1.key }.map { ($0.key, JSONText.string($0.value)) }
        if !tags.isEmpty { members.append(("metadata", .object(tags))) }
        return members
    }

    private func describeBoxes() -> [JSONText] {
        var position: Int64 = 0
        return source.unreadBoxes.map { box in
            defer { position += box.size }
            var members: [(String, JSONText)] = [("type", .string(box.type))]
            if let parent = box.parent { members.append(("parent", .string(parent))) }
            members += [
                ("sourceOffset", .integer(box.offset)), ("size", .integer(box.size)),
                ("fileOffset", .integer(position)),
            ]
            return .object(members)
        }
    }

    private func name(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }
}

/// Lines for the user about what the output does not hold.
enum PlanNotices {
    static func lines(_ plan: StreamPlan, _ info: SourceInfo, target: String) -> [String] {
        var lines = plan.outside.compactMap { entry -> String? in
            guard let stream = info.streams.first(where: { $0.index == entry.index }) else { return nil }
            let what = stream.codecTag.isEmpty ? stream.codecName : "\(stream.codecName), \(stream.codecTag)"
            return
                "stream \(entry.index) (\(stream.kind.rawValue), \(what)) does not fit into \(target) and is saved beside it"
        }
        if !info.unreadBoxes.isEmpty {
            let names = kinds(of: info.unreadBoxes)
            lines.append(
                "\(info.path) has boxes that no player reads (\(names)): they are saved in \(target).boxes.bin")
        }
        return lines
    }

    /// Each type of box once, in the order of the file, with their number where there are several: `'gps ', 'free' x 3600`.
    private static func kinds(of boxes: [UnreadBox]) -> String {
        var types: [String] = []
        var counts: [String: Int] = [:]
        for box in boxes {
            if counts[box.type] == nil { types.append(box.type) }
            counts[box.type, default: 0] += 1
        }
        let shown = types.prefix(longestList).map { type in
            let count = counts[type] ?? 1
            return "'\(type)'" + (count > 1 ? " x \(count)" : "")
        }
        return shown.joined(separator: ", ") + (types.count > longestList ? ", ..." : "")
    }

    /// Types that a line names; a damaged file may have any number.
    private static let longestList = 12
}
