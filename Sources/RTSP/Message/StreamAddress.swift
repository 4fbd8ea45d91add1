/// What a request's address names.
enum StreamAddress: Equatable {
    /// `*`: the server.
    case server
    /// The whole stream.
    case stream
    case track(Int)
    case other

    /// - Parameter path: of the stream, as `normalised` makes it.
    ///
    /// Players put addresses together in many ways, so a slash at the end, a query before or behind the track's part, and
    /// `trackID=` and `streamid=` in any case are all taken.
    init(_ uri: String, path: String) {
        guard uri != "*" else {
            self = .server
            return
        }
        guard let raw = Self.path(of: uri) else {
            self = .other
            return
        }
        var (base, track) = Self.splitTrack(raw)
        if let query = base.firstIndex(of: "?") { base = String(base[..<query]) }
        // rtsp://host/night/trackID=0?query
        if track == nil { (base, track) = Self.splitTrack(base) }
        guard Self.normalised(base) == path else {
            self = .other
            return
        }
        self = track.map(StreamAddress.track) ?? .stream
    }

    /// Without slashes around it, and with %-escapes resolved.
    static func normalised(_ path: some StringProtocol) -> String {
        let bytes = Array(path.utf8)
        var result: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "%"), at + 2 < bytes.count,
                let value = UInt8(String(decoding: bytes[at + 1...at + 2], as: UTF8.self), radix: 16)
            {
                result.append(value)
                at += 3
            } else {
                result.append(bytes[at])
                at += 1
            }
        }
        return String(decoding: result, as: UTF8.self).split(separator: "/", omittingEmptySubsequences: true).joined(separator: "/")
    }

    /// The address that tracks are named under: as the client wrote it, without account, query and track, with a slash at
    /// the end; nil where the request has no full address.
    static func base(of uri: String) -> String? {
        guard let rest = uri.withoutScheme else { return nil }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        guard var path = path(of: uri), !host.isEmpty else { return nil }
        path = splitTrack(path).base
        if let query = path.firstIndex(of: "?") { path = String(path[..<query]) }
        path = splitTrack(path).base
        while path.hasSuffix("/") { path.removeLast() }
        return "rtsp://\(host)\(path)/"
    }

    /// From the first slash behind the host on, query included; nil for an address that is not RTSP's.
    private static func path(of uri: String) -> String? {
        if uri.hasPrefix("/") { return uri }
        guard let rest = uri.withoutScheme else { return nil }
        return String(rest.drop { $0 != "/" && $0 != "?" })
    }

    private static func splitTrack(_ path: String) -> (base: String, track: Int?) {
        let trimmed = path.hasSuffix("/") ? String(path.dropLast()) : path
        guard let slash = trimmed.lastIndex(of: "/") else { return (path, nil) }
        let name = trimmed[trimmed.index(after: slash)...]
        for prefix in ["trackID=", "streamid="] where name.count > prefix.count {
            if name.prefix(prefix.count).equalsIgnoringCase(prefix), let number = UInt8(name.dropFirst(prefix.count)) {
                return (String(trimmed[..<slash]), Int(number))
            }
        }
        return (path, nil)
    }
}

extension String {
    fileprivate var withoutScheme: Substring? {
        for scheme in ["rtsp://", "rtspu://"] where prefix(scheme.count).equalsIgnoringCase(scheme) {
            return dropFirst(scheme.count)
        }
        return nil
    }
}
