import Testing

@testable import MediaIO
@testable import Relay

/// Times of packets that no source should have.
@Suite struct RelayClockTests {
    private static func packet(pts: Int64?, dts: Int64?, base: Rational = Rational(1, 1000)) throws -> Packet {
        try Packet().restamped(streamIndex: 0, pts: pts, dts: dts, duration: 40, timeBase: base)
    }

    @Test func oneDamagedPresentationTimeMovesNothing() throws {
        let clock = RelayClock()
        clock.beginConnection()
        let first = try #require(try clock.stamp(try Self.packet(pts: 5080, dts: 5000), as: RelayClock.video, at: 0))
        #expect(first.dts == 0 && first.pts == 7200)
        for pts in [Int64.max, Int64.min + 1, 5040 + 95_443_000, -95_000_000] as [Int64] {
            let damaged = try #require(try clock.stamp(try Self.packet(pts: pts, dts: 5040), as: RelayClock.video, at: 0.04))
            #expect(damaged.dts == 3600 && damaged.pts == 3600)
        }
        let next = try #require(try clock.stamp(try Self.packet(pts: 5160, dts: 5080), as: RelayClock.video, at: 0.08))
        #expect(next.dts == 7200 && next.pts == 14400)
    }

    /// Times at the end of what 64 bits can say, in coarse and in fine ticks: no overflow, and the next connection is as ever.
    @Test func hugeTimesAreNoCrash() throws {
        let clock = RelayClock()
        for base in [Rational(1, 1), Rational(Int32.max, 1), Rational(1, Int32.max), Rational(1, 90000)] {
            for time in [Int64.max, Int64.min + 1, 0, Int64.max / 2, -1] as [Int64] {
                for stream in [RelayClock.video, RelayClock.audio] {
                    _ = try clock.stamp(try Self.packet(pts: time, dts: time, base: base), as: stream, at: 1)
                    _ = try clock.stamp(try Self.packet(pts: nil, dts: nil, base: base), as: stream, at: 1)
                }
                _ = clock.fillIn(at: 1)
            }
            clock.beginConnection()
        }
    }
}
