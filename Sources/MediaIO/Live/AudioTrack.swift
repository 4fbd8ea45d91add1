internal import CFFmpeg

/// A live source's audio, which passes through as it is: what outputs must know of it.
public final class AudioTrack: @unchecked Sendable {
    // Safe to share: written by init only.
    let parameters: UnsafeMutablePointer<AVCodecParameters>
    public let timeBase: Rational

    /// Copies what `stream` says.
    init(_ stream: UnsafePointer<AVStream>) throws(MediaError) {
        guard let copy = avcodec_parameters_alloc() else { throw MediaError(.outOfMemory, "no memory for an audio stream") }
        parameters = copy
        timeBase = Rational(stream.pointee.time_base)
        try AV.check(avcodec_parameters_copy(copy, stream.pointee.codecpar), .outOfMemory, "no memory for an audio stream")
        // Containers choose tags of their own.
        copy.pointee.codec_tag = 0
    }

    deinit {
        var pointer: UnsafeMutablePointer<AVCodecParameters>? = parameters
        avcodec_parameters_free(&pointer)
    }

    /// libav's name, such as `aac`.
    public var codecName: String { String(cString: avcodec_get_name(parameters.pointee.codec_id)) }
    public var sampleRate: Int { Int(parameters.pointee.sample_rate) }
    public var channels: Int { Int(parameters.pointee.ch_layout.nb_channels) }

    /// True where packets of `other` can take the place of this one's: a decoder set up for one understands the other.
    public func isInterchangeable(with other: AudioTrack) -> Bool {
        let (own, others) = (parameters.pointee, other.parameters.pointee)
        return own.codec_id == others.codec_id && sampleRate == other.sampleRate && channels == other.channels
            && extradata == other.extradata
    }

    private var extradata: [UInt8] {
        guard let data = parameters.pointee.extradata, parameters.pointee.extradata_size > 0 else { return [] }
        return Array(UnsafeBufferPointer(start: data, count: Int(parameters.pointee.extradata_size)))
    }
}

extension Packet {
    /// A packet that shares this one's payload, with another stream index, and times in another time base.
    public func restamped(
        streamIndex: Int, pts: Int64?, dts: Int64?, duration: Int64, timeBase: Rational
    ) throws(MediaError) -> Packet {
        let copy = try reference()
        copy.raw.pointee.stream_index = Int32(streamIndex)
        copy.raw.pointee.pts = pts.avTimestamp
        copy.raw.pointee.dts = dts.avTimestamp
        copy.raw.pointee.duration = duration
        copy.raw.pointee.time_base = timeBase.avRational
        return copy
    }
}
