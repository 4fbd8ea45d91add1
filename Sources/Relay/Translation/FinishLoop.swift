internal import Imaging
internal import MediaIO
internal import Synchronization

/// Postprocessor and encoder of a relay: carries the source's detail into the translated picture, encodes it and hands the
/// packets out; while the source is lost it sends what stands in for it.
final class FinishLoop: Sendable {
    private let output: OutputParts
    private let onLoss: RelayRequest.OnLoss
    private let loss: LossState
    private let clock: RelayClock
    private let pace: FramePace
    private let meter: RelayMeter
    private let input: Handover<LiveTranslation>
    private let fanOut: FanOut
    private let keyframes: KeyframeWish
    private let pictures: RelayPictures?

    /// Seconds between two pictures that stand in.
    static let holdInterval = 0.5
    /// Seconds between two pictures at least: Matroska counts milliseconds.
    static let closest = 0.002

    init(
        output: OutputParts, onLoss: RelayRequest.OnLoss, loss: LossState, clock: RelayClock, pace: FramePace, meter: RelayMeter,
        input: Handover<LiveTranslation>, fanOut: FanOut, keyframes: KeyframeWish, pictures: RelayPictures?
    ) {
        self.output = output
        self.onLoss = onLoss
        self.loss = loss
        self.clock = clock
        self.pace = pace
        self.meter = meter
        self.input = input
        self.fanOut = fanOut
        self.keyframes = keyframes
        self.pictures = pictures
    }

    /// Runs until the input ends, then gives out what the encoder holds back.
    func run() throws {
        var run = try Run(self)
        while true {
            switch input.receive(patience: Self.holdInterval) {
            case .element(let translation): try run.finish(translation)
            case .nothingYet: try run.standIn()
            case .ended:
                try run.flush()
                return
            }
        }
    }

    /// What one run keeps from frame to frame.
    private struct Run {
        private let loop: FinishLoop
        private let scaler: PictureScaler
        private let pool = PicturePool()
        private var newest: Frame?
        /// The picture that stands in, with its mark, made once for each loss.
        private var mark: Frame?
        private var lastPts: Int64?
        /// What the detail transfer of the last frame has left for the next one.
        private var detailState: DetailState?
        private var timetable = RelayPictures.Timetable()

        init(_ loop: FinishLoop) throws {
            self.loop = loop
            scaler = try PictureScaler(source: loop.output.format.video, network: .native)
        }

        mutating func finish(_ translation: LiveTranslation) throws {
            let start = loop.clock.now
            let frame = try finished(translation)
            mark = nil
            newest = frame
            try encode(frame)
            let now = loop.clock.now
            loop.pace.noteFinished(seconds: now - start)
            loop.meter.noteFrameOut(latency: now - translation.arrived.arrival, at: now)
        }

        private mutating func finished(_ translated: LiveTranslation) throws -> Frame {
            let shows = loop.pictures != nil && timetable.isDue(at: loop.clock.now)
            guard let translation = translated.translation else {
                detailState = nil
                if shows {
                    let picture = try scaler.fullSize8(of: translated.arrived.frame)
                    loop.pictures?.offer(before: picture, after: picture)
                }
                return translated.arrived.frame
            }
            let (shown, source) = (translation.parts.shown, translation.source)
            let result = PlanarImage<UInt8>(width: source.width, height: source.height, pool: pool)
            let parts = translation.parts
            detailState = parts.detail(
                source: source, networkInput: translation.networkInput.cropped(width: shown.width, height: shown.height),
                networkOutput: translation.networkOutput.cropped(width: shown.width, height: shown.height),
                strength: translation.strength, after: parts.stabilizes ? detailState : nil,
                at: LiveFormat.seconds(translated.arrived.frame.pts ?? 0), into: result)
            if shows { loop.pictures?.offer(before: source, after: result) }
            let video = loop.output.format.video
            return try scaler.frame(
                from: result, like: translated.arrived.frame, format: video.pixelFormatName, colour: video.colour)
        }

        /// While the source is lost: the last picture, or black, at a low rate.
        mutating func standIn() throws {
            guard loop.loss.isLost, loop.onLoss != .end else { return }
            let frame = try mark ?? makeMark()
            mark = frame
            frame.pts = loop.clock.fillIn(at: loop.clock.now)
            try encode(frame)
            loop.meter.noteHeld()
        }

        private func makeMark() throws -> Frame {
            let format = loop.output.format
            let picture = loop.onLoss == .hold ? try newest?.copy() : nil
            let frame = try picture ?? Frame.black(format)
            try SignalLostMark.draw(on: frame, format: format)
            return frame
        }

        private mutating func encode(_ frame: Frame) throws {
            frame.timeBase = LiveFormat.timeBase
            guard let pts = next(frame.pts) else { return loop.meter.noteDropped() }
            frame.pts = pts
            lastPts = pts
            let now = loop.clock.now, encoder = loop.output.encoder
            let ready = try scaler.converted(frame, to: encoder.pixelFormatName, colour: encoder.colour)
            try encoder.encode(ready, asKeyframe: loop.keyframes.isDue(pts: pts, now: now)) { packet in
                loop.fanOut.offer(TimedPacket(packet: packet, at: now))
            }
        }

        /// The pts that a frame is encoded with: its own, where that lies behind the last one's by what every container can tell
        /// apart; nil for a frame that came too late to be shown.
        private func next(_ pts: Int64?) -> Int64? {
            guard let lastPts else { return pts ?? 0 }
            let earliest = lastPts + LiveFormat.ticks(FinishLoop.closest)
            guard let pts, pts < earliest else { return pts ?? earliest }
            // Should the timeline ever go back by more than disorder explains, the picture is not to stand still for that.
            return lastPts - pts > LiveFormat.ticks(1) ? earliest : nil
        }

        func flush() throws {
            let now = loop.clock.now
            try loop.output.encoder.encode(nil, asKeyframe: false) { packet in
                loop.fanOut.offer(TimedPacket(packet: packet, at: now))
            }
        }
    }
}

/// Whether the source gives nothing: set when it is given up, cleared by the first frame that comes again.
final class LossState: Sendable {
    private let lost: Atomic<Bool>

    init(isLost: Bool) { lost = Atomic(isLost) }

    var isLost: Bool { lost.load(ordering: .relaxed) }
    func set(_ isLost: Bool) { lost.store(isLost, ordering: .relaxed) }
}

/// When the next frame is to be a key frame: every so often, and soon after somebody asks for one.
final class KeyframeWish: Sendable {
    private struct State: Sendable {
        var isWished = false
        var lastPts: Int64?
        var lastAt = -1.0
    }
    private let state = Mutex(State())
    private let interval: Int64

    /// Seconds between two key frames that were asked for: many readers that join at once share one.
    static let closest = 0.5

    /// - Parameter interval: seconds between two key frames at most.
    init(interval: Double) { self.interval = LiveFormat.ticks(interval) }

    func wish() { state.withLock { $0.isWished = true } }

    /// Asks, for the frame at `pts` (ticks of `LiveFormat.timeBase`) that is encoded at `now` (seconds); a yes counts as done.
    func isDue(pts: Int64, now: Double) -> Bool {
        state.withLock { state in
            let isOld = state.lastPts.map { pts - $0 >= interval } ?? true
            guard isOld || (state.isWished && now - state.lastAt >= Self.closest) else { return false }
            state = State(isWished: false, lastPts: pts, lastAt: now)
            return true
        }
    }
}

extension LiveFormat {
    /// Ticks of `timeBase` in seconds.
    static func seconds(_ ticks: Int64) -> Double { Double(ticks) / Double(timeBase.denominator) }

    /// Seconds in ticks of `timeBase`.
    static func ticks(_ seconds: Double) -> Int64 { Int64((seconds * Double(timeBase.denominator)).rounded()) }
}
