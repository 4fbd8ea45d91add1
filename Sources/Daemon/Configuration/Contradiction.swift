/// Two things in a configuration that exclude each other.
struct Contradiction {
    /// The value that is told to the user, by its key.
    enum Place: Hashable {
        case web(String)
        case folder(Int, String)
        case relay(Int, String)
    }

    var place: Place?
    var message: String
    var remedy: String?
}

extension Configuration {
    /// Throws `ConfigurationError` `.contradiction` for parts that exclude each other; `load` has done that already.
    public func check() throws(ConfigurationError) {
        guard let found = contradiction else { return }
        throw ConfigurationError(.contradiction, found.message, remedy: found.remedy)
    }

    /// The first one that is found.
    var contradiction: Contradiction? {
        if folders.isEmpty && relays.isEmpty {
            return Contradiction(message: "there is nothing to do", remedy: "add 'folders:' or 'relays:'")
        }
        if let web, let error = web.refusal { return Contradiction(place: .web("listen"), message: error.message, remedy: error.remedy) }
        for place in folders.indices {
            if let found = folders[place].contradiction(at: place) { return found }
            for other in folders.indices where other != place {
                if let found = contradiction(ofFolder: place, with: other) { return found }
            }
        }
        return relayContradiction
    }

    /// Two folders; those that hold both ways are told of the later one.
    private func contradiction(ofFolder place: Int, with other: Int) -> Contradiction? {
        let (one, two) = (folders[place], folders[other])
        if other < place, one.name == two.name {
            return Contradiction(place: .folder(place, "name"), message: "two folders are called '\(one.name)'", remedy: "give each its own name")
        }
        let output = Paths.real(one.output), input = Paths.real(two.input)
        if other < place, output == Paths.real(two.output) {
            return Contradiction(
                place: .folder(place, "out"), message: "the folders '\(two.name)' and '\(one.name)' have the same output", remedy: "give each its own")
        }
        if let inside = Paths.relative(output, to: input), !two.excludes(folder: inside) {
            return Contradiction(
                place: .folder(place, "out"), message: "results of '\(one.name)' go into the folder that '\(two.name)' watches",
                remedy: inside.isEmpty ? "give it another output" : "give '\(two.name)' the line \"exclude: ['\(inside)/**']\", or another output")
        }
        let own = Paths.real(one.input)
        if one.after != .keep, Paths.relative(own, to: input) != nil || Paths.relative(input, to: own) != nil {
            return Contradiction(
                place: .folder(place, "after"),
                message: "'\(one.name)' takes sources away (after: \(one.after.rawValue)) that '\(two.name)' watches too", remedy: "use 'after: keep'")
        }
        if let moveTo = one.moveTo.map(Paths.real), let inside = Paths.relative(moveTo, to: input), !two.excludes(folder: inside) {
            return Contradiction(
                place: .folder(place, "move-to"), message: "'\(one.name)' moves its sources into the folder that '\(two.name)' watches",
                remedy: "give it another move-to")
        }
        return nil
    }

    private var relayContradiction: Contradiction? {
        for place in relays.indices {
            let relay = relays[place]
            for other in relays[..<place] {
                if other.name == relay.name {
                    return Contradiction(place: .relay(place, "name"), message: "two relays are called '\(relay.name)'", remedy: "give each its own name")
                }
                if let listen = relay.listen, listen == other.listen {
                    return Contradiction(
                        place: .relay(place, "listen"), message: "the relays '\(other.name)' and '\(relay.name)' listen at the same address, \(listen)",
                        remedy: "give each its own port")
                }
                if let target = relay.targets.first(where: other.targets.contains) {
                    return Contradiction(
                        place: .relay(place, "targets"), message: "the relays '\(other.name)' and '\(relay.name)' both send to \(target)",
                        remedy: "give each its own targets")
                }
            }
        }
        return nil
    }
}

extension WatchFolder {
    /// Folders below the input that are not watched: whatever the service itself writes there.
    ///
    /// - Parameter configuration: the whole, of which this folder is a part.
    public func ignoredFolders(in configuration: Configuration) -> [String] {
        [output, moveTo, configuration.state, configuration.work].compactMap { $0 }.filter {
            Paths.relative(Paths.real($0), to: Paths.real(input)).map { !$0.isEmpty } ?? false
        }
    }

    func contradiction(at place: Int) -> Contradiction? {
        let (from, to) = (Paths.real(input), Paths.real(output))
        if from == to {
            return Contradiction(place: .folder(place, "out"), message: "'\(name)' has the same folder for input and output", remedy: "give it another output")
        }
        switch (after, moveTo.map(Paths.real)) {
        case (.move, nil):
            return Contradiction(place: .folder(place, "after"), message: "'after: move' does not say where to", remedy: "add 'move-to: PATH'")
        case (.keep, .some), (.delete, .some):
            return Contradiction(
                place: .folder(place, "move-to"), message: "'move-to' is for 'after: move', and it is 'after: \(after.rawValue)'",
                remedy: "write 'after: move', or leave move-to out")
        case (.move, from):
            return Contradiction(place: .folder(place, "move-to"), message: "'\(name)' would move its sources to where they are", remedy: "give another move-to")
        case (.move, to):
            return Contradiction(
                place: .folder(place, "move-to"), message: "'\(name)' would move its sources over their results", remedy: "give another move-to")
        default: return nil
        }
    }

    /// Whether a pattern leaves out all of a folder below the input.
    func excludes(folder: String) -> Bool {
        guard !folder.isEmpty else { return false }
        let parts = folder.split(separator: "/")
        // Leaving out a parent leaves out the folder.
        return (1...parts.count).contains { count in
            let path = parts.prefix(count).joined(separator: "/")
            let forms = ["\(path)/**", "/\(path)/**", "/\(path)/", "\(parts[count - 1])/", "**/\(parts[count - 1])/**"]
            return exclude.contains { forms.contains($0) || $0 == "\(path)/" }
        }
    }
}

extension RelaySettings {
    /// The address that readers connect to, without its path: two paths need two ports.
    var listen: String? {
        arguments.first { $0.hasPrefix("--listen=") }.map { argument in
            let address = argument.dropFirst("--listen=".count)
            guard let scheme = address.firstRange(of: "://") else { return String(address) }
            return address[..<scheme.upperBound] + String(address[scheme.upperBound...].prefix { $0 != "/" })
        }
    }
}
