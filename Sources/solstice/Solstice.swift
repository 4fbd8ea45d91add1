internal import ArgumentParser
internal import Foundation

@main
struct Solstice: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "solstice",
        abstract: "Translate driving videos: day into night, summer into winter, every frame, sound and tag in its place.",
        discussion: "Exit codes:\n"
            + ExitStatus.allCases.map { "  \($0.rawValue)  \($0.meaning)" }.joined(separator: "\n"),
        version: version,
        subcommands: [
            ConvertCommand.self, WatchCommand.self, ServeCommand.self, JobsCommand.self, RelayCommand.self, ControlCommandLine.self,
            ModelCommand.self, StyleCommand.self, DoctorCommand.self, BenchCommand.self, WorkerCommand.self,
        ])

    static func main() async {
        // A reader of our output that goes away, and a file size limit, then show as errors of the write itself.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        // SVT-AV1 writes to standard error by itself, warnings (2) and less important lines unless it is told.
        setenv("SVT_LOG", "1", 0)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as Interruption {
            Terminal.note("solstice: \(error)")
            Foundation.exit(error.exitCode)
        } catch where ExitStatus.isOwn(error) {
            Terminal.note("solstice: \(error)")
            Foundation.exit(ExitStatus(error).rawValue)
        } catch {
            exit(withError: error)
        }
    }
}
