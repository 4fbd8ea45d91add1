import CFFmpeg
import FuzzKit

@testable import MediaIO

/// What the input says about a source. Its first line is the container of the output and the start of the part that is
/// converted; then come `[stream]`, `[chapter START END]` and `[program]`, each with lines of `key=value`. Those before the first of
/// them are the container's.
private struct TaggedSource {
    var container = "mkv"
    var start = 0.0
    var tags: [(key: String, value: String)] = []
    var streamTags: [(key: String, value: String)] = []
    var chapters: [(start: Int64, end: Int64, tags: [(key: String, value: String)])] = []
    var programs: [[(key: String, value: String)]] = []

    private static let containers = ["mkv", "mp4", "mov", "avi", "ts", "webm", "ogv"]

    init(_ bytes: [UInt8]) {
        var place = "container"
        for (number, line) in bytes.split(separator: 10, omittingEmptySubsequences: false).enumerated() {
            let text = String(decoding: line, as: UTF8.self)
            let words = text.split(separator: " ")
            if number == 0 {
                if let name = words.first.map(String.init), Self.containers.contains(name) { container = name }
                start = words.count > 1 ? Double(words[1]) ?? 0 : 0
            } else if text.hasPrefix("["), text.hasSuffix("]") {
                place = words.first.map(String.init) ?? ""
                if place == "[chapter", words.count == 3 { addChapter(Int64(words[1]) ?? 0, Int64(words[2].dropLast()) ?? 0) }
                if place == "[program]" { programs.append([]) }
            } else if let sign = text.firstIndex(of: "=") {
                add((String(text[..<sign]), String(text[text.index(after: sign)...])), to: place)
            }
        }
    }

    /// libavformat gives no chapter that ends before it starts.
    private mutating func addChapter(_ start: Int64, _ end: Int64) {
        if start <= end { chapters.append((start, end, [])) }
    }

    private mutating func add(_ tag: (key: String, value: String), to place: String) {
        switch place {
        case "container": tags.append(tag)
        case "[stream]": streamTags.append(tag)
        case "[chapter": if let last = chapters.indices.last { chapters[last].tags.append(tag) }
        default: if let last = programs.indices.last { programs[last].append(tag) }
        }
    }
}

/// A video of two grey frames, for a source whose tags are put in afterwards.
private let video: [UInt8] = {
    let frame = Array("FRAME\n".utf8) + [UInt8](repeating: 128, count: 16 * 16 * 3 / 2)
    return Array("YUV4MPEG2 W16 H16 F25:1 Ip A1:1 C420jpeg\n".utf8) + frame + frame
}()

/// Writes the tags, chapters and programs of a source into the output's muxer.
@Sendable func tags(_ bytes: [UInt8]) throws -> Bool {
    if let mark = OutputMark(text: String(decoding: bytes, as: UTF8.self)) {
        try hold(OutputMark(text: mark.text) == mark, "another mark after writing")
    }
    try Scratch.withFile(bytes) { _ = try OutputMark(endOfTransportStream: $0) }
    let tagged = TaggedSource(bytes)
    return try Scratch.withFile(video) { path in
        do {
            try write(tagged, path: path)
            return true
        } catch let error as MediaError {
            _ = error.description
            return false
        }
    }
}

private func write(_ tagged: TaggedSource, path: String) throws {
    let source = try Demuxer(path: path, interrupt: Interrupt())
    let container = try ContainerFormat(outputPath: "output.\(tagged.container)")
    let settings = EncoderSettings(name: ["webm": "libvpx", "ogv": "libtheora"][tagged.container] ?? "mpeg4", threads: 1)
    let encoder = try VideoEncoder(settings: settings, source: source.info.video, container: container)
    try put(tagged, into: source.raw)
    let planner = OutputPlanner(source: source, encoder: encoder, container: container, interrupt: Interrupt())
    var plan = planner.plan()
    if let timecode = tagged.streamTags.first(where: { $0.key == "timecode" }) {
        plan.entries.append(.init(index: 1, action: .regenerateTimecode(timecode.value)))
    }
    let window = tagged.start == 0 ? nil : TimeWindow(start: tagged.start)
    let shift = try OutputShift(window: window, source: source, container: container)
    let output = try planner.muxer(.output, streams: [0], label: "output")
    let mark = OutputMark(contentHash: "content", settingsIdentity: "settings")
    try OutputTags.write(to: output, planner: planner, plan: plan, shift: shift, mark: mark)
    try check(output, mark, source, isPart: window != nil)
}

private func put(_ tagged: TaggedSource, into source: UnsafeMutablePointer<AVFormatContext>) throws {
    set(tagged.tags, in: &source.pointee.metadata)
    if let stream = source.pointee.streams[0] { set(tagged.streamTags, in: &stream.pointee.metadata) }
    for (number, chapter) in tagged.chapters.enumerated() {
        var metadata: OpaquePointer?
        set(chapter.tags, in: &metadata)
        defer { av_dict_free(&metadata) }
        let base = AVRational(num: 1, den: 1000)
        let result = shim_add_chapter(source, Int64(number), base, chapter.start, chapter.end, metadata)
        try hold(result >= 0, "no memory for a chapter")
    }
    for (number, tags) in tagged.programs.enumerated() {
        guard let program = av_new_program(source, Int32(number + 1)) else { continue }
        set(tags, in: &program.pointee.metadata)
        av_program_add_stream_index(source, Int32(number + 1), 0)
    }
}

private func set(_ tags: [(key: String, value: String)], in dictionary: inout OpaquePointer?) {
    for (key, value) in tags { av_dict_set(&dictionary, key, value, 0) }
}

/// The output has the one mark that it was given, nothing that is said of the source's file, and its chapters in order.
private func check(_ output: Muxer, _ mark: OutputMark, _ source: Demuxer, isPart: Bool) throws {
    let tags = dictionary(output.context.pointee.metadata)
    let marks = tags.filter { OutputMark.isMark($0.key, $0.value) }
    try hold(marks.count == 1 && OutputMark(tags: [tags]) == mark, "the marks \(marks)")
    for fact in ["major_brand", "minor_version", "compatible_brands", "encoder"] {
        try hold(!tags.keys.contains { $0.lowercased() == fact }, "the source's \(fact)")
    }
    for index in 0..<Int(output.context.pointee.nb_streams) {
        guard let stream = output.context.pointee.streams[index] else { continue }
        let tags = dictionary(stream.pointee.metadata)
        try hold(!tags.contains { OutputMark.isMark($0.key, $0.value) }, "a mark of the source")
        try hold(!tags.keys.contains { OutputTags.belongsToFile($0) && $0.lowercased().hasPrefix("bps") }, "the source's bit rate")
    }
    let count = output.context.pointee.nb_chapters
    try hold(count <= source.raw.pointee.nb_chapters && (isPart || count == source.raw.pointee.nb_chapters), "\(count) chapters")
    guard isPart else { return }
    for index in 0..<Int(count) {
        guard let chapter = output.context.pointee.chapters[index]?.pointee else { continue }
        try hold(chapter.start >= 0 && chapter.end >= chapter.start, "a chapter from \(chapter.start) to \(chapter.end)")
    }
}
