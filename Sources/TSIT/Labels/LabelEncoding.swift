internal import Imaging
internal import NeuralEngine

/// Turns labels into what the content stream takes: a one in the channel of each pixel's class, and the edges between
/// instances. Nothing is allocated per frame.
final class LabelEncoding {
    private let set: LabelSet
    private let width: Int
    private let height: Int
    /// The channel of every id; `OneHotMap.none` where the set does not have it.
    private let channels: [UInt16]
    /// Where the edges of the frame are; empty where the set has none.
    private var edges: [Bool]

    /// For frames of `width` x `height`.
    init(_ set: LabelSet, width: Int, height: Int) {
        self.set = set
        self.width = width
        self.height = height
        channels = (0...UInt8.max).map { set.channel(of: $0).map(UInt16.init) ?? OneHotMap.none }
        edges = set.hasEdges ? Array(repeating: false, count: width * height) : []
    }

    /// A writer of this set's channels into `map`.
    func writer(into map: FeatureMap) -> OneHotMap { OneHotMap(map, markChannel: set.edgeChannel) }

    /// Writes `labels` into `content` and, where there is one, every 128th pixel of every 128th row into `head` (nearest
    /// resizing of the map).
    ///
    /// - Parameter given: the edges, where they are known otherwise than from the instances.
    /// - Throws: `TSITError` `.badSize`, `.badLabel` naming the id and the pixel.
    func encode(
        _ labels: LabelImage, edges given: [Bool]?, into content: OneHotMap, head: OneHotMap?
    ) throws(TSITError) {
        guard labels.width == width, labels.height == height else {
            throw TSITError(
                .badSize, "labels of \(labels.width)x\(labels.height) for a network of \(width)x\(height)")
        }
        try check(labels)
        if set.hasEdges {
            if let given {
                precondition(given.count == width * height)
                edges = given
            } else if let instances = labels.instances {
                InstanceEdges.mark(instances, width: width, height: height, in: &edges)
            } else {
                for index in edges.indices { edges[index] = false }
            }
        }
        content.load(labels.classes, channels: channels, marks: edges, step: 1)
        head?.load(labels.classes, channels: channels, marks: edges, step: NetworkConstants.headReduction)
    }

    private func check(_ labels: LabelImage) throws(TSITError) {
        guard let index = labels.classes.firstIndex(where: { channels[Int($0)] == OneHotMap.none }) else { return }
        let id = labels.classes[index]
        let isDontCare = id == LabelSet.dontCare
        throw TSITError(
            .badLabel,
            "class \(id) at pixel (\(index % width), \(index / width)) is none of the \(set.classCount) classes of "
                + set.name,
            remedy: isDontCare
                ? "255 means 'don't care', which this model does not know: give these pixels a class"
                : "give labels of the set that the model was made for")
    }
}

/// The edges between instances, as SIS takes them.
enum InstanceEdges {
    /// Sets every element of `edges`: true where the instance differs from that of a neighbour above, below, left or
    /// right. All layouts are `[height][width]`.
    static func mark(_ instances: [UInt32], width: Int, height: Int, in edges: inout [Bool]) {
        precondition(instances.count == width * height && edges.count == width * height)
        for index in edges.indices { edges[index] = false }
        for y in 0..<height {
            for index in y * width..<(y + 1) * width {
                if index + 1 < (y + 1) * width, instances[index] != instances[index + 1] {
                    edges[index] = true
                    edges[index + 1] = true
                }
                if y + 1 < height, instances[index] != instances[index + width] {
                    edges[index] = true
                    edges[index + width] = true
                }
            }
        }
    }
}
