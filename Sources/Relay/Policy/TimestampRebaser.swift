/// Puts the times of a source's packets, connection after connection, on one timeline that only grows.
///
/// A source's own times begin anywhere at every connection, and may jump by hours while it plays. Within an epoch - a stretch
/// without a jump - all packets are moved by the same offset, so audio and video stay in sync. Over a gap the timeline goes
/// on as the wall clock does. All times are seconds.
struct TimestampRebaser: Sendable {
    private struct Stream {
        var epoch: Int
        /// The newest packet: its time in the source, its time on the timeline, and when it came.
        var source: Double
        var output: Double
        var arrival: Double
    }

    private var streams: [Int: Stream] = [:]
    /// Offset of each stream's time by epoch; only the newest two are ever needed.
    private var offsets: [Int: Double] = [:]
    private var newestEpoch = -1
    /// Streams that have not been heard of in the current connection take its epoch.
    private var isFresh: Set<Int> = []
    private var startsConnection = true

    /// A step ahead that is larger than the time that has passed by this much is a jump.
    static let largestStep = 3.0
    /// So is a step back of more than this; a smaller one is disorder on the way.
    static let largestStepBack = 1.0
    /// How far apart two streams' packets that come at the same moment may lie and still be of one epoch.
    static let largestSkew = 2.0

    /// Jumps within a connection so far.
    private(set) var jumps = 0

    /// A new connection to the source begins: its times have nothing to do with those before.
    mutating func beginConnection() { startsConnection = true }

    /// What is to be added to the times of the packet of `stream` that came at `now` and is decoded at `time`.
    mutating func offset(stream: Int, time: Double, now: Double) -> Double {
        if startsConnection {
            startsConnection = false
            isFresh = Set(streams.keys)
            beginEpoch(offset: head(at: now) - time)
            return note(stream, time, now)
        }
        guard let known = streams[stream], !isFresh.contains(stream) else { return note(stream, time, now) }
        let step = time - known.source, waited = max(0, now - known.arrival)
        guard step < -Self.largestStepBack || step > waited + Self.largestStep else {
            return note(stream, time, now, epoch: known.epoch)
        }
        jumps += 1
        let expected = known.output + waited
        // The other stream has jumped a moment ago, and this one follows it.
        if known.epoch != newestEpoch, let offset = offsets[newestEpoch], abs(time + offset - expected) <= Self.largestSkew {
            return note(stream, time, now)
        }
        beginEpoch(offset: expected - time)
        return note(stream, time, now)
    }

    /// Where the timeline is at `now`: as far as it was when the newest packet came, and the time since then.
    func head(at now: Double) -> Double {
        streams.values.map { $0.output + max(0, now - $0.arrival) }.max() ?? 0
    }

    /// Notes that `stream` has been put out up to `output` at `now`, with something that has no time in the source.
    mutating func fill(stream: Int, to output: Double, now: Double) {
        if streams[stream] == nil { isFresh.insert(stream) }
        var known = streams[stream] ?? Stream(epoch: newestEpoch, source: 0, output: output, arrival: now)
        known.output = max(known.output, output)
        known.arrival = now
        streams[stream] = known
    }

    private mutating func beginEpoch(offset: Double) {
        newestEpoch += 1
        offsets[newestEpoch] = offset
        let used = Set(streams.values.map(\.epoch))
        offsets = offsets.filter { $0.key == newestEpoch || used.contains($0.key) }
    }

    private mutating func note(_ stream: Int, _ time: Double, _ now: Double, epoch: Int? = nil) -> Double {
        let epoch = epoch ?? newestEpoch
        let offset = offsets[epoch] ?? 0
        isFresh.remove(stream)
        streams[stream] = Stream(epoch: epoch, source: time, output: time + offset, arrival: now)
        return offset
    }
}
