import Testing

@testable import MediaIO

/// The bookkeeping of owed pictures, without libav: pictures are the numbers of their packets.
@Suite struct InputContinuityTests {
    typealias Machine = FrameContinuity<Int>

    /// A picture as it came out: from which packet, at which pts, standing in for another.
    struct Out: Equatable, CustomStringConvertible {
        var picture: Int
        var pts: Int64
        var standsIn = false
        var description: String { "\(picture)@\(pts)\(standsIn ? "*" : "")" }
    }

    struct Packet {
        var pts: Int64?
        var dts: Int64?
        var isKey = false
        var owes = true
    }

    /// Feeds packets and lets a decoder that needs `delay` packets of lead give pictures in the order `shown` (packet
    /// numbers), leaving out those in `lost`.
    func play(
        _ packets: [Packet], order: Machine.Order = .presentation, shown: [Int], lost: Set<Int> = [], delay: Int = 0,
        reorder: Int = 2, losesTokens: Bool = false
    ) -> [Out] {
        var machine = Machine(order: order)
        machine.reorderDepth = reorder
        var out: [Out] = []
        var next = 0
        func take(_ outputs: [Machine.Output]) {
            out += outputs.map { Out(picture: $0.picture, pts: $0.pts, standsIn: $0.isStandIn) }
        }
        for (number, packet) in packets.enumerated() {
            let times = Machine.PacketTimes(
                pts: packet.pts, dts: packet.dts, duration: 10, isKey: packet.isKey, owesPicture: packet.owes)
            let (token, lostByNow) = machine.packet(times)
            #expect(token == Int64(number))
            take(lostByNow)
            while next < shown.count, shown[...next].max() ?? 0 <= number - delay {
                if !lost.contains(shown[next]) { take(machine.picture(shown[next], token: losesTokens ? nil : Int64(shown[next]))) }
                next += 1
            }
        }
        for number in shown[next...] where !lost.contains(number) { take(machine.picture(number, token: Int64(number))) }
        take(machine.flush())
        return out
    }

    /// Packets of a pattern I P B B P B B ...: their pts in decoding order, 10 ticks per picture.
    static func gop(_ groups: Int) -> (packets: [Packet], shown: [Int]) {
        var pts: [Int64] = [0]
        for group in 0..<groups {
            let base = Int64(group) * 30
            pts += [base + 30, base + 10, base + 20]
        }
        let packets = pts.enumerated().map { Packet(pts: $1, dts: Int64($0) * 10 - 10, isKey: $0 == 0) }
        return (packets, pts.indices.sorted { pts[$0] < pts[$1] })
    }

    @Test func intactIsPassedOn() {
        let (packets, shown) = Self.gop(4)
        for delay in 0...5 {
            let out = play(packets, shown: shown, delay: delay)
            #expect(out == shown.map { Out(picture: $0, pts: packets[$0].pts ?? -1) })
        }
    }

    /// Every subset of lost pictures of a short video: one picture for each packet, at its own pts, the last good one
    /// standing in.
    @Test func everySubsetLost() {
        let (packets, shown) = Self.gop(3)
        var cases = 0
        for mask in 0..<(1 << packets.count) - 1 {
            let lost = Set(packets.indices.filter { mask & 1 << $0 != 0 })
            for delay in [0, 3] {
                let out = play(packets, shown: shown, lost: lost, delay: delay)
                var last = shown.first { !lost.contains($0) } ?? -1
                let expected = shown.map { number in
                    if !lost.contains(number) { last = number }
                    return Out(picture: last, pts: packets[number].pts ?? -1, standsIn: lost.contains(number))
                }
                #expect(out == expected, "lost \(lost.sorted()) delay \(delay)")
                cases += 1
            }
        }
        #expect(cases == 2 * 1023)
    }

    @Test func everythingLostGivesNothing() {
        let (packets, shown) = Self.gop(3)
        #expect(play(packets, shown: shown, lost: Set(shown)).isEmpty)
    }

    /// Without pts the n-th picture takes the n-th packet's time; the number is right whatever is lost.
    @Test func everySubsetLostWithoutPts() {
        let (timed, shown) = Self.gop(3)
        let packets = timed.indices.map { Packet(pts: nil, dts: Int64($0) * 10) }
        for mask in 0..<(1 << packets.count) - 1 {
            let lost = Set(packets.indices.filter { mask & 1 << $0 != 0 })
            let out = play(packets, order: .decoding, shown: shown, lost: lost, delay: 0, reorder: 1)
            #expect(out.map(\.pts) == packets.indices.map { Int64($0) * 10 })
            #expect(out.count(where: \.standsIn) == lost.count)
            #expect(out.filter { !$0.standsIn }.map(\.picture) == shown.filter { !lost.contains($0) })
        }
    }

    /// Intra-only video without pts: the stand-in is exactly where the picture is missing.
    @Test func lostWithoutReorderingIsReplacedInPlace() {
        let packets = (0..<6).map { Packet(pts: nil, dts: Int64($0) * 10) }
        let out = play(packets, order: .decoding, shown: Array(0..<6), lost: [2], reorder: 0)
        #expect(out == [0, 1, 1, 3, 4, 5].enumerated().map { Out(picture: $1, pts: Int64($0) * 10, standsIn: $0 == 2) })
    }

    @Test func packetsWithoutAnyTimeAreCounted() {
        let packets = (0..<4).map { _ in Packet() }
        let out = play(packets, order: .decoding, shown: Array(0..<4))
        #expect(out.map(\.pts) == [0, 10, 20, 30])
    }

    @Test func picturesWithoutTokensTakeTheDuePlace() {
        let packets = (0..<5).map { Packet(pts: Int64($0) * 10, dts: Int64($0) * 10) }
        let out = play(packets, shown: Array(0..<5), losesTokens: true)
        #expect(out == (0..<5).map { Out(picture: $0, pts: Int64($0) * 10) })
    }

    @Test func nothingIsOwedForHiddenPackets() {
        let packets = (0..<6).map { Packet(pts: Int64($0) * 10, owes: $0 != 2) }
        let out = play(packets, shown: [0, 1, 3, 4, 5])
        #expect(out.map(\.pts) == [0, 10, 30, 40, 50])
        #expect(!out.contains { $0.standsIn })
        // One that comes all the same is a picture like any other.
        #expect(play(packets, shown: Array(0..<6)).map(\.pts) == [0, 10, 20, 30, 40, 50])
    }

    @Test func equalPtsStayTwoPicturesAndIncrease() {
        let packets = [0, 10, 10, 20].map { Packet(pts: $0) }
        #expect(play(packets, shown: [0, 1, 2, 3]).map(\.pts) == [0, 10, 11, 20])
    }

    /// Timestamps that start again (a recording appended to another) go on behind the first part's end.
    @Test func restartedTimestampsGoOn() {
        let part = (0..<40).map { Packet(pts: Int64($0) * 10, dts: Int64($0) * 10, isKey: $0 % 8 == 0) }
        for delay in [0, 3] {
            let out = play(part + part, shown: Array(0..<80), delay: delay)
            #expect(out.map(\.pts) == (0..<80).map { Int64($0) * 10 })
            #expect(out.map(\.picture) == Array(0..<80))
        }
    }

    /// A decoder that gives two neighbours in the wrong order loses neither.
    @Test func wrongOrderIsPutRight() {
        let packets = (0..<8).map { Packet(pts: Int64($0) * 10) }
        let out = play(packets, shown: [0, 2, 1, 3, 5, 6, 4, 7])
        #expect(out == (0..<8).map { Out(picture: $0, pts: Int64($0) * 10) })
    }

    /// A picture that comes after its place was filled is dropped: its place is taken.
    @Test func lateIsDropped() {
        let packets = (0..<12).map { Packet(pts: Int64($0) * 10) }
        let out = play(packets, shown: [0, 2, 3, 4, 5, 6, 7, 1, 8, 9, 10, 11])
        #expect(out.map(\.pts) == packets.map { $0.pts ?? -1 })
        #expect(out.filter(\.standsIn).map(\.pts) == [10])
    }

    @Test func aPictureTwiceIsNotLost() {
        var machine = Machine(order: .presentation)
        let token = machine.packet(Machine.PacketTimes(pts: 0)).token
        let outputs = machine.picture(7, token: token) + machine.picture(8, token: token)
        #expect(outputs.map(\.picture) == [7, 8])
        #expect(outputs.map(\.pts) == [0, 1])
    }

    @Test func aPacketWithoutPtsAmongOthersKeepsItsPicture() {
        var packets = (0..<60).map { Packet(pts: Int64($0) * 10) }
        packets[5].pts = nil
        let intact = play(packets, shown: Array(0..<60))
        #expect(intact.map(\.picture) == Array(0..<60))
        #expect(intact[5].pts > 40 && intact[5].pts <= 51)
        #expect(play(packets, shown: Array(0..<60), lost: [5]).count == 60)
    }

    /// A decoder that gives nothing more does not let the bookkeeping grow.
    @Test func silenceIsBounded() {
        var machine = Machine(order: .presentation, mostOwed: 16)
        var count = 0
        for number in 0..<1000 {
            let (token, outputs) = machine.packet(Machine.PacketTimes(pts: Int64(number)))
            count += outputs.count
            if number == 0 { count += machine.picture(0, token: token).count }
            #expect(machine.owedCount <= 17)
        }
        #expect(count + machine.flush().count == 1000)
    }

    /// Random timestamps and a random decoder: no crash, one output per packet at most and pts that increase.
    @Test func nonsenseIsSurvived() {
        var random = SeededRandom(seed: 7)
        for round in 0..<300 {
            var machine = Machine(order: round % 2 == 0 ? .presentation : .decoding)
            machine.reorderDepth = Int.random(in: 0..<4, using: &random)
            var out: [Machine.Output] = []
            let extremes: [Int64?] = [nil, .max, .min + 1, 0, -1, 5]
            for number in 0..<200 {
                let wild = Int.random(in: 0..<8, using: &random) == 0
                let pts = wild ? extremes.randomElement(using: &random) ?? nil : Int64(number) * 3
                let (token, lost) = machine.packet(
                    Machine.PacketTimes(pts: pts, dts: wild ? pts : Int64(number), isKey: Bool.random(using: &random)))
                out += lost
                if Int.random(in: 0..<4, using: &random) > 0 {
                    out += machine.picture(number, token: max(0, token - Int64.random(in: 0..<3, using: &random)))
                }
            }
            out += machine.flush()
            #expect(out.count >= 200)
            #expect(zip(out, out.dropFirst()).allSatisfy { $0.pts < $1.pts || $1.pts == .max || $0.pts == .max })
        }
    }
}

/// A small repeatable generator (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
