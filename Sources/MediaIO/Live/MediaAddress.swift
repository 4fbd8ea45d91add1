/// Where live video comes from or goes to: an address with a scheme (RFC 3986), a Video4Linux device, or a file.
///
/// Whatever is printed of it (`description`, `scrubbed`) is free of passwords, keys in queries and control characters.
public struct MediaAddress: Sendable, Hashable, CustomStringConvertible {
    public enum Scheme: String, Sendable, CaseIterable {
        case rtsp, rtsps, rtmp, rtmps, http, https, udp, srt
        /// A capture device of Video4Linux, such as `/dev/video0`.
        case device
        case file
    }

    public let scheme: Scheme
    public internal(set) var user: String?
    /// A name or a number, an IPv6 one without brackets; empty for files, devices, and where any host is meant (`udp://:1234`).
    public let host: String
    public let port: Int?
    /// What follows the host, from its `/` to before a `?`, with its escapes; of a file or device the path itself.
    public let path: String
    let query: String?
    var secret: Secret?

    /// A password: kept apart so that not even a dump of an address shows it.
    struct Secret: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
        let text: String
        var description: String { MediaAddress.hidden }
        var customMirror: Mirror { Mirror(self, children: []) }
    }

    static let hidden = "***"

    init(
        scheme: Scheme, user: String? = nil, password: String? = nil, host: String = "", port: Int? = nil, path: String,
        query: String? = nil
    ) {
        self.scheme = scheme
        self.user = user
        self.host = host
        self.port = port
        self.path = path
        self.query = query
        secret = password.map { Secret(text: $0) }
    }

    public var hasPassword: Bool { secret != nil }

    /// This address with another password, and where `user` is not nil with another user name.
    public func authenticated(user: String?, password: String) -> MediaAddress {
        var address = self
        if let user { address.user = user }
        address.secret = Secret(text: password)
        return address
    }

    // MARK: - For people

    /// The address to be printed: `***` takes the place of the password, of all values in the query, of what stands behind a
    /// `=` in the path, where some cameras want their password, and of the stream key of RTMP.
    public var description: String {
        switch scheme {
        case .file, .device: return Self.printable(path)
        default: break
        }
        var text = "\(scheme.rawValue)://"
        if user != nil || secret != nil {
            text += Self.encoded(user ?? "", keeping: Self.isPlainInUserInfo) + (secret == nil ? "" : ":\(Self.hidden)") + "@"
        }
        return text + Self.printable(hostAndPort + Self.withoutValues(pathWithoutKey) + (query.map { "?" + Self.withoutWords($0) } ?? ""))
    }

    /// The last part of an RTMP path, behind the application's: who knows it may publish, so that it is as good as a password.
    private var streamKey: Substring? {
        guard scheme == .rtmp || scheme == .rtmps else { return nil }
        let parts = path.split(separator: "/")
        return parts.count > 1 ? parts.last : nil
    }

    private var pathWithoutKey: String {
        guard let key = streamKey else { return path }
        return path[..<key.startIndex] + Self.hidden + path[key.endIndex...]
    }

    /// `text`, libav's or a server's words, without the secrets of this address or of others in it, and safe to print.
    func scrubbed(_ text: String) -> String {
        var result = text.replacing(url, with: description)
        for secret in secrets.sorted(by: { $0.count > $1.count }) { result = Self.replacing(secret, in: result) }
        return Self.printable(Self.withoutForeignSecrets(result))
    }

    /// `error` with its words scrubbed.
    func scrubbed(_ error: MediaError) -> MediaError {
        var error = error
        error.message = scrubbed(error.message)
        error.cause = error.cause.map { scrubbed($0) }
        return error
    }

    /// All that must not be shown, in every form that libav may print it in.
    private var secrets: Set<String> {
        var secrets: Set<String> = []
        if let password = secret?.text { secrets = [password, Self.encoded(password, keeping: Self.isPlainInUserInfo)] }
        guard scheme != .file, scheme != .device else { return secrets.filter { !$0.isEmpty } }
        let pieces = [path, query ?? ""].flatMap { $0.split(whereSeparator: { "&;/".contains($0) }) }
        let values = pieces.compactMap { piece in piece.firstIndex(of: "=").map { piece[piece.index(after: $0)...] } }
        // Of a shorter one every number of an answer might be a part; whole addresses are hidden all the same.
        for value in (values + [streamKey].compactMap { $0 }).map(String.init) where value.count >= 4 {
            secrets.formUnion([value, Self.encoded(value, keeping: Self.isPlainInPath), Self.decoded(value) ?? value])
        }
        return secrets.filter { !$0.isEmpty }
    }

    // MARK: - For libav

    /// The address with its secrets, escaped so that libav takes it apart as it was meant.
    var url: String {
        switch scheme {
        case .file: return SourceFile.url(path)
        case .device: return path
        default: break
        }
        var text = "\(scheme.rawValue)://"
        if user != nil || secret != nil {
            text += Self.encoded(user ?? "", keeping: Self.isPlainInUserInfo)
            if let secret { text += ":" + Self.encoded(secret.text, keeping: Self.isPlainInUserInfo) }
            text += "@"
        }
        let rest = path + (query.map { "?" + $0 } ?? "")
        return text + hostAndPort + Self.encoded(rest, keeping: Self.isPlainInPath)
    }

    /// Throws `.unsupportedOption` where libav's RTSP client would cut the address off: it has room for 127 bytes of name
    /// and password, and for 1023 of path and query.
    func checkLengths() throws(MediaError) {
        guard scheme == .rtsp || scheme == .rtsps else { return }
        let login = [user, secret?.text].compactMap { $0 }.map { Self.encoded($0, keeping: Self.isPlainInUserInfo).utf8.count }
        let rest = Self.encoded(path + (query ?? ""), keeping: Self.isPlainInPath).utf8.count
        guard login.reduce(1, +) > 127 || rest > 1000 else { return }
        throw MediaError(
            .unsupportedOption, "the name, password or path of \(description) is too long for RTSP", remedy: "use a shorter one")
    }

    private var hostAndPort: String {
        (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "")
    }
}
