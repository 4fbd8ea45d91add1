/// How the video of a relay is encoded: without delay, with key frames at even distances, and below a bit rate.
public struct LiveEncoding: Sendable, Equatable {
    /// The encoder and what the user asked of it; libx264 at crf 20 and preset veryfast where nothing was.
    public var settings: EncoderSettings
    /// Bits per second that a second of video does not exceed; nil for `defaultMaxBitrate(for:)`.
    public var maxBitrate: Int?
    /// Seconds from one key frame to the next at most, 0.1...60. Measured in the frames' time, not in frames, so that it
    /// holds where the relay gives fewer frames than its nominal rate.
    public var keyframeInterval: Double

    public init(settings: EncoderSettings = EncoderSettings(), maxBitrate: Int? = nil, keyframeInterval: Double = 2) {
        self.settings = settings
        self.maxBitrate = maxBitrate
        self.keyframeInterval = keyframeInterval
    }

    /// Bits per second: 1 Mb/s and 0.12 bits for every pixel. That is 1.7 Mb/s at 640x360 and 7.2 Mb/s at 1920x1080 with
    /// 25 frames per second, about what streaming services ask of H.264.
    public static func defaultMaxBitrate(for format: LiveFormat) -> Int {
        let pixels = Double(format.width * format.height) * (format.frameRate.value ?? 25)
        return 1_000_000 + Int(nearest: min(pixels * 0.12, 0x1p40), .towardZero)
    }

    /// The cap in force: what was asked for, else the default one, or half above a bit rate that is higher than that.
    func cap(for format: LiveFormat) -> Int {
        maxBitrate ?? max(Self.defaultMaxBitrate(for: format), (settings.bitrate ?? 0) / 2 * 3)
    }

    /// Throws `.unsupportedOption` for values out of range, and for a cap below the bit rate.
    func check() throws(MediaError) {
        guard (0.1...60).contains(keyframeInterval) else {
            throw MediaError(
                .unsupportedOption, "a key frame every \(keyframeInterval) s is out of range", remedy: "give 0.1 to 60 seconds")
        }
        guard let maxBitrate else { return }
        guard (10_000...1_000_000_000).contains(maxBitrate) else {
            throw MediaError(
                .unsupportedOption, "a bit rate cap of \(maxBitrate) bits per second is out of range",
                remedy: "give a value such as 4000000 (4 Mb/s)")
        }
        if let bitrate = settings.bitrate, bitrate > maxBitrate {
            throw MediaError(
                .unsupportedOption, "the bit rate \(bitrate) is above its cap of \(maxBitrate)",
                remedy: "lower the bit rate or raise the cap")
        }
    }
}
