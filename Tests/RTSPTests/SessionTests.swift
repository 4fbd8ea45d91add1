import Testing

@testable import RTSP

@Suite struct SessionTests {
    private static let udp = Transport.udp(rtp: 5000, rtcp: 5001)
    private static let tcp = Transport.interleaved(rtp: 0, rtcp: 1)
    private static let reach: [String: [Session.Input]] = [
        "initial": [], "ready": [.setup(track: 0, udp)], "playing": [.setup(track: 0, udp), .play],
        "playing over TCP": [.setup(track: 0, tcp), .play],
    ]

    private enum Outcome: Sendable, Equatable {
        case done([Session.Action])
        case refused(Status)
    }

    /// State, input, and what comes of it.
    private static let table: [(String, Session.Input, Outcome)] = [
        ("initial", .play, .refused(.methodNotValidInThisState)),
        ("initial", .pause, .refused(.methodNotValidInThisState)), ("ready", .play, .done([.start])),
        ("initial", .connectionClosed, .done([.end(.connectionClosed)])),
        ("ready", .pause, .done([])), ("ready", .setup(track: 0, .udp(rtp: 6000, rtcp: 6001)), .done([])),
        ("ready", .setup(track: 1, .udp(rtp: 5001, rtcp: 5002)), .refused(.unsupportedTransport)),
        ("ready", .setup(track: 1, tcp), .refused(.unsupportedTransport)),
        ("ready", .teardown(track: 1), .refused(.methodNotValidInThisState)),
        ("ready", .teardown(track: 0), .done([.end(.teardown)])), ("playing", .play, .done([])),
        ("playing", .pause, .done([.stop])), ("playing", .teardown(track: nil), .done([.stop, .end(.teardown)])),
        ("playing", .setup(track: 1, .udp(rtp: 5002, rtcp: 5003)), .refused(.methodNotValidInThisState)),
        ("playing", .connectionClosed, .done([])), ("playing", .replaced, .done([.stop, .end(.replaced)])),
        ("playing over TCP", .connectionClosed, .done([.stop, .end(.connectionClosed)])),
    ]

    @Test(arguments: table.indices) func doesWhatTheTableSays(_ row: Int) throws {
        let (state, input, expected) = Self.table[row]
        var session = Session(at: 0, timeout: 60)
        for step in Self.reach[state] ?? [] { _ = try session.handle(step, at: 0) }
        let before = (session.state, session.transports)
        do throws(Refusal) {
            let actions = try session.handle(input, at: 0)
            #expect(.done(actions) == expected, "\(state), \(input)")
        } catch {
            #expect(.refused(error.status) == expected, "\(state), \(input)")
            #expect(session.state == before.0 && session.transports == before.1)
        }
    }

    @Test func silenceEndsASessionOverUDP() throws {
        var session = Session(at: 0, timeout: 60)
        for input in Self.reach["playing"] ?? [] { _ = try session.handle(input, at: 0) }
        #expect(try session.handle(.tick, at: 60).isEmpty)
        _ = try session.handle(.heard, at: 60)
        _ = try session.handle(.delivered, at: 119)
        #expect(try session.handle(.tick, at: 120).isEmpty)
        #expect(try session.handle(.tick, at: 121) == [.stop, .end(.silent)])
        #expect(throws: Refusal(.sessionNotFound)) { try session.handle(.play, at: 122) }
    }

    @Test func aSessionThatNeverPlaysEndsSooner() throws {
        var session = Session(at: 0, timeout: 60, setUpTimeout: 10)
        _ = try session.handle(.setup(track: 0, Self.udp), at: 0)
        #expect(try session.handle(.tick, at: 10).isEmpty)
        #expect(try session.handle(.tick, at: 11) == [.end(.silent)])
        // One that has played, and pauses, has its time.
        session = Session(at: 0, timeout: 60, setUpTimeout: 10)
        for input in [Session.Input.setup(track: 0, Self.udp), .play, .pause] { _ = try session.handle(input, at: 0) }
        #expect(try session.handle(.tick, at: 60).isEmpty)
        #expect(try session.handle(.tick, at: 61) == [.end(.silent)])
    }

    @Test func beingStuckEndsASessionOverTCP() throws {
        var session = Session(at: 0, timeout: 60)
        for input in Self.reach["playing over TCP"] ?? [] { _ = try session.handle(input, at: 0) }
        _ = try session.handle(.delivered, at: 60)
        #expect(try session.handle(.tick, at: 120).isEmpty)
        _ = try session.handle(.heard, at: 120)
        #expect(try session.handle(.tick, at: 121) == [.stop, .end(.stuck)])
    }

    @Test func channelsAreChosen() throws {
        var session = Session(at: 0, timeout: 60)
        #expect(session.channels(for: 1, asked: nil) == .interleaved(rtp: 2, rtcp: 3))
        _ = try session.handle(.setup(track: 0, .interleaved(rtp: 2, rtcp: 3)), at: 0)
        #expect(session.channels(for: 1, asked: nil) == .interleaved(rtp: 0, rtcp: 1))
        #expect(session.channels(for: 1, asked: (3, 4)) == .interleaved(rtp: 0, rtcp: 1))
        #expect(session.channels(for: 1, asked: (8, 9)) == .interleaved(rtp: 8, rtcp: 9))
    }
}

@Suite struct MediaRingTests {
    private func unit(_ number: Int, key: Bool = false, video: Bool = true, size: Int = 100, arrival: UInt64 = 0) throws -> FramedUnit {
        let unit = MediaUnit(
            track: video ? 0 : 1, isKeyframe: key, packets: [[UInt8](repeating: 0, count: size)], rtpTime: UInt32(number), wallClock: .zero)
        return try #require(FramedUnit(unit, isVideo: video, arrival: arrival))
    }

    private func drain(_ ring: inout MediaRing) -> [Int] {
        var numbers: [Int] = []
        while let unit = ring.popFirst() { numbers.append(Int(unit.rtpTime)) }
        return numbers
    }

    private let limits = MediaRing.Limits(units: 5, bytes: 1000, age: 100)

    @Test func startsAtAKeyframeWithItsSound() throws {
        var ring = MediaRing(limits: limits, hasVideo: true)
        for (number, key, video) in [(0, false, true), (1, false, false), (2, true, true), (3, false, false), (4, false, true)] {
            ring.append(try unit(number, key: key, video: video))
        }
        #expect(drain(&ring) == [2, 3, 4])
        #expect(ring.lost == 0 && ring.bytes == 0)
    }

    @Test func losesUpToTheNewestKeyframe() throws {
        var ring = MediaRing(limits: limits, hasVideo: true)
        for number in 0..<6 { ring.append(try unit(number, key: number == 0 || number == 3)) }
        #expect(ring.lost == 3)
        #expect(drain(&ring) == [3, 4, 5])
    }

    @Test func withoutAKeyframeLosesAllUntilTheNext() throws {
        var ring = MediaRing(limits: limits, hasVideo: true)
        for number in 0..<10 { ring.append(try unit(number, key: number == 0 || number == 8)) }
        #expect(drain(&ring) == [8, 9])
        #expect(ring.lost == 8)
    }

    @Test func bytesAndAgeAreBounded() throws {
        var ring = MediaRing(limits: limits, hasVideo: true)
        ring.append(try unit(0, key: true, size: 600))
        ring.append(try unit(1, key: true, size: 600))
        #expect(drain(&ring) == [1])
        ring.append(try unit(2, key: true, arrival: 10))
        ring.append(try unit(3, key: true, arrival: 111))
        #expect(drain(&ring) == [3])
        ring.append(try unit(4, key: true, size: 2000))
        #expect(ring.isEmpty && ring.lost == 3)
    }

    @Test func soundAloneLosesItsOldest() throws {
        var ring = MediaRing(limits: limits, hasVideo: false)
        for number in 0..<7 { ring.append(try unit(number, video: false)) }
        #expect(drain(&ring) == [2, 3, 4, 5, 6])
        #expect(ring.lost == 2)
    }

    @Test func unitsAreFramedForAnyChannel() throws {
        let unit = try #require(
            FramedUnit(
                MediaUnit(track: 1, isKeyframe: false, packets: [Array(0..<12), Array(20..<33)], rtpTime: 0, wallClock: .zero),
                isVideo: false, arrival: 0))
        #expect(Array(unit.interleaved(on: 7).readableBytesView) == [36, 7, 0, 12] + Array(0..<12) + [36, 7, 0, 13] + Array(20..<33))
        #expect(unit.packets(from: 1, count: 9).map { Array($0.readableBytesView) } == [Array(20..<33)])
        #expect(FramedUnit(MediaUnit(track: 0, isKeyframe: true, packets: [[1]], rtpTime: 0, wallClock: .zero), isVideo: true, arrival: 0) == nil)
    }
}

@Suite struct ControlReportTests {
    @Test func senderReportSaysWhichTimeIsWhich() {
        let mapping = ControlReport.ClockMapping(rtpTime: 0xFFFF_FFFF, wallClock: .seconds(1000), clockRate: 90000, arrival: 0)
        let report = ControlReport.report(
            .init(ssrc: 0x0102_0304, packetCount: 5, octetCount: 6), mapping: mapping, at: .milliseconds(1_000_500), name: "abc", isLast: true)
        let bytes = Array(report.readableBytesView)
        #expect(ControlReport.isValid(bytes))
        #expect(Array(bytes[0..<8]) == [0x80, 200, 0, 6, 1, 2, 3, 4])
        // 1000.5 s after 1970 is 2208989800.5 s after 1900; half a second is 45000 ticks, less one of the wrap.
        #expect(Array(bytes[8..<16]) == [0x83, 0xAA, 0x82, 0x68, 0x80, 0, 0, 0])
        #expect(Array(bytes[16..<28]) == [0, 0, 0xAF, 0xC7, 0, 0, 0, 5, 0, 0, 0, 6])
        #expect(Array(bytes[28..<44]) == [0x81, 202, 0, 3, 1, 2, 3, 4, 1, 3, 97, 98, 99, 0, 0, 0])
        #expect(Array(bytes[44...]) == [0x81, 203, 0, 1, 1, 2, 3, 4])
    }

    @Test func onlyWholeReportsCount() {
        #expect(ControlReport.isValid([0x80, 201, 0, 1, 1, 2, 3, 4]))
        #expect(!ControlReport.isValid([0x80, 201, 0, 1, 1, 2, 3]))
        #expect(!ControlReport.isValid([0x80, 96, 0, 1, 1, 2, 3, 4]))
        #expect(!ControlReport.isValid([0x40, 201, 0, 0]))
        #expect(!ControlReport.isValid([]))
    }
}

@Suite struct StreamDescriptionTests {
    @Test func setsItsOwnControlLines() throws {
        let sdp = "v=0\ns=x\nc=IN IP4 127.0.0.1\na=control:old\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:streamid=0\nm=audio 0 RTP/AVP 0\n"
        let description = try StreamDescription(
            sdp: sdp, tracks: [.init(payloadType: 96, clockRate: 90000, ssrc: 1), .init(payloadType: 0, clockRate: 8000, ssrc: 2)])
        #expect(description.sdp == [
            "v=0", "s=x", "c=IN IP4 0.0.0.0", "a=control:*", "a=range:npt=now-", "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000",
            "a=control:trackID=0", "m=audio 0 RTP/AVP 0", "a=control:trackID=1", "",
        ].joined(separator: "\r\n"))
        #expect(description.isVideo == [true, false])
        #expect(throws: RTSPError.self) { try StreamDescription(sdp: sdp, tracks: []) }
    }
}
