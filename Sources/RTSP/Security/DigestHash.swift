internal import Crypto

/// The hashes of Digest authentication that are offered.
enum DigestHash: String, Sendable, CaseIterable {
    case sha256 = "SHA-256"
    /// For the many players that know no other (RFC 2069, RFC 2617).
    case md5 = "MD5"

    func callAsFunction(_ text: String) -> String {
        switch self {
        case .sha256: SHA256.hash(data: Array(text.utf8)).hex
        case .md5: Insecure.MD5.hash(data: Array(text.utf8)).hex
        }
    }

    /// RFC 7616, 3.4.1: with `protection`, or as RFC 2069 without.
    ///
    /// - Parameter account: hash of user, realm and password.
    func response(account: String, nonce: String, protection: DigestCredentials.Protection?, method: String, uri: String) -> String {
        let request = self("\(method):\(uri)")
        guard let protection else { return self("\(account):\(nonce):\(request)") }
        return self("\(account):\(nonce):\(protection.count):\(protection.clientNonce):auth:\(request)")
    }
}

/// An `Authorization` header (RFC 7616, 3.4).
struct DigestCredentials: Sendable, Equatable {
    /// What `qop=auth` adds.
    struct Protection: Sendable, Equatable {
        /// As it was sent, which is what was hashed.
        let count: String
        let number: UInt32
        let clientNonce: String

        /// Nil for a count that is no hexadecimal number of up to 8 digits.
        init?(count: String, clientNonce: String) {
            guard count.utf8.count <= 8, !count.hasPrefix("+"), let number = UInt32(count, radix: 16) else { return nil }
            (self.count, self.number, self.clientNonce) = (count, number, clientNonce)
        }
    }

    let user: String
    let realm: String
    let nonce: String
    let uri: String
    let response: String
    let hash: DigestHash
    let protection: Protection?

    /// Nil for another scheme, an algorithm that is not offered, and what cannot be read.
    init?(parsing header: String) {
        guard let space = header.firstIndex(of: " "), header[..<space].equalsIgnoringCase("Digest") else { return nil }
        guard let values = HeaderParameters.parse(header[space...]) else { return nil }
        guard let user = values["username"], let realm = values["realm"], let nonce = values["nonce"], let uri = values["uri"],
            let response = values["response"]
        else { return nil }
        guard let hash = DigestHash(rawValue: (values["algorithm"] ?? DigestHash.md5.rawValue).uppercased()) else { return nil }
        (self.user, self.realm, self.nonce, self.uri, self.hash) = (user, realm, nonce, uri, hash)
        self.response = response.lowercased()
        guard let quality = values["qop"] else {
            protection = nil
            return
        }
        guard quality.equalsIgnoringCase("auth"), let count = values["nc"], let clientNonce = values["cnonce"],
            let protection = Protection(count: count, clientNonce: clientNonce)
        else { return nil }
        self.protection = protection
    }
}

/// `name=value, name="quoted value"` lists of authentication headers (RFC 7235, 2.1).
enum HeaderParameters {
    /// Names in lower case. Nil where a quote is not closed or a name is given twice.
    static func parse(_ text: some StringProtocol) -> [String: String]? {
        var result: [String: String] = [:]
        var rest = Array(text.utf8)[...]
        while true {
            rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: ",") }
            if rest.isEmpty { return result }
            let name = rest.prefix { $0.isToken }
            rest = rest[name.endIndex...].drop { $0 == UInt8(ascii: " ") }
            guard !name.isEmpty, rest.popFirst() == UInt8(ascii: "=") else { return nil }
            rest = rest.drop { $0 == UInt8(ascii: " ") }
            guard let value = takeValue(&rest) else { return nil }
            let key = String(decoding: name, as: UTF8.self).lowercased()
            guard result.updateValue(String(decoding: value, as: UTF8.self), forKey: key) == nil else { return nil }
        }
    }

    private static func takeValue(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard rest.first == UInt8(ascii: "\"") else {
            let value = rest.prefix { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: " ") }
            rest = rest[value.endIndex...]
            return Array(value)
        }
        rest.removeFirst()
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return value }
            guard byte == UInt8(ascii: "\\") else {
                value.append(byte)
                continue
            }
            guard let escaped = rest.popFirst() else { return nil }
            value.append(escaped)
        }
        return nil
    }
}

extension Sequence<UInt8> {
    var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
