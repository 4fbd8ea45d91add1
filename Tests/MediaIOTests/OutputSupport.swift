import Foundation
import Imaging
import Testing

@testable import MediaIO

/// What a run of `transcode` has done.
struct Transcoded {
    var report: OutputReport
    var frames: Int
    var notices: [String]
    var encoderPixelFormat: String
}

/// Decodes `input` and writes it to `output` with its other streams, as the converter does but for the network.
@discardableResult
func transcode(
    _ input: String, to output: String, _ settings: EncoderSettings = EncoderSettings(), overwrite: Bool = false,
    window: TimeWindow? = nil, interrupt: Interrupt = Interrupt(), frameWritten: (Int) throws -> Void = { _ in }
) throws -> Transcoded {
    let info = try SourceProbe.probe(path: input, interrupt: interrupt)
    let container = try ContainerFormat(outputPath: output, isPicture: info.isStillPicture)
    let encoder = try VideoEncoder(settings: settings, source: info.video, container: container)
    let demuxer = try Demuxer(path: input, interrupt: interrupt)
    let media = try MediaOutput(
        path: output, source: demuxer, encoder: encoder, overwrite: overwrite, window: window, interrupt: interrupt)
    if let window { try demuxer.seek(toSeconds: window.start) }
    let decoder = try VideoDecoder(demuxer: demuxer, info: info.video, threads: 1, startSeconds: window?.start ?? 0)
    let origin = Double(info.video.startTime ?? 0) * (info.video.timeBase.value ?? 0)
    let range = try window?.ticks(in: info.video.timeBase, origin: origin)
    let scaler = try PictureScaler(source: info.video, network: .native)
    var frames = 0
    let take = { (decoded: DecodedFrame) in
        if let range, let pts = decoded.frame.pts, !range.contains(pts) { return }
        frames += 1
        var frame = decoded.frame
        if frame.pixelFormatName != encoder.pixelFormatName {
            frame = try scaler.frame(
                from: try scaler.fullSize8(of: frame), like: frame, format: encoder.pixelFormatName)
        }
        try encoder.encode(frame) { try media.write($0) }
        try frameWritten(frames)
    }
    while let packet = try demuxer.next() {
        if packet.streamIndex == info.video.streamIndex {
            try decoder.decode(packet, emit: take)
        } else {
            try media.write(packet)
        }
    }
    try decoder.decode(nil, emit: take)
    try encoder.encode(nil) { try media.write($0) }
    let report = try media.finish(expectedFrames: frames)
    return Transcoded(
        report: report, frames: frames, notices: media.notices, encoderPixelFormat: encoder.pixelFormatName)
}

/// A packet as ffprobe lists it.
struct ProbedPacket: Equatable {
    var pts: Double?
    var dts: Double?
    var hash: String
}

/// The packets of one stream, in the order of the file.
func probedPackets(_ path: String, _ stream: String) throws -> [ProbedPacket] {
    let arguments = [
        "-v", "quiet", "-select_streams", stream, "-show_packets", "-show_data_hash", "md5", "-show_entries",
        "packet=pts_time,dts_time,data_hash", "-of", "json", path,
    ]
    let json = try JSONSerialization.jsonObject(with: Data(try run("ffprobe", arguments).utf8)) as? [String: Any]
    return (json?["packets"] as? [[String: Any]] ?? []).map { packet in
        ProbedPacket(
            pts: (packet["pts_time"] as? String).flatMap(Double.init),
            dts: (packet["dts_time"] as? String).flatMap(Double.init),
            hash: packet["data_hash"] as? String ?? "")
    }
}

/// What ffprobe says of streams, container and chapters.
struct ProbedFile {
    var streams: [[String: Any]]
    var format: [String: Any]
    var chapters: [[String: Any]]

    init(_ path: String) throws {
        let text = try run(
            "ffprobe", ["-v", "quiet", "-show_streams", "-show_format", "-show_chapters", "-of", "json", path])
        let json = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
        streams = json["streams"] as? [[String: Any]] ?? []
        format = json["format"] as? [String: Any] ?? [:]
        chapters = json["chapters"] as? [[String: Any]] ?? []
    }

    var tags: [String: String] { format["tags"] as? [String: String] ?? [:] }
    func tags(_ stream: Int) -> [String: String] { streams[stream]["tags"] as? [String: String] ?? [:] }
    func text(_ stream: Int, _ key: String) -> String { streams[stream][key].map { "\($0)" } ?? "" }
    func dispositions(_ stream: Int) -> [String] {
        (streams[stream]["disposition"] as? [String: Int] ?? [:]).filter { $0.value != 0 }.keys.sorted()
    }
}

/// Expects the packets of a stream to be those of another: hashes and times, these within `tolerance` seconds.
func expectSamePackets(
    _ source: String, _ sourceStream: String, _ output: String, _ outputStream: String, tolerance: Double = 1e-6,
    comparesHashes: Bool = true, comparesDTS: Bool = true, offset: Double = 0,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let expected = try probedPackets(source, sourceStream)
    let actual = try probedPackets(output, outputStream)
    #expect(!expected.isEmpty, "nothing to compare", sourceLocation: sourceLocation)
    #expect(actual.count == expected.count, sourceLocation: sourceLocation)
    let different = zip(actual, expected).enumerated().filter { _, pair in
        let (a, b) = pair
        return (comparesHashes && a.hash != b.hash) || !near(a.pts, b.pts.map { $0 - offset }, tolerance)
            || (comparesDTS && !near(a.dts, b.dts.map { $0 - offset }, tolerance))
    }
    let first = different.first.map { "packet \($0.offset): \($0.element.0) for \($0.element.1)" } ?? ""
    #expect(
        different.isEmpty, "\(different.count) of \(expected.count) differ, first \(first)",
        sourceLocation: sourceLocation)
}

private func near(_ a: Double?, _ b: Double?, _ tolerance: Double) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return abs(a - b) <= tolerance
}

/// Expects the video frames' pts (shown frames, sorted) to be the source's.
func expectSameVideoTimes(
    _ source: String, _ output: String, tolerance: Double = 1e-6, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let expected = try videoTimes(source)
    let actual = try videoTimes(output)
    #expect(actual.count == expected.count, sourceLocation: sourceLocation)
    let different = zip(actual, expected).filter { abs($0 - $1) > tolerance }
    #expect(different.isEmpty, "\(different.prefix(4))", sourceLocation: sourceLocation)
}

func videoTimes(_ path: String) throws -> [Double] {
    let arguments = [
        "-v", "quiet", "-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0",
        path,
    ]
    return try run("ffprobe", arguments).split(separator: "\n").compactMap { line in
        Double(line.trimmingCharacters(in: CharacterSet(charactersIn: ", \r")))
    }
}

/// Names in a directory, hidden ones too.
func entries(_ directory: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
}

extension Data {
    /// These bytes with those of `range` replaced.
    func replacingCharacters(_ range: Range<Data.Index>, _ text: String) -> Data {
        var copy = self
        copy.replaceSubrange(range, with: Data(text.utf8))
        return copy
    }
}
