import Foundation

/// What ffprobe says of a file: an independent witness for tests.
public struct Probe: Sendable {
    public struct Packet: Sendable, Hashable {
        public let stream: Int
        /// Seconds.
        public let pts: Double?
        public let hash: String
    }

    /// Seconds of every frame of the first video stream, in presentation order.
    public static func framePts(_ path: String) throws -> [Double] {
        try frames(path, entries: "best_effort_timestamp_time").compactMap { Double($0) }
    }

    private static func frames(_ path: String, entries: String) throws -> [String] {
        try Program.output(
            "ffprobe",
            ["-v", "error", "-select_streams", "v:0", "-show_entries", "frame=\(entries)", "-of", "csv=p=0", path]
        ).split(separator: "\n").map { $0.split(separator: ",").first.map(String.init) ?? "" }
    }

    /// Named values of the first video stream.
    public static func video(_ path: String, _ keys: [String]) throws -> [String: String] {
        let text = try Program.output(
            "ffprobe",
            ["-v", "error", "-select_streams", "v:0", "-show_entries",
             "stream=\(keys.joined(separator: ",")):stream_side_data=rotation", "-of", "default=nw=1", path])
        return values(text)
    }

    /// Tags of the container.
    public static func tags(_ path: String) throws -> [String: String] {
        let text = try Program.output("ffprobe", ["-v", "error", "-show_entries", "format_tags", "-of", "default=nw=1", path])
        return values(text).reduce(into: [:]) { $0[$1.key.replacingOccurrences(of: "TAG:", with: "")] = $1.value }
    }

    private static func values(_ text: String) -> [String: String] {
        text.split(separator: "\n").reduce(into: [:]) { result, line in
            let pair = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2, result[String(pair[0])] == nil { result[String(pair[0])] = String(pair[1]) }
        }
    }

    /// Packets of the streams that `selector` names (`a`, `s`, `d`, `0`, ...), with a hash of each payload.
    public static func packets(_ path: String, _ selector: String) throws -> [Packet] {
        let text = try Program.output(
            "ffprobe",
            ["-v", "error", "-select_streams", selector, "-show_packets", "-show_data_hash", "md5", "-show_entries",
             "packet=stream_index,pts_time,data_hash", "-of", "compact=p=0", path])
        return text.split(separator: "\n").compactMap { line in
            let fields = values(line.replacingOccurrences(of: "|", with: "\n"))
            // Side data comes on lines of its own.
            guard fields["data_hash"] != nil else { return nil }
            return Packet(
                stream: fields["stream_index"].flatMap { Int($0) } ?? -1, pts: fields["pts_time"].flatMap { Double($0) },
                hash: fields["data_hash"] ?? "")
        }
    }

    /// All decoded frames with their times, and all packets of the other streams, each as a hash. Equal where two files are the same to
    /// a viewer.
    public static func substance(_ path: String) throws -> [String] {
        let text = try Program.output(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-i", path, "-map", "0", "-c", "copy", "-c:v", "rawvideo", "-fps_mode", "passthrough", "-copyts"]
                + ["-f", "framemd5", "-"])
        // Streams one after another: how packets are interleaved is no part of it.
        return text.split(separator: "\n").filter { !$0.hasPrefix("#software") }.map(String.init).sorted()
    }

    /// Codec names of all streams, in order.
    public static func codecs(_ path: String) throws -> [String] {
        // Transport streams list theirs a second time, below their programs.
        try Program.output("ffprobe", ["-v", "error", "-show_entries", "stream=codec_name", "-of", "flat", path])
            .split(separator: "\n").filter { $0.hasPrefix("streams.stream.") }
            .compactMap { $0.split(separator: "=").last?.trimmingCharacters(in: ["\""]) }
    }
}
