internal import CKernels

extension Convolution {
    /// How a convolution is computed.
    public enum Algorithm: Sendable, CustomStringConvertible {
        /// A product for each tap and channel. bfloat16: 1x1 convolutions of blocked maps only.
        case direct(Precision)
        /// Winograd's F(4x4, 3x3) on a map of `width` x `height`: 36 products for 16 outputs, and transforms of both ends.
        case winograd(Workspace, width: Int, height: Int, Precision)

        public var description: String {
            switch self {
            case .direct(let precision): "direct, \(precision.rawValue)"
            case .winograd(_, _, _, let precision): "F(4x4, 3x3), \(precision.rawValue)"
            }
        }

        /// The faster one of a 3x3 convolution, by measurements of the network's layers: transforms pay from some 128 pixels on.
        ///
        /// Transformed weights take four times the memory, so that the largest layers, where they would serve but a handful of
        /// tiles, stay direct: that costs a network of base width 64 3 % of its time and saves 450 MB.
        public static func fastest(
            _ kind: Kind, inputs: Int, outputs: Int, width: Int, height: Int, workspace: Workspace, precision: Precision = .float32
        ) -> Algorithm {
            let isTransformable = kind == .plain || kind == .fade || kind == .image
            let weights = 36 * inputs * outputs * (kind == .fade ? 2 : 1) * MemoryLayout<Float>.stride / Int(precision.cellChannels)
            let isWorthIt = weights <= mostBytesOfFewTiles || width * height >= 16 * 16
            return isTransformable && width * height >= 128 && isWorthIt
                ? .winograd(workspace, width: width, height: height, precision) : .direct(.float32)
        }

        /// Transformed weights that fewer than 16 tiles may have.
        private static var mostBytesOfFewTiles: Int { 256 << 20 }
    }
}

/// How a Winograd convolution over a map of one size is cut into items.
struct WinogradPlan: Sendable {
    let workspace: Workspace
    let width: Int
    let height: Int
    let precision: Precision
    /// What measurements call the pass that transforms the tiles of `isShared`.
    private let transformName: String
    private let tileRowsPerItem: Int
    /// Few tiles are transformed together and shared out by output channels, so that the weights are read once; of many,
    /// each item transforms its own, so that they stay in its core's cache.
    private let isShared: Bool

    private static let side = 4

    init(
        _ kernels: UnsafePointer<ck_network_kernels>, name: String, inputs: Int, workspace: Workspace, width: Int, height: Int,
        precision: Precision
    ) throws(NeuralError) {
        transformName = name + ", transform"
        self.workspace = workspace
        self.width = width
        self.height = height
        self.precision = precision
        precondition(precision == .float32 || kernels.pointee.has_bf16 != 0)
        let columns = (width + Self.side - 1) / Self.side
        let rows = (height + Self.side - 1) / Self.side
        let segment = Int(ck_winograd_segment_tiles(kernels, Int32(inputs), precision.cellChannels))
        isShared = columns * rows < 6 * Int(kernels.pointee.winograd_rows) * 8
        tileRowsPerItem = min(rows, max(1, segment / columns))
        let scratch = ck_winograd_scratch(kernels, Int32(inputs), precision.cellChannels)
        var pass = ck_winograd()
        pass.conv.channels = Int32(inputs)
        (pass.conv.width, pass.conv.height) = (Int32(width), Int32(height))
        pass.cell_channels = precision.cellChannels
        pass.tile_rows_per_item = Int32(tileRowsPerItem)
        try workspace.reserve(
            scratch: scratch, transformed: isShared ? ck_winograd_transformed(kernels, &pass) : 0)
    }

    func run(_ name: String, _ task: ck_conv, _ kernels: UnsafePointer<ck_network_kernels>, on pool: ThreadPool) {
        precondition(Int(task.width) == width && Int(task.height) == height && pool.threads <= workspace.threads)
        var pass = ck_winograd(
            conv: task, cell_channels: precision.cellChannels, tile_rows_per_item: Int32(tileRowsPerItem), scratch: workspace.scratchBase,
            scratch_stride: workspace.scratchStride, transformed: workspace.transformedBase)
        let passes = precision == .float32 ? kernels.pointee.winograd : kernels.pointee.winograd_bf16
        if isShared {
            pool.run(transformName, ck_winograd_input_items(&pass), passes.input, pass)
            pool.run(name, ck_winograd_product_items(kernels, &pass), passes.product, pass)
        } else {
            pool.run(name, ck_winograd_items(&pass), passes.whole, pass)
        }
    }
}
