internal import CFFmpeg

/// Decodes the video of a live source into frames of a live output, each as soon as its packet is there. Nothing is owed:
/// what is damaged or missing is left out.
///
/// Decoder -> deinterlacing (of interlaced frames only, which are one frame late) -> fitting.
public final class LiveDecoder: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the one that decodes.
    private let decoder: PictureDecoder
    private let fitter: FrameFitter
    private let video: VideoInfo
    private let frameTicks: Int64
    private var deinterlacer: Deinterlacer?
    private var progressiveFrames = 0
    private var packetsBeforeKey = 0
    private var hasStarted = false
    private var lastPts: Int64?
    private var dropped = 0

    /// In place of a pts: the picture cannot be shown, later ones refer to it.
    private static let timeless = Int64.min + 1
    /// Packets that a decoder is not given while it waits for a key frame: beyond them the source refreshes its pictures
    /// in another way.
    private static let longestWait = 600
    /// Progressive frames in a row behind which a deinterlacer, and the frame that it holds back, goes.
    private static let longestCalm = 100
    /// Frames that go back in time by less than this many ticks (2 s) are out of order; by more, time has jumped.
    private static let jump: Int64 = 2 * 90000

    /// A decoder of the video of `input`, of which it copies what it needs.
    ///
    /// - Parameters:
    ///   - format: what the frames are to be.
    ///   - threads: threads of the decoder, which share each picture; 0 for as many as there are cores.
    ///
    /// Throws `.unsupported` for a codec without a decoder, `.damaged` for parameters that it refuses.
    public init(input: LiveInput, format: LiveFormat, threads: Int) throws(MediaError) {
        video = input.video
        decoder = try PictureDecoder(try input.videoStream(), threads: threads, isLive: true)
        fitter = FrameFitter(format: format, video: input.video)
        frameTicks = max(1, format.frameRate.inverse.rescale(1, to: LiveFormat.timeBase))
    }

    /// Packets that could not be decoded, and frames that came out of order, so far.
    public var errors: Int { decoder.errors + dropped }

    /// Coded size of the newest picture.
    public private(set) var decodedSize: (width: Int, height: Int)?

    /// Decodes a packet of the video, whose times count in `LiveFormat.timeBase`, and emits what is ready: frames of the
    /// format, with rising pts.
    ///
    /// Damage is counted, not thrown. Throws `.outOfMemory`, `.unsupported` (a pixel format that cannot be converted), and
    /// whatever `emit` throws.
    public func decode(_ packet: Packet, emit: (Frame) throws -> Void) throws {
        if !hasStarted {
            packetsBeforeKey += 1
            guard packet.isKey || packetsBeforeKey > Self.longestWait else { return }
            hasStarted = true
        }
        // RTSP servers send pictures before they say what time it is.
        let token = packet.pts ?? packet.dts ?? lastPts.map { $0.addingClamped(frameTicks) } ?? Self.timeless
        try decoder.decode(packet, token: token) { frame in try self.take(frame, emit) }
    }

    /// Emits what is held back: the last frames, where a codec reorders its pictures or they are interlaced. Nothing can be
    /// decoded afterwards.
    public func finish(emit: (Frame) throws -> Void) throws {
        try decoder.decode(nil, token: Self.timeless) { frame in try self.take(frame, emit) }
        try deinterlacer?.finish { frame, _ in try self.put(frame, emit) }
        deinterlacer = nil
    }

    private func take(_ frame: Frame, _ emit: (Frame) throws -> Void) throws {
        decodedSize = (frame.width, frame.height)
        let isInterlaced = shim_frame_is_interlaced(frame.raw) != 0
        frame.timeBase = LiveFormat.timeBase
        frame.raw.pointee.pict_type = AV_PICTURE_TYPE_NONE
        progressiveFrames = isInterlaced ? 0 : progressiveFrames + 1
        if let current = deinterlacer, !current.accepts(frame) || progressiveFrames > Self.longestCalm {
            try current.finish { frame, _ in try self.put(frame, emit) }
            deinterlacer = nil
        }
        if deinterlacer == nil, isInterlaced {
            deinterlacer = try Deinterlacer(like: frame, timeBase: LiveFormat.timeBase, threads: 1)
        }
        guard let deinterlacer else { return try put(frame, emit) }
        try deinterlacer.take(frame, .intact) { frame, _ in try self.put(frame, emit) }
    }

    private func put(_ frame: Frame, _ emit: (Frame) throws -> Void) throws {
        guard let pts = frame.pts, pts != Self.timeless else { return }
        if let lastPts, pts <= lastPts, pts > lastPts.subtractingClamped(Self.jump) {
            dropped += 1
            return
        }
        lastPts = pts
        let fitted = try fitter.fit(frame)
        fitted.pts = pts
        fitted.timeBase = LiveFormat.timeBase
        try emit(fitted)
    }
}
