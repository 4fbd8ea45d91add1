internal import ArgumentParser
internal import Pipeline
internal import TSIT

/// Further outputs of a conversion.
struct AlsoOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A further output of the same run in another style, at little more cost; may be repeated.",
            valueName: "recipe=output"),
        completion: .file())
    var also: [AlsoArgument] = []

    func apply(to request: inout ConvertRequest) throws {
        request.also = try also.map { .init(recipe: try StyleRecipe(parsing: $0.recipe), output: $0.output) }
    }
}

/// `RECIPE=OUTPUT`, split at the last `=`; whether the output may be left out is up to the command.
struct AlsoArgument: ExpressibleByArgument {
    let recipe: String
    let output: String

    init?(argument: String) {
        guard let split = argument.lastIndex(of: "="), split != argument.startIndex else { return nil }
        recipe = String(argument[..<split])
        output = String(argument[argument.index(after: split)...])
    }
}
