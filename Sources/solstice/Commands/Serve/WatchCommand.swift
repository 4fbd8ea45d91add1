internal import ArgumentParser
internal import Crypto
internal import Daemon
internal import Foundation
internal import Jobs

struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Watch one folder: every video that is put into IN is translated into OUT, under the same name.",
        discussion: """
            Like 'solstice serve' for one folder without a configuration. Jobs survive any end of the program: run it again, and it \
            goes on. 'solstice jobs' shows them.
            """)

    @Argument(help: "The folder to watch, with everything below it.", completion: .directory) var input: String
    @Argument(help: "Where the results go.", completion: .directory) var output: String
    @Option(help: "What becomes of a source once its translation is verified: keep, or delete.") var after: WatchAfter = .keep
    @Option(help: "Move sources here instead, once their translation is verified.", completion: .directory) var moveTo: String?
    @Option(help: "Conversions at the same time.") var jobs = 1
    @Option(help: "The page's address, such as 127.0.0.1:8080, or 'off'.") var web = "off"
    @Option(help: "Where jobs are kept (default: $XDG_STATE_HOME/solstice).", completion: .directory) var stateFolder: String?
    @OptionGroup(title: "Translation") var translation: TranslationOptions
    @OptionGroup(title: "Encoding") var encoding: EncodingOptions
    @OptionGroup(title: "Damaged sources") var damage: DamageOptions

    func validate() throws {
        guard (1...64).contains(jobs) else { throw ValidationError("--jobs is a number from 1 to 64.") }
        guard moveTo == nil || after == .keep else { throw ValidationError("--move-to and --after exclude each other.") }
        guard web == "off" || WebSettings(parsing: web) != nil else {
            throw ValidationError("--web is an address with a port, such as 127.0.0.1:8080, or off.")
        }
    }

    func run() async throws {
        let folders = (absolute(input), absolute(output))
        for folder in [folders.0, folders.1] where !FileManager.default.fileExists(atPath: folder) {
            guard folder == folders.1 else { throw ConfigurationError(.badValue, "the folder \(folder) is not there", remedy: "make it first") }
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        guard let state = stateFolder.map(absolute) ?? Configuration.defaultState(environment: ProcessInfo.processInfo.environment) else {
            throw ConfigurationError(.missingKey, "there is no home folder to keep the state in", remedy: "give --state-folder")
        }
        let arguments = translation.arguments + encoding.arguments + damage.arguments
        let settings = WatchFolder(
            name: Self.name(of: folders.0), input: folders.0, output: folders.1, after: moveTo == nil ? after.policy : .move, moveTo: moveTo.map(absolute),
            arguments: arguments, identity: try OptionValidator.program.identity(arguments))
        let configuration = Configuration(
            state: state, jobs: jobs,
            web: web == "off" ? nil : WebSettings(parsing: web), folders: [settings])
        try configuration.check()
        try await ServiceRun.run(configuration) { configuration }
    }

    /// All folders that are watched by this command may share a state: the last part of a path says too little.
    private static func name(of path: String) -> String {
        let digest = SHA256.hash(data: Data(path.utf8)).prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return "\(URL(fileURLWithPath: path).lastPathComponent)-\(digest)"
    }

    private func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
}

enum WatchAfter: String, ExpressibleByArgument, CaseIterable {
    case keep, delete

    var policy: AfterPolicy { self == .keep ? .keep : .delete }
}
