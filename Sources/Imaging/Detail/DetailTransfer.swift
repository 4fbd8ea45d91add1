internal import CKernels

/// A sample type that a source and a result may have: what a decoder gives.
public protocol SourceSample: PlanarSample {
    static var detailBits: Int32 { get }
}
extension UInt8: SourceSample { public static var detailBits: Int32 { 8 } }
extension UInt16: SourceSample { public static var detailBits: Int32 { 16 } }

/// How the network's picture becomes a full-size frame.
public enum DetailMode: String, Sendable, CaseIterable, Codable {
    /// The source's detail is carried into it.
    case guided
    /// Bicubic interpolation (Keys 1981, a = -0.5) alone.
    case none
}

/// Carries the source's detail into the network's picture at the size of the source.
///
/// Averaged down to the network's size the result is the network's picture, less a part of what neither a guided filter
/// (He & Sun 2015) nor the neighbourhood explains: the roughness that such networks leave along edges. What lies above
/// the network's resolution comes from the source's luma, with a gain that depends on how much detail there is and how
/// much room the translated picture leaves for it. `samples/detail/README.md` gives the steps, the figures and crops.
///
/// All memory is allocated when it is made. The result is the same from run to run and for any number of bands.
public final class DetailTransfer: @unchecked Sendable {
    // Safe to send: the plan is written to by one call at a time, which the caller's ownership of a stage ensures, and the
    // bands of a call write to disjoint rows.
    public let width, height, networkWidth, networkHeight: Int
    public let mode: DetailMode
    /// Into how many parts each step is split; the closure `parallel` gets this count.
    public let bands: Int

    private let plan: OpaquePointer
    /// Reduces the network's pictures along an axis in which they are larger than the frame.
    private let reduction: Resampler?
    private let reducedInput, reducedOutput: PlanarImage<Float>?

    /// - Parameters:
    ///   - width, height: size of source and result
    ///   - networkWidth, networkHeight: size of the network's input and output, any size and aspect
    ///   - bands: how many threads a call may use
    public init(
        width: Int, height: Int, networkWidth: Int, networkHeight: Int, mode: DetailMode = .guided, bands: Int = 1
    ) {
        precondition(width > 0 && height > 0 && networkWidth > 0 && networkHeight > 0 && bands > 0)
        self.width = width
        self.height = height
        self.networkWidth = networkWidth
        self.networkHeight = networkHeight
        self.mode = mode
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
    }

    deinit { detail_plan_destroy(plan) }

    /// Writes the translated frame.
    ///
    /// - Parameters:
    ///   - source: the frame, `width` x `height`
    ///   - networkInput: what the network was given, `networkWidth` x `networkHeight`, in the source's orientation
    ///   - networkOutput: what it made of it, same size and orientation
    ///   - strength: 0 gives exactly the source, 1 the translation
    ///   - into: the result, `width` x `height`; another picture than `source`
    ///   - parallel: runs its closure for 0..<count, at once if it likes, and returns when all have ended
    public func callAsFunction<Sample: SourceSample>(
        source: PlanarImage<Sample>, networkInput: PlanarImage<Float>, networkOutput: PlanarImage<Float>,
        strength: Float = 1, into result: PlanarImage<Sample>,
        parallel: (_ count: Int, _ body: @Sendable (Int) -> Void) -> Void = { count, body in (0..<count).forEach(body) }
    ) {
        precondition(source.width == width && source.height == height && result.width == width && result.height == height)
        precondition(networkInput.width == networkWidth && networkInput.height == networkHeight)
        precondition(networkOutput.width == networkWidth && networkOutput.height == networkHeight)
        var (input, output) = (networkInput, networkOutput)
        if let reduction, let reducedInput, let reducedOutput {
            if mode == .guided { reduction(networkInput, into: reducedInput) }
            reduction(networkOutput, into: reducedOutput)
            (input, output) = (reducedInput, reducedOutput)
        }
        withFrame(source, input, output, result, strength: min(max(strength, 0), 1)) { frame in
            let work = Work(plan: plan, frame: frame)
            for stage in 0..<detail_plan_stages(plan) {
                parallel(bands) { band in detail_plan_run(work.plan, work.frame, stage, Int32(band)) }
            }
        }
    }

    /// What the bands of one stage share.
    private struct Work: @unchecked Sendable {
        // Safe to send: the frame is only read, and stages write to disjoint rows of the plan's memory.
        let plan: OpaquePointer
        let frame: UnsafePointer<detail_frame>
    }

    private func withFrame<Sample: SourceSample>(
        _ source: PlanarImage<Sample>, _ input: PlanarImage<Float>, _ output: PlanarImage<Float>,
        _ result: PlanarImage<Sample>, strength: Float, _ body: (UnsafePointer<detail_frame>) -> Void
    ) {
        source.withPlanes { s in
            result.withPlanes { r in
                input.withPlanes { i in
                    output.withPlanes { o in
                        var frame = detail_frame()
                        frame.source = (UnsafeRawPointer(s.0), UnsafeRawPointer(s.1), UnsafeRawPointer(s.2))
                        frame.source_stride = source.rowStride
                        frame.result = (UnsafeMutableRawPointer(r.0), UnsafeMutableRawPointer(r.1), UnsafeMutableRawPointer(r.2))
                        frame.result_stride = result.rowStride
                        frame.bits = Sample.detailBits
                        frame.input = (UnsafePointer(i.0), UnsafePointer(i.1), UnsafePointer(i.2))
                        frame.input_stride = input.rowStride
                        frame.output = (UnsafePointer(o.0), UnsafePointer(o.1), UnsafePointer(o.2))
                        frame.output_stride = output.rowStride
                        frame.strength = strength
                        withUnsafePointer(to: frame, body)
                    }
                }
            }
        }
    }
}

extension PlanarImage {
    /// Lends the three planes' first samples, valid inside `body` only.
    func withPlanes(_ body: ((UnsafeMutablePointer<Sample>, UnsafeMutablePointer<Sample>, UnsafeMutablePointer<Sample>)) -> Void) {
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

/// What the transfer is tuned by; in the network's range (-1...1) and at its size.
struct DetailTuning {
    /// The guided filter's window and regularisation (He & Sun 2015).
    var radius = 4
    var epsilon: Float = 4e-3
    /// How much of what the filter leaves unexplained counts as roughness to be taken away: of its difference from a 3x3
    /// binomial mean, and of all of it.
    var roughness: Float = 1
    var unexplained: Float = 0.1
    /// What is taken away has at most this times the squared error that bicubic interpolation makes (1.26 is 1 dB), less
    /// `remainder` times the squared error that clipping and the gain's variation leave before they are corrected for.
    var allowance: Float = 1.2
    var remainder: Float = 0.3
    /// Gain of the source's detail, and the deviation of luma at which half of it acts: noise stays below.
    var gain: Float = 1.5
    var threshold: Float = 0.03
    /// How strongly the gain yields near black and white, and the room that is granted even there.
    var headroom: Float = 0.1
    var floor: Float = 0.02

    static let standard = DetailTuning()

    fileprivate var native: detail_tuning {
        detail_tuning(
            radius: Int32(radius), epsilon: epsilon, rough: roughness, all: unexplained, allowance: allowance,
            remainder: remainder, gain: gain, threshold: threshold, headroom: headroom, floor: floor)
    }
}
