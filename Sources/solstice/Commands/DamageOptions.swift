internal import ArgumentParser
internal import Pipeline

/// How much damage of the source a conversion puts up with.
struct DamageOptions: ParsableArguments {
    @Option(help: "Fail when more than this share of the frames is damaged, in percent.") var maxErrors: Double = 1
    @Flag(help: "Keep what there is, however much of the source is damaged.") var salvage = false

    func validate() throws {
        guard (0...100).contains(maxErrors) else { throw ValidationError("--max-errors is a percentage, 0 to 100.") }
    }

    func apply(to request: inout ConvertRequest) {
        request.maxErrorShare = maxErrors / 100
        request.salvage = salvage
    }
}
