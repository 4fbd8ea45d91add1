import Testing

@testable import Relay

@Suite struct TimestampRebaserTests {
    private static let video = 0, audio = 1

    /// Where a packet comes to lie.
    private func place(_ rebaser: inout TimestampRebaser, _ stream: Int, _ time: Double, at now: Double) -> Double {
        time + rebaser.offset(stream: stream, time: time, now: now)
    }

    @Test func startsAtZeroAndKeepsDistancesExactly() {
        var rebaser = TimestampRebaser()
        rebaser.beginConnection()
        // Packets come in bursts; only their own times count.
        let places = (0..<100).map { place(&rebaser, Self.video, 5000 + Double($0) * 0.04, at: Double($0 / 10)) }
        #expect(abs(places[0]) < 1e-9)
        for (index, place) in places.enumerated() { #expect(abs(place - Double(index) * 0.04) < 1e-6) }
    }

    @Test func audioAndVideoKeepTheirSkew() {
        var rebaser = TimestampRebaser()
        rebaser.beginConnection()
        let picture = place(&rebaser, Self.video, 100, at: 0)
        let sound = place(&rebaser, Self.audio, 100.013, at: 0.001)
        #expect(abs(sound - picture - 0.013) < 1e-9)
    }

    @Test(arguments: [-36000.0, 36000, -2, 10])
    func aJumpOfBothStreamsKeepsThemInSync(_ jump: Double) {
        var rebaser = TimestampRebaser()
        rebaser.beginConnection()
        var last = (video: 0.0, audio: 0.0)
        for index in 0..<50 {
            let now = Double(index) * 0.04
            last.video = place(&rebaser, Self.video, 40000 + now, at: now)
            last.audio = place(&rebaser, Self.audio, 40000.01 + now, at: now)
        }
        for index in 50..<100 {
            let now = Double(index) * 0.04
            let video = place(&rebaser, Self.video, 40000 + jump + now, at: now)
            // The audio jumps a few packets later.
            let audio = place(&rebaser, Self.audio, 40000.01 + (index < 53 ? 0 : jump) + now, at: now)
            #expect(video > last.video && audio > last.audio)
            #expect(abs(video - now) < 0.1 && abs(audio - video - 0.01) < 1e-6)
            last = (video, audio)
        }
        #expect(rebaser.jumps == 2)
    }

    @Test func aLateReturnGoesOnAsTheWallClockDoes() {
        var rebaser = TimestampRebaser()
        rebaser.beginConnection()
        _ = place(&rebaser, Self.video, 10, at: 0)
        _ = place(&rebaser, Self.video, 10.04, at: 0.04)
        // Pictures that stand in go on from there.
        let head = rebaser.head(at: 7)
        #expect(abs(head - 7) < 1e-9)
        rebaser.fill(stream: Self.video, to: head, now: 7)
        rebaser.beginConnection()
        let back = place(&rebaser, Self.video, 3, at: 8)
        #expect(abs(back - 8) < 1e-9)
        let sound = place(&rebaser, Self.audio, 3.02, at: 8.01)
        #expect(abs(sound - back - 0.02) < 1e-9)
    }

    @Test func aSilentSourceThatGoesOnIsNoJump() {
        var rebaser = TimestampRebaser()
        rebaser.beginConnection()
        _ = place(&rebaser, Self.video, 1, at: 0)
        #expect(abs(place(&rebaser, Self.video, 5.5, at: 4.5) - 4.5) < 1e-9)
        #expect(rebaser.jumps == 0)
    }

    @Test func growsForWeeksWithoutLosingATick() {
        var rebaser = TimestampRebaser()
        rebaser.beginConnection()
        let weeks = 30 * 86400.0
        _ = place(&rebaser, Self.video, 0, at: 0)
        _ = place(&rebaser, Self.video, weeks, at: weeks)
        let first = place(&rebaser, Self.video, weeks + 0.04, at: weeks + 0.04)
        #expect(abs(first - weeks - 0.04) < 1e-7)
    }
}

extension TimestampRebaserTests {
    /// As the first packet of an RTSP camera.
    @Test func aFirstPacketWithoutATimeDoesNotPartAudioAndVideo() {
        var rebaser = TimestampRebaser()
        rebaser.beginConnection()
        rebaser.fill(stream: 0, to: rebaser.head(at: 0), now: 0)
        let sound = 700.0 + rebaser.offset(stream: 1, time: 700, now: 0.01)
        let picture = 700.04 + rebaser.offset(stream: 0, time: 700.04, now: 0.04)
        #expect(abs(picture - sound - 0.04) < 1e-9)
        #expect(rebaser.jumps == 0)
    }
}
