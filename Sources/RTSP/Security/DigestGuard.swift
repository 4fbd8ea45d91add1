/// Lets in who knows the password, by Digest authentication (RFC 7616; RFC 2617 and 2069 for old players). Basic, which
/// sends the password as it is, is not offered.
struct DigestGuard: Sendable {
    enum Verdict: Equatable {
        case admitted(Admission)
        /// No credentials yet, or a nonce that is too old, another connection's, or used up: every player starts like this.
        case challenged(stale: Bool)
        /// Wrong user or password.
        case denied
    }

    /// What a connection was let in with.
    struct Admission: Equatable {
        var nonce: String
        /// The highest of the client's counts so far (`nc`); 0 where it does not count.
        var count: UInt32 = 0
    }

    private static let realm = "solstice"
    /// Nanoseconds that a nonce is good for.
    static let nonceLifetime: UInt64 = 300 * 1_000_000_000

    private let user: String
    /// Hashes of user, realm and password.
    private let accounts: [DigestHash: String]
    private let mint: NonceMint

    init(_ credentials: RTSPServerConfiguration.Credentials, mint: NonceMint = NonceMint(lifetime: Self.nonceLifetime)) {
        user = credentials.user
        accounts = Dictionary(
            uniqueKeysWithValues: DigestHash.allCases.map {
                ($0, $0("\(credentials.user):\(Self.realm):\(credentials.password)"))
            })
        self.mint = mint
    }

    /// - Parameters:
    ///   - connection: tells the connection from every other one: what somebody has overheard on one is refused on another.
    ///   - admission: what this connection was let in with before. Its nonce stays good for as long as the connection does:
    ///     players keep a session alive for days and few of them look at the answer.
    ///   - isOurs: whether an address means the stream of this server.
    func check(
        _ request: Request, on connection: String, admission: Admission?, at now: UInt64, isOurs: (String) -> Bool
    ) -> Verdict {
        guard let header = request["Authorization"] else { return .challenged(stale: false) }
        guard let given = DigestCredentials(parsing: header) else { return .denied }
        let freshness = given.nonce == admission?.nonce ? .fresh : mint.verdict(on: given.nonce, from: connection, at: now)
        // A nonce of another connection, or of an earlier run of this server: the player has to ask again.
        guard freshness != .forged else { return .challenged(stale: true) }
        let expected = given.hash.response(
            account: accounts[given.hash] ?? "", nonce: given.nonce, protection: given.protection, method: request.method,
            uri: given.uri)
        let isRight = [
            ConstantTime.equal(expected, given.response), ConstantTime.equal(user, given.user), given.realm == Self.realm,
            given.uri == request.uri || isOurs(given.uri),
        ]
        guard isRight.allSatisfy({ $0 }) else { return .denied }
        guard freshness == .fresh else { return .challenged(stale: true) }
        let known = given.nonce == admission?.nonce ? admission?.count ?? 0 : 0
        // Who counts uses no count twice (RFC 7616, 3.4), so this one is a copy.
        guard let count = given.protection.map({ $0.number }) else { return .admitted(Admission(nonce: given.nonce, count: known)) }
        return count > known ? .admitted(Admission(nonce: given.nonce, count: count)) : .challenged(stale: true)
    }

    /// The best hash first, MD5 last: players that read one challenge only take the last one.
    func challenges(on connection: String, stale: Bool, at now: UInt64) -> [Header] {
        let nonce = mint.make(for: connection, at: now)
        return DigestHash.allCases.map { hash in
            var value = "Digest realm=\"\(Self.realm)\", nonce=\"\(nonce)\", algorithm=\(hash.rawValue)"
            // Players that know SHA-256 know `qop` too; of the others many do not.
            if hash != .md5 { value += ", qop=\"auth\"" }
            if stale { value += ", stale=true" }
            return Header("WWW-Authenticate", value)
        }
    }
}
