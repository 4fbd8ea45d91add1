internal import CKernels

/// A convolution's weights, packed once for the kernels of one instruction set: `taps` x `taps`, stride 1, zero padding.
public final class Convolution: @unchecked Sendable {
    // Safe to share: nothing changes after init.

    /// What is convolved and what the outputs mean.
    public enum Kind: Sendable, Equatable {
        /// Blocked map in, blocked map out.
        case plain
        /// Blocked map in; the outputs are FADE's gamma and beta and never leave the registers.
        case fade
        /// Planar map in, blocked map out.
        case planar
        /// Planar map of 3 channels in and out, 3x3.
        case planar3
        /// Blocked map in; the outputs are the 2x2 sub-pixels of 3 colours of a picture of twice the size.
        case image
    }

    public let kind: Kind
    /// What measurements call it, and how it is computed.
    public let name: String
    public let inputs: Int
    /// Output channels; of FADE, the channels of the map that it modulates.
    public let outputs: Int
    public let taps: Int
    /// Channels of a second, 1x1 convolved input that is added to the first; 0 without one.
    public let pointwiseInputs: Int
    let instructionSet: InstructionSet
    let kernels: UnsafePointer<ck_network_kernels>
    let winograd: WinogradPlan?
    /// Of a direct convolution.
    let directPrecision: Precision
    let weights: Storage
    let bias: Storage

    /// - Parameters:
    ///   - name: what measurements call it.
    ///   - weights: `[outputs][inputs][taps][taps]`; gamma's for FADE.
    ///   - second: beta's weights for FADE (as `weights`), or those of the pointwise input (`[outputs][pointwiseInputs]`).
    ///   - bias: `[outputs]`, gamma's for FADE; empty for none.
    ///   - secondBias: beta's for FADE.
    ///   - algorithm: for a convolution of blocked maps without a pointwise input: `.winograd` if 3x3, `.direct(.bfloat16)` if 1x1.
    ///   - pool: whose threads read and pack the weights; nil: this one alone.
    /// - Throws: `NeuralError` `.badShape`, `.outOfMemory` or `.noInstructionSet`; what reading the weights throws.
    public init(
        _ kind: Kind, name: String = "", inputs: Int, outputs: Int, taps: Int = 3, pointwiseInputs: Int = 0, weights: Tensor,
        second: Tensor? = nil, bias: [Float] = [], secondBias: [Float] = [], algorithm: Algorithm = .direct(.float32),
        instructionSet: InstructionSet = .current, pool: ThreadPool? = nil
    ) throws {
        let sound =
            Self.takes(kind, inputs, outputs, taps, pointwiseInputs)
            && Self.counts(
                kind, outputs * inputs * taps * taps, outputs, pointwiseInputs,
                (weights.count, second?.count ?? 0, bias.count, secondBias.count))
        guard sound else {
            throw NeuralError(.badShape, "\(kind) convolution of \(inputs) to \(outputs) channels, \(taps)x\(taps)")
        }
        guard let kernels = instructionSet.kernels else {
            throw NeuralError(.noInstructionSet, "this machine has no \(instructionSet.rawValue)")
        }
        self.kind = kind
        let name = name.isEmpty ? "\(algorithm)" : "\(name), \(algorithm)"
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.taps = taps
        self.pointwiseInputs = pointwiseInputs
        self.instructionSet = instructionSet
        self.kernels = kernels
        switch algorithm {
        case .winograd(let workspace, let width, let height, let precision, let tile):
            precondition(taps == 3 && pointwiseInputs == 0 && kind != .planar && kind != .planar3)
            winograd = try WinogradPlan(
                kernels, name: name, inputs: inputs, workspace: workspace, width: width, height: height, form: precision.form(tile))
            directPrecision = .float32
        case .direct(let precision):
            precondition(precision == .float32 || (taps == 1 && pointwiseInputs == 0 && kind == .plain))
            winograd = nil
            directPrecision = precision
        }
        if kind == .planar3 {
            // The kernel takes them as they come.
            self.weights = try Storage(count: weights.count)
            self.weights.fill(try weights.values(of: 0..<outputs, total: outputs))
            self.bias = try Storage(count: 0)
            return
        }
        let packing = WeightPacking(
            kernels: kernels, kind: kind, inputs: inputs, outputs: outputs, taps: taps, pointwiseInputs: pointwiseInputs,
            algorithm: algorithm)
        self.weights = try packing.packed(weights, second, on: pool)
        let isFade: Int32 = kind == .fade ? 1 : 0
        self.bias = try Storage(count: ck_conv_packed_bias_count(kernels, Int32(outputs), isFade))
        bias.withOptionalPointer { first in
            secondBias.withOptionalPointer { ck_conv_pack_bias(kernels, Int32(outputs), isFade, first, $0, self.bias.base) }
        }
    }

    /// The same with weights that lie in memory.
    public convenience init(
        _ kind: Kind, name: String = "", inputs: Int, outputs: Int, taps: Int = 3, pointwiseInputs: Int = 0, weights: [Float],
        second: [Float] = [], bias: [Float] = [], secondBias: [Float] = [], algorithm: Algorithm = .direct(.float32),
        instructionSet: InstructionSet = .current, pool: ThreadPool? = nil
    ) throws {
        try self.init(
            kind, name: name, inputs: inputs, outputs: outputs, taps: taps, pointwiseInputs: pointwiseInputs,
            weights: Tensor(weights), second: second.isEmpty ? nil : Tensor(second), bias: bias, secondBias: secondBias,
            algorithm: algorithm, instructionSet: instructionSet, pool: pool)
    }

    private static func takes(_ kind: Kind, _ inputs: Int, _ outputs: Int, _ taps: Int, _ pointwise: Int) -> Bool {
        let isSmall = (1...1 << 16).contains(inputs) && (1...1 << 16).contains(outputs)
        let isPlain = kind == .plain || pointwise == 0
        let isThree = kind != .planar3 || (inputs == 3 && outputs == 3 && taps == 3)
        return isSmall && (taps == 1 || taps == 3) && isPlain && isThree && (kind != .image || outputs == 12)
            && (0...1 << 16).contains(pointwise)
    }

    private static func counts(
        _ kind: Kind, _ count: Int, _ outputs: Int, _ pointwise: Int,
        _ found: (weights: Int, second: Int, bias: Int, secondBias: Int)
    ) -> Bool {
        found.weights == count && found.second == (kind == .fade ? count : outputs * pointwise)
            && (found.bias == 0 || found.bias == outputs)
            && (found.secondBias == 0 || (kind == .fade && found.secondBias == outputs))
    }

    /// The description of this convolution over a map, without epilogue.
    func task(input: ck_map, width: Int, height: Int, output: ck_map) -> ck_conv {
        var task = ck_conv()
        task.input = input
        task.channels = Int32(inputs)
        task.taps = Int32(taps)
        task.weights = UnsafePointer(weights.base)
        task.bias = UnsafePointer(bias.base)
        task.outputs = Int32(outputs)
        task.width = Int32(width)
        task.height = Int32(height)
        task.rows_per_item = Int32(rowsPerItem(width: width))
        task.output = output
        task.slope = 1
        return task
    }

    /// Rows that make an item of about 4 million multiply-adds: some 30 microseconds, much more than a claim costs.
    private func rowsPerItem(width: Int) -> Int {
        let panel = kind == .planar3 ? 3 : Int(kernels.pointee.lanes * kernels.pointee.vectors)
        let row = width * panel * (inputs * taps * taps + pointwiseInputs)
        return max(1, (4 << 20) / row)
    }
}

extension Array {
    /// Lends the elements, or nil where there are none.
    fileprivate func withOptionalPointer<Result>(_ body: (UnsafePointer<Element>?) -> Result) -> Result {
        withUnsafeBufferPointer { body(isEmpty ? nil : $0.baseAddress) }
    }
}
