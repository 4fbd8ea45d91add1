internal import CFFmpeg

/// Turns interlaced frames into progressive ones, one out for each one in (libavfilter's `bwdif` with
/// `mode=send_frame:deint=interlaced`: frames that are progressive pass unchanged).
///
/// The filter looks one frame ahead, so a frame comes out when its successor has gone in, or at the end.
final class Deinterlacer {
    private var graph: UnsafeMutablePointer<AVFilterGraph>?
    private var source: UnsafeMutablePointer<AVFilterContext>?
    private var sink: UnsafeMutablePointer<AVFilterContext>?
    /// Properties of the frames inside the filter, which puts out as many as it took: in order.
    private var waiting: [(frame: Frame, condition: FrameCondition)] = []
    private let width: Int32
    private let height: Int32
    private let format: Int32

    init(like frame: Frame, timeBase: Rational, threads: Int) throws(MediaError) {
        width = frame.raw.pointee.width
        height = frame.raw.pointee.height
        format = frame.raw.pointee.format
        do throws(MediaError) {
            try build(frame, timeBase, threads)
        } catch {
            avfilter_graph_free(&graph)
            throw error
        }
    }

    deinit { avfilter_graph_free(&graph) }

    /// False for a frame of another size or pixel format: that needs a filter of its own.
    func accepts(_ frame: Frame) -> Bool {
        frame.raw.pointee.width == width && frame.raw.pointee.height == height && frame.raw.pointee.format == format
    }

    func take(_ frame: Frame, _ condition: FrameCondition, _ emit: (Frame, FrameCondition) throws -> Void) throws {
        waiting.append((frame, condition))
        let copy = try frame.reference()
        try AV.check(av_buffersrc_add_frame(source, copy.raw), .unsupported, "a frame cannot be deinterlaced")
        try receive(emit)
    }

    /// Gives out the frames that are still inside.
    func finish(_ emit: (Frame, FrameCondition) throws -> Void) throws {
        try AV.check(av_buffersrc_add_frame(source, nil), .internalFailure, "the deinterlacer cannot be drained")
        try receive(emit)
        // The filter gives one frame per frame; should it ever keep one, the frame as it was is better than none.
        for (frame, condition) in waiting { try emit(frame, condition) }
        waiting = []
    }

    private func receive(_ emit: (Frame, FrameCondition) throws -> Void) throws {
        while !waiting.isEmpty {
            let output = try Frame()
            let result = av_buffersink_get_frame(sink, output.raw)
            if result == AV.again || result == AV.endOfFile { return }
            try AV.check(result, .unsupported, "a frame cannot be deinterlaced")
            let (input, condition) = waiting.removeFirst()
            output.pts = input.pts
            output.timeBase = input.timeBase
            shim_frame_clear_interlaced(output.raw)
            try emit(output, condition)
        }
    }

    private func build(_ frame: Frame, _ timeBase: Rational, _ threads: Int) throws(MediaError) {
        graph = avfilter_graph_alloc()
        guard let graph else { throw MediaError(.outOfMemory, "no memory for a deinterlacer") }
        graph.pointee.nb_threads = Int32(clamping: max(0, threads))
        let aspect = Rational(frame.raw.pointee.sample_aspect_ratio)
        let input = [
            "width=\(width)", "height=\(height)", "pix_fmt=\(format)", "time_base=\(timeBase)",
            "pixel_aspect=\(aspect.isPositive ? aspect : Rational(0, 1))",
        ].joined(separator: ":")
        let failure = "libavfilter cannot deinterlace \(frame.pixelFormatName) frames"
        source = try add("buffer", input, to: graph, failure)
        let filter = try add("bwdif", "mode=send_frame:parity=auto:deint=interlaced", to: graph, failure)
        // bwdif knows planar formats only: libavfilter converts before it, this filter converts back behind it.
        let restore = try add("format", "pix_fmts=\(frame.pixelFormatName)", to: graph, failure)
        sink = try add("buffersink", nil, to: graph, failure)
        try AV.check(avfilter_link(source, 0, filter, 0), .unsupported, failure)
        try AV.check(avfilter_link(filter, 0, restore, 0), .unsupported, failure)
        try AV.check(avfilter_link(restore, 0, sink, 0), .unsupported, failure)
        try AV.check(avfilter_graph_config(graph, nil), .unsupported, failure)
    }

    private func add(
        _ name: String, _ options: String?, to graph: UnsafeMutablePointer<AVFilterGraph>, _ failure: String
    ) throws(MediaError) -> UnsafeMutablePointer<AVFilterContext> {
        guard let filter = avfilter_get_by_name(name) else {
            throw MediaError(.unsupported, failure, remedy: "install a libavfilter with the filter \(name)")
        }
        var context: UnsafeMutablePointer<AVFilterContext>?
        try AV.check(avfilter_graph_create_filter(&context, filter, name, options, nil, graph), .unsupported, failure)
        guard let context else { throw MediaError(.outOfMemory, failure) }
        return context
    }
}
