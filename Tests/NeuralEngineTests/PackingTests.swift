import Testing

@testable import NeuralEngine

/// Where every weight lies after packing, and what it is, against the layouts that the kernels' headers describe.
@Suite struct PackingTests {
    static let pool = ThreadPool(threads: 2)
    static let sets = InstructionSet.available
    /// Inputs and outputs: parts of a step and of a panel, whole ones, several panels.
    static let widths = [(1, 1), (2, 4), (5, 16), (16, 17), (19, 36), (33, 70)]
    /// Channels are padded to steps of so many.
    static let step = 4

    private static func roundUp(_ value: Int, _ step: Int) -> Int { (value + step - 1) / step * step }

    /// A place of a panel: its tensor (0: gamma's or the only one, 1: beta's) and the output of it.
    private static func place(_ panel: Int, _ column: Int, lanes: Int, isFade: Bool) -> (tensor: Int, output: Int) {
        isFade ? (column / lanes, panel * lanes + column % lanes) : (0, panel * 2 * lanes + column)
    }

    /// A 3x3 filter at the 36 points, in double precision: G w G^T (Lavin and Gray 2016) for the points 0, +-5/8, +-3/2, infinity.
    private static func transformed(_ window: ArraySlice<Float>) -> [Double] {
        let (aa, bb) = (0.390625, 2.25)
        let (near, far) = (1 / (2 * aa * (aa - bb)), 1 / (2 * bb * (bb - aa)))
        let rows: [[Double]] = [
            [1 / (aa * bb), 0, 0], [near, near * 0.625, near * aa], [near, -near * 0.625, near * aa],
            [far, far * 1.5, far * bb], [far, -far * 1.5, far * bb], [0, 0, 1],
        ]
        let weights = window.map(Double.init)
        var points: [Double] = []
        for (vertical, horizontal) in rows.flatMap({ row in rows.map { (row, $0) } }) {
            var sum = 0.0
            for (tap, weight) in weights.enumerated() { sum += vertical[tap / 3] * weight * horizontal[tap % 3] }
            points.append(sum)
        }
        return points
    }

    @Test(arguments: sets) func winograd(set: InstructionSet) throws {
        let lanes = Int(try #require(set.kernels).pointee.lanes)
        var values = Values(30)
        for (inputs, outputs) in Self.widths {
            for precision in [Precision.float32, .bfloat16] where set.supports(precision) {
                for isFade in [false, true] {
                    let tensors = (0..<2).map { _ in values.draw(outputs * inputs * 9) }
                    let convolution = try Convolution(
                        isFade ? .fade : .plain, inputs: inputs, outputs: outputs, weights: tensors[0], second: isFade ? tensors[1] : [],
                        algorithm: .winograd(Workspace(threads: 2), width: 8, height: 8, precision), instructionSet: set)
                    let each = Int(precision.cellChannels)
                    let depth = Self.roundUp((inputs + each - 1) / each, Self.step)
                    let panelOutputs = isFade ? lanes : 2 * lanes
                    let panels = (outputs + panelOutputs - 1) / panelOutputs
                    #expect(convolution.weights.count == panels * 36 * depth * 2 * lanes)
                    var wrong = 0
                    for panel in 0..<panels {
                        for (column, channel) in (0..<2 * lanes).flatMap({ column in (0..<depth * each).map { (column, $0) } }) {
                            let (tensor, output) = Self.place(panel, column, lanes: lanes, isFade: isFade)
                            let isThere = output < outputs && channel < inputs
                            let first = (output * inputs + channel) * 9
                            let expected = isThere ? Self.transformed(tensors[tensor][first..<first + 9]) : []
                            for point in 0..<36 {
                                let cell = convolution.weights.base[((panel * 36 + point) * depth + channel / each) * 2 * lanes + column]
                                // Of two channels in a cell the even one has the lower half, and is a Float's upper half.
                                let bits = channel % 2 == 0 ? cell.bitPattern << 16 : cell.bitPattern & 0xffff_0000
                                let found = Double(each == 1 ? cell : Float(bitPattern: bits))
                                guard isThere else {
                                    wrong += found == 0 ? 0 : 1
                                    continue
                                }
                                // Half of a last bit, of 24 or 8, and the rounding of nine products in double.
                                let tolerance = abs(expected[point]) * (each == 1 ? 0x1p-24 : 0x1.01p-8) + 0x1p-48
                                wrong += abs(found - expected[point]) <= tolerance ? 0 : 1
                            }
                        }
                    }
                    #expect(wrong == 0, "\(inputs) to \(outputs), \(precision), FADE: \(isFade)")
                }
            }
        }
    }

    /// Rows of a panel, in order: blocks of 16 channels, their taps, the channels of a block in steps of 4; then the pointwise input.
    @Test(arguments: sets) func direct(set: InstructionSet) throws {
        let lanes = Int(try #require(set.kernels).pointee.lanes)
        var values = Values(31)
        for (inputs, outputs) in Self.widths {
            for (taps, pointwise, isFade) in [(1, 0, false), (3, 0, false), (3, 0, true), (3, 18, false)] {
                let first = values.draw(outputs * inputs * taps * taps)
                let second = values.draw(isFade ? first.count : outputs * pointwise)
                let convolution = try Convolution(
                    isFade ? .fade : .plain, inputs: inputs, outputs: outputs, taps: taps, pointwiseInputs: pointwise,
                    weights: first, second: second, instructionSet: set)
                let rows = Self.rows(inputs, taps * taps, of: 0) + Self.rows(pointwise, 1, of: 1)
                let panelOutputs = isFade ? lanes : 2 * lanes
                var wrong = 0
                for panel in 0..<(outputs + panelOutputs - 1) / panelOutputs {
                    // A panel whose second vector has no outputs leaves it out.
                    let width = isFade || outputs - panel * panelOutputs > lanes ? 2 * lanes : lanes
                    for (index, row) in rows.enumerated() {
                        for column in 0..<width {
                            let (tensor, output) = Self.place(panel, column, lanes: lanes, isFade: isFade)
                            let source = row.source == 1 || tensor == 1 ? second : first
                            let channels = row.source == 1 ? pointwise : inputs * taps * taps
                            let found = convolution.weights.base[panel * rows.count * 2 * lanes + index * width + column]
                            let expected = row.offset.flatMap { output < outputs ? source[output * channels + $0] : nil } ?? 0
                            wrong += found == expected ? 0 : 1
                        }
                    }
                }
                #expect(wrong == 0, "\(inputs) to \(outputs), \(taps)x\(taps), pointwise \(pointwise), FADE: \(isFade)")
            }
        }
    }

    /// For every row of a panel where in an output's weights it comes from; nil for padding.
    private static func rows(_ channels: Int, _ taps: Int, of source: Int) -> [(source: Int, offset: Int?)] {
        var rows: [(source: Int, offset: Int?)] = []
        for block in stride(from: 0, to: channels, by: 16) {
            let depth = roundUp(min(channels - block, 16), step)
            for (tap, channel) in (0..<taps).flatMap({ tap in (0..<depth).map { (tap, block + $0) } }) {
                rows.append((source, channel < channels ? channel * taps + tap : nil))
            }
        }
        return rows
    }

    /// Read in pieces by several threads, a tensor is packed as it is in one.
    @Test func packsAlikeOnAnyNumberOfThreads() throws {
        var values = Values(32)
        let weights = values.draw(300 * 24 * 9)
        func packed(_ algorithm: Convolution.Algorithm, _ pool: ThreadPool?) throws -> [UInt32] {
            let storage = try Convolution(
                .plain, inputs: 24, outputs: 300, weights: weights, algorithm: algorithm, pool: pool
            ).weights
            return (0..<storage.count).map { storage.base[$0].bitPattern }
        }
        let winograd = Convolution.Algorithm.winograd(Workspace(threads: 2), width: 8, height: 8, .float32)
        #expect(try packed(winograd, nil) == packed(winograd, Self.pool))
        #expect(try packed(.direct(.float32), nil) == packed(.direct(.float32), Self.pool))
    }

    @Test func whatReadingThrowsIsThrown() throws {
        struct Failure: Error {}
        for pool in [nil, Self.pool] {
            #expect(throws: Failure.self) {
                try Convolution(
                    .plain, inputs: 16, outputs: 200,
                    weights: .init(count: 200 * 144) { range in
                        guard !range.contains(150 * 144) else { throw Failure() }
                        return Array(repeating: 0, count: range.count)
                    }, pool: pool)
            }
            let error = #expect(throws: NeuralError.self) {
                try Convolution(
                    .plain, inputs: 16, outputs: 200, weights: .init(count: 200 * 144) { Array(repeating: 0, count: $0.count - 1) },
                    pool: pool)
            }
            #expect(error?.code == .badShape)
        }
    }

    /// Small storage comes from the heap, large storage is mapped: both are zero to the last value, and can be given back.
    @Test func storageIsZero() throws {
        for count in [0, 1, 15, 16, 1 << 18, 1 << 19, (1 << 19) - 1, (1 << 19) + 1, 3 << 19, 1_000_003] {
            for _ in 0..<2 {
                let storage = try Storage(count: count)
                #expect(Int(bitPattern: storage.base) % 64 == 0 && storage.count == count)
                #expect((0..<count).allSatisfy { storage.base[$0] == 0 }, "\(count)")
                for index in 0..<count { storage.base[index] = 1 }
            }
        }
    }
}
