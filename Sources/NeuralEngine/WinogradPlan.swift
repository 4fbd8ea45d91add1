internal import CKernels

extension Convolution {
    /// How a convolution is computed.
    public enum Algorithm: Sendable, CustomStringConvertible {
        /// A product for each tap and channel. bfloat16: 1x1 convolutions of blocked maps only.
        case direct(Precision)
        /// Winograd's on a map of `width` x `height`, in tiles; bfloat16 in tiles of four only.
        case winograd(Workspace, width: Int, height: Int, Precision, tile: Tile = .four)

        /// The side of Winograd's tiles of outputs.
        public enum Tile: Int, Sendable, CaseIterable {
            /// F(2x2, 3x3): 16 products for 4 outputs, 16 weights for 9.
            case two = 2
            /// F(4x4, 3x3): 36 products for 16 outputs, 36 weights for 9.
            case four = 4
        }

        public var description: String {
            switch self {
            case .direct(let precision): "direct, \(precision.rawValue)"
            case .winograd(_, _, _, let precision, let tile):
                "F(\(tile.rawValue)x\(tile.rawValue), 3x3), \(precision.rawValue)"
            }
        }

        /// The faster one of a 3x3 convolution of `inputs` to `outputs` channels, by measurements of the network's layers.
        ///
        /// Small tiles pay from some 32 pixels on, large ones from 128 - but not where so few of them would have more weights to
        /// read than caches hold: the next simpler form then takes about as long, and much less memory.
        public static func fastest(
            _ kind: Kind, inputs: Int, outputs: Int, width: Int, height: Int, workspace: Workspace, precision: Precision = .float32
        ) -> Algorithm {
            let pixels = width * height
            guard kind == .plain || kind == .fade || kind == .image, pixels >= 32 else { return .direct(.float32) }
            let filters = inputs * outputs * (kind == .fade ? 2 : 1)
            let fourBytes = 36 * filters / Int(precision.cellChannels) * MemoryLayout<Float>.stride
            if pixels >= 512 || (pixels >= 128 && fourBytes <= 64 << 20) {
                return .winograd(workspace, width: width, height: height, precision)
            }
            let twoBytes = 16 * filters * MemoryLayout<Float>.stride
            guard pixels >= 128 || twoBytes <= 100 << 20 else { return .direct(.float32) }
            return .winograd(workspace, width: width, height: height, .float32, tile: .two)
        }
    }
}

/// How a Winograd convolution over a map of one size is cut into items.
struct WinogradPlan: Sendable {
    let workspace: Workspace
    let width: Int
    let height: Int
    private let form: ck_winograd_form
    /// What measurements call the pass that transforms the tiles of `isShared`.
    private let transformName: String
    private let tileRowsPerItem: Int
    /// Few tiles are transformed together and shared out by output channels, so that the weights are read once; of many,
    /// each item transforms its own, so that they stay in its core's cache.
    private let isShared: Bool

    init(
        _ kernels: UnsafePointer<ck_network_kernels>, name: String, inputs: Int, workspace: Workspace, width: Int, height: Int,
        form: ck_winograd_form
    ) throws(NeuralError) {
        transformName = name + ", transform"
        self.workspace = workspace
        self.width = width
        self.height = height
        self.form = form
        precondition(form.cell_channels == 1 || (kernels.pointee.has_bf16 != 0 && form.tile_side == 4))
        let side = Int(form.tile_side)
        let columns = (width + side - 1) / side
        let rows = (height + side - 1) / side
        let segment = Int(ck_winograd_segment_tiles(kernels, form, Int32(inputs)))
        isShared = columns * rows < 6 * Int(kernels.pointee.winograd_rows) * 8
        tileRowsPerItem = min(rows, max(1, segment / columns))
        let scratch = ck_winograd_scratch(kernels, form, Int32(inputs))
        var pass = ck_winograd()
        pass.conv.channels = Int32(inputs)
        (pass.conv.width, pass.conv.height) = (Int32(width), Int32(height))
        pass.form = form
        pass.tile_rows_per_item = Int32(tileRowsPerItem)
        try workspace.reserve(
            scratch: scratch, transformed: isShared ? ck_winograd_transformed(kernels, &pass) : 0)
    }

    func run(_ name: String, _ task: ck_conv, _ kernels: UnsafePointer<ck_network_kernels>, on pool: ThreadPool) {
        precondition(Int(task.width) == width && Int(task.height) == height && pool.threads <= workspace.threads)
        var pass = ck_winograd(
            conv: task, form: form, tile_rows_per_item: Int32(tileRowsPerItem), scratch: workspace.scratchBase,
            scratch_stride: workspace.scratchStride, transformed: workspace.transformedBase)
        guard let passes = ck_winograd_kernels_of(kernels, form)?.pointee else { return }
        if isShared {
            pool.run(transformName, ck_winograd_input_items(&pass), passes.input, pass)
            pool.run(name, ck_winograd_product_items(kernels, &pass), passes.product, pass)
        } else {
            pool.run(name, ck_winograd_items(&pass), passes.whole, pass)
        }
    }
}
