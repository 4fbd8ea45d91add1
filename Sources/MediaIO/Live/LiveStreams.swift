internal import CFFmpeg

/// What every output of a relay carries: the codec parameters of its video and of its audio, copied once.
///
/// Packets for these streams have stream index 0 (video, in `LiveFormat.timeBase`) or 1 (audio, in the track's time base).
public struct LiveStreams: Sendable {
    let video: CodecParameters
    let frameRate: Rational
    let sampleAspect: Rational
    public let audio: AudioTrack?
    private let audioParameters: CodecParameters?

    /// Throws `.outOfMemory`.
    public init(encoder: VideoEncoder, audio: AudioTrack?) throws(MediaError) {
        video = try CodecParameters(of: encoder)
        frameRate = encoder.frameRate
        sampleAspect = Rational(encoder.raw.pointee.sample_aspect_ratio)
        self.audio = audio
        audioParameters = try audio.map { track throws(MediaError) in try CodecParameters(of: track) }
    }

    /// libav's names, such as `h264` and `aac`.
    public var videoCodecName: String { video.codecName }
    public var audioCodecName: String? { audioParameters?.codecName }

    /// What an output has to know of stream 0 or 1; nil for one that is not there.
    func stream(_ index: Int) -> (parameters: CodecParameters, timeBase: Rational)? {
        switch index {
        case 0: (video, LiveFormat.timeBase)
        case 1: audioParameters.map { ($0, audio?.timeBase ?? LiveFormat.timeBase) }
        default: nil
        }
    }

    /// The packet as all outputs take it: AAC without the ADTS headers that MPEG-TS cameras put before each frame, which no
    /// other output may have (ISO/IEC 13818-7, 6.2).
    func uniform(_ packet: Packet) throws(MediaError) -> Packet {
        guard packet.streamIndex == 1, audioParameters?.isAAC == true, let data = packet.raw.pointee.data, packet.size > 9,
            data[0] == 0xff, data[1] & 0xf6 == 0xf0
        else { return packet }
        // Two bytes more where a checksum follows.
        let header: Int32 = data[1] & 1 == 1 ? 7 : 9
        let copy = try packet.reference()
        copy.raw.pointee.data += Int(header)
        copy.raw.pointee.size -= header
        return copy
    }
}

/// A copy of libav's `AVCodecParameters`.
final class CodecParameters: @unchecked Sendable {
    // Safe to share: written by init only.
    let raw: UnsafeMutablePointer<AVCodecParameters>

    private init() throws(MediaError) {
        guard let raw = avcodec_parameters_alloc() else { throw MediaError(.outOfMemory, "no memory for a stream") }
        self.raw = raw
    }

    convenience init(of encoder: VideoEncoder) throws(MediaError) {
        try self.init()
        try AV.check(avcodec_parameters_from_context(raw, encoder.raw), .outOfMemory, "no memory for a stream")
        raw.pointee.codec_tag = 0
    }

    /// AAC from MPEG-TS says in each frame what outputs must know from the start, so its configuration is made up here.
    convenience init(of track: AudioTrack) throws(MediaError) {
        try self.init()
        try AV.check(avcodec_parameters_copy(raw, track.parameters), .outOfMemory, "no memory for a stream")
        raw.pointee.codec_tag = 0
        if isAAC, raw.pointee.extradata_size == 0, let configuration = aacConfiguration { try setExtradata(configuration) }
    }

    deinit {
        var pointer: UnsafeMutablePointer<AVCodecParameters>? = raw
        avcodec_parameters_free(&pointer)
    }

    var codecName: String { String(cString: avcodec_get_name(raw.pointee.codec_id)) }
    var isAAC: Bool { raw.pointee.codec_id == AV_CODEC_ID_AAC }
    var isAudio: Bool { raw.pointee.codec_type == AVMEDIA_TYPE_AUDIO }

    var extradata: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: raw.pointee.extradata, count: Int(raw.pointee.extradata_size))
    }

    /// True where the headers are parameter sets or the like that may also stand in the stream before each key frame: H.264
    /// and H.265 in Annex B form, MPEG video.
    var canRepeatHeaders: Bool {
        guard extradata.count > 4, extradata[0] == 0, extradata[1] == 0 else { return false }
        return [AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MPEG4, AV_CODEC_ID_MPEG1VIDEO, AV_CODEC_ID_MPEG2VIDEO]
            .contains(raw.pointee.codec_id)
    }

    /// AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) of plain AAC; nil for a rate or layout that ADTS could not say either.
    private var aacConfiguration: [UInt8]? {
        let rates: [Int32] = [
            96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
        ]
        let channels = raw.pointee.ch_layout.nb_channels
        guard let rate = rates.firstIndex(of: raw.pointee.sample_rate), (1...8).contains(channels), channels != 7 else {
            return nil
        }
        // The object types that ADTS has are 1 to 4, libavcodec's profiles 0 to 3; low complexity where unknown.
        let objectType = (0...3).contains(raw.pointee.profile) ? raw.pointee.profile + 1 : 2
        let bits = UInt16(objectType) << 11 | UInt16(rate) << 7 | UInt16(channels == 8 ? 7 : channels) << 3
        return [UInt8(bits >> 8), UInt8(bits & 0xff)]
    }

    private func setExtradata(_ bytes: [UInt8]) throws(MediaError) {
        guard let copy = av_mallocz(bytes.count + Int(AV_INPUT_BUFFER_PADDING_SIZE)) else {
            throw MediaError(.outOfMemory, "no memory for a stream")
        }
        bytes.withUnsafeBytes { copy.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        raw.pointee.extradata = copy.assumingMemoryBound(to: UInt8.self)
        raw.pointee.extradata_size = Int32(bytes.count)
    }

    /// Gives `stream` a copy of these parameters.
    func copy(to stream: UnsafeMutablePointer<AVStream>) throws(MediaError) {
        try AV.check(avcodec_parameters_copy(stream.pointee.codecpar, raw), .outOfMemory, "no memory for a stream")
    }
}
