import Testing

@testable import RTSP

@Suite struct DigestTests {
    /// RFC 7616, 3.9.1, and RFC 2617, 3.5.
    @Test(arguments: [
        (DigestHash.md5, "http-auth@example.org", "Circle of Life", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
         "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec"),
        (.sha256, "http-auth@example.org", "Circle of Life", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
         "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        (.md5, "testrealm@host.com", "Circle Of Life", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b",
         "6629fae49393a05397450978507c4ef1"),
    ]) func vectors(_ hash: DigestHash, _ realm: String, _ password: String, _ nonce: String, _ client: String, _ response: String) {
        let answer = hash.response(
            account: hash("Mufasa:\(realm):\(password)"), nonce: nonce, protection: .init(count: "00000001", clientNonce: client),
            method: "GET", uri: "/dir/index.html")
        #expect(answer == response)
    }

    private static let second: UInt64 = 1_000_000_000
    private let digest = DigestGuard(
        .init(user: "night", password: "owl"), mint: NonceMint(lifetime: 10 * second))

    private func nonce(_ peer: String, at now: UInt64) -> String {
        let header = digest.challenges(for: peer, stale: false, at: now)[0].value
        return HeaderParameters.parse(header.dropFirst("Digest ".count))?["nonce"] ?? ""
    }

    private func request(_ nonce: String, password: String = "owl", uri: String = "rtsp://h/night", hash: DigestHash = .md5) -> Request {
        let response = hash.response(
            account: hash("night:solstice:\(password)"), nonce: nonce, protection: nil, method: "DESCRIBE", uri: uri)
        let value = "Digest username=\"night\", realm=\"solstice\", nonce=\"\(nonce)\", uri=\"\(uri)\", response=\"\(response)\", "
            + "algorithm=\(hash.rawValue)"
        return Request(method: "DESCRIBE", uri: "rtsp://h/night", headers: [Header("Authorization", value)])
    }

    private func verdict(_ request: Request, peer: String = "1.2.3.4", admitted: String? = nil, at now: UInt64 = 5 * second) -> DigestGuard.Verdict {
        digest.check(request, from: peer, admittedNonce: admitted, at: now) { $0.hasSuffix("/night") }
    }

    @Test(arguments: DigestHash.allCases) func admitsWhoKnowsThePassword(_ hash: DigestHash) {
        let nonce = nonce("1.2.3.4", at: 0)
        #expect(verdict(request(nonce, hash: hash)) == .admitted(nonce: nonce))
        #expect(verdict(request(nonce, password: "no", hash: hash)) == .denied)
    }

    @Test func noncesExpireButNotOnTheConnectionThatUsedThem() {
        let nonce = nonce("1.2.3.4", at: 0)
        #expect(verdict(request(nonce), at: 11 * Self.second) == .challenged(stale: true))
        #expect(verdict(request(nonce), admitted: nonce, at: 11 * Self.second) == .admitted(nonce: nonce))
        #expect(verdict(request(nonce), peer: "4.3.2.1") == .challenged(stale: true))
        #expect(verdict(request("0" + nonce.dropFirst())) == .challenged(stale: true) || nonce.hasPrefix("0"))
    }

    @Test func refusesOtherAddressesAndNonsense() {
        let nonce = nonce("1.2.3.4", at: 0)
        #expect(verdict(request(nonce, uri: "rtsp://h/other")) == .denied)
        #expect(verdict(Request(method: "DESCRIBE", uri: "rtsp://h/night")) == .challenged(stale: false))
        let basic = Request(method: "DESCRIBE", uri: "rtsp://h/night", headers: [Header("Authorization", "Basic bmlnaHQ6b3ds")])
        #expect(verdict(basic) == .denied)
    }

    @Test func challengesOfferBothHashesAndNoBasic() {
        let values = digest.challenges(for: "1.2.3.4", stale: true, at: 0).map(\.value)
        #expect(values.count == 2 && values[0].contains("algorithm=SHA-256") && values[1].contains("algorithm=MD5"))
        #expect(values.allSatisfy { $0.hasPrefix("Digest ") && $0.hasSuffix("stale=true") })
    }

    @Test func passwordIsNeverShown() {
        let credentials = RTSPServerConfiguration.Credentials(user: "night", password: "owl-secret")
        var text = ""
        dump(RTSPServerConfiguration(path: "night", credentials: credentials), to: &text)
        #expect(!"\(credentials)\(String(reflecting: credentials))\(text)".contains("owl-secret"))
    }
}
