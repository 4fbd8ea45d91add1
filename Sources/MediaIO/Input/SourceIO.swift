internal import CFFmpeg

/// Opens media for reading through an I/O context of its own (`AVIOContext`). That context keeps the first failure of the disk or
/// the network, also where libav has closed the format context already, so such a failure is never taken for damage of the file
/// or for its end.
enum SourceIO {
    /// An open format context whose streams are known; `close` closes it.
    ///
    /// - Parameters:
    ///   - format: the input format; nil to let libav choose.
    ///   - failure: the error for libav's code where the content cannot be opened although it could be read.
    /// - Throws: `.unreadable`, `.cancelled`, `.outOfMemory`, and what `failure` gives.
    static func open(
        _ path: String, format: UnsafePointer<AVInputFormat>? = nil, codec: AVCodecID = AV_CODEC_ID_NONE,
        options: [String: String] = [:], interrupt: Interrupt, failure: (Int32) -> MediaError
    ) throws(MediaError) -> UnsafeMutablePointer<AVFormatContext> {
        var context = avformat_alloc_context()
        guard context != nil else { throw MediaError(.outOfMemory, "no memory to open \(path)") }
        context?.pointee.interrupt_callback = interrupt.callback
        if let context { shim_retry_opening(context) }
        context?.pointee.video_codec_id = codec
        // Pictures: their format opens its files itself.
        let format = format ?? formatByName(path)
        let opensItself = format.map { $0.pointee.flags & AVFMT_NOFILE != 0 } ?? false
        var io: UnsafeMutablePointer<AVIOContext>?
        do throws(MediaError) {
            if !opensItself { io = try open(path, interrupt: interrupt) }
            context?.pointee.pb = io
            var dictionary: OpaquePointer?
            defer { av_dict_free(&dictionary) }
            for (key, value) in options { av_dict_set(&dictionary, key, value, 0) }
            var result = avformat_open_input(&context, SourceFile.url(path), format, &dictionary)
            if result >= 0, let context { result = avformat_find_stream_info(context, nil) }
            if let code = fault(of: io) { throw unreadable(path, code) }
            guard result >= 0, let context else { throw failure(result) }
            return context
        } catch {
            avformat_close_input(&context)
            avio_closep(&io)
            throw error
        }
    }

    /// The format that opens files of this name itself; nil for any other name.
    private static func formatByName(_ path: String) -> UnsafePointer<AVInputFormat>? {
        path.withCString { name in
            var data = AVProbeData(filename: name, buf: nil, buf_size: 0, mime_type: nil)
            var score: Int32 = 0
            return av_probe_input_format2(&data, 0, &score)
        }
    }

    static func close(_ context: UnsafeMutablePointer<AVFormatContext>) {
        var pointer: UnsafeMutablePointer<AVFormatContext>? = context
        // libav leaves an I/O context alone that it was given.
        var io = context.pointee.flags & AVFMT_FLAG_CUSTOM_IO != 0 ? context.pointee.pb : nil
        avformat_close_input(&pointer)
        avio_closep(&io)
    }

    /// An I/O context of a local file, which the caller closes.
    static func open(_ path: String, interrupt: Interrupt) throws(MediaError) -> UnsafeMutablePointer<AVIOContext> {
        var io: UnsafeMutablePointer<AVIOContext>?
        var callback = interrupt.callback
        var options: OpaquePointer?
        defer { av_dict_free(&options) }
        av_dict_set(&options, "protocol_whitelist", "file", 0)
        let result = AV.retried { avio_open2(&io, SourceFile.url(path), AVIO_FLAG_READ, &callback, &options) }
        try AV.check(result, .unreadable, "\(path) cannot be read")
        guard let io else { throw MediaError(.unreadable, "\(path) cannot be read") }
        return io
    }

    /// The code of the first read that failed; nil where all that is missing is behind the end of the file.
    static func fault(of io: UnsafeMutablePointer<AVIOContext>?) -> Int32? {
        guard let code = io?.pointee.error, code < 0, code != AV.endOfFile, code != AV.again, code != shim_averror_exit() else {
            return nil
        }
        return code
    }

    /// True for libav's code of a failed disk or network, as a format that opens its files itself returns it.
    static func isFault(_ result: Int32) -> Bool {
        let codes = [5 /* EIO */, 6 /* ENXIO */, 19 /* ENODEV */, 107 /* ENOTCONN */, 110 /* ETIMEDOUT */, 116 /* ESTALE */, 121 /* EREMOTEIO */]
        return codes.contains { result == shim_averror(Int32($0)) }
    }

    static func unreadable(_ path: String, _ code: Int32) -> MediaError {
        AV.error(code, .unreadable, "\(path) cannot be read to its end", remedy: "check its disk or network")
    }
}
