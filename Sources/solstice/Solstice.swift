import ArgumentParser

@main
struct Solstice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "solstice", abstract: "Streaming video translation.")
}
