internal import CKernels

/// A sample type that a source and a result may have: what a decoder gives.
public protocol SourceSample: PlanarSample {
    static var detailBits: Int32 { get }
}
extension UInt8: SourceSample { public static var detailBits: Int32 { 8 } }
extension UInt16: SourceSample { public static var detailBits: Int32 { 16 } }

/// How the network's picture becomes a full-size frame.
public enum DetailMode: String, Sendable, CaseIterable, Codable {
    /// The source, in the colours and the light of the network's picture.
    case guided
    /// The network's picture, by bicubic interpolation (Keys 1981, a = -0.5).
    case none
}

/// Makes a full-size frame of the source and what the network made of its small picture.
///
/// In every window of the network's size an affine map of the source's three colours is fitted to the network's picture (the
/// guided filter with a colour guide, He, Sun and Tang 2013, in its fast form, He and Sun 2015). The maps are averaged over
/// their neighbours and over time, interpolated to the frame's size, and applied to the source: all edges are the source's own.
/// Small lights, which no map of the source makes, are added from the network's picture. `samples/detail/README.md` gives the
/// steps, the figures and crops.
///
/// All memory is allocated when it is made. The result is the same from run to run and for any number of bands.
public final class DetailTransfer: @unchecked Sendable {
    // Safe to send: the plan is written to by one call at a time, which the caller's ownership of a stage ensures, and the
    // bands of a call write to disjoint rows.
    public let width, height, networkWidth, networkHeight: Int
    public let mode: DetailMode
    /// How much of the lights that the source does not explain is added, 0...1.
    public let residual: Float
    /// Into how many parts each step is split; the closure `parallel` gets this count.
    public let bands: Int

    private let plan: OpaquePointer
    private let stateCount: Int
    private let statePool = PicturePool()
    /// Reduces the network's pictures along an axis in which they are larger than the frame.
    private let reduction: Resampler?
    private let reducedInput, reducedOutput: PlanarImage<Float>?

    /// - Parameters:
    ///   - width, height: size of source and result
    ///   - networkWidth, networkHeight: size of the network's input and output, any size and aspect
    ///   - residual: see the property
    ///   - bands: how many threads a call may use
    public init(
        width: Int, height: Int, networkWidth: Int, networkHeight: Int, mode: DetailMode = .guided, residual: Float = 1,
        bands: Int = 1
    ) {
        precondition(width > 0 && height > 0 && networkWidth > 0 && networkHeight > 0 && bands > 0 && (0...1).contains(residual))
        self.width = width
        self.height = height
        self.networkWidth = networkWidth
        self.networkHeight = networkHeight
        self.mode = mode
        self.residual = residual
        self.bands = bands
        let low = (width: min(width, networkWidth), height: min(height, networkHeight))
        if low != (networkWidth, networkHeight) {
            reduction = Resampler(
                from: (networkWidth, networkHeight), to: low, filter: .bicubic)
            reducedInput = PlanarImage(width: low.width, height: low.height)
            reducedOutput = PlanarImage(width: low.width, height: low.height)
        } else {
            (reduction, reducedInput, reducedOutput) = (nil, nil, nil)
        }
        var tuning = DetailTuning.standard.native
        guard
            let plan = detail_plan_create(
                Int32(width), Int32(height), Int32(low.width), Int32(low.height), Int32(bands), mode == .guided ? 1 : 0,
                &tuning, detail_kernels_best())
        else { fatalError("no memory for the detail transfer of \(width)x\(height)") }
        self.plan = plan
        stateCount = detail_plan_state_count(plan)
    }

    deinit { detail_plan_destroy(plan) }

    /// Writes the translated frame.
    ///
    /// - Parameters:
    ///   - source: the frame, `width` x `height`
    ///   - networkInput: what the network was given, `networkWidth` x `networkHeight`, in the source's orientation
    ///   - networkOutput: what it made of it, same size and orientation
    ///   - strength: 0 gives exactly the source, 1 the translation
    ///   - previous: what the frame before has returned, with which this one's maps are averaged; nil for none. One of another
    ///     size counts as none.
    ///   - seconds: when the frame is shown; how much of `previous` is kept depends on the time between, see `DetailState`
    ///   - into: the result, `width` x `height`; another picture than `source`
    ///   - parallel: runs its closure for each of 0..<count, on as many threads as it likes, and returns when all have ended
    /// - Returns: the state for the next frame; nil where nothing is averaged, as without a guide or at the video's own size.
    @discardableResult
    public func callAsFunction<Sample: SourceSample>(
        source: PlanarImage<Sample>, networkInput: PlanarImage<Float>, networkOutput: PlanarImage<Float>,
        strength: Float = 1, after previous: DetailState? = nil, at seconds: Double = 0, into result: PlanarImage<Sample>,
        parallel: (_ count: Int, _ body: @Sendable (Int) -> Void) -> Void = { count, body in (0..<count).forEach(body) }
    ) -> DetailState? {
        precondition(source.width == width && source.height == height && result.width == width && result.height == height)
        precondition(networkInput.width == networkWidth && networkInput.height == networkHeight)
        precondition(networkOutput.width == networkWidth && networkOutput.height == networkHeight)
        var (input, output) = (networkInput, networkOutput)
        if let reduction, let reducedInput, let reducedOutput {
            if mode == .guided { reduction(networkInput, into: reducedInput) }
            reduction(networkOutput, into: reducedOutput)
            (input, output) = (reducedInput, reducedOutput)
        }
        let state = stateCount > 0 ? DetailState(count: stateCount, size: stateSize, seconds: seconds, pool: statePool) : nil
        let previous = previous.flatMap { $0.size == stateSize ? $0 : nil }
        withFrame(source, input, output, result) { frame in
            frame.strength = min(max(strength, 0), 1)
            frame.residual = residual
            frame.keep = previous?.share(keptAt: seconds) ?? 0
            frame.previous = UnsafePointer(previous?.floats)
            frame.state = state?.floats
            let work = Work(plan: plan, frame: frame)
            for stage in 0..<detail_plan_stages(plan) {
                parallel(bands) { band in
                    withUnsafePointer(to: work.frame) { detail_plan_run(work.plan, $0, stage, Int32(band)) }
                }
            }
        }
        return state
    }

    /// What a state must be of to fit: the frame's and the network's size, on which the grid of maps depends.
    var stateSize: DetailState.Size {
        .init(width: width, height: height, networkWidth: networkWidth, networkHeight: networkHeight)
    }

    /// A state as `DetailState.bytes` has put it down; nil where it is not one of this transfer's.
    public func state(from bytes: [UInt8]) -> DetailState? {
        stateCount > 0 ? DetailState(bytes: bytes, count: stateCount, size: stateSize, pool: statePool) : nil
    }

    /// What the bands of one stage share.
    private struct Work: @unchecked Sendable {
        // Safe to send: the frame is only read, and stages write to disjoint rows of the plan's and the state's memory.
        let plan: OpaquePointer
        let frame: detail_frame
    }

    private func withFrame<Sample: SourceSample>(
        _ source: PlanarImage<Sample>, _ input: PlanarImage<Float>, _ output: PlanarImage<Float>,
        _ result: PlanarImage<Sample>, _ body: (inout detail_frame) -> Void
    ) {
        source.withPlanes { s in
            result.withPlanes { r in
                input.withPlanes { i in
                    output.withPlanes { o in
                        var frame = detail_frame()
                        frame.source = (UnsafeRawPointer(s.0), UnsafeRawPointer(s.1), UnsafeRawPointer(s.2))
                        frame.source_stride = source.rowStride
                        frame.result = (
                            UnsafeMutableRawPointer(r.0), UnsafeMutableRawPointer(r.1), UnsafeMutableRawPointer(r.2))
                        frame.result_stride = result.rowStride
                        frame.bits = Sample.detailBits
                        frame.input = (UnsafePointer(i.0), UnsafePointer(i.1), UnsafePointer(i.2))
                        frame.input_stride = input.rowStride
                        frame.output = (UnsafePointer(o.0), UnsafePointer(o.1), UnsafePointer(o.2))
                        frame.output_stride = output.rowStride
                        body(&frame)
                    }
                }
            }
        }
    }
}

extension PlanarImage {
    /// Lends the three planes' first samples, valid inside `body` only.
    func withPlanes(
        _ body: ((UnsafeMutablePointer<Sample>, UnsafeMutablePointer<Sample>, UnsafeMutablePointer<Sample>)) -> Void
    ) {
        withPlane(0) { red in
            withPlane(1) { green in
                withPlane(2) { blue in
                    guard let r = red.baseAddress, let g = green.baseAddress, let b = blue.baseAddress else { return }
                    body((r, g, b))
                }
            }
        }
    }
}

/// What the transfer is tuned by; in the network's range (-1...1) and at its size. `samples/detail/README.md` shows the sweep.
struct DetailTuning {
    /// Added to the variances of the source's colours: what varies less than this is not followed.
    var epsilon: Float = 0.003
    /// What the map leaves unexplained counts as light where it is brighter by more than `weight` times as much as it is too
    /// dark within five samples: from `floor` above that on, and fully from `full` on.
    var weight: Float = 1.6
    var floor: Float = 0
    var full: Float = 0.2
    /// A map is averaged with that of the frame before but where a light has come or gone: where the greatest luma of the network's
    /// picture nearby has changed by more than `still.light`, and the colours that the two maps give differ by more than
    /// `still.map`; beyond `changed` nothing of the earlier one is kept.
    var still: (light: Float, map: Float) = (0.25, 0.015)
    var changed: (light: Float, map: Float) = (0.6, 0.045)
    /// Change of a window's luma in the source that motion seldom makes, and the share of such windows from which on the frame is
    /// the first of a new scene.
    var turned: Float = 0.15
    var cut: Float = 0.5

    static let standard = DetailTuning()

    fileprivate var native: detail_tuning {
        detail_tuning(
            epsilon: epsilon, weight: weight, floor: floor, full: full, still: (still.light, still.map),
            changed: (changed.light, changed.map), turned: turned, cut: cut)
    }
}
