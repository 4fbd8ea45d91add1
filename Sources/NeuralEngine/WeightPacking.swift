internal import CKernels
internal import Synchronization

extension Convolution {
    /// A tensor that is read in pieces, while it is packed: its values never lie in memory as a whole.
    public struct Tensor: Sendable {
        public let count: Int
        let read: @Sendable (Range<Int>) throws -> [Float]

        /// - Parameters:
        ///   - count: how many values it has.
        ///   - read: gives those of a range, in the order of the layout; called on several threads at once.
        public init(count: Int, read: @escaping @Sendable (Range<Int>) throws -> [Float]) {
            self.count = count
            self.read = read
        }

        /// A tensor that lies in memory.
        public init(_ values: [Float]) {
            self.init(count: values.count) { Array(values[$0]) }
        }

        /// The weights of several convolutions of `outputs` each as those of one, each filled up with zeros to whole blocks.
        public static func stacked(_ parts: [Tensor], outputs: Int) -> Tensor {
            let whole = parts[0].count / outputs * FeatureMap.padded(outputs)
            return Tensor(count: whole * parts.count) { range in
                var values = [Float](repeating: 0, count: range.count)
                for (index, part) in parts.enumerated() {
                    let first = index * whole
                    let there = range.clamped(to: first..<first + part.count)
                    guard !there.isEmpty else { continue }
                    values.replaceSubrange(
                        there.lowerBound - range.lowerBound..<there.upperBound - range.lowerBound,
                        with: try part.read(there.lowerBound - first..<there.upperBound - first))
                }
                return values
            }
        }

        /// All values.
        public var values: [Float] { get throws { try read(0..<count) } }

        /// The values that belong to `outputs`, of which the tensor has `total`.
        func values(of outputs: Range<Int>, total: Int) throws -> [Float] {
            let each = count / total
            let values = try read(outputs.lowerBound * each..<outputs.upperBound * each)
            guard values.count == outputs.count * each else {
                throw NeuralError(.badShape, "\(values.count) weights where \(outputs.count * each) are wanted")
            }
            return values
        }
    }
}

/// How the weights of a convolution are laid out for the kernels: in panels of some outputs each, packed one by one.
struct WeightPacking: @unchecked Sendable {
    // Safe to send: the table of kernels is a constant of the program.
    let kernels: UnsafePointer<ck_network_kernels>
    let kind: Convolution.Kind
    let inputs: Int
    let outputs: Int
    let taps: Int
    let pointwiseInputs: Int
    let algorithm: Convolution.Algorithm

    private var isFade: Int32 { kind == .fade ? 1 : 0 }
    private var panelOutputs: Int { Int(ck_panel_outputs(kernels, isFade)) }
    private var panels: Int { (outputs + panelOutputs - 1) / panelOutputs }

    /// Floats of a panel.
    private var panelCount: Int {
        switch algorithm {
        case .winograd(_, _, _, let precision, let tile):
            ck_winograd_panel_count(kernels, precision.form(tile), Int32(inputs))
        case .direct(.bfloat16):
            ck_pointwise_panel_count(kernels, Int32(inputs))
        case .direct(.float32):
            ck_conv_panel_count(kernels, Int32(inputs), Int32(taps), Int32(pointwiseInputs), kind == .planar ? 1 : 0)
        }
    }

    /// Reads both tensors and packs them, on the threads of `pool` where there is one.
    ///
    /// - Throws: `NeuralError` `.outOfMemory`, and what reading throws.
    func packed(_ first: Convolution.Tensor, _ second: Convolution.Tensor?, on pool: ThreadPool?) throws -> Storage {
        let (panels, panelCount) = (panels, panelCount)
        let storage = try Storage(panels, panelCount)
        guard let pool else {
            for panel in 0..<panels { try pack(panel, first, second, into: storage.base + panel * panelCount) }
            return storage
        }
        let failure = Mutex<(any Error)?>(nil)
        pool.run(panels) { panel in
            guard failure.withLock({ $0 == nil }) else { return }
            do {
                try pack(panel, first, second, into: storage.base + panel * panelCount)
            } catch {
                failure.withLock { $0 = $0 ?? error }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
        return storage
    }

    private func pack(
        _ panel: Int, _ first: Convolution.Tensor, _ second: Convolution.Tensor?, into packed: UnsafeMutablePointer<Float>
    ) throws {
        let range = panel * panelOutputs..<min((panel + 1) * panelOutputs, outputs)
        let weights = try first.values(of: range, total: outputs)
        let others = try second?.values(of: range, total: outputs) ?? []
        let (count, channels) = (Int32(range.count), Int32(inputs))
        switch algorithm {
        case .winograd(_, _, _, let precision, let tile):
            ck_winograd_pack(kernels, precision.form(tile), count, channels, isFade, weights, others, packed)
        case .direct(.bfloat16):
            ck_pointwise_pack(kernels, count, channels, weights, packed)
        case .direct(.float32):
            ck_conv_pack(
                kernels, count, channels, Int32(taps), Int32(pointwiseInputs), isFade, kind == .planar ? 1 : 0, weights, others,
                packed)
        }
    }
}
