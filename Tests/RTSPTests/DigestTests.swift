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
            account: hash("Mufasa:\(realm):\(password)"), nonce: nonce, protection: DigestCredentials.Protection(count: "00000001", clientNonce: client),
            method: "GET", uri: "/dir/index.html")
        #expect(answer == response)
    }

    private static let second: UInt64 = 1_000_000_000
    private let digest = DigestGuard(
        .init(user: "night", password: "owl"), mint: NonceMint(lifetime: 10 * second))

    private func nonce(_ connection: String, at now: UInt64) -> String {
        let header = digest.challenges(on: connection, stale: false, at: now)[0].value
        return HeaderParameters.parse(header.dropFirst("Digest ".count))?["nonce"] ?? ""
    }

    private func request(_ nonce: String, password: String = "owl", uri: String = "rtsp://h/night", hash: DigestHash = .md5, count: String? = nil) -> Request {
        let protection = count.flatMap { DigestCredentials.Protection(count: $0, clientNonce: "c") }
        let response = hash.response(
            account: hash("night:solstice:\(password)"), nonce: nonce, protection: protection, method: "DESCRIBE", uri: uri)
        let value = "Digest username=\"night\", realm=\"solstice\", nonce=\"\(nonce)\", uri=\"\(uri)\", response=\"\(response)\", "
            + "algorithm=\(hash.rawValue)" + (count.map { ", qop=auth, nc=\($0), cnonce=\"c\"" } ?? "")
        return Request(method: "DESCRIBE", uri: "rtsp://h/night", headers: [Header("Authorization", value)])
    }

    private func verdict(_ request: Request, connection: String = "one", admitted: DigestGuard.Admission? = nil, at now: UInt64 = 5 * second) -> DigestGuard.Verdict {
        digest.check(request, on: connection, admission: admitted, at: now) { $0.hasSuffix("/night") }
    }

    @Test(arguments: DigestHash.allCases) func admitsWhoKnowsThePassword(_ hash: DigestHash) {
        let nonce = nonce("one", at: 0)
        #expect(verdict(request(nonce, hash: hash)) == .admitted(.init(nonce: nonce)))
        #expect(verdict(request(nonce, password: "no", hash: hash)) == .denied)
    }

    @Test func noncesExpireButNotOnTheConnectionThatUsedThem() {
        let nonce = nonce("one", at: 0)
        #expect(verdict(request(nonce), at: 11 * Self.second) == .challenged(stale: true))
        #expect(verdict(request(nonce), admitted: .init(nonce: nonce), at: 11 * Self.second) == .admitted(.init(nonce: nonce)))
        #expect(verdict(request(nonce), connection: "another") == .challenged(stale: true))
        #expect(verdict(request("0" + nonce.dropFirst())) == .challenged(stale: true) || nonce.hasPrefix("0"))
    }

    /// RFC 7616, 3.4: a count is used once for each nonce.
    @Test func aCountIsGoodForOneRequest() {
        let nonce = nonce("one", at: 0)
        #expect(verdict(request(nonce, count: "00000001")) == .admitted(.init(nonce: nonce, count: 1)))
        let known = DigestGuard.Admission(nonce: nonce, count: 0x1f)
        #expect(verdict(request(nonce, count: "00000020"), admitted: known) == .admitted(.init(nonce: nonce, count: 0x20)))
        for copy in ["0000001f", "00000001", "00000000"] { #expect(verdict(request(nonce, count: copy), admitted: known) == .challenged(stale: true), "\(copy)") }
        // A nonce that it got meanwhile begins anew.
        let next = self.nonce("one", at: 1)
        #expect(verdict(request(next, count: "00000001"), admitted: known) == .admitted(.init(nonce: next, count: 1)))
        for nonsense in ["+1", "x", "000000001", ""] {
            #expect(DigestCredentials.Protection(count: nonsense, clientNonce: "c") == nil, "\(nonsense)")
        }
    }

    @Test func refusesOtherAddressesAndNonsense() {
        let nonce = nonce("one", at: 0)
        #expect(verdict(request(nonce, uri: "rtsp://h/other")) == .denied)
        #expect(verdict(Request(method: "DESCRIBE", uri: "rtsp://h/night")) == .challenged(stale: false))
        let basic = Request(method: "DESCRIBE", uri: "rtsp://h/night", headers: [Header("Authorization", "Basic bmlnaHQ6b3ds")])
        #expect(verdict(basic) == .denied)
    }

    @Test func challengesOfferBothHashesAndNoBasic() {
        let values = digest.challenges(on: "one", stale: true, at: 0).map(\.value)
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
