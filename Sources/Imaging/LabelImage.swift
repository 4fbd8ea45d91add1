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
        guard width != self.width || height != self.height else { return self }
        let columns = (0..<width).map { $0 * self.width / width }
        func resized<Id>(_ ids: [Id]) -> [Id] {
            (0..<height).flatMap { y in
                let row = y * self.height / height * self.width
                return columns.map { ids[row + $0] }
            }
        }
        return LabelImage(
            width: width, height: height, classes: resized(classes), instances: instances.map(resized))
    }
}
