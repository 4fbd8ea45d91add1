/// Keeps one picture per packet: the bookkeeping of which pictures a decoder owes, without any libav.
///
/// Every packet handed to the decoder gets a token, which travels through it as the packet's pts, so that a picture
/// says from which packet it came whatever the timestamps are. A picture whose packet's turn has come is passed on; one
/// that the decoder has left out is stood in for by its predecessor (at the very start by the first picture) with its
/// own pts. Pts that come out strictly increase.
///
/// With `.presentation` times (MP4, Matroska, MPEG-TS) a packet's pts gives its picture's place. With `.decoding` times
/// (AVI, raw streams) the n-th picture takes the n-th packet's time, and a picture is missing as soon as more packets
/// before the one that came out are owed than the codec may reorder.
struct FrameContinuity<Picture> {
    enum Order: Equatable { case presentation, decoding }

    /// What the container says about one packet.
    struct PacketTimes {
        var pts: Int64?
        var dts: Int64?
        var duration: Int64 = 0
        var isKey = false
        /// False where no picture is owed (a hidden reference, a second field); one that comes is passed on all the same.
        var owesPicture = true
    }

    /// A picture with its place in the sequence.
    struct Output {
        var picture: Picture
        var pts: Int64
        /// True where the picture stands in for one that the decoder did not give.
        var isStandIn: Bool
        /// The packet of the place; nil where unknown.
        var token: Int64?
    }

    /// A place in the order of presentation. `epoch` counts the times that the timestamps started again.
    private struct Place: Comparable {
        var epoch: Int
        var pts: Int64
        var token: Int64

        static func < (a: Place, b: Place) -> Bool { (a.epoch, a.pts, a.token) < (b.epoch, b.pts, b.token) }
    }

    private let order: Order
    /// Pictures that the codec may put after others that follow them in decoding order.
    var reorderDepth = 0
    /// Pictures held back before earlier ones that are owed count as lost: decoders may put out a few in wrong order.
    private let patience: Int
    /// Owed pictures, beyond which the earliest counts as lost even if nothing comes out.
    private let mostOwed: Int

    private var nextToken: Int64 = 0
    /// Packets whose picture is owed: sorted by place, or by token where times are those of decoding.
    private var owed: [Place] = []
    /// With times of decoding: the places that are free, and how many of the owed pictures are lost, whichever they are.
    private var slots: [Int64] = []
    private var anonymousLosses = 0
    private var standIns = 0
    /// Packets without a pts among others that have one: tokens, ascending.
    private var unplaced: [Int64] = []
    /// Packets that owe no picture, in case that one comes.
    private var optional: [Int64: Place] = [:]
    /// Packets whose picture was stood in for, in case that it comes late.
    private var givenUp: Set<Int64> = []
    private var held: [(place: Place, picture: Picture)] = []
    private var last: Picture?

    private var epoch = 0
    private var lastKeyPts: Int64?
    private var lastDts: Int64?
    private var recentPts: [Int64] = []
    private static var recentCount: Int { 32 }
    private var lastTime: Int64?
    private var nextDerivedTime: Int64 = 0

    private var lastPts: Int64?
    private var lastStep: Int64 = 1
    private var lastEpoch = 0
    private var offset: Int64 = 0

    init(order: Order, patience: Int = 4, mostOwed: Int = 128) {
        self.order = order
        self.patience = patience
        self.mostOwed = mostOwed
    }

    /// Pictures that are owed and for which nothing has been put out.
    var owedCount: Int { (order == .decoding ? slots.count : owed.count) + unplaced.count }

    // MARK: - Packets

    /// Takes note of a packet that is about to be decoded; its token, and pictures that count as lost by now.
    mutating func packet(_ times: PacketTimes) -> (token: Int64, outputs: [Output]) {
        let token = nextToken
        nextToken += 1
        let place = place(of: times, token: token)
        if !times.owesPicture {
            optional[token] = place ?? Place(epoch: epoch, pts: nextDerivedTime, token: token)
            optional = optional.filter { $0.key > token - 256 }
        } else if let place {
            insert(place)
        } else {
            unplaced.append(token)
        }
        guard owedCount > mostOwed, let last else { return (token, []) }
        var outputs: [Output] = []
        while slots.count > mostOwed { giveUpSlot(standIn: last, into: &outputs) }
        if order == .presentation { while owed.count > mostOwed { giveUpFirst(standIn: last, into: &outputs) } }
        release(into: &outputs)
        return (token, outputs)
    }

    private mutating func place(of times: PacketTimes, token: Int64) -> Place? {
        guard order == .presentation else {
            let time = max(times.dts ?? times.pts ?? nextDerivedTime, lastTime.map { $0.addingClamped(1) } ?? .min)
            lastTime = time
            nextDerivedTime = time.addingClamped(max(1, times.duration))
            return Place(epoch: 0, pts: time, token: token)
        }
        guard let pts = times.pts else { return nil }
        // In any valid stream dts and the pts of key frames increase; where they fall back behind all recent pts, a
        // new recording starts.
        let dtsFellBack = times.dts.flatMap { dts in lastDts.map { dts < $0 } } ?? false
        let keyFellBack = times.isKey && (lastKeyPts.map { pts < $0 } ?? false)
        if dtsFellBack || keyFellBack, recentPts.allSatisfy({ pts < $0 }) {
            epoch += 1
            lastKeyPts = nil
            recentPts = []
        }
        if let dts = times.dts { lastDts = dts }
        if times.isKey { lastKeyPts = pts }
        if recentPts.count == Self.recentCount { recentPts.removeFirst() }
        recentPts.append(pts)
        return Place(epoch: epoch, pts: pts, token: token)
    }

    private mutating func insert(_ place: Place) {
        var index = owed.count
        while index > 0, order == .presentation ? place < owed[index - 1] : place.token < owed[index - 1].token { index -= 1 }
        owed.insert(place, at: index)
        guard order == .decoding else { return }
        slots.insert(place.pts, at: slots.firstIndex { place.pts < $0 } ?? slots.endIndex)
    }

    // MARK: - Pictures

    /// Takes a picture from the decoder; what can be put out now, in order.
    ///
    /// - Parameter token: the token of the packet it came from; nil where the decoder lost it.
    mutating func picture(_ picture: Picture, token: Int64?) -> [Output] {
        var outputs: [Output] = []
        if let token {
            givenUp = givenUp.filter { $0 > token - 1024 }
            guard givenUp.remove(token) == nil else { return [] }
            if let place = optional.removeValue(forKey: token) { insert(place) }
        }
        switch order {
        case .presentation: takePlaced(picture, token, into: &outputs)
        case .decoding: takeCounted(picture, token, into: &outputs)
        }
        return outputs
    }

    /// The decoder has no more pictures: all that are still owed are stood in for.
    mutating func flush() -> [Output] {
        var outputs: [Output] = []
        giveUpUnplaced(before: .max, into: &outputs)
        while let first = held.first {
            giveUp(before: first.place, standIn: last ?? first.picture, into: &outputs)
            release(into: &outputs)
        }
        guard let last else { return outputs }
        while !slots.isEmpty { giveUpSlot(standIn: last, into: &outputs) }
        if order == .presentation { while !owed.isEmpty { giveUpFirst(standIn: last, into: &outputs) } }
        return outputs
    }

    private mutating func takePlaced(_ picture: Picture, _ token: Int64?, into outputs: inout [Output]) {
        if let token, let index = unplaced.firstIndex(of: token) {
            unplaced.remove(at: index)
            put(picture, at: nil, token: token, into: &outputs)
            return
        }
        // A picture whose packet is unknown takes the place that is due; one that no place is left for comes on top.
        guard let index = token.map({ token in owed.firstIndex { $0.token == token } }) ?? owed.indices.first else {
            put(picture, at: nil, token: token, into: &outputs)
            return
        }
        let place = owed.remove(at: index)
        held.insert((place, picture), at: held.firstIndex { place < $0.place } ?? held.endIndex)
        giveUpUnplaced(before: place.token - 32, into: &outputs)
        release(into: &outputs)
    }

    private mutating func takeCounted(_ picture: Picture, _ token: Int64?, into outputs: inout [Output]) {
        guard !slots.isEmpty else {
            // More pictures than places: a stand-in has taken one too early, or a packet held two pictures.
            if standIns > 0 { standIns -= 1 } else { put(picture, at: nil, token: token, into: &outputs) }
            return
        }
        // Which packet's picture is lost cannot be told, only how many are: the n-th picture takes the n-th place.
        if let token {
            let owedBefore = owed.count { $0.token < token }
            owed.removeAll { $0.token == token }
            var missing = owedBefore - anonymousLosses - reorderDepth
            while missing > 0, slots.count > 1 {
                giveUpSlot(standIn: last ?? picture, into: &outputs)
                missing -= 1
            }
            while let first = owed.first, first.token < token - 64 {
                owed.removeFirst()
                anonymousLosses = max(0, anonymousLosses - 1)
            }
        } else if !owed.isEmpty {
            owed.removeFirst()
        }
        put(picture, at: Place(epoch: 0, pts: slots.removeFirst(), token: token ?? 0), token: token, into: &outputs)
    }

    private mutating func giveUpSlot(standIn: Picture, into outputs: inout [Output]) {
        anonymousLosses += 1
        standIns += 1
        put(standIn, at: Place(epoch: 0, pts: slots.removeFirst(), token: 0), token: nil, isStandIn: true, into: &outputs)
    }

    /// Puts out the held pictures that nothing earlier is owed for, and gives up what has been waited for in vain.
    private mutating func release(into outputs: inout [Output]) {
        while let first = held.first {
            if let due = owed.first, due < first.place {
                guard held.count > patience else { return }
                giveUp(before: first.place, standIn: last ?? first.picture, into: &outputs)
            }
            held.removeFirst()
            put(first.picture, at: first.place, token: first.place.token, into: &outputs)
        }
    }

    // MARK: - Lost pictures

    private mutating func giveUp(before place: Place, standIn: Picture, into outputs: inout [Output]) {
        while let due = owed.first, due < place { giveUpFirst(standIn: standIn, into: &outputs) }
    }

    private mutating func giveUpFirst(standIn: Picture, into outputs: inout [Output]) {
        let place = owed.removeFirst()
        givenUp.insert(place.token)
        put(standIn, at: place, token: place.token, isStandIn: true, into: &outputs)
    }

    private mutating func giveUpUnplaced(before token: Int64, into outputs: inout [Output]) {
        guard let last else { return }
        while let first = unplaced.first, first < token {
            unplaced.removeFirst()
            givenUp.insert(first)
            put(last, at: nil, token: first, isStandIn: true, into: &outputs)
        }
    }

    // MARK: - Output

    private mutating func put(
        _ picture: Picture, at place: Place?, token: Int64?, isStandIn: Bool = false, into outputs: inout [Output]
    ) {
        let pts = strictlyIncreasing(place)
        if let lastPts, let place, pts == place.pts.addingClamped(offset) { lastStep = pts.subtractingClamped(lastPts) }
        lastPts = pts
        last = picture
        outputs.append(Output(picture: picture, pts: pts, isStandIn: isStandIn, token: token))
    }

    /// The place's own pts, moved only as far as needed to lie behind the last one; a new epoch is moved as a whole.
    private mutating func strictlyIncreasing(_ place: Place?) -> Int64 {
        guard let lastPts else {
            lastEpoch = place?.epoch ?? 0
            return place?.pts ?? 0
        }
        guard let place else { return lastPts.addingClamped(lastStep) }
        if place.epoch != lastEpoch {
            lastEpoch = place.epoch
            offset = place.pts > lastPts ? 0 : lastPts.addingClamped(lastStep).subtractingClamped(place.pts)
        }
        return max(place.pts.addingClamped(offset), lastPts.addingClamped(1))
    }
}

extension Int64 {
    /// The sum, or the nearest representable number: timestamps of damaged files may be anything.
    func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min + 1) : sum
    }

    func subtractingClamped(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min + 1) : difference
    }
}
