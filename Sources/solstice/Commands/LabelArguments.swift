internal import ArgumentParser
internal import Pipeline

/// The options for models of semantic image synthesis, which translate labels.
struct LabelArguments: ParsableArguments {
    @Option(
        help: "The labels' instances: a second video, picture or sequence whose numbers or colours tell objects apart.",
        completion: .file())
    var instances: String?
    @Flag(help: "Ids count from 1 and 0 means 'don't care', as in ADE20K's own files.") var reduceZeroLabel = false
    @Flag(help: "Take labels whose coding is lossy or may be, and the nearest classes of what it left.") var force = false

    func apply(to request: inout ConvertRequest) {
        request.labels.instances = instances
        request.labels.reducesZeroLabel = reduceZeroLabel
        request.labels.isForced = force
    }
}
