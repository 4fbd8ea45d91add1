internal import Crypto

/// Makes nonces that carry their own time and seal, so that none has to be kept: a flood of clients costs no memory.
struct NonceMint: Sendable {
    enum Verdict: Equatable { case fresh, expired, forged }

    private let key: SymmetricKey
    /// Nanoseconds.
    private let lifetime: UInt64

    init(key: SymmetricKey = SymmetricKey(size: .bits256), lifetime: UInt64) {
        self.key = key
        self.lifetime = lifetime
    }

    /// - Parameters:
    ///   - connection: tells the client's connection from every other one: a nonce that was overheard is of no use there.
    ///   - now: nanoseconds of the monotonic clock.
    func make(for connection: String, at now: UInt64) -> String {
        let stamp = Self.bytes(of: now)
        return (stamp + seal(stamp, connection)).hex
    }

    func verdict(on nonce: String, from connection: String, at now: UInt64) -> Verdict {
        guard nonce.utf8.count == 2 * (8 + Self.sealSize), let made = UInt64(nonce.prefix(16), radix: 16) else { return .forged }
        let stamp = Self.bytes(of: made)
        guard ConstantTime.equal((stamp + seal(stamp, connection)).hex, nonce) else { return .forged }
        return now >= made && now - made <= lifetime ? .fresh : .expired
    }

    private static let sealSize = 16

    private func seal(_ stamp: [UInt8], _ connection: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: stamp + Array(connection.utf8), using: key).prefix(Self.sealSize))
    }

    private static func bytes(of value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * UInt64($0))) } }
}

enum ConstantTime {
    /// Takes the same time wherever the first difference is, so that an answer cannot be found byte by byte.
    static func equal(_ left: String, _ right: String) -> Bool {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
