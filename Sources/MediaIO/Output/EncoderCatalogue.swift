internal import CFFmpeg

/// The video encoders of this libavcodec.
public enum EncoderCatalogue {
    public struct Entry: Sendable, Equatable {
        /// What `--encoder` takes, such as `libx264`.
        public var name: String
        /// libav's name of the codec it writes, such as `h264`.
        public var codec: String
        public var longName: String
        /// True for encoders that libavcodec hands to hardware; whether it is there shows only on use.
        public var isHardware: Bool
    }

    /// All of them, by name.
    public static func video() -> [Entry] {
        var entries: [Entry] = []
        var state: UnsafeMutableRawPointer?
        while let pointer = av_codec_iterate(&state) {
            let codec = pointer.pointee
            guard codec.type == AVMEDIA_TYPE_VIDEO, av_codec_is_encoder(pointer) != 0 else { continue }
            entries.append(
                Entry(
                    name: String(cString: codec.name), codec: String(cString: avcodec_get_name(codec.id)),
                    longName: codec.long_name.map { String(cString: $0) } ?? "",
                    isHardware: codec.capabilities & (AV_CODEC_CAP_HARDWARE | AV_CODEC_CAP_HYBRID) != 0))
        }
        return entries.sorted { $0.name < $1.name }
    }

    /// The error for an encoder that is not there, with those that the user may have meant.
    static func unknown(_ name: String) -> MediaError {
        let all = video()
        let sameCodec = all.filter { $0.codec == name.lowercased() }
        let close = all.filter {
            distance($0.name, name.lowercased()) <= max(1, name.count / 3)
                || (name.count > 2 && $0.name.contains(name.lowercased()))
        }
        let named = (sameCodec.isEmpty ? close : sameCodec).map(\.name)
        let usual = ["libx264", "libx265", "libsvtav1", "libvpx-vp9", "mpeg4"].filter { usual in
            all.contains { $0.name == usual }
        }
        let suggestion = named.isEmpty ? usual : Array(named.prefix(8))
        return MediaError(
            .unknownEncoder, "this libavcodec has no video encoder \(name)",
            remedy: "use one of \(suggestion.joined(separator: ", "))")
    }

    /// Edits (insert, delete, replace) between two words (Levenshtein).
    static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        var row = Array(0...b.count)
        for i in 0..<a.count {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<b.count {
                let next = min(row[j + 1] + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }
}

/// The versions of the FFmpeg libraries in use.
public enum LibraryVersions {
    /// Name and version of each library, such as ("libavcodec", "59.37.100"), and FFmpeg's own version.
    public static func all() -> [(name: String, version: String)] {
        func text(_ version: UInt32) -> String { "\(version >> 16).\(version >> 8 & 0xff).\(version & 0xff)" }
        return [
            ("ffmpeg", String(cString: av_version_info())), ("libavutil", text(avutil_version())),
            ("libavcodec", text(avcodec_version())), ("libavformat", text(avformat_version())),
            ("libavfilter", text(avfilter_version())), ("libswscale", text(swscale_version())),
        ]
    }
}
