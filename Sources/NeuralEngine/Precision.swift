internal import CKernels

/// How a convolution keeps the values that it multiplies; sums are float32 either way.
public enum Precision: String, Sendable, CaseIterable {
    case float32
    /// 8 bits of mantissa, two products at once on CPUs that have AVX-512 BF16.
    case bfloat16

    /// Channels in four bytes.
    var cellChannels: Int32 { self == .float32 ? 1 : 2 }

    /// Winograd's form with tiles of `tile` outputs to a side.
    func form(_ tile: Convolution.Algorithm.Tile) -> ck_winograd_form {
        ck_winograd_form(tile_side: Int32(tile.rawValue), cell_channels: cellChannels)
    }
}

extension InstructionSet {
    /// Whether it has kernels that multiply in `precision`.
    public func supports(_ precision: Precision) -> Bool {
        precision == .float32 ? isAvailable : kernels?.pointee.has_bf16 == 1
    }
}
