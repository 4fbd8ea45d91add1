extension MediaAddress {
    /// Parses `rtsp://user:password@host:port/path?query` and the like, `/dev/video0`, `v4l2:///dev/video0`, and paths.
    ///
    /// User info is unescaped. Throws `.unsupportedOption`, without ever repeating what may be a password, for an unknown
    /// scheme, a host or port that is none, a `%` without two hexadecimal digits, and an `@` or `#` that leaves open where
    /// the password ends.
    public init(parsing text: String) throws(MediaError) {
        guard !text.isEmpty, text.utf8.count <= AddressParser.longest, !text.utf8.contains(0) else {
            throw AddressParser.refusal(text.isEmpty ? "an address is empty" : "an address is too long or has a null character in it")
        }
        if let mark = text.firstRange(of: "://"), let name = AddressParser.schemeName(text[..<mark.lowerBound]) {
            self = try AddressParser(schemeName: name, rest: text[mark.upperBound...]).address()
        } else {
            self = try AddressParser.local(text)
        }
    }
}

/// Takes an address apart.
private struct AddressParser {
    static let longest = 4096
    let schemeName: String
    /// What follows `://`.
    let rest: Substring

    static func refusal(_ message: String, _ remedy: String? = "write it like rtsp://host:554/path") -> MediaError {
        MediaError(.unsupportedOption, message, remedy: remedy)
    }

    /// Lower-case; nil where `text` is no scheme's name (RFC 3986, section 3.1).
    static func schemeName(_ text: Substring) -> String? {
        guard let first = text.utf8.first, MediaAddress.isUnreserved(first), first > UInt8(ascii: "9"), text.utf8.count <= 32,
            text.utf8.allSatisfy({ (MediaAddress.isUnreserved($0) || $0 == UInt8(ascii: "+")) && $0 != UInt8(ascii: "_") })
        else { return nil }
        return text.lowercased()
    }

    // MARK: - Files and devices

    static func local(_ text: String) throws(MediaError) -> MediaAddress {
        let isLikeAddress = text.hasPrefix("//") || text.prefix { $0 != "/" }.contains(":")
        if isLikeAddress, text.contains("@") || text.contains("://") {
            throw refusal(
                "an address has no scheme", "write it like rtsp://host:554/path, or put ./ before the name of a file")
        }
        let name = text.prefix { $0 != ":" }.lowercased()
        if text.contains(":"), name == "v4l2" || MediaAddress.Scheme(rawValue: name).map(isNetwork) == true {
            throw refusal("an address lacks the two slashes behind \(name):", "write \(name)://")
        }
        return MediaAddress(scheme: text.hasPrefix("/dev/video") ? .device : .file, path: text)
    }

    private static func isNetwork(_ scheme: MediaAddress.Scheme) -> Bool { scheme != .file && scheme != .device }

    private func localPath() throws(MediaError) -> String {
        guard let path = MediaAddress.decoded(String(rest)), path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw Self.refusal("behind \(schemeName):// stands no path that starts with / and is escaped rightly", "give the path alone")
        }
        return path
    }

    // MARK: - Addresses

    func address() throws(MediaError) -> MediaAddress {
        if schemeName == "v4l2" { return MediaAddress(scheme: .device, path: try localPath()) }
        if schemeName == "file" { return MediaAddress(scheme: .file, path: try localPath()) }
        guard let scheme = MediaAddress.Scheme(rawValue: schemeName), Self.isNetwork(scheme) else {
            let known = MediaAddress.Scheme.allCases.filter(Self.isNetwork).map(\.rawValue).joined(separator: ", ")
            throw Self.refusal("the scheme \(schemeName):// is unknown", "use one of \(known), v4l2 or file")
        }
        let authority = rest.prefix { !"/?#".contains($0) }
        let behind = rest[authority.endIndex...]
        try checkIsUnambiguous(authority, behind, scheme)
        let (user, password, place) = try login(authority)
        if user != nil || password != nil, scheme == .udp || scheme == .srt {
            throw Self.refusal("a \(schemeName):// address takes no name and password", "leave them out; SRT has ?passphrase=")
        }
        let (host, port) = try hostAndPort(place)
        let isAnyHost = host.isEmpty && port != nil && (scheme == .udp || scheme == .srt)
        guard !host.isEmpty || isAnyHost else { throw Self.refusal("a \(schemeName):// address names no host") }
        let path = behind.prefix { $0 != "?" }
        let query = path.endIndex == behind.endIndex ? nil : String(behind[path.endIndex...].dropFirst())
        guard MediaAddress.decoded(String(behind)) != nil else { throw Self.badEscape("the path of a \(schemeName):// address") }
        return MediaAddress(scheme: scheme, user: user, password: password, host: host, port: port, path: String(path), query: query)
    }

    /// An `@` behind the first `/` may belong to a password that has a `/` in it: printing the rest as host and path would
    /// show it. The values of a query are not printed.
    private func checkIsUnambiguous(_ authority: Substring, _ behind: Substring, _ scheme: MediaAddress.Scheme) throws(MediaError) {
        var open = behind
        if let question = behind.firstIndex(of: "?"), ![.rtsp, .rtsps, .rtmp, .rtmps].contains(scheme) {
            let query = behind[question...]
            if let equals = query.firstIndex(of: "=") { open = behind[..<equals] }
        }
        if let at = open.lastIndex(of: "@"), authority.contains(":") || behind[..<at].contains(":") {
            throw Self.refusal(
                "a \(schemeName):// address has an @ behind its first / or ?",
                "write %40 for an @ in the path, %2F for a / and %3F for a ? in the password, or give the password apart")
        }
        if behind.contains("#") { throw Self.refusal("a \(schemeName):// address has a # in it", "write %23 for it") }
    }

    private func login(_ authority: Substring) throws(MediaError) -> (user: String?, password: String?, place: Substring) {
        guard let at = authority.lastIndex(of: "@") else { return (nil, nil, authority) }
        let info = authority[..<at]
        let name = info.prefix { $0 != ":" }
        let word = name.endIndex == info.endIndex ? nil : String(info[name.endIndex...].dropFirst())
        let user = try unescaped(String(name))
        let password = try word.map { (word) throws(MediaError) in try unescaped(word) }
        return (user.isEmpty ? nil : user, password, authority[authority.index(after: at)...])
    }

    private func unescaped(_ text: String) throws(MediaError) -> String {
        guard let plain = MediaAddress.decoded(text) else { throw Self.badEscape("the name or password of a \(schemeName):// address") }
        guard !plain.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
            throw Self.refusal("the name or password of a \(schemeName):// address has a control character in it", nil)
        }
        return plain
    }

    private static func badEscape(_ place: String) -> MediaError {
        refusal("\(place) has a % that is no escape of UTF-8 text", "write %25 for a % itself")
    }

    private func hostAndPort(_ place: Substring) throws(MediaError) -> (host: String, port: Int?) {
        var host = place.prefix { $0 != ":" }
        var behind = place[host.endIndex...]
        let isBracketed = place.hasPrefix("[")
        if isBracketed {
            guard let end = place.firstIndex(of: "]") else { throw badHost() }
            host = place[..<end].dropFirst()
            behind = place[place.index(after: end)...]
        }
        func isAllowed(_ byte: UInt8) -> Bool {
            isBracketed ? (MediaAddress.isUnreserved(byte) || ":%".utf8.contains(byte)) : MediaAddress.isUnreserved(byte)
        }
        guard host.utf8.allSatisfy(isAllowed), host.utf8.count <= 253, !isBracketed || host.contains(":") else { throw badHost() }
        guard !behind.isEmpty else { return (String(host), nil) }
        let digits = behind.dropFirst()
        guard behind.hasPrefix(":"), !digits.isEmpty, digits.utf8.count <= 5, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(digits), (1...65535).contains(port)
        else {
            throw Self.refusal(
                "the port of a \(schemeName):// address is no number from 1 to 65535",
                "give the password apart, or escape it, where the address has one with special characters")
        }
        return (String(host), port)
    }

    private func badHost() -> MediaError {
        Self.refusal("the host of a \(schemeName):// address is no name and no number", "put an IPv6 address into [ ]")
    }
}
