internal import Imaging
internal import NeuralEngine

/// `NetworkContent`, and what goldens know beyond it.
enum GeneratorContent {
    case picture(PlanarImage<Float>)
    /// - edges: where instances meet, layout `[height][width]`; nil: found from the labels' instances.
    /// - head: what a head of labels starts from, layout `[channels][height/128][width/128]`; nil: the labels, resized.
    case labels(LabelImage, edges: [Bool]?, head: [Float]?)

    init(_ content: NetworkContent) {
        switch content {
        case .picture(let picture): self = .picture(picture)
        case .labels(let labels): self = .labels(labels, edges: nil, head: nil)
        }
    }
}

/// The layers of the generator and what flows between them.
final class GeneratorNetwork {
    /// Blocks in order: name, and the index of the content's and the style's map that it takes.
    private static let stages = [
        ("head_0", 7), ("G_middle_0", 6), ("G_middle_1", 5), ("up_0", 4), ("up_1", 3), ("up_2", 2), ("up_3", 1),
    ]

    private let contentStream: FeatureStream
    /// How labels become the content stream's input; nil for a network of photographs.
    private let labels: (encoding: LabelEncoding, input: OneHotMap)?
    private let head: GeneratorHead
    private let blocks: [FADEBlock]
    /// The last block's outputs.
    private let results: [FeatureMap]
    private let image: Convolution

    init(
        _ source: any WeightSource, size: NetworkSize, renditions: Int, precision: NetworkPrecision, workspace: Workspace,
        instructionSet: InstructionSet, pool: ThreadPool
    ) throws {
        let widths = source.configuration.mapWidths
        let stream = try FeatureStream(
            source, module: "content_stream", size: size, measuring: false, workspace: workspace,
            instructionSet: instructionSet, pool: pool)
        let encoding = source.configuration.labels.map { LabelEncoding($0, width: size.width, height: size.height) }
        labels = encoding.flatMap { encoding in
            stream.input.map { (encoding, encoding.writer(into: $0)) }
        }
        contentStream = stream
        head = try GeneratorHead(source, size: size, labels: encoding, instructionSet: instructionSet)
        // The head knows nothing of the style, so all renditions start from one.
        var sources = Array(repeating: RenditionMap(map: head.map, moments: head.moments), count: renditions)
        blocks = try Self.stages.map { name, k in
            let block = try FADEBlock(
                LayerWeights(
                    source: source, module: name, instructionSet: instructionSet, size: size.map(k), workspace: workspace, pool: pool,
                    precision: precision.precision(of: name, instructionSet)),
                sources: sources, outputs: k > 4 ? widths[k] : widths[k - 1], isFirst: k == 7, isLast: k == 1)
            sources = block.outputs
            return block
        }
        results = sources.map(\.map)
        image = try PictureConvolution.make(
            source,
            algorithm: .fastest(
                .image, inputs: widths[0], outputs: 12, width: size.map(1).width, height: size.map(1).height,
                workspace: workspace),
            instructionSet)
    }

    func setNoise(_ z: [Float], on pool: ThreadPool) { head.set(z, on: pool) }

    func run(
        _ content: GeneratorContent, styles: [StyleStatistics], alpha: Float, into pictures: [PlanarImage<Float>],
        isTraced: Bool, on pool: ThreadPool
    ) throws(TSITError) {
        guard head.isReady else { throw TSITError(.styleMismatch, "the generator has no noise yet") }
        try load(content, isTraced: isTraced, on: pool)
        head.prepare(on: pool)
        let maps = contentStream.maps
        for (block, (_, k)) in zip(blocks, Self.stages) {
            for index in results.indices {
                let style = styles.isEmpty ? nil : styles[index]
                block.adapt(index, means: style?.means[k], deviations: style?.deviations[k], alpha: alpha)
            }
            block(content: maps[k], on: pool)
        }
        for (result, picture) in zip(results, pictures) { draw(result, into: picture, on: pool) }
    }

    /// Runs the content stream on `content`, and fills the head's input where that is the labels.
    private func load(_ content: GeneratorContent, isTraced: Bool, on pool: ThreadPool) throws(TSITError) {
        switch (content, labels) {
        case (.picture(let picture), nil): try contentStream(picture, keepsFirst: isTraced, on: pool)
        case (.labels(let image, let edges, let headValues), let labels?):
            try labels.encoding.encode(image, edges: edges, into: labels.input, head: head.labels)
            if let headValues { head.labels?.load(values: headValues) }
            contentStream.run(keepsFirst: isTraced, on: pool)
        case (.picture, _):
            throw TSITError(
                .unsupported, "the model makes pictures of labels, not of photographs", remedy: "give a label picture or video")
        case (.labels, _): throw TSITError(.unsupported, "the model translates photographs, not labels")
        }
    }

    private func draw(_ x: FeatureMap, into picture: PlanarImage<Float>, on pool: ThreadPool) {
        picture.withPlane(0) { red in
            picture.withPlane(1) { green in
                picture.withPlane(2) { blue in
                    image.draw(x, red: red, green: green, blue: blue, rowStride: picture.rowStride, on: pool)
                }
            }
        }
    }

    /// Every intermediate map of the last frame, which was traced.
    func trace() -> [(name: String, shape: [Int], values: [Float])] {
        func shape(_ map: FeatureMap) -> [Int] { [map.channels, map.height, map.width] }
        let contents = contentStream.maps.enumerated().map { ("content_\($0)", shape($1), $1.values) }
        return contents + zip(blocks, Self.stages).map { ($1.0, shape($0.outputs[0].map), $0.trace) }
    }
}
