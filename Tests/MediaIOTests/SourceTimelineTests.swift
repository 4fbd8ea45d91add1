import Testing

@testable import MediaIO

/// One clock for all streams, on made-up packets: video (stream 0) of 40 ms, sound (1) of 20 ms, text (2), in ticks of 1 ms.
@Suite struct SourceTimelineTests {
    typealias Times = SourceTimeline.Times
    static let step: [Int64] = [40, 20, 0]

    /// Packets of both streams from `start` on, in the order of their times; the video with two frames of reordering.
    static func recording(_ start: Int64, seconds: Int64 = 4, soundLead: Int64 = 60, soundEnd: Int64? = nil) -> [Times] {
        var packets: [Times] = []
        for tick in stride(from: start, to: start + seconds * 1000, by: 20) {
            if tick - start < soundEnd ?? .max { packets.append(Times(stream: 1, pts: tick - soundLead, dts: tick - soundLead, duration: 20)) }
            if (tick - start) % 40 == 0 { packets.append(Times(stream: 0, pts: tick + 80, dts: tick, duration: 40)) }
        }
        return packets
    }

    /// The packets as they are placed, and how often that was necessary.
    static func place(_ packets: [Times]) throws -> (placed: [Times], repairs: TimeRepairs) {
        let base = Rational(1, 1000)
        var timeline = SourceTimeline(
            [
                .init(index: 0, kind: .video, timeBase: base), .init(index: 1, kind: .audio, timeBase: base),
                .init(index: 2, kind: .subtitle, timeBase: base),
            ], video: 0)
        let placed = try packets.indices.map { index in
            try timeline.place(packets[index]) { distance throws(MediaError) in
                packets.indices.contains(index + 1 + distance) && distance < 1024 ? packets[index + 1 + distance] : nil
            }
        }
        return (placed, timeline.repairs)
    }

    /// The first few packets that are not the same.
    static func differences(_ a: [Times], _ b: [Times]) -> [Times] { zip(a, b).filter { $0 != $1 }.prefix(3).map(\.0) }

    static func steps(_ packets: [Times], _ stream: Int) -> Set<Int64> {
        let times = packets.filter { $0.stream == stream }.compactMap(\.dts)
        return Set(zip(times, times.dropFirst()).map { $1 - $0 })
    }

    @Test func whatIsRightStaysAsItIs() throws {
        let gap = Self.recording(1400) + Self.recording(1400 + 64_000)
        for packets in [Self.recording(1400), Self.recording(-200), gap] {
            let result = try Self.place(packets)
            #expect(Self.differences(result.placed, packets) == [])
            #expect(result.repairs == TimeRepairs())
        }
    }

    /// Any packet of either stream, by any distance: all others keep their times, and it keeps the pace.
    @Test(arguments: [0, 1], [-94_447_000, -1_000_000, -3000, -300, 12_000, 1_000_000, 94_447_000] as [Int64])
    func oneWrongTime(stream: Int, distance: Int64) throws {
        let packets = Self.recording(1400)
        let places = packets.indices.filter { packets[$0].stream == stream }
        // Of a stream's first packet only what is far off can be told.
        for place in (abs(distance) > 10_000 ? [places[0]] : []) + [places[1], places[10], places[places.count / 2], places[places.count - 2]] {
            var bent = packets
            bent[place] = bent[place].moved(by: distance)
            let result = try Self.place(bent)
            #expect(Self.differences(result.placed, packets) == [], "packet \(place)")
            #expect(result.repairs == TimeRepairs(strayed: 1, restarts: 0), "packet \(place)")
        }
    }

    /// What one wrong time in a transport stream does: all frames of sound in that packet follow it.
    @Test(arguments: [-1_000_000, -4000, 1_000_000] as [Int64], [2, 12, 100])
    func aRunOfWrongTimes(distance: Int64, count: Int) throws {
        let packets = Self.recording(1400, seconds: 8)
        let places = packets.indices.filter { packets[$0].stream == 1 }[50..<50 + count]
        var bent = packets
        for place in places { bent[place] = bent[place].moved(by: distance) }
        let result = try Self.place(bent)
        #expect(Self.differences(result.placed, packets) == [])
        #expect(result.repairs == TimeRepairs(strayed: count, restarts: 0))
    }

    @Test(arguments: [true, false]) func oneOfTheTwoTimesIsWrong(isPts: Bool) throws {
        let packets = Self.recording(1400)
        let place = packets.indices.filter { packets[$0].stream == 0 }[30]
        var bent = packets
        if isPts { bent[place].pts = 1_000_000 } else { bent[place].dts = 1_000_000 }
        let result = try Self.place(bent)
        #expect(Self.differences(result.placed, packets) == [])
        #expect(result.repairs.strayed == 1)
    }

    /// Recordings one behind the other: all streams are moved by the same time, the video's, whichever comes first.
    @Test(arguments: [-60, 0, 60] as [Int64]) func theClockStartsAgain(soundLead: Int64) throws {
        let packets = (0..<3).flatMap { _ in Self.recording(1400, soundLead: soundLead) }
        let result = try Self.place(packets)
        let length = packets.count / 3
        for (index, placed) in result.placed.enumerated() {
            #expect(placed == packets[index % length].moved(by: Int64(index / length) * 4000), "packet \(index)")
        }
        #expect(result.repairs == TimeRepairs(strayed: 0, restarts: 2))
    }

    @Test func shortRecordingsToo() throws {
        let packets = (0..<4).flatMap { _ in Self.recording(1400, seconds: 1) }
        let result = try Self.place(packets)
        #expect(result.repairs.restarts == 3)
        #expect(Self.steps(result.placed, 0) == [40] && Self.steps(result.placed, 1) == [20])
    }

    /// Sound that ends before the pictures does not draw the next recording's sound forwards.
    @Test func soundStaysWithItsPictures() throws {
        let packets = Self.recording(1400, soundEnd: 1500) + Self.recording(1400)
        let result = try Self.place(packets)
        let second = result.placed.suffix(300)
        #expect(second.first { $0.stream == 1 }?.pts == 5340)
        #expect(second.first { $0.stream == 0 }?.dts == 5400)
        #expect(result.repairs == TimeRepairs(strayed: 0, restarts: 1))
    }

    /// Packets of the recording before that come late, as transport streams give the last one of each stream.
    @Test func lateOnesBelongToTheRecordingBefore() throws {
        var packets = Self.recording(1400)
        let last = packets.remove(at: try #require(packets.lastIndex { $0.stream == 0 }))
        let second = Self.recording(1400)
        let place = second.firstIndex { $0.stream == 0 } ?? 0
        let result = try Self.place(packets + second[..<place] + [last] + second[place...])
        #expect(Self.steps(result.placed, 1) == [20])
        #expect(Self.steps(result.placed, 0).allSatisfy { $0 <= 80 })
        #expect(result.repairs.restarts == 1)
    }

    /// Where only the sound's clock starts again, the pictures stay and the sound keeps its pace.
    @Test func soundAlone() throws {
        let packets = Self.recording(60_000, seconds: 8).map { packet in
            packet.stream == 1 && (packet.dts ?? 0) > 64_000 ? packet.moved(by: -62_000) : packet
        }
        let result = try Self.place(packets)
        #expect(Self.steps(result.placed, 0) == [40] && Self.steps(result.placed, 1) == [20])
        #expect(result.repairs.restarts == 0 && result.repairs.strayed > 100)
    }

    @Test func textMayComeInAnyOrder() throws {
        let texts = [(0, 3000), (8000, 2000), (500, 1000), (200_000, 1000), (300_000, 1000)] as [(Int64, Int64)]
        let ahead = texts.map { Times(stream: 2, pts: $0.0, dts: $0.0, duration: $0.1) }
        let packets = ahead + Self.recording(0)
        #expect(try Self.differences(Self.place(packets).placed, packets) == [])
    }

    @Test func textIsMovedWithItsRecording() throws {
        func text(_ time: Int64) -> Times { Times(stream: 2, pts: time, dts: time, duration: 500) }
        var first = Self.recording(1400), second = first
        first.insert(text(2000), at: 100)
        second.insert(text(3000), at: 200)
        let result = try Self.place(first + second)
        #expect(result.placed.filter { $0.stream == 2 }.map(\.pts) == [2000, 7000])
    }

    /// What an edit list hides lies before what was shown last, and says nothing about the clock.
    @Test func hiddenPacketsAreNoJump() throws {
        var packets = Self.recording(1400)
        packets[100] = Times(stream: 0, pts: 0, dts: 0, duration: 40, isHidden: true)
        #expect(try Self.differences(Self.place(packets).placed, packets) == [])
    }

    @Test func packetsWithoutTimes() throws {
        var packets = Self.recording(1400)
        for index in [0, 1, 50, 120] { (packets[index].pts, packets[index].dts) = (nil, nil) }
        #expect(try Self.differences(Self.place(packets).placed, packets) == [])
    }

    @Test func anyNumbersAreSurvived() throws {
        var random = SeededRandom(seed: 3)
        let extremes: [Int64?] = [.max, .min + 1, 0, nil, 1 << 40, -1 << 40]
        for _ in 0..<300 {
            let packets = (0..<60).map { _ in
                Times(
                    stream: Int.random(in: 0...3, using: &random), pts: extremes.randomElement(using: &random) ?? nil,
                    dts: extremes.randomElement(using: &random) ?? nil, duration: [0, 40, .max, -5].randomElement(using: &random) ?? 0,
                    isHidden: Bool.random(using: &random))
            }
            #expect(try Self.place(packets).placed.count == 60)
        }
    }

    @Test func theNoticeIsOneLine() throws {
        #expect(TimeRepairs().notice(of: "a.ts") == nil)
        let text = TimeRepairs(strayed: 3, restarts: 2).notice(of: "a.ts") ?? ""
        #expect(text.contains("a.ts") && text.contains("3 packets") && text.contains("2 times") && !text.contains("\n"))
        #expect(TimeRepairs(strayed: 1, restarts: 1).notice(of: "a.ts")?.contains("once") == true)
    }
}
