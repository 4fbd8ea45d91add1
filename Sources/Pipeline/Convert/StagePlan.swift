internal import Imaging
internal import MediaIO
internal import TSIT

/// The way of a frame: which stages there are, and the channels between them.
///
///     demux - decode - preprocess - generate - postprocess - encode - mux
///       |                              |                               |
///       |                              + - postprocess 2 - encode 2 - mux 2
///       + packets of all other streams - - - - - - - - - - to every mux
///
/// What comes up to the generator is done once; behind it every output has a branch of its own. All channels are bounded,
/// so the slowest branch sets the pace of the others.
struct StagePlan: Sendable {
    private(set) var group: StageGroup
    /// In the order of a frame's way, branch after branch.
    private(set) var meters: [StageMeter] = []
    private let parts: ConvertParts
    private let trace: Trace?

    /// - Parameters:
    ///   - onShutdown: see `StageGroup`.
    ///   - onFrame: called with the branch's place and the frame's time in seconds when an encoder has taken a frame.
    init(
        _ parts: ConvertParts, trace: Trace?, onShutdown: @escaping @Sendable () -> Void,
        onFrame: @escaping @Sendable (_ branch: Int, _ seconds: Double?) -> Void
    ) {
        self.init(parts, trace: trace, onShutdown: onShutdown)
        let packets = group.channel(of: Packet.self, capacity: Depth.packets)
        let decoded = group.channel(of: DecodedFrame.self, capacity: Depth.frames)
        var muxed: [Channel<Packet>] = []
        for _ in parts.branches { muxed.append(group.channel(of: Packet.self, capacity: Depth.packets, senders: 2)) }
        let demux = DemuxStage(
            demuxer: parts.demuxer, window: parts.window, meter: meter("demux"), video: packets, others: muxed)
        group.add("demux", demux.run)
        let decode = DecodeStage(
            decoder: parts.decoder, window: parts.window, limit: parts.limit, damage: parts.damage, meter: meter("decode"),
            input: packets, output: decoded)
        group.add("decode", decode.run)
        let way = addWay(decoded)
        for (place, branch) in parts.branches.enumerated() {
            let finished = addBranch(place, way)
            let name = Self.name("encode", place)
            let encode = EncodeStage(encoder: branch.encoder, meter: meter(name), input: finished, output: muxed[place]) {
                onFrame(place, $0)
            }
            group.add(name, encode.run)
            let mux = MuxStage(output: parts.outputs[place], meter: meter(Self.name("mux", place)), input: muxed[place])
            group.add(Self.name("mux", place), mux.run)
        }
    }

    private init(_ parts: ConvertParts, trace: Trace?, onShutdown: @escaping @Sendable () -> Void) {
        self.parts = parts
        self.trace = trace
        group = StageGroup(onShutdown: onShutdown)
    }

    /// A plan whose packets go to a journal: the video alone is read, from where `start` stands.
    ///
    /// - Parameter render: makes the last stage, which takes the finished frames.
    init(
        rendering parts: ConvertParts, from start: SourceStart, notes: FrameNotes, trace: Trace? = nil,
        onShutdown: @escaping @Sendable () -> Void,
        render: (StageMeter, Channel<FinishedFrame>) -> RenderStage
    ) {
        self.init(parts, trace: trace, onShutdown: onShutdown)
        let packets = group.channel(of: Packet.self, capacity: Depth.packets)
        let decoded = group.channel(of: DecodedFrame.self, capacity: Depth.frames)
        let demux = DemuxStage(demuxer: parts.demuxer, window: nil, meter: meter("demux"), video: packets, others: [])
        group.add("demux", demux.run)
        let decode = ResumedDecodeStage(
            start: start, limit: parts.limit, notes: notes, meter: meter("decode"), input: packets, output: decoded)
        group.add("decode", decode.run)
        let finished = addBranch(0, addWay(decoded))
        let stage = render(meter("encode"), finished)
        group.add("encode", stage.run)
    }

    /// What the branches begin with.
    private enum Way {
        case translated([Channel<TranslatedFrame>])
        /// Without a translation they begin where the encoders do.
        case passed([Channel<FinishedFrame>])
    }

    /// Everything between the decoder and the branches.
    private mutating func addWay(_ decoded: Channel<DecodedFrame>) -> Way {
        if let translation = parts.translation { return .translated(addTranslation(translation, decoded)) }
        let finished = parts.branches.map { _ in group.channel(of: FinishedFrame.self, capacity: Depth.frames) }
        addPass(decoded, finished)
        return .passed(finished)
    }

    /// Everything of one branch up to its encoder; returns what that receives.
    private mutating func addBranch(_ place: Int, _ way: Way) -> Channel<FinishedFrame> {
        switch way {
        case .passed(let finished): return finished[place]
        case .translated(let translated):
            let finished = group.channel(of: FinishedFrame.self, capacity: Depth.frames)
            addPostprocess(place, translated[place], finished)
            return finished
        }
    }

    /// Preprocessor and generator; returns what each branch receives.
    private mutating func addTranslation(
        _ translation: ConvertParts.TranslationParts, _ decoded: Channel<DecodedFrame>
    ) -> [Channel<TranslatedFrame>] {
        let prepared = group.channel(of: PreparedFrame.self, capacity: Depth.frames)
        var translated: [Channel<TranslatedFrame>] = []
        for _ in parts.branches { translated.append(group.channel(of: TranslatedFrame.self, capacity: Depth.frames)) }
        if let labels = parts.labels {
            addLabels(labels, translation, decoded, prepared)
        } else {
            let preprocess = PreprocessStage(
                scaler: translation.preprocessing, isDeep: parts.source.video.isDeep, meter: meter("preprocess"),
                input: decoded, output: prepared)
            group.add("preprocess", preprocess.run)
        }
        let generate = GenerateStage(
            generator: translation.generator, styles: translation.styles, alpha: translation.alpha,
            strength: translation.strength, clock: SourceClock(parts.source.video), meter: meter("generate"),
            input: prepared, outputs: translated)
        group.add("generate", generate.run)
        return translated
    }

    private mutating func addLabels(
        _ labels: LabelParts, _ translation: ConvertParts.TranslationParts, _ decoded: Channel<DecodedFrame>,
        _ prepared: Channel<PreparedFrame>
    ) {
        let stage = LabelStage(
            parts: labels, orientation: parts.source.video.orientation, network: translation.preprocessing.networkSize,
            isNative: translation.size == .native, limit: parts.limit, isPart: parts.window?.window.end != nil,
            meter: meter("labels"), input: decoded, output: prepared)
        group.add("labels", stage.run)
    }

    private mutating func addPostprocess(
        _ place: Int, _ input: Channel<TranslatedFrame>, _ output: Channel<FinishedFrame>
    ) {
        let branch = parts.branches[place]
        guard let finishing = branch.finishing, let translation = parts.translation else { return }
        let name = Self.name("postprocess", place)
        let stage = PostprocessStage(
            detail: finishing.detail, stabilizes: finishing.stabilizes, detailState: finishing.detailState,
            clock: SourceClock(parts.source.video), scaler: finishing.scaler, target: EncodedPicture(branch.encoder),
            orientation: parts.source.video.orientation, shownSize: translation.shownSize,
            witness: place == 0 ? parts.witness : nil, meter: meter(name), input: input, output: output)
        group.add(name, stage.run)
    }

    private mutating func addPass(_ decoded: Channel<DecodedFrame>, _ outputs: [Channel<FinishedFrame>]) {
        let targets = zip(parts.branches, outputs).map {
            PassStage.Target(picture: EncodedPicture($0.encoder), output: $1)
        }
        let pass = PassStage(
            scaler: parts.passing, targets: targets, isDeep: parts.source.video.isDeep,
            orientation: parts.source.video.orientation, witness: parts.witness, meter: meter("pass"), input: decoded)
        group.add("pass", pass.run)
    }

    private mutating func meter(_ name: String) -> StageMeter {
        let meter = StageMeter(name, trace: trace)
        meters.append(meter)
        return meter
    }

    /// The stage's name; from the second branch on with a number.
    private static func name(_ stage: String, _ place: Int) -> String { place == 0 ? stage : "\(stage) \(place + 1)" }

    /// How many elements may wait between two stages: enough to overlap, few enough to keep memory flat.
    private enum Depth {
        static let packets = 16
        static let frames = 2
    }
}
