internal import ArgumentParser
internal import MediaIO
internal import Pipeline

/// The options that say how the result is encoded.
struct EncodingOptions: ParsableArguments {
    @Option(help: "Any video encoder that libavcodec has (default: libx264, or what a picture's extension asks for).")
    var encoder: String?
    @Option(help: "Constant rate factor: lower is better and larger (default: 20 where the encoder has it).") var crf: Double?
    @Option(help: "Bit rate instead of a rate factor, such as 8M or 800k.") var bitrate: BitRateArgument?
    @Option(help: "The encoder's preset (default: veryfast for libx264 and libx265).") var preset: String?

    func validate() throws {
        guard crf == nil || bitrate == nil else { throw ValidationError("--crf and --bitrate exclude each other.") }
    }

    func apply(to request: inout ConvertRequest) {
        request.encoder = EncoderSettings(name: encoder, crf: crf, bitrate: bitrate?.bitsPerSecond, preset: preset)
    }
}

/// Bits per second, with `k` or `M`.
struct BitRateArgument: ExpressibleByArgument {
    let bitsPerSecond: Int

    init?(argument: String) {
        let scale = ["k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6][String(argument.suffix(1))] ?? 1.0
        guard let value = Double(scale == 1 ? argument : String(argument.dropLast())), value > 0, value * scale < 1e11 else {
            return nil
        }
        bitsPerSecond = Int(nearest: value * scale, .towardZero)
    }
}
