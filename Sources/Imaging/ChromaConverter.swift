internal import CKernels

/// Converts pictures of planar 8-bit YCbCr 4:2:0 into RGB, at their own size or straight to another one, and back.
///
/// Chroma and size are interpolated with Keys' cubic kernel (a = -0.5, stretched where a picture shrinks); nothing is
/// rounded between the planes that go in and those that come out. All memory is allocated when it is made.
public final class ChromaConverter: @unchecked Sendable {
    // Safe to send: the plan is written to by one call at a time, which the caller's ownership of a stage ensures.

    /// What the samples are.
    public struct Format: Hashable, Sendable {
        public var width: Int
        public var height: Int
        /// The shares of red and blue in luma (ITU-T H.273, table 4).
        public var redShare: Double
        public var blueShare: Double
        public var isFullRange: Bool
        /// Place of the chroma samples in luma samples from the upper left one's centre, 0...1.
        public var chromaX: Double
        public var chromaY: Double

        public init(
            width: Int, height: Int, redShare: Double, blueShare: Double, isFullRange: Bool, chromaX: Double, chromaY: Double
        ) {
            self.width = width
            self.height = height
            self.redShare = redShare
            self.blueShare = blueShare
            self.isFullRange = isFullRange
            self.chromaX = chromaX
            self.chromaY = chromaY
        }
    }

    /// A frame's planes Y, U, V, and the distances between their lines in bytes; chroma has half the size, rounded up.
    public struct Planes {
        let pointers: (UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt8>)
        let strides: (Int, Int, Int)

        /// Nil unless there are three planes. They are valid as long as what they were taken from.
        public init?(pointers: [UnsafeMutablePointer<UInt8>?], strides: [Int]) {
            guard pointers.count >= 3, strides.count >= 3, let y = pointers[0], let u = pointers[1], let v = pointers[2]
            else { return nil }
            self.pointers = (y, u, v)
            self.strides = (strides[0], strides[1], strides[2])
        }
    }

    public let format: Format
    /// Size of what `resample` gives.
    public let width, height: Int
    private let plan: OpaquePointer

    /// - Parameter size: of what `resample` is to give; default the frame's own.
    public convenience init(_ format: Format, size: (width: Int, height: Int)? = nil) {
        self.init(format, size: size, instructionSet: nil)
    }

    /// - Parameter instructionSet: one that this machine has; nil for the best.
    init(_ format: Format, size: (width: Int, height: Int)? = nil, instructionSet: String?) {
        let size = size ?? (format.width, format.height)
        precondition(format.width > 0 && format.height > 0 && size.width > 0 && size.height > 0)
        self.format = format
        (width, height) = size
        var native = colour_format(
            width: Int32(format.width), height: Int32(format.height), kr: format.redShare, kb: format.blueShare,
            full_range: format.isFullRange ? 1 : 0, chroma_x: format.chromaX, chroma_y: format.chromaY)
        let kernels = instructionSet.flatMap { colour_kernels_named($0) } ?? colour_kernels_best()
        guard let plan = colour_plan_create(&native, Int32(width), Int32(height), kernels) else {
            fatalError("no memory for the colour conversion of \(format.width)x\(format.height)")
        }
        self.plan = plan
    }

    deinit { colour_plan_destroy(plan) }

    /// The frame at the size `width` x `height`, in -1...1.
    public func resample(_ planes: Planes, into picture: PlanarImage<Float>) {
        precondition(picture.width == width && picture.height == height)
        var frame = Self.frame(planes)
        picture.withPlanes { rgb in
            let outputs: [UnsafeMutablePointer<Float>?] = [rgb.0, rgb.1, rgb.2]
            colour_plan_resample(plan, &frame, outputs, picture.rowStride)
        }
    }

    /// The frame at its own size.
    public func expand(_ planes: Planes, into picture: PlanarImage<UInt8>) {
        precondition(picture.width == format.width && picture.height == format.height)
        var frame = Self.frame(planes)
        picture.withPlanes { rgb in
            let outputs: [UnsafeMutablePointer<UInt8>?] = [rgb.0, rgb.1, rgb.2]
            colour_plan_expand(plan, &frame, outputs, picture.rowStride)
        }
    }

    /// A picture of the frame's size into the frame's planes.
    public func reduce(_ picture: PlanarImage<UInt8>, into planes: Planes) {
        precondition(picture.width == format.width && picture.height == format.height)
        picture.withPlanes { rgb in
            let inputs: [UnsafePointer<UInt8>?] = [UnsafePointer(rgb.0), UnsafePointer(rgb.1), UnsafePointer(rgb.2)]
            let outputs: [UnsafeMutablePointer<UInt8>?] = [planes.pointers.0, planes.pointers.1, planes.pointers.2]
            let strides = [planes.strides.0, planes.strides.1, planes.strides.2]
            colour_plan_reduce(plan, inputs, picture.rowStride, outputs, strides)
        }
    }

    private static func frame(_ planes: Planes) -> colour_frame {
        let (pointers, strides) = (planes.pointers, planes.strides)
        return colour_frame(
            planes: (UnsafePointer(pointers.0), UnsafePointer(pointers.1), UnsafePointer(pointers.2)), strides: strides)
    }
}
