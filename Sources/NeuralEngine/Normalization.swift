internal import CKernels

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

    /// What a residual block adds to its main branch.
    public enum Skip {
        case map(FeatureMap)
        /// Goes through its own affine and activation.
        case normalized(FeatureMap, Affine)
        /// The same, for a convolution that is computed on the fly.
        case colours(ColourConvolution, PlanarMap, Affine)
    }

    /// What becomes of a join's result.
    public enum Joined {
        /// It takes the place of the main branch; the even rows and columns (nearest downsampling) also go to `halved`, and mean
        /// and variance to `moments`.
        case whole(halved: FeatureMap?, moments: Moments?)
        /// Only the even rows and columns are computed; the main branch stays as it is.
        case halved(FeatureMap)
    }

    /// act(main * affine) + skip.
    public func join(
        _ main: FeatureMap, _ affine: Affine, _ skip: Skip, slope: Float, into result: Joined, on pool: ThreadPool
    ) {
        precondition(affine.channels == main.channels)
        let rows = rowsPerItem(main.width)
        var task = ck_join()
        task.main = main.map
        (task.blocks, task.width, task.height) = (Int32(main.blocks), Int32(main.width), Int32(main.height))
        task.rows_per_item = rows
        (task.scale, task.shift) = (UnsafePointer(affine.scale.base), UnsafePointer(affine.shift.base))
        task.slope = slope
        set(skip, of: &task, beside: main)
        let measured = set(result, of: &task, beside: main)
        guard let kernels else { return }
        pool.run("norm and skip", ck_row_items(task.blocks, task.height, rows), kernels.join, task)
        measured?.join()
    }

    private func set(_ skip: Skip, of task: inout ck_join, beside main: FeatureMap) {
        func take(_ map: FeatureMap) {
            precondition(map.channels == main.channels && map.width == main.width && map.height == main.height)
            task.skip = map.map
        }
        func take(_ affine: Affine) {
            precondition(affine.channels == main.channels)
            (task.skip_scale, task.skip_shift) = (UnsafePointer(affine.scale.base), UnsafePointer(affine.shift.base))
        }
        switch skip {
        case .map(let map):
            take(map)
        case .normalized(let map, let affine):
            take(map)
            take(affine)
        case .colours(let convolution, let picture, let affine):
            precondition(convolution.outputs == main.channels && picture.width == main.width && picture.height == main.height)
            task.colours = convolution.colours(of: picture)
            take(affine)
        }
    }

    /// Gives the moments that the pass takes.
    private func set(_ result: Joined, of task: inout ck_join, beside main: FeatureMap) -> Moments? {
        func take(_ halved: FeatureMap) {
            precondition(halved.channels == main.channels)
            precondition(halved.width == main.width / 2 && halved.height == main.height / 2)
            task.halved = halved.map
        }
        switch result {
        case .whole(let halved, let moments):
            if let halved { take(halved) }
            precondition(moments.map { $0.channels == main.channels && $0.count == main.width * main.height } ?? true)
            task.moments = moments?.rows.base
            return moments
        case .halved(let halved):
            take(halved)
            task.only_halved = 1
            return nil
        }
    }

    /// Takes mean and variance of `convolution` of `picture`.
    public func measure(
        _ convolution: ColourConvolution, of picture: PlanarMap, into moments: Moments, on pool: ThreadPool
    ) {
        precondition(moments.channels == convolution.outputs && moments.count == picture.width * picture.height)
        let rows = rowsPerItem(picture.width)
        let task = ck_colour_moments(
            colours: convolution.colours(of: picture), blocks: Int32(convolution.blocks), width: Int32(picture.width),
            height: Int32(picture.height), rows_per_item: rows, moments: moments.rows.base)
        guard let kernels else { return }
        pool.run(convolution.name, ck_row_items(task.blocks, task.height, rows), kernels.colour_moments, task)
        moments.join()
    }

    /// Rows that make an item of some 16,000 pixels' vectors: about as long as a convolution's item.
    private func rowsPerItem(_ width: Int) -> Int32 { Int32(max(1, (16 << 10) / width)) }
}
