import Foundation
import Testing
import TestSupport

@testable import RTSP

@Suite struct RequestParserTests {
    private enum Outcome: Equatable {
        case message(ClientMessage)
        case failure(RequestParser.Failure)
    }

    private func parse(_ bytes: [UInt8], pieces: Int) -> [Outcome] {
        var parser = RequestParser()
        var outcomes: [Outcome] = []
        var at = 0
        while at < bytes.count {
            parser.append(bytes[at..<min(at + pieces, bytes.count)])
            at += pieces
            do throws(RequestParser.Failure) {
                while let message = try parser.next() { outcomes.append(.message(message)) }
            } catch {
                return outcomes + [.failure(error)]
            }
        }
        return outcomes
    }

    private static let session = Array(
        """
        OPTIONS rtsp://h/night RTSP/1.0\r\nCSeq: 1\r\n\r\n\r\n$\u{1}\u{0}\u{4}abcdSET_PARAMETER * RTSP/1.0\r\ncseq:2\r
        Content-Length: 5\r\nX-Long: one\r\n  two\r\n\r\n12345DESCRIBE rtsp://h/night RTSP/1.0\nCSeq: 3\n\n
        """.utf8)

    @Test func readsRequestsAndInterleavedData() {
        let outcomes = parse(Self.session, pieces: Self.session.count)
        #expect(outcomes.count == 4)
        guard outcomes.count == 4, case .message(.request(let set)) = outcomes[2] else { return }
        #expect(outcomes[1] == .message(.interleaved(channel: 1, data: Array("abcd".utf8))))
        #expect(set.sequence == 2 && set["x-long"] == "one two" && set.body == Array("12345".utf8))
    }

    @Test(arguments: 1...9) func piecesDoNotMatter(_ size: Int) {
        #expect(parse(Self.session, pieces: size) == parse(Self.session, pieces: Self.session.count))
    }

    @Test func blanksAreTakenOffBesideMarksThatCombineWithThem() throws {
        let bytes = Array("OPTIONS * RTSP/1.0\r\nX: \u{301}a\t\u{301} \r\n\r\n".utf8)
        guard case .message(.request(let request))? = parse(bytes, pieces: bytes.count).first else {
            Issue.record("no request")
            return
        }
        #expect(request["X"].map { Array($0.unicodeScalars) } == ["\u{301}", "a", "\t", "\u{301}"])
    }

    private static let bad: [(String, RequestParser.Failure)] = [
        ("GET / HTTP/1.1\r\n\r\n", RequestParser.Failure.notRTSP), ("\u{16}\u{3}\u{1}", .tls), ("\u{1}\u{2}", .notRTSP),
        ("OPTIONS * RTSP/2.0\r\n\r\n", .badVersion), ("OPTIONS RTSP/1.0\r\n", .badRequest),
        ("OPTIONS * RTSP/1.0\r\nno colon\r\n", .badRequest), ("OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n", .badRequest),
        ("OPTIONS * RTSP/1.0\r\nContent-Length: 99999999999999999999\r\n\r\n", .bodyTooLarge),
        ("OPTIONS * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .badRequest),
        ("OPTIONS " + String(repeating: "a", count: 3000) + " RTSP/1.0\r\n", .uriTooLarge),
        ("OPTIONS * RTSP/1.0\r\nA: " + String(repeating: "a", count: 9000), .headerTooLarge),
        ("OPTIONS * RTSP/1.0\r\n" + String(repeating: "A: b\r\n", count: 70), .headerTooLarge),
        (String(repeating: "A", count: 40), .notRTSP),
        (String(repeating: "\r\n", count: 20), .badRequest),
    ]

    @Test(arguments: bad) func refuses(_ text: String, _ failure: RequestParser.Failure) {
        #expect(parse(Array(text.utf8), pieces: 100_000) == [.failure(failure)])
        #expect(parse(Array(text.utf8), pieces: 1) == [.failure(failure)])
    }

    @Test func mutationsNeverCrashNorPileUp() {
        var random = SeededRandom(seed: 20_261_123)
        for _ in 0..<10_000 {
            var bytes = Self.session
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: at)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
                }
            }
            let whole = parse(bytes, pieces: bytes.count)
            #expect(whole == parse(bytes, pieces: Int.random(in: 1...20, using: &random)))
            for case .message(.request(let request)) in whole {
                _ = StreamAddress(request.uri, path: "night")
                _ = StreamAddress.base(of: request.uri)
            }
        }
    }

    @Test func headerFieldsSurviveMutations() {
        var random = SeededRandom(seed: 7)
        let transport = Array("RTP/AVP;unicast;client_port=5000-5001;mode=\"PLAY\",RTP/AVP/TCP;interleaved=0-1".utf8)
        let digest = Array("Digest username=\"a\", realm=\"solstice\", nonce=\"n\\\"\", uri=\"rtsp://h/n\", response=\"00\", qop=auth".utf8)
        for _ in 0..<10_000 {
            var (one, other) = (transport, digest)
            one[Int.random(in: 0..<one.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            other[Int.random(in: 0..<other.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            #expect(TransportOffer.parse(String(decoding: one, as: UTF8.self), peer: "10.0.0.1").count <= 16)
            _ = DigestCredentials(parsing: String(decoding: other, as: UTF8.self))
        }
    }

    @Test func memoryIsBounded() {
        var parser = RequestParser()
        parser.append(Array("OPTIONS * RTSP/1.0\r\n".utf8))
        var most = 0
        for _ in 0..<100_000 {
            parser.append([UInt8(ascii: "a")])
            _ = try? parser.next()
            most = max(most, parser.bufferedBytes)
        }
        #expect(most <= 20_000)
    }
}

@Suite struct AddressTests {
    private static let addresses: [(String, StreamAddress)] = [
        ("rtsp://h/night", StreamAddress.stream), ("rtsp://h:8554/night/", .stream), ("RTSP://h/night?a=b/c", .stream),
        ("rtsp://h/ni%67ht", .stream), ("/night", .stream), ("*", .server), ("rtsp://h/other", .other), ("rtsp://h", .other),
        ("http://h/night", .other), ("rtsp://h/night/trackID=1", .track(1)), ("rtsp://h/night/trackID=1/", .track(1)),
        ("rtsp://h/night/streamid=0", .track(0)), ("rtsp://h/night?q=1/trackID=2", .track(2)),
        ("rtsp://h/night/trackID=0?q=1", .track(0)), ("rtsp://h/night/trackID=", .other), ("rtsp://h/night/trackID=999", .other),
    ]

    @Test(arguments: addresses) func names(_ uri: String, _ address: StreamAddress) { #expect(StreamAddress(uri, path: "night") == address) }

    @Test func baseHasNoAccountQueryOrTrack() {
        #expect(StreamAddress.base(of: "rtsp://me:secret@h:1/night/trackID=1?x=y") == "rtsp://h:1/night/")
        #expect(StreamAddress.base(of: "*") == nil)
    }

    private static let offers: [(String, [TransportOffer])] = [
        ("RTP/AVP;unicast;client_port=5000-5001", [TransportOffer.udp(rtp: 5000, rtcp: 5001)]),
        ("RTP/AVP/UDP;client_port=5000", [.udp(rtp: 5000, rtcp: 5001)]),
        ("RTP/AVP;multicast,RTP/AVP/TCP;unicast;interleaved=2-3", [.interleaved(rtp: 2, rtcp: 3)]),
        ("RTP/AVP/TCP;unicast", [.interleaved(rtp: nil, rtcp: nil)]), ("RTP/AVP/TCP;interleaved=255", []),
        ("RTP/SAVP;unicast;client_port=5000-5001", []), ("RTP/AVP;unicast;client_port=80-81", []),
        ("RTP/AVP;unicast;client_port=65535", []), ("RTP/AVP;unicast;client_port=5000-5001;mode=record", []),
        ("RTP/AVP;unicast;destination=10.0.0.9;client_port=5000-5001", []),
        ("RTP/AVP;unicast;destination=10.0.0.1;client_port=5000-5001", [.udp(rtp: 5000, rtcp: 5001)]), ("", []),
    ]

    @Test(arguments: offers) func transports(_ header: String, _ offers: [TransportOffer]) {
        #expect(TransportOffer.parse(header, peer: "10.0.0.1") == offers)
    }
}
