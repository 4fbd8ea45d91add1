import Foundation
import Testing
import TestSupport

@testable import RTSP

@Suite struct ServerTests {
    private static let tcp = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"

    /// A session over TCP that plays the video.
    private func play(_ test: TestServer, receiveBuffer: Int32? = nil) throws -> (RawClient, String) {
        let client = try RawClient(port: test.port, receiveBuffer: receiveBuffer)
        let session = try #require(client.ask("SETUP", "/night/trackID=0", [Self.tcp]).session)
        #expect(try client.ask("PLAY", "/night/", ["Session: \(session)", "Range: npt=0-"]).status == 200)
        return (client, session)
    }

    @Test func answersWhatTheMethodsAsk() async throws {
        let test = try await TestServer(describing: nil)
        let client = try RawClient(port: test.port)
        #expect(try client.ask("OPTIONS", "*").header("Server") == "solstice")
        let early = try client.ask("DESCRIBE")
        #expect(early.status == 503 && early.header("Retry-After") != nil)
        test.server.describe(TestStream.plain)
        let described = try client.ask("DESCRIBE", "/night?x=y", ["Accept: application/sdp"])
        #expect(described.status == 200 && described.text.contains("a=control:trackID=1\r\n"))
        #expect(described.header("Content-Base") == "rtsp://127.0.0.1:\(test.port)/night/")
        let refused: [(String, String, [String], Int)] = [
            ("DESCRIBE", "/other", [], 404), ("DESCRIBE", "/night", ["Accept: text/html"], 406), ("FLY", "/night", [], 501),
            ("ANNOUNCE", "/night", [], 405), ("RECORD", "/night", [], 405), ("PLAY", "/night", [], 454),
            ("PAUSE", "/night", ["Session: 123"], 454), ("TEARDOWN", "/night", ["Session: 123"], 454),
            ("SETUP", "/night", [Self.tcp], 459), ("SETUP", "/night/trackID=9", [Self.tcp], 404),
            ("SETUP", "/night/trackID=0", ["Transport: RTP/SAVP"], 461), ("SETUP", "/night/trackID=0", [], 400),
            ("SETUP", "/night/trackID=0", ["Transport: RTP/AVP;unicast;destination=10.1.1.1;client_port=5000-5001"], 461),
            ("OPTIONS", "/night", ["Require: flying"], 551), ("GET_PARAMETER", "/night", ["Session: 123"], 454),
        ]
        for (method, path, headers, status) in refused {
            #expect(try client.ask(method, path, headers).status == status, "\(method) \(path) \(headers)")
        }
        #expect(try client.ask("GET_PARAMETER").status == 200)
        #expect(try client.ask("SET_PARAMETER", body: "volume: 11").status == 451)
        await test.server.stop()
    }

    @Test func interleavedSessionFromSetUpToTearDown() async throws {
        let test = try await TestServer()
        let client = try RawClient(port: test.port)
        let offers = "Transport: RTP/SAVP;unicast,RTP/AVP/TCP;unicast"
        let first = try client.ask("SETUP", "/night/trackID=0", [offers])
        let session = "Session: \(try #require(first.session))"
        #expect(first.header("Transport")?.contains("interleaved=0-1;ssrc=AABB0001") == true)
        #expect(first.header("Session")?.hasSuffix(";timeout=60") == true)
        let second = try client.ask("SETUP", "/night/trackID=1", [session, offers])
        #expect(second.header("Transport")?.contains("interleaved=2-3") == true)
        test.server.send(TestStream.video(0, key: true))
        test.server.send(TestStream.audio(0))
        #expect(try client.ask("PLAY", "/night/trackID=0", [session]).status == 460)
        let played = try client.ask("PLAY", "/night/", [session])
        #expect(played.header("Range") == "npt=now-")
        test.server.send(TestStream.audio(1))
        test.server.send(TestStream.video(1))
        test.server.send(TestStream.video(2, key: true))
        test.server.send(TestStream.audio(2))
        try client.awaitMedia(4)
        // Reports of both tracks come before anything else, and nothing that is not decodable.
        #expect(client.media.map(\.channel).sorted() == [0, 1, 2, 3])
        #expect(Set(client.media.prefix(2).map(\.channel)) == [1, 3])
        #expect(client.media[2].data == TestStream.video(2, key: true).packets[0])
        #expect(client.media[3].data == TestStream.audio(2).packets[0])
        #expect(try client.ask("SETUP", "/night/trackID=0", [session, offers]).status == 455)
        #expect(await TestServer.until { test.server.readers.first?.framesSent == 1 })
        #expect(try client.ask("PAUSE", "/night", [session]).status == 200)
        test.server.send(TestStream.video(3, key: true))
        #expect(try client.ask("GET_PARAMETER", "/night", [session]).status == 200)
        #expect(client.media.count == 4)
        #expect(try client.ask("PLAY", "/night", [session]).header("RTP-Info")?.contains("trackID=1;rtptime=") == true)
        #expect(try client.ask("TEARDOWN", "/night", [session]).status == 200)
        #expect(try client.ask("PLAY", "/night", [session]).status == 454)
        #expect(test.server.readers.isEmpty)
        #expect(test.events.count == 3)
        #expect(test.events.last.map { if case .left(_, "torn down") = $0 { true } else { false } } == true)
        await test.server.stop()
    }

    @Test func datagramsComeFromThePairAndEndWithGoodbye() async throws {
        let test = try await TestServer()
        let client = try RawClient(port: test.port)
        let (media, control) = (RawPort(), RawPort())
        let answer = try client.ask("SETUP", "/night/trackID=0", ["Transport: RTP/AVP;unicast;client_port=\(media.port)-\(control.port)"])
        let transport = try #require(answer.header("Transport"))
        let port = try #require(transport.firstMatch(of: /server_port=(\d+)-(\d+)/))
        #expect(Int(port.1).map { $0 % 2 } == 0 && Int(port.2) == Int(port.1).map { $0 + 1 })
        #expect(try client.ask("PLAY", "/night", ["Session: \(answer.session ?? "")"]).status == 200)
        test.server.send(TestStream.video(0, key: true))
        #expect(media.receive() == TestStream.video(0, key: true).packets[0])
        #expect(control.receive()?[1] == 200)
        await test.server.stop()
        let last = try #require(control.receive())
        #expect(ControlReport.isValid(last) && last[last.count - 8 + 1] == 203)
        #expect(client.isClosed(within: 5))
    }

    @Test func aLongFrameOverUDPIsSentWhole() async throws {
        let test = try await TestServer()
        let client = try RawClient(port: test.port)
        let (media, control) = (RawPort(), RawPort())
        let answer = try client.ask("SETUP", "/night/trackID=0", ["Transport: RTP/AVP;unicast;client_port=\(media.port)-\(control.port)"])
        try client.ask("PLAY", "/night", ["Session: \(answer.session ?? "")"])
        let packets = (0..<120).map { TestStream.video($0, size: 400).packets[0] }
        test.server.send(MediaUnit(track: 0, isKeyframe: true, packets: packets, rtpTime: 0, wallClock: .seconds(1)))
        for packet in packets { #expect(media.receive() == packet) }
        await test.server.stop()
    }

    @Test func sessionsOverUDPLiveByTheirReports() async throws {
        let test = try await TestServer { $0.sessionTimeout = .seconds(2) }
        let client = try RawClient(port: test.port)
        let (media, control) = (RawPort(), RawPort())
        let answer = try client.ask("SETUP", "/night/trackID=0", ["Transport: RTP/AVP;unicast;client_port=\(media.port)-\(control.port)"])
        let port = try #require(answer.header("Transport")?.firstMatch(of: /server_port=\d+-(\d+)/)).1
        try client.ask("PLAY", "/night", ["Session: \(answer.session ?? "")"])
        for _ in 0..<30 {
            control.send([0x80, 201, 0, 1, 0, 0, 0, 9], to: Int(port) ?? 0)
            // Not a sleep of the task: Swift's pool may be busy with other tests for longer than the time-out.
            usleep(100_000)
        }
        #expect(test.server.readers.count == 1)
        #expect(await TestServer.until { test.server.readers.isEmpty })
        #expect(test.events.contains { if case .left(_, "nothing heard from it") = $0 { true } else { false } })
        await test.server.stop()
    }

    @Test func aReaderThatStopsReadingDelaysNobody() async throws {
        let test = try await TestServer { $0.readerBytes = 1 << 20 }
        let (stuck, _) = try play(test, receiveBuffer: 4096)
        let (quick, _) = try play(test)
        // 30 MB: far more than sockets hold.
        for number in 0..<600 {
            test.server.send(TestStream.video(number, key: number % 10 == 0, size: 50_000))
            try quick.awaitMedia(number + 2)
        }
        #expect(quick.media.filter { $0.channel == 0 }.count == 600)
        #expect(await TestServer.until { test.events.contains { if case .lost = $0 { true } else { false } } })
        let readers = test.server.readers
        #expect(readers.map(\.framesDropped).min() == 0)
        #expect((readers.map(\.framesDropped).max() ?? 0) > 100)
        _ = stuck.descriptor
        await test.server.stop()
    }

    @Test func aStuckReaderIsGivenUp() async throws {
        let test = try await TestServer { $0.sessionTimeout = .seconds(1) }
        let (stuck, _) = try play(test, receiveBuffer: 4096)
        for number in 0..<400 { test.server.send(TestStream.video(number, key: number % 10 == 0, size: 50_000)) }
        #expect(await TestServer.until { test.server.readers.isEmpty })
        _ = stuck.descriptor
        await test.server.stop()
    }

    @Test func limitsReadersAndConnections() async throws {
        let test = try await TestServer { ($0.readerLimit, $0.connectionLimit) = (1, 2) }
        let (first, _) = try play(test)
        let second = try RawClient(port: test.port)
        #expect(try second.ask("SETUP", "/night/trackID=0", [Self.tcp]).status == 453)
        let third = try RawClient(port: test.port)
        #expect(try third.answer().status == 503)
        #expect(third.isClosed(within: 5))
        #expect(test.events.contains { if case .refused = $0 { true } else { false } })
        _ = first.descriptor
        await test.server.stop()
    }

    /// Sessions that are set up over UDP outlive their connections, and cost whoever makes them one request each.
    @Test func sessionsThatNeverPlayKeepNobodyOut() async throws {
        let test = try await TestServer { $0.readerLimit = 4 }
        for number in 0..<8 {
            let client = try RawClient(port: test.port)
            let ports = 40_000 + 2 * number
            #expect(try client.ask("SETUP", "/night/trackID=0", ["Transport: RTP/AVP;unicast;client_port=\(ports)-\(ports + 1)"]).status == 200)
        }
        #expect(test.server.readers.count == 4)
        let playing = try (0..<3).map { _ in try play(test) }
        #expect(test.server.readers.count == 4)
        // Those that play are left alone, and the only one of an address that is about to.
        let last = try RawClient(port: test.port)
        #expect(try last.ask("SETUP", "/night/trackID=0", [Self.tcp]).status == 453)
        #expect(test.server.readers.count == 4)
        withExtendedLifetime(playing) {}
        await test.server.stop()
    }

    @Test func aSecondSetUpWithoutSessionTakesThePlaceOfTheFirst() async throws {
        let test = try await TestServer { $0.readerLimit = 1 }
        let (client, former) = try play(test)
        let answer = try client.ask("SETUP", "/night/trackID=0", [Self.tcp])
        #expect(answer.status == 200 && answer.session != former)
        #expect(test.server.readers.count == 1)
        await test.server.stop()
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n\r\n", "\u{1}\u{2}\u{3}"]) func foreignProtocolsAreTurnedAway(_ text: String) async throws {
        let test = try await TestServer()
        let client = try RawClient(port: test.port)
        client.send(Array(text.utf8))
        #expect(try client.answer().status == 400)
        #expect(client.isClosed(within: 5))
        let secure = try RawClient(port: test.port)
        secure.send([0x16, 3, 1, 2, 0])
        #expect(secure.isClosed(within: 5))
        #expect(throws: RawClient.Failure.self) { try secure.answer() }
        await test.server.stop()
    }

    @Test func idleConnectionsAreClosed() async throws {
        let test = try await TestServer { $0.sessionTimeout = .seconds(1) }
        #expect(try RawClient(port: test.port).isClosed(within: 9))
        await test.server.stop()
    }

    @Test func passwordsAreAskedFor() async throws {
        let test = try await TestServer { $0.credentials = .init(user: "night", password: "owl") }
        let client = try RawClient(port: test.port)
        #expect(try client.ask("OPTIONS").status == 200)
        let challenge = try client.ask("DESCRIBE")
        #expect(challenge.status == 401)
        #expect(!challenge.text.contains("Basic") && challenge.text.contains("algorithm=SHA-256"))
        for attempt in 1...5 {
            let answer = try client.ask("DESCRIBE", "/night", ["Authorization: Basic bmlnaHQ6b3ds"])
            #expect(answer.status == 401 && (answer.header("Connection") == "close") == (attempt == 5))
        }
        #expect(client.isClosed(within: 5))
        await test.server.stop()
    }

    @Test func whatWasOverheardIsOfNoUseElsewhere() async throws {
        let test = try await TestServer { $0.credentials = .init(user: "night", password: "owl") }
        let client = try RawClient(port: test.port)
        let challenge = try client.ask("DESCRIBE")
        let line = try #require(challenge.text.components(separatedBy: "\r\n").last { $0.contains("algorithm=MD5") })
        let nonce = try #require(HeaderParameters.parse(line.dropFirst("WWW-Authenticate: Digest ".count))?["nonce"])
        let uri = "rtsp://127.0.0.1:\(test.port)/night"
        let response = DigestHash.md5.response(
            account: DigestHash.md5("night:solstice:owl"), nonce: nonce, protection: nil, method: "DESCRIBE", uri: uri)
        let credentials = "Authorization: Digest username=\"night\", realm=\"solstice\", nonce=\"\(nonce)\", uri=\"\(uri)\", response=\"\(response)\""
        let answer = try client.ask("DESCRIBE", "/night", [credentials])
        #expect(answer.status != 401)
        let copy = try RawClient(port: test.port)
        let refusal = try copy.ask("DESCRIBE", "/night", [credentials])
        #expect(refusal.status == 401 && refusal.text.contains("stale=true"))
        // Its owner goes on.
        #expect(try client.ask("DESCRIBE", "/night", [credentials]).status == answer.status)
        await test.server.stop()
    }

    @Test func saysWhatIsWrongWithAnAddress() async throws {
        let test = try await TestServer()
        let second = RTSPServer(RTSPServerConfiguration(port: test.port, path: "/night")) { _ in }
        await #expect { _ = try await second.start() } throws: { ($0 as? RTSPError)?.code == .addressInUse }
        let foreign = RTSPServer(RTSPServerConfiguration(host: "192.0.2.1", port: 0, path: "/night")) { _ in }
        await #expect { _ = try await foreign.start() } throws: { ($0 as? RTSPError)?.code == .notPermitted }
        await test.server.stop()
        test.server.send(TestStream.video(0, key: true))
        await test.server.stop()
    }
}
