/// A picture of class ids, as semantic image synthesis takes it: layout `[height][width]`.
public struct LabelImage: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// The class of each pixel; 255 where nobody knows ('don't care').
    public var classes: [UInt8]
    /// Which object each pixel belongs to; only whether neighbours differ matters. Nil where nobody says.
    public var instances: [UInt32]?

    public init(width: Int, height: Int, classes: [UInt8], instances: [UInt32]? = nil) {
        precondition(width > 0 && height > 0 && classes.count == width * height)
        precondition(instances.map { $0.count == width * height } ?? true)
        self.width = width
        self.height = height
        self.classes = classes
        self.instances = instances
    }

    /// At another size: each pixel takes the one that its upper left corner falls on (PyTorch's `nearest`). Ids are
    /// names, so nothing is ever mixed.
    public func resizedNearest(width: Int, height: Int) -> LabelImage {
        picked(
            columns: (0..<width).map { $0 * self.width / width }, rows: (0..<height).map { $0 * self.height / height })
    }

    /// Continued to the right and below by its reflection, as `PlanarImage.reflectPadded` does it; both sides are at least
    /// the picture's.
    public func reflectPadded(width: Int, height: Int) -> LabelImage {
        precondition(width >= self.width && height >= self.height)
        return picked(
            columns: (0..<width).map { reflected($0, size: self.width) },
            rows: (0..<height).map { reflected($0, size: self.height) })
    }

    /// The pixels where `columns` and `rows` of this picture cross.
    private func picked(columns: [Int], rows: [Int]) -> LabelImage {
        guard columns.count != width || rows.count != height else { return self }
        func pick<Id>(_ ids: [Id]) -> [Id] {
            rows.flatMap { row in columns.map { ids[row * width + $0] } }
        }
        return LabelImage(
            width: columns.count, height: rows.count, classes: pick(classes), instances: instances.map(pick))
    }
}
