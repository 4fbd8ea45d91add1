/// One clock for all media streams of a source: brings packets whose times are wrong, or start again, onto the line of those
/// before. Pure bookkeeping, without any libav; packets come in the container's order.
///
/// * A time that the stream's next packets do not confirm is that packet's fault: it keeps its stream's pace (the last time and
///   its duration).
/// * Where the video's clock starts again (recordings that were put one behind the other), a new epoch begins: from its own
///   fall-back on, every stream is moved by the offset of the video, so that all stay together.
/// * Where the clock of another stream alone starts again, that stream keeps its pace.
/// * A jump forwards that the next packets confirm is a gap, and stays as it is.
struct SourceTimeline {
    /// What the container says about one packet.
    struct Times: Equatable {
        var stream: Int
        var pts: Int64?
        var dts: Int64?
        var duration: Int64 = 0
        /// An edit list hides it: its time says nothing about the clock.
        var isHidden = false
    }

    /// A stream to keep on the clock.
    struct Stream {
        var index: Int
        var kind: MediaStreamInfo.Kind
        var timeBase: Rational
    }

    /// Packets, any number ahead of the one that is being placed: nil at the end, and behind the furthest that may be looked at.
    typealias LookAhead = (_ distance: Int) throws(MediaError) -> Times?

    private(set) var repairs = TimeRepairs()
    private let video: Int
    private var lines: [TimeLine?] = []
    /// What each epoch is moved by, in ticks of the video.
    private var offsets: [Int64] = [0]

    init(_ streams: [Stream], video: Int) {
        self.video = video
        for stream in streams {
            while lines.count <= stream.index { lines.append(nil) }
            lines[stream.index] = TimeLine(stream.timeBase, kind: stream.kind)
        }
    }

    // MARK: - Placing

    /// The packet with its times on the clock.
    mutating func place(_ packet: Times, _ ahead: LookAhead) throws(MediaError) -> Times {
        guard lines.indices.contains(packet.stream), let line = lines[packet.stream] else { return packet }
        guard let time = line.time(of: packet) else { return pass(packet, line) }
        let choice = try choose(time, packet, line, ahead)
        var changed = line
        changed.move(to: choice)
        let placed = changed.placed(packet, time: time, at: choice.time)
        if choice.shift != 0 || line.isInConflict(packet) { repairs.strayed += 1 }
        changed.note(placed, at: choice.time)
        lines[packet.stream] = changed
        return placed
    }

    /// A packet that does not tell the stream's time.
    private mutating func pass(_ packet: Times, _ line: TimeLine) -> Times {
        let delta = offset(of: line.epoch, line).addingClamped(line.shift)
        if !packet.isHidden { lines[packet.stream]?.skip(packet.duration) }
        return packet.moved(by: delta)
    }

    private mutating func choose(_ time: Int64, _ packet: Times, _ line: TimeLine, _ ahead: LookAhead) throws(MediaError) -> TimeLine.Choice {
        guard let last = line.last else { return try first(time, packet, line, ahead) }
        let nearest = nearest(time, line)
        // What lies over the end of the epoch before stays with the other streams.
        if nearest.epoch > line.epoch, nearest.time.distanceClamped(to: goal(of: line)) <= line.forward { return nearest }
        if nearest.time < last.subtractingClamped(line.backward) {
            // Texts need not come in order.
            return line.isSparse ? nearest : try fallenBack(time, packet, line, ahead)
        }
        let furthest = max(line.expected, position(of: line) ?? .min).addingClamped(line.farthestStep)
        guard nearest.time > furthest, try isStray(time, packet, line, ahead) else { return nearest }
        return stray(time, line)
    }

    /// The place nearest to where the stream is expected, on any epoch's clock or with the shift that the stream has now.
    private func nearest(_ time: Int64, _ line: TimeLine) -> TimeLine.Choice {
        let own = time.addingClamped(offset(of: line.epoch, line))
        let shifted = own.addingClamped(line.shift)
        let keepsShift = shifted.distanceClamped(to: line.expected) <= own.distanceClamped(to: line.expected)
        var best = TimeLine.Choice(epoch: line.epoch, shift: keepsShift ? line.shift : 0, time: keepsShift ? shifted : own)
        guard offsets.count > 1 else { return best }
        let goal = goal(of: line)
        for epoch in offsets.indices.reversed() where epoch != line.epoch {
            let moved = time.addingClamped(offset(of: epoch, line))
            guard moved.distanceClamped(to: goal) < best.time.distanceClamped(to: goal) else { continue }
            best = TimeLine.Choice(epoch: epoch, shift: 0, time: moved)
        }
        return best
    }

    /// Keeps the stream's pace; a text comes where the others are.
    private func stray(_ time: Int64, _ line: TimeLine) -> TimeLine.Choice {
        let place = line.isSparse ? goal(of: line) : line.expected
        let shift = place.subtractingClamped(time.addingClamped(offset(of: line.epoch, line)))
        return TimeLine.Choice(epoch: line.epoch, shift: shift, time: place)
    }

    /// The first packet of a stream: its time is wrong where the next ones agree with each other and not with it.
    private func first(_ time: Int64, _ packet: Times, _ line: TimeLine, _ ahead: LookAhead) throws(MediaError) -> TimeLine.Choice {
        let position = position(of: line)
        let epoch = position.map { position in
            offsets.indices.reversed().min { a, b in
                time.addingClamped(offset(of: a, line)).distanceClamped(to: position)
                    < time.addingClamped(offset(of: b, line)).distanceClamped(to: position)
            } ?? 0
        } ?? 0
        let placed = time.addingClamped(offset(of: epoch, line))
        let choice = TimeLine.Choice(epoch: epoch, shift: 0, time: placed)
        guard !line.isSparse, position.map({ placed.distanceClamped(to: $0) > line.forward }) ?? true else { return choice }
        var next: [Int64] = []
        var distance = 0
        while next.count < 3, let other = try ahead(distance) {
            distance += 1
            if other.stream == packet.stream, let time = line.time(of: other) { next.append(time) }
        }
        guard next.count == 3, !line.follows(next[0], time) else { return choice }
        let steps = zip(next, next.dropFirst()).map { $1.subtractingClamped($0) }
        guard steps[1].distanceClamped(to: steps[0]) <= line.backward else { return choice }
        let before = next[0].subtractingClamped(max(packet.duration, 0)).addingClamped(offset(of: epoch, line))
        return TimeLine.Choice(epoch: epoch, shift: before.subtractingClamped(placed), time: before)
    }

    // MARK: - Jumps

    private mutating func fallenBack(_ time: Int64, _ packet: Times, _ line: TimeLine, _ ahead: LookAhead) throws(MediaError) -> TimeLine.Choice {
        if packet.stream == video {
            if try returns(time, packet.stream, line, from: 0, ahead, confirmation: Self.confirmation) { return stray(time, line) }
            begin(epoch: restart(packet, time, line))
        } else if let offset = try videoRestart(ahead) {
            let moved = time.addingClamped(lines[video].map { $0.base.rescale(offset, to: line.base) } ?? offset)
            guard moved.distanceClamped(to: goal(of: line)) <= line.forward else { return stray(time, line) }
            begin(epoch: offset)
        } else {
            return stray(time, line)
        }
        return TimeLine.Choice(
            epoch: offsets.count - 1, shift: 0, time: time.addingClamped(offset(of: offsets.count - 1, line)))
    }

    private mutating func begin(epoch offset: Int64) {
        offsets.append(offset)
        repairs.restarts += 1
    }

    /// Packets of the video behind a fall-back that confirm it.
    private static let confirmation = 8

    /// The offset that puts `packet`, the first one of a new epoch of the video, behind what came before.
    private func restart(_ packet: Times, _ time: Int64, _ line: TimeLine) -> Int64 {
        let byPicture = (line.end ?? 0).subtractingClamped(packet.pts ?? time)
        // Some pictures have no time of their own, so the latest one may not be known.
        let byDecoding = line.expected.subtractingClamped(time)
        return max(byPicture, byDecoding)
    }

    /// The offset of the epoch that the video begins soon; nil where its clock goes on.
    private func videoRestart(_ ahead: LookAhead) throws(MediaError) -> Int64? {
        guard lines.indices.contains(video), var line = lines[video], line.last != nil else { return nil }
        var distance = 0
        while let packet = try ahead(distance) {
            distance += 1
            guard packet.stream == video, let time = line.time(of: packet) else { continue }
            var choice = nearest(time, line)
            if choice.time < (line.last ?? .min).subtractingClamped(line.backward) {
                guard try returns(time, video, line, from: distance, ahead, confirmation: Self.confirmation) else {
                    return restart(packet, time, line)
                }
                choice = stray(time, line)
            }
            line.move(to: choice)
            line.note(line.placed(packet, time: time, at: choice.time), at: choice.time)
        }
        return nil
    }

    /// True where a jump forwards is this stream's fault: it soon returns to the line before, or none of the others follows.
    private func isStray(_ time: Int64, _ packet: Times, _ line: TimeLine, _ ahead: LookAhead) throws(MediaError) -> Bool {
        // Some files have all their texts at the start: only one that the next one contradicts is wrong.
        if line.isSparse { return try next(packet.stream, line, ahead).map { $0 < time.subtractingClamped(line.backward) } ?? false }
        if try returns(time, packet.stream, line, from: 0, ahead, confirmation: .max) { return true }
        let moved = time.addingClamped(offset(of: line.epoch, line))
        let hasOthers = lines.enumerated().contains { index, other in
            index != packet.stream && other.map { !$0.isSparse && $0.last != nil } ?? false
        }
        var distance = 0, followers = 0
        while let next = try ahead(distance) {
            distance += 1
            guard lines.indices.contains(next.stream), let other = lines[next.stream], !other.isSparse, let there = other.time(of: next)
            else { continue }
            let place = other.base.rescale(there.addingClamped(offset(of: other.epoch, other)), to: line.base)
            guard place.distanceClamped(to: moved) <= line.forward else { continue }
            // Its own next packets confirm a jump only where there is nobody else to.
            if next.stream != packet.stream { return false }
            followers += 1
        }
        return hasOthers || followers == 0
    }

    /// The time of the stream's next packet.
    private func next(_ stream: Int, _ line: TimeLine, _ ahead: LookAhead) throws(MediaError) -> Int64? {
        var distance = 0
        while let packet = try ahead(distance) {
            distance += 1
            if packet.stream == stream, let time = line.time(of: packet) { return time }
        }
        return nil
    }

    /// True where a stream that has jumped to `time` soon is on the line before again; false once `confirmation` packets have gone
    /// on from there.
    private func returns(
        _ time: Int64, _ stream: Int, _ line: TimeLine, from start: Int, _ ahead: LookAhead, confirmation: Int
    ) throws(MediaError) -> Bool {
        var run = time, followers = 0
        var before = line.expected.subtractingClamped(offset(of: line.epoch, line))
        var distance = start
        while followers < confirmation, let packet = try ahead(distance) {
            distance += 1
            guard packet.stream == stream, let next = line.time(of: packet) else { continue }
            run = run.addingClamped(line.step)
            before = before.addingClamped(line.step)
            let toRun = next.distanceClamped(to: run), toBefore = next.distanceClamped(to: before)
            if toBefore < toRun, toBefore <= line.farthestStep { return true }
            guard toRun <= line.farthestStep else { continue }
            run = next
            followers += 1
        }
        return false
    }

    // MARK: - Places

    private func offset(of epoch: Int, _ line: TimeLine) -> Int64 {
        guard offsets[epoch] != 0, lines.indices.contains(video), let base = lines[video]?.base else { return 0 }
        return base.rescale(offsets[epoch], to: line.base)
    }

    /// How far sound and video have come, in ticks of `line`.
    private func position(of line: TimeLine) -> Int64? {
        var position: Int64?
        for case let other? in lines where !other.isSparse {
            guard let last = other.last else { continue }
            let place = other.base.rescale(last, to: line.base)
            position = max(position ?? place, place)
        }
        return position
    }

    /// Where the stream's next packet is expected: behind its last one, or, where that is long ago, where the others are.
    private func goal(of line: TimeLine) -> Int64 {
        guard let position = position(of: line), position > line.expected else { return line.expected }
        let isLate = position.subtractingClamped(line.expected) > line.base.ticks(of: 2)
        return line.isSparse || isLate ? position : line.expected
    }
}

/// How often the times of a source were put right.
public struct TimeRepairs: Sendable, Equatable {
    /// Packets with a time that the packets around them contradict.
    public var strayed = 0
    /// How often the clock of the whole source started again.
    public var restarts = 0

    /// What was done, for the user; nil where nothing was.
    public func notice(of path: String) -> String? {
        var parts: [String] = []
        if strayed > 0 {
            parts.append("\(strayed) \(strayed == 1 ? "packet of it has a wrong time and follows" : "packets of it have wrong times and follow") the one before")
        }
        if restarts > 0 {
            parts.append("its clock starts again \(restarts == 1 ? "once" : "\(restarts) times"): what follows is moved behind what came before")
        }
        return parts.isEmpty ? nil : "the times of \(path) were put right: " + parts.joined(separator: "; ")
    }
}

extension SourceTimeline.Times {
    func moved(by delta: Int64) -> SourceTimeline.Times {
        guard delta != 0 else { return self }
        var copy = self
        copy.pts = pts?.addingClamped(delta)
        copy.dts = dts?.addingClamped(delta)
        return copy
    }
}
