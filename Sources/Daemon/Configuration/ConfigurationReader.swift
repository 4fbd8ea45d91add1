internal import Foundation
internal import Jobs
internal import Logging
internal import Yams

extension Configuration {
    /// Reads and checks a configuration file.
    ///
    /// Relative paths count from the file's folder, those with `~/` from the home folder; in styles and addresses, which may be
    /// something else than paths, they count from the folder that the program runs in.
    ///
    /// - Parameter environment: default: this process's; says where the state is by default.
    /// - Throws: `ConfigurationError`, with the place in the file.
    public static func load(
        path: String, environment: [String: String]? = nil, validate: OptionValidator
    ) throws(ConfigurationError) -> Configuration {
        let node = try YAMLFile.read(path)
        var reader = ConfigurationReader(file: path, environment: environment ?? ProcessInfo.processInfo.environment, validator: validate)
        return try reader.configuration(node)
    }

    /// Where the state is by default: systemd's folder for it, else `solstice` in the user's folder for such things
    /// (XDG Base Directory Specification); nil where there is no home folder.
    public static func defaultState(environment: [String: String]) -> String? {
        func path(_ name: String) -> String? { environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } }
        // systemd names several folders with colons between them.
        if let own = path("STATE_DIRECTORY") { return String(own.prefix { $0 != ":" }) }
        if let states = path("XDG_STATE_HOME") { return states + "/solstice" }
        return path("HOME").map { $0 + "/.local/state/solstice" }
    }
}

/// Makes a configuration of the nodes of its file.
struct ConfigurationReader {
    let file: String
    let environment: [String: String]
    let validator: OptionValidator
    /// Where the values stand that `Configuration.contradiction` speaks of.
    private var marks: [Contradiction.Place: Mark] = [:]

    init(file: String, environment: [String: String], validator: OptionValidator) {
        (self.file, self.environment, self.validator) = (file, environment, validator)
    }

    private static let keys = ["state", "work", "jobs", "checkpoint", "disk-floor", "log-level", "web", "folders", "relays"]
    private static let folderKeys = ["name", "in", "out", "include", "exclude", "settle", "scan", "after", "move-to", "shared"]
    private static let relayKeys = ["name", "source", "targets"]

    mutating func configuration(_ node: Node) throws(ConfigurationError) -> Configuration {
        let root = try Section(node, file: file, what: "the configuration", keys: Self.keys)
        guard let state = try path("state", of: root) ?? Configuration.defaultState(environment: environment) else {
            throw root.error(.missingKey, "state", "there is no home folder to keep the state in", remedy: "add 'state: PATH'")
        }
        var configuration = Configuration(state: state)
        if let work = try path("work", of: root) { configuration.work = work }
        if let jobs = try root.integer("jobs", in: 1...64) { configuration.jobs = jobs }
        if let seconds = try root.seconds("checkpoint", in: 1...600) { configuration.checkpoint = seconds }
        if let bytes = try root.bytes("disk-floor") { configuration.diskFloor = bytes }
        if let level = try root.choice("log-level", Logger.Level.self) { configuration.logLevel = level }
        configuration.web = try web(of: root)
        for (index, item) in try root.items("folders").enumerated() { configuration.folders.append(try folder(item, index)) }
        for (index, item) in try root.items("relays").enumerated() { configuration.relays.append(try relay(item, index)) }
        if let found = configuration.contradiction {
            throw Section.error(.contradiction, file, found.place.flatMap { marks[$0] } ?? root.mark, found.message, remedy: found.remedy)
        }
        return configuration
    }

    // MARK: - Web

    private mutating func web(of root: Section) throws(ConfigurationError) -> WebSettings? {
        guard let node = root.node("web") else { return WebSettings() }
        if case .scalar = node {
            guard try root.flag("web") == false else {
                throw root.error(.wrongType, "web", "'web' is off, or keys with values", remedy: "write 'web: {listen: 127.0.0.1:8080}'")
            }
            return nil
        }
        let section = try Section(node, file: file, what: "'web'", keys: ["listen", "host-names", "token-file", "upload-limit"])
        var web = WebSettings()
        if let listen = try section.text("listen") {
            guard let parsed = WebSettings(parsing: listen) else {
                throw section.error(.badValue, "listen", "'listen' is an address with a port, not '\(listen)'", remedy: "write such as 127.0.0.1:8080 or [::1]:8080")
            }
            web = parsed
        }
        if let names = try section.texts("host-names") { web.hostNames = names }
        web.tokenFile = try path("token-file", of: section)
        if let bytes = try section.bytes("upload-limit") { web.uploadLimit = bytes }
        marks[.web("listen")] = section.mark(of: "listen")
        do {
            _ = try web.token()
        } catch let error {
            throw section.error(error.code, "token-file", error.message, remedy: error.remedy)
        }
        return web
    }

    // MARK: - Folders

    private mutating func folder(_ node: Node, _ index: Int) throws(ConfigurationError) -> WatchFolder {
        let options = CommandOptions.conversion
        let section = try Section(node, file: file, what: "a folder", keys: Self.folderKeys + options.map(\.name))
        for key in Self.folderKeys { marks[.folder(index, key)] = section.mark(of: key) }
        let name = try name(of: section)
        _ = try section.required("in")
        _ = try section.required("out")
        let input = try path("in", of: section) ?? "", output = try path("out", of: section) ?? ""
        let arguments = try section.arguments(options, path: absolute)
        let identity = try checked(section, options) { () throws in
            try validator.convert(arguments)
            return try validator.identity(arguments)
        }
        var folder = WatchFolder(name: name, input: input, output: output, arguments: arguments, identity: identity)
        folder.include = try patterns("include", of: section)
        folder.exclude = try patterns("exclude", of: section)
        if let seconds = try section.seconds("settle", in: 0.1...3600) { folder.settle = seconds }
        if let seconds = try section.seconds("scan", in: 1...86400) { folder.scan = seconds }
        if let after = try section.choice("after", AfterPolicy.self) { folder.after = after }
        folder.moveTo = try path("move-to", of: section)
        if let shared = try section.choice("shared", WatchFolder.Sharing.self) { folder.shared = shared }
        return folder
    }

    private func patterns(_ key: String, of section: Section) throws(ConfigurationError) -> [String] {
        let patterns = try section.texts(key) ?? []
        guard patterns.allSatisfy({ !$0.isEmpty }) else { throw section.error(.badValue, key, "a pattern in '\(key)' is empty") }
        return patterns
    }

    // MARK: - Relays

    private mutating func relay(_ node: Node, _ index: Int) throws(ConfigurationError) -> RelaySettings {
        let options = CommandOptions.relay
        let section = try Section(node, file: file, what: "a relay", keys: Self.relayKeys + options.map(\.name))
        for key in Self.relayKeys + ["listen"] { marks[.relay(index, key)] = section.mark(of: key) }
        let name = try name(of: section)
        let source = try section.required("source"), targets = try section.texts("targets") ?? []
        for (key, addresses) in [("source", [source]), ("targets", targets)] {
            for address in addresses { try checkAddress(address, key, section) }
        }
        let arguments = try section.arguments(options, path: absolute)
        _ = try checked(section, options + [.init(name: "source"), .init(name: "targets")]) { () throws in
            try validator.relay(arguments + [source] + targets)
            return ""
        }
        return RelaySettings(name: name, source: source, targets: targets, arguments: arguments)
    }

    private func checkAddress(_ address: String, _ key: String, _ section: Section) throws(ConfigurationError) {
        guard !address.isEmpty, !address.hasPrefix("-") else {
            throw section.error(.badValue, key, "'\(address)' is no address")
        }
        guard !RelaySettings.hasPassword(address) else {
            throw section.error(
                .badValue, key, "'\(key)' holds a password, which everybody would see in the list of processes",
                remedy: "take it out, and give \(key == "source" ? "source-user and source-password-file" : "target-user and target-password-file")")
        }
    }

    // MARK: - Parts

    /// A name is part of addresses, metrics and file names.
    private func name(of section: Section) throws(ConfigurationError) -> String {
        let name = try section.required("name")
        let isFit = (1...64).contains(name.utf8.count) && name.utf8.allSatisfy { byte in
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.".utf8.contains(byte)
        } && !name.hasPrefix(".")
        guard isFit else {
            throw section.error(.badValue, "name", "'\(name)' is no name", remedy: "use up to 64 letters, digits, '-', '_' and '.'")
        }
        return name
    }

    /// An absolute path without `.`, `..` and doubled slashes; nil where the key is not given.
    private func path(_ key: String, of section: Section) throws(ConfigurationError) -> String? {
        guard let text = try section.text(key) else { return nil }
        guard let path = absolute(text) else {
            throw section.error(
                .badValue, key, text.isEmpty ? "'\(key)' is empty" : "there is no home folder for '\(text)'", remedy: "write the whole path")
        }
        return path
    }

    /// Nil for nothing, and for a path in a home folder that there is none of.
    private func absolute(_ text: String) -> String? {
        if text == "~" || text.hasPrefix("~/") {
            guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
            return Paths.cleaned(home + text.dropFirst())
        }
        guard !text.isEmpty else { return nil }
        if text.hasPrefix("/") { return Paths.cleaned(text) }
        return Paths.cleaned(Paths.absolute(Paths.parent(of: file)) + "/" + text)
    }

    /// Runs `body`; its error is told where the option stands that the error's text names.
    private func checked(
        _ section: Section, _ options: [CommandOptions], _ body: () throws -> String
    ) throws(ConfigurationError) -> String {
        do {
            return try body()
        } catch {
            let text = "\(error)"
            // The longest name first: `--style-at` holds `--style`.
            let named = options.map(\.name).filter { section.has($0) && text.contains("--\($0)") }.max { $0.count < $1.count }
            let value = options.map(\.name).first { name in
                guard section.has(name), let value = try? section.text(name), value.count > 1 else { return false }
                return text.contains(value)
            }
            throw section.error(.badValue, named ?? value ?? "name", text)
        }
    }
}

extension RelaySettings {
    /// `scheme://user:password@host…`.
    static func hasPassword(_ address: String) -> Bool {
        guard let scheme = address.range(of: "://") else { return false }
        let authority = address[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let at = authority.lastIndex(of: "@") else { return false }
        return authority[..<at].contains(":")
    }
}
