internal import CKernels

extension Convolution {
    /// The input of a skip or of FADE: a map and its affine.
    public struct Operand {
        public var map: FeatureMap
        public var affine: Affine

        /// `map` times `affine`; a map of half the size is upsampled on the fly, each pixel read four times.
        public init(_ map: FeatureMap, _ affine: Affine) {
            precondition(affine.channels == map.channels)
            self.map = map
            self.affine = affine
        }

        /// True where the map has half of `width` x `height`; it must have that or the whole size.
        func isHalved(width: Int, height: Int) -> Bool {
            let isHalved = map.width != width || map.height != height
            let factor = isHalved ? 2 : 1
            precondition(map.width * factor == width && map.height * factor == height)
            return isHalved
        }
    }

    /// y = act(conv(input) + bias + pointwise + skip), act a leaky ReLU of `slope` (1: none); kind `.plain`.
    ///
    /// - Parameters:
    ///   - pointwise: the second input, `pointwiseInputs` channels.
    ///   - moments: receives mean and variance of y.
    public func callAsFunction(
        _ input: FeatureMap, pointwise: FeatureMap? = nil, skip: Operand? = nil, slope: Float = 1,
        into output: FeatureMap, moments: Moments? = nil, on pool: ThreadPool
    ) {
        precondition(kind == .plain && input.channels == inputs && output.channels == outputs)
        precondition(input.width == output.width && input.height == output.height)
        precondition(pointwise?.channels ?? 0 == pointwiseInputs && pointwise?.width ?? input.width == input.width)
        var task = task(input: input.map, width: output.width, height: output.height, output: output.map)
        task.epilogue = CK_STORE
        task.slope = slope
        if let pointwise {
            task.pointwise = pointwise.map
            task.pointwise_channels = Int32(pointwiseInputs)
        }
        if let skip { set(skip, of: &task) }
        run(&task, directPrecision == .float32 ? kernels.pointee.conv : kernels.pointee.conv_pointwise_bf16, moments, on: pool)
    }

    /// y = act(x * (1 + gamma(content)) + beta(content)) for each of `modulations`, x being its map times its affine (paper,
    /// section 3.3); kind `.fade`. Gamma and beta are computed once, and never leave the registers.
    public func fade(_ content: FeatureMap, _ modulations: Modulations, slope: Float, on pool: ThreadPool) {
        precondition(kind == .fade && content.channels == inputs && modulations.channels == outputs)
        precondition(content.width == modulations.width && content.height == modulations.height)
        var task = task(input: content.map, width: content.width, height: content.height, output: ck_map())
        task.epilogue = CK_FADE
        task.slope = slope
        modulations.tasks.withUnsafeBufferPointer { tasks in
            task.modulations = tasks.baseAddress
            task.modulation_count = Int32(tasks.count)
            run(&task, kernels.pointee.conv, nil, on: pool)
        }
    }

    /// y = conv(input) + bias from a planar map; kind `.planar`.
    public func callAsFunction(
        _ input: PlanarMap, into output: FeatureMap, moments: Moments? = nil, on pool: ThreadPool
    ) {
        precondition(kind == .planar && input.channels == inputs && output.channels == outputs)
        precondition(input.width == output.width && input.height == output.height)
        var task = task(input: input.map, width: output.width, height: output.height, output: output.map)
        task.epilogue = CK_STORE
        run(&task, kernels.pointee.conv_planar, moments, on: pool)
    }

    /// y = conv(input), planar to planar, without bias; kind `.planar3`.
    public func callAsFunction(
        _ input: PlanarMap, into output: PlanarMap, moments: Moments, on pool: ThreadPool
    ) {
        precondition(kind == .planar3 && input.channels == 3 && output.channels == 3)
        precondition(input.width == output.width && input.height == output.height)
        var task = task(input: input.map, width: output.width, height: output.height, output: output.map)
        task.moments = moments.rows.base
        pool.run(name, ck_conv_planar_3_items(&task), kernels.pointee.conv_planar_3, task)
        moments.join()
    }

    /// The planes of a picture of twice the input's size, rows `rowStride` samples apart.
    public typealias Planes = UnsafeMutableBufferPointer<Float>

    /// picture = tanh(conv(input) + bias), sub-pixels woven together; kind `.image`.
    public func draw(
        _ input: FeatureMap, red: Planes, green: Planes, blue: Planes, rowStride: Int, on pool: ThreadPool
    ) {
        let needed = (2 * input.height - 1) * rowStride + 2 * input.width
        precondition(kind == .image && input.channels == inputs && rowStride >= 2 * input.width)
        precondition(min(red.count, green.count, blue.count) >= needed)
        var task = task(input: input.map, width: input.width, height: input.height, output: ck_map())
        task.epilogue = CK_IMAGE
        (task.red, task.green, task.blue) = (red.baseAddress, green.baseAddress, blue.baseAddress)
        task.picture_row = rowStride
        run(&task, kernels.pointee.conv, nil, on: pool)
    }

    private func set(_ x: Operand, of task: inout ck_conv) {
        precondition(x.map.channels == outputs)
        let isHalved = x.isHalved(width: Int(task.width), height: Int(task.height))
        task.skip = x.map.map
        task.skip_halved = isHalved ? 1 : 0
        task.skip_scale = UnsafePointer(x.affine.scale.base)
        task.skip_shift = UnsafePointer(x.affine.shift.base)
    }

    private func run(
        _ task: inout ck_conv, _ kernel: @convention(c) (UnsafeRawPointer?, Int) -> Void, _ moments: Moments?,
        on pool: ThreadPool
    ) {
        if let moments {
            precondition(moments.channels == outputs && moments.count == Int(task.width) * Int(task.height))
            task.moments = moments.rows.base
        }
        if let winograd {
            winograd.run(name, task, kernels, on: pool)
        } else {
            pool.run(name, ck_conv_items(kernels, &task), kernel, task)
        }
        moments?.join()
    }
}

/// What one FADE pass modulates: for each style an operand, and the map that receives the result.
public final class Modulations: @unchecked Sendable {
    // Safe to send: nothing changes after init; the maps are guarded as FeatureMap says.
    let tasks: [ck_modulation]
    let channels: Int
    let width: Int
    let height: Int
    /// Keeps alive what the tasks point to.
    private let parts: [(x: Convolution.Operand, output: FeatureMap)]

    /// At least one part; all outputs have one shape, and operands have it too or half its size.
    public init(_ parts: [(x: Convolution.Operand, output: FeatureMap)]) {
        precondition(!parts.isEmpty)
        let first = parts[0].output
        (channels, width, height) = (first.channels, first.width, first.height)
        self.parts = parts
        tasks = parts.map { x, output in
            precondition(x.map.channels == first.channels && output.channels == first.channels)
            precondition(output.width == first.width && output.height == first.height)
            return ck_modulation(
                x: x.map.map, x_halved: x.isHalved(width: output.width, height: output.height) ? 1 : 0,
                scale: UnsafePointer(x.affine.scale.base), shift: UnsafePointer(x.affine.shift.base), output: output.map)
        }
    }
}

/// The passes around instance norm, for one instruction set.
public struct Normalization: Sendable {
    private let instructionSet: InstructionSet
    private var kernels: ck_network_kernels? { instructionSet.kernels?.pointee }

    /// - Throws: `NeuralError` `.noInstructionSet`.
    public init(instructionSet: InstructionSet = .current) throws(NeuralError) {
        guard instructionSet.isAvailable else {
            throw NeuralError(.noInstructionSet, "this machine has no \(instructionSet.rawValue)")
        }
        self.instructionSet = instructionSet
    }

    /// map = act(map * affine), in place.
    public func apply(_ affine: Affine, slope: Float, to map: FeatureMap, on pool: ThreadPool) {
        precondition(affine.channels == map.channels)
        let rows = rowsPerItem(map.width)
        let task = ck_norm(
            map: map.map, blocks: Int32(map.blocks), width: Int32(map.width), height: Int32(map.height),
            rows_per_item: rows, scale: UnsafePointer(affine.scale.base), shift: UnsafePointer(affine.shift.base),
            slope: slope)
        guard let kernels else { return }
        pool.run("norm", ck_row_items(task.blocks, task.height, rows), kernels.norm, task)
    }

    /// map = act(map * affine), in place, for a planar map.
    public func apply(_ affine: Affine, slope: Float, to map: PlanarMap, on pool: ThreadPool) {
        precondition(affine.channels == map.channels)
        let rows = rowsPerItem(map.width)
        let task = ck_norm(
            map: map.map, blocks: Int32(map.channels), width: Int32(map.width), height: Int32(map.height),
            rows_per_item: rows, scale: UnsafePointer(affine.scale.base), shift: UnsafePointer(affine.shift.base),
            slope: slope)
        guard let kernels else { return }
        pool.run("norm", ck_row_items(task.blocks, task.height, rows), kernels.norm_planar, task)
    }

    /// main = act(main * affine) + skip, in place; the skip goes through its own affine and act where it has one.
    ///
    /// - Parameters:
    ///   - halved: also receives the even rows and columns (nearest downsampling).
    ///   - moments: receives mean and variance of the result.
    public func join(
        _ main: FeatureMap, _ affine: Affine, skip: FeatureMap, _ skipAffine: Affine?, slope: Float,
        halved: FeatureMap?, moments: Moments?, on pool: ThreadPool
    ) {
        precondition(affine.channels == main.channels && skip.channels == main.channels)
        precondition(skip.width == main.width && skip.height == main.height)
        precondition(halved.map { $0.width == main.width / 2 && $0.height == main.height / 2 } ?? true)
        let rows = rowsPerItem(main.width)
        var task = ck_join()
        (task.main, task.skip) = (main.map, skip.map)
        (task.blocks, task.width, task.height) = (Int32(main.blocks), Int32(main.width), Int32(main.height))
        task.rows_per_item = rows
        (task.scale, task.shift) = (UnsafePointer(affine.scale.base), UnsafePointer(affine.shift.base))
        if let skipAffine {
            task.skip_scale = UnsafePointer(skipAffine.scale.base)
            task.skip_shift = UnsafePointer(skipAffine.shift.base)
        }
        task.slope = slope
        if let halved { task.halved = halved.map }
        if let moments { task.moments = moments.rows.base }
        guard let kernels else { return }
        pool.run("norm and skip", ck_row_items(task.blocks, task.height, rows), kernels.join, task)
        moments?.join()
    }

    /// Rows that make an item of some 16,000 pixels' vectors: about as long as a convolution's item.
    private func rowsPerItem(_ width: Int) -> Int32 { Int32(max(1, (16 << 10) / width)) }
}
