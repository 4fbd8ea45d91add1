internal import CFFmpeg

/// Frames whose samples lie in storage of frames that have ended (libavutil's `AVBufferPool`), so that a stage does not
/// allocate for every frame. Used by one thread at a time; the frames may end on any.
final class FramePool {
    /// What a buffer depends on.
    private struct Kind: Equatable {
        let width, height: Int32
        let format: AVPixelFormat
    }

    /// Lines start at multiples of this, and as many bytes follow the last one: libswscale writes whole vectors.
    private static let alignment: Int32 = 64
    private var current: (kind: Kind, pool: OpaquePointer)?

    deinit { release() }

    /// A frame with samples of its own, unspecified ones.
    func frame(width: Int, height: Int, format: AVPixelFormat) throws(MediaError) -> Frame {
        let kind = Kind(width: Int32(clamping: width), height: Int32(clamping: height), format: format)
        let pool = try pool(of: kind)
        let frame = try Frame()
        guard let buffer = av_buffer_pool_get(pool) else {
            throw MediaError(.outOfMemory, "no memory for a frame of \(width)x\(height)")
        }
        frame.raw.pointee.buf.0 = buffer
        frame.raw.pointee.width = kind.width
        frame.raw.pointee.height = kind.height
        frame.raw.pointee.format = format.rawValue
        try AV.check(
            shim_frame_place_samples(frame.raw, Self.alignment), .unsupported,
            "a frame of \(PixelFormat.name(of: format)) cannot be laid out")
        return frame
    }

    private func pool(of kind: Kind) throws(MediaError) -> OpaquePointer {
        if let current, current.kind == kind { return current.pool }
        release()
        let size = shim_frame_samples_size(kind.format, kind.width, kind.height, Self.alignment)
        try AV.check(size, .unsupported, "a frame of \(PixelFormat.name(of: kind.format)) cannot be laid out")
        guard let pool = av_buffer_pool_init(Int(size) + Int(Self.alignment), nil) else {
            throw MediaError(.outOfMemory, "no memory for frames of \(kind.width)x\(kind.height)")
        }
        current = (kind, pool)
        return pool
    }

    /// libav frees the pool's storage when the last frame has ended.
    private func release() {
        guard let pool = current?.pool else { return }
        var pointer: OpaquePointer? = pool
        av_buffer_pool_uninit(&pointer)
        current = nil
    }
}
