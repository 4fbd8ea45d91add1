internal import Crypto
internal import Foundation
internal import Hummingbird

/// Who may in: those that show the token, or the cookie that the page's form gave them for it.
struct Access: Sendable {
    private let tokenDigest: SHA256Digest?
    private let key: SymmetricKey
    private let cookie: String
    static let sessionSeconds = 30.0 * 24 * 3600

    /// `port` tells the cookies of several daemons on one host apart: browsers do not.
    init(token: String?, port: Int) {
        tokenDigest = token.map { SHA256.hash(data: Data($0.utf8)) }
        // From the token: sessions outlast a restart, and end with a new token.
        key = SymmetricKey(data: SHA256.hash(data: Data("solstice session \(token ?? "")".utf8)))
        cookie = "solstice-\(port)"
    }

    var needsToken: Bool { tokenDigest != nil }

    /// Digests are compared, in constant time: how much of a guess was right does not show.
    func accepts(token: String) -> Bool { tokenDigest.map { $0 == SHA256.hash(data: Data(token.utf8)) } ?? true }

    func allows(_ headers: HTTPFields, now: Date = Date()) -> Bool {
        guard needsToken else { return true }
        if let authorization = headers[.authorization] {
            let parts = authorization.split(separator: " ", maxSplits: 1)
            return parts.count == 2 && parts[0].lowercased() == "bearer" && accepts(token: String(parts[1]))
        }
        return headers[values: .cookie].contains { isSession(inCookies: $0, now: now) }
    }

    /// Throws 401 where the request shows neither.
    func check(_ headers: HTTPFields) throws(Problem) {
        guard !allows(headers) else { return }
        throw Problem(.unauthorized, "unauthorized", "a valid token is needed", remedy: "send it as Authorization: Bearer, or log in on the page")
            .with("WWW-Authenticate", "Bearer realm=\"solstice\"")
    }

    /// `Set-Cookie` of a new session: not for scripts, not from other sites (RFC 6265bis).
    func sessionCookie(isSecure: Bool, now: Date = Date()) -> String {
        let expiry = String(Int(now.timeIntervalSince1970 + Self.sessionSeconds))
        let value = "\(expiry).\(Self.hex(HMAC<SHA256>.authenticationCode(for: Data(expiry.utf8), using: key)))"
        return setCookie(value, maximumAge: Int(Self.sessionSeconds), isSecure: isSecure)
    }

    func noSessionCookie(isSecure: Bool) -> String { setCookie("", maximumAge: 0, isSecure: isSecure) }

    private func setCookie(_ value: String, maximumAge: Int, isSecure: Bool) -> String {
        "\(cookie)=\(value); Path=/; Max-Age=\(maximumAge); HttpOnly; SameSite=Strict" + (isSecure ? "; Secure" : "")
    }

    private func isSession(inCookies header: String, now: Date) -> Bool {
        for pair in header.split(separator: ";") {
            let parts = pair.trimmingCharacters(in: .whitespaces).split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0] == cookie else { continue }
            let fields = parts[1].split(separator: ".")
            guard fields.count == 2, let expiry = Double(fields[0]), expiry > now.timeIntervalSince1970, let code = Self.bytes(hex: fields[1]) else { continue }
            if HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: Data(fields[0].utf8), using: key) { return true }
        }
        return false
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(hex: Substring) -> [UInt8]? {
        let digits = Array(hex.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for at in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[at...at + 1], as: UTF8.self), radix: 16) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}
