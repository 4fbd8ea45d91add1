import Foundation
import TestSupport
import Testing

@testable import Daemon

/// The files in `systemd/`, installed into a root of their own.
struct Units {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("systemd")
    static let isSystemdHere = FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze")
    static let names = ["solstice.service", "solstice-relay@gate.service"]

    let root: TemporaryFolder

    init() throws {
        root = try TemporaryFolder()
        let units = "usr/lib/systemd/system"
        for (source, target) in [
            ("solstice.service", units), ("solstice-relay@.service", units), ("solstice.sysusers.conf", "usr/lib/sysusers.d/solstice.conf"),
            ("solstice.tmpfiles.conf", "usr/lib/tmpfiles.d/solstice.conf"), ("solstice.yaml", "etc/solstice/solstice.yaml"),
        ] {
            let isFile = target.hasSuffix(".conf") || target.hasSuffix(".yaml")
            try put(Self.folder.appendingPathComponent(source), isFile ? target : "\(target)/\(source)")
        }
        // What the units name of the system: targets, and the program that sends SIGHUP.
        let system = URL(fileURLWithPath: "/usr/lib/systemd/system")
        for target in (try? FileManager.default.contentsOfDirectory(atPath: system.path)) ?? [] where target.hasSuffix(".target") {
            try? put(system.appendingPathComponent(target), "\(units)/\(target)")
        }
        for program in ["usr/local/bin/solstice", "bin/kill"] { try put(URL(fileURLWithPath: "/bin/true"), program) }
    }

    private func put(_ source: URL, _ target: String) throws {
        let target = root.url.appendingPathComponent(target)
        try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: source.resolvingSymlinksInPath(), to: target)
    }
}

@Suite("systemd files") struct UnitsTests {
    @Test("systemd finds nothing wrong with the units", .enabled(if: Units.isSystemdHere))
    func verified() throws {
        let units = try Units()
        let outcome = try Program.run("systemd-analyze", ["verify", "--man=no", "--root=\(units.root.url.path)"] + Units.names)
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    }

    @Test("the services are locked in", .enabled(if: Units.isSystemdHere), arguments: Units.names)
    func hardened(_ name: String) throws {
        let units = try Units()
        let outcome = try Program.run(
            "systemd-analyze", ["security", "--offline=true", "--no-pager", "--threshold=20", "--root=\(units.root.url.path)", name])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.output.contains("exposure level for \(name)"), "\(outcome.output)")
    }

    @Test("the daemon may ask who has a file open for writing, and no more than that")
    func leases() throws {
        let lines = try String(contentsOf: Units.folder.appendingPathComponent("solstice.service"), encoding: .utf8).split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("CapabilityBoundingSet=") } == ["CapabilityBoundingSet=CAP_LEASE"])
        #expect(lines.filter { $0.hasPrefix("AmbientCapabilities=") } == ["AmbientCapabilities=CAP_LEASE"])
        // The capability of a user namespace of its own would not count.
        #expect(!lines.contains("PrivateUsers=yes"))
    }

    @Test("user and folders", .enabled(if: Units.isSystemdHere && FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-sysusers")))
    func users() throws {
        let root = try Units().root
        try Program.output("systemd-sysusers", ["--root=\(root.url.path)", "solstice.conf"])
        #expect(try String(contentsOfFile: root.path("etc/passwd"), encoding: .utf8).contains("solstice:x:"))
        // Only root can give folders away.
        let dry = try Program.run("systemd-tmpfiles", ["--root=\(root.url.path)", "--create", "solstice.conf"])
        if geteuid() == 0 { #expect(dry.status == 0, "\(dry.errors)") }
        #expect(!dry.errors.contains("Unknown") && !dry.errors.contains("Invalid"), "\(dry.errors)")
    }

    @Test("the example configuration is one, and its commented parts too")
    func example() throws {
        let text = try ConfigurationMistakeTests.example()
        let configuration = try ConfigurationFile(text).load(["STATE_DIRECTORY": "/var/lib/solstice"])
        #expect(configuration.folders.map(\.name) == ["night"] && configuration.relays.isEmpty && configuration.web != nil)
        #expect(configuration.state == "/var/lib/solstice")
        var lines: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) where line != "relays: []" { lines.append(Self.uncommented(String(line))) }
        let active = lines.joined(separator: "\n").replacingOccurrences(of: "after: keep", with: "after: move")
            .replacingOccurrences(of: "/etc/solstice/token", with: "token")
        let file = try ConfigurationFile(active)
        try Data("0123456789abcdef0123456789abcdef".utf8).write(to: URL(fileURLWithPath: file.folder.path("token")))
        let whole = try file.load([:])
        #expect(whole.relays.map(\.name) == ["gate"] && whole.folders.first?.moveTo == "/srv/solstice/originals", "\(active)")
        #expect(whole.relays.first?.arguments.contains("--adapt") == true && whole.folders.first?.exclude.count == 2)
    }

    /// `#key: value` and `#  - key: value` without their `#`; words have one space behind it.
    static func uncommented(_ line: String) -> String {
        let indent = line.prefix { $0 == " " }
        let rest = line.dropFirst(indent.count)
        guard rest.hasPrefix("#") else { return line }
        let body = String(rest.dropFirst())
        let isWords = body.isEmpty || (body.hasPrefix(" ") && !body.hasPrefix("  "))
        return isWords || body.hasPrefix("    #") ? line : String(indent) + body
    }

    @Test("the program takes the example configuration")
    func checked() throws {
        let outcome = try Program.run(
            Program.solstice, ["serve", "--config", Units.folder.appendingPathComponent("solstice.yaml").path, "--check"], environment: ["HOME": "/tmp"])
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    /// The keys for options are those that the commands have.
    @Test("every option of the commands has its key, or is none for a configuration", arguments: ["convert", "relay"])
    func options(_ command: String) throws {
        struct Help: Decodable {
            struct Name: Decodable { var kind: String, name: String }
            struct Argument: Decodable { var kind: String, names: [Name]?, shouldDisplay: Bool? }
            struct Command: Decodable { var arguments: [Argument] }
            var command: Command
        }
        let text = try Program.output(Program.solstice, [command, "--experimental-dump-help"])
        let help = try JSONDecoder().decode(Help.self, from: Data(text.utf8))
        var real: [String: String] = [:]
        for argument in help.command.arguments where argument.kind != "positional" && argument.shouldDisplay != false {
            for name in argument.names ?? [] where name.kind == "long" { real[name.name] = argument.kind }
        }
        // What is about one run, about paths, or the daemon's own business.
        let others: Set = command == "convert"
            ? ["also", "instances", "reduce-zero-label", "force", "start", "duration", "sequence-rate", "overwrite", "preview", "no-stabilize", "quiet", "json", "help", "version"]
            : ["control", "preview-folder", "status-interval", "no-stabilize", "quiet", "json", "help", "version"]
        let options = command == "convert" ? CommandOptions.conversion : CommandOptions.relay
        var known: [String: String] = [:]
        for option in options { known[option.name] = option.isFlag ? "flag" : "option" }
        #expect(real.filter { !others.contains($0.key) } == known)
    }
}
