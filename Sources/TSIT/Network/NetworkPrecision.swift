internal import NeuralEngine

/// How the generator's convolutions keep what they multiply.
public enum NetworkPrecision: String, Sendable, CaseIterable {
    case float32
    /// The last four blocks, which do most of the work, multiply in bfloat16 where the CPU can. The streams' instance norms
    /// amplify rounding, and the small blocks before cost little: they stay in float32.
    case mixed

    /// `mixed` where the CPU can: on real frames it differs from float32 by 53 dB PSNR at worst with the embedded models and by
    /// 50 dB with random weights, which is less than an encoder loses, and it takes two thirds of the time.
    public static var preferred: NetworkPrecision { InstructionSet.current.supports(.bfloat16) ? .mixed : .float32 }

    /// What the user should hear where this CPU cannot follow; nil where it can.
    public var notice: String? {
        guard self == .mixed, !InstructionSet.current.supports(.bfloat16) else { return nil }
        return "this CPU (or the instruction set that is forced) has no bfloat16 products: the network runs in float32"
    }

    /// What the block called `module` multiplies in.
    func precision(of module: String, _ instructionSet: InstructionSet) -> Precision {
        self == .mixed && module.hasPrefix("up_") && instructionSet.supports(.bfloat16) ? .bfloat16 : .float32
    }
}
