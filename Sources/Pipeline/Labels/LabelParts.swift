internal import MediaIO
internal import TSIT

/// How the labels of a conversion are read: for models of semantic image synthesis only.
public struct LabelOptions: Sendable, Equatable {
    /// A second source that says which object each pixel belongs to.
    public var instances: String?
    /// Ids count from 1 in the files, and 0 means 'don't care' (ADE20K's own).
    public var reducesZeroLabel = false
    /// Takes labels that lossy coding may have mixed.
    public var isForced = false

    public init() {}
}

/// What turns the frames of a label source into what the network takes, opened and checked.
struct LabelParts: Sendable {
    let reader: LabelReader
    let instances: InstanceSource?
    let painter: LabelPainter

    /// - Throws: `MediaError` `.badLabels` for a source that cannot hold labels, `.unsupportedOption` for instances that the
    ///   model has no use for; what `InstanceSource` throws.
    init(
        _ options: LabelOptions, set: LabelSet, source: SourceInfo, startSeconds: Double, interrupt: Interrupt
    ) throws {
        try LabelCoding.check(source, isForced: options.isForced)
        let colours = LabelColours.table(of: set)
        let classes = Set((0..<set.classCount).map { UInt8($0) } + (set.hasDontCare ? [LabelSet.dontCare] : []))
        reader = try LabelReader(
            source: source, colours: colours.map { ColourTable($0) }, knownClasses: classes,
            reducesZeroLabel: options.reducesZeroLabel, isForced: options.isForced)
        painter = LabelPainter(colours)
        guard let path = options.instances else {
            instances = nil
            return
        }
        guard set.hasEdges else {
            throw MediaError(
                .unsupportedOption, "the model's labels (\(set.name)) have no channel for the edges between instances",
                remedy: "leave --instances out")
        }
        instances = try InstanceSource(
            path: path, labels: source, interrupt: interrupt, startSeconds: startSeconds, isForced: options.isForced)
    }
}

extension LabelColours {
    /// The colours of a set's classes; nil where it is none of the known ones.
    static func table(of set: LabelSet) -> [(colour: UInt32, id: UInt8)]? {
        switch set {
        case .cityscapes: cityscapes
        case .ade20k: ade20k
        default: nil
        }
    }
}

extension VideoInfo {
    /// What a picture made of this video's labels is like: of their size and times, but a picture in 8-bit colour.
    func pictured(isPicture: Bool) -> VideoInfo {
        var video = self
        video.pixelFormatName = isPicture ? "rgb24" : "yuv420p"
        video.bitDepth = 8
        video.colour = ColourTags(range: 0, primaries: 2, transfer: 2, matrix: 2, chromaLocation: 0)
        video.isInterlaced = false
        return video
    }
}
