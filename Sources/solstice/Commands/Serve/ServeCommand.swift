internal import ArgumentParser
internal import Daemon
internal import Foundation
internal import Logging

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Watch folders, translate what comes in, and run relays, unattended.",
        discussion: """
            The configuration is a YAML file; the program's systemd/solstice.yaml is an example with every key explained. SIGHUP \
            reads it again, SIGTERM and SIGINT end the daemon within 10 s with exit code 0: what is being worked on goes on from \
            its last checkpoint at the next start, as after any other end.

            'solstice jobs' shows and steers the jobs, and so does the web page.
            """)

    @Option(help: "The configuration.", completion: .file(extensions: ["yaml", "yml"])) var config: String
    @Flag(help: "Only check the configuration.") var check = false

    func run() async throws {
        let path = URL(fileURLWithPath: config).path
        // Paths in options of 'convert' and 'relay' count from the file's folder, for this process and its children.
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard FileManager.default.changeCurrentDirectoryPath(folder) else {
            throw ConfigurationError(.unreadable, "the folder \(folder) cannot be entered", remedy: "name a YAML file with --config")
        }
        let configuration = try Configuration.load(path: path, validate: .program)
        if check {
            Terminal.note("\(path): \(configuration.summary)")
            return
        }
        try await ServiceRun.run(configuration) { try Configuration.load(path: path, validate: .program) }
    }
}

extension Configuration {
    /// What it asks for, in words.
    fileprivate var summary: String {
        func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }
        let page = web.map { "page on \($0.host):\($0.port)" } ?? "no page"
        return "fine: \(count(folders.count, "folder")), \(count(relays.count, "relay")), \(page)"
    }
}

/// Runs the daemon until a signal ends it; SIGHUP makes it read its configuration again.
enum ServiceRun {
    static func run(_ configuration: Configuration, reloading: @escaping @Sendable () throws -> Configuration) async throws {
        let log = ServiceLog.start(level: configuration.logLevel)
        defer { ServiceLog.finish() }
        let service = Service(configuration, version: Solstice.version, log: log, reloading: reloading)
        let sources = Signals.watch([SIGINT, SIGTERM]) { _ in service.stop() } + Signals.watch([SIGHUP]) { _ in service.reload() }
        defer { for source in sources { source.cancel() } }
        try await service.run()
    }
}
