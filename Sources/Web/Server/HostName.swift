internal import Foundation

/// The host of an address or of a `Host` header, without its port.
struct HostName: Equatable {
    /// Lower case, without brackets and a closing dot.
    let text: String

    init(_ text: String) {
        var name = text.lowercased()
        if name.hasPrefix("["), name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
        if name.hasSuffix(".") { name.removeLast() }
        self.text = name
    }

    /// The host of `name`, `name:port`, `[address]` or `[address]:port` (RFC 9110, 7.2); nil where it is none of these.
    init?(header: String) {
        guard let authority = Authority(header) else { return nil }
        self = authority.host
    }

    /// A number stands for itself: nobody can have it resolve to something else.
    var isAddress: Bool { ipv4 != nil || ipv6 != nil }

    var isLoopback: Bool {
        if text == "localhost" || text.hasSuffix(".localhost") { return true }
        if let ipv4 { return ipv4[0] == 127 }
        guard let ipv6 else { return false }
        if ipv6 == [UInt8](repeating: 0, count: 15) + [1] { return true }
        return ipv6.starts(with: [UInt8](repeating: 0, count: 10) + [255, 255, 127])
    }

    private var ipv4: [UInt8]? {
        var address = in_addr()
        guard inet_pton(AF_INET, text, &address) == 1 else { return nil }
        return withUnsafeBytes(of: &address) { Array($0) }
    }

    private var ipv6: [UInt8]? {
        var address = in6_addr()
        let number = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)[0]
        guard inet_pton(AF_INET6, String(number), &address) == 1 else { return nil }
        return withUnsafeBytes(of: &address) { Array($0) }
    }
}

/// A host with its port, as in a `Host` header and behind the scheme of an `Origin`.
struct Authority: Equatable {
    let host: HostName
    let port: Int?

    /// Nil where `text` is not `host` or `host:port`.
    init?(_ text: String) {
        var host = Substring(text), rest = Substring()
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[...end]
            rest = text[text.index(after: end)...]
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            rest = text[colon...]
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "@") }) else { return nil }
        if rest.isEmpty {
            port = nil
        } else {
            guard rest.first == ":", let number = UInt16(rest.dropFirst()) else { return nil }
            port = Int(number)
        }
        self.host = HostName(String(host))
    }
}
