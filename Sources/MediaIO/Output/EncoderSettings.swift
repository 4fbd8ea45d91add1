/// How the converted video is encoded: what the user asked for, nil where nothing was.
public struct EncoderSettings: Sendable, Equatable {
    /// libavcodec's name of an encoder, such as `libx264` or `hevc_nvenc`; nil for the container's default.
    public var name: String?
    /// Constant quality: the encoder's own scale, lower is better.
    public var crf: Double?
    /// Average bits per second.
    public var bitrate: Int?
    /// The encoder's own name of a trade between speed and size, such as `veryfast`.
    public var preset: String?
    /// Threads the encoder may use; 0 lets it choose.
    public var threads: Int

    public init(name: String? = nil, crf: Double? = nil, bitrate: Int? = nil, preset: String? = nil, threads: Int = 0) {
        self.name = name
        self.crf = crf
        self.bitrate = bitrate
        self.preset = preset
        self.threads = threads
    }

    /// These settings with solstice's own defaults filled in for libx264 (crf 20 unless a bitrate is asked for,
    /// preset veryfast); any other encoder keeps its own.
    func resolved(for container: ContainerFormat) -> (name: String, options: EncoderOptions) {
        let name = name ?? container.defaultEncoder
        var asked: Set<EncoderOptions.Kind> = []
        if crf != nil { asked.insert(.crf) }
        if bitrate != nil { asked.insert(.bitrate) }
        if preset != nil { asked.insert(.preset) }
        let isX264 = name == "libx264" || name == "libx264rgb"
        return (
            name,
            EncoderOptions(
                crf: crf ?? (isX264 && bitrate == nil ? 20 : nil), bitrate: bitrate,
                preset: preset ?? (isX264 ? "veryfast" : nil), threads: threads, asked: asked)
        )
    }
}
