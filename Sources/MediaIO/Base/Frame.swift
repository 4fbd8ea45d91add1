internal import CFFmpeg

/// One decoded picture (libav's `AVFrame`), owned by this object; its samples may be shared with other frames.
public final class Frame: @unchecked Sendable {
    // Safe to send: the frame is owned by this object alone, and a stage that has handed it on does not touch it.
    let raw: UnsafeMutablePointer<AVFrame>

    /// Takes over `raw`, which this object frees.
    init(adopting raw: UnsafeMutablePointer<AVFrame>) { self.raw = raw }

    /// An empty frame for libav to fill.
    convenience init() throws(MediaError) {
        guard let raw = av_frame_alloc() else { throw MediaError(.outOfMemory, "no memory for a frame") }
        self.init(adopting: raw)
    }

    deinit {
        var pointer: UnsafeMutablePointer<AVFrame>? = raw
        av_frame_free(&pointer)
    }

    /// A new frame that shares this one's samples and has its properties (`av_frame_clone`).
    public func reference() throws(MediaError) -> Frame {
        guard let copy = av_frame_clone(raw) else { throw MediaError(.outOfMemory, "no memory for a frame") }
        return Frame(adopting: copy)
    }

    /// True for a picture that was decoded without any other.
    public var isKey: Bool { shim_frame_is_key(raw) != 0 }
    public var width: Int { Int(raw.pointee.width) }
    public var height: Int { Int(raw.pointee.height) }
    /// Presentation time in ticks of `timeBase`; nil where unknown.
    public var pts: Int64? {
        get { raw.pointee.pts.knownTimestamp }
        set { raw.pointee.pts = newValue.avTimestamp }
    }
    public var timeBase: Rational {
        get { Rational(raw.pointee.time_base) }
        set { raw.pointee.time_base = newValue.avRational }
    }
    /// libav's name of the pixel format, such as `yuv420p10le`.
    public var pixelFormatName: String {
        av_get_pix_fmt_name(AVPixelFormat(raw.pointee.format)).map { String(cString: $0) } ?? "unknown"
    }
}
