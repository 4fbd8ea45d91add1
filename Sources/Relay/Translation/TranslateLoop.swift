internal import Imaging
internal import MediaIO
internal import TSIT

/// Preprocessor and generator of a relay: takes the newest frame, translates it, hands it on.
struct TranslateLoop: Sendable {
    /// Nil where the strength is 0 throughout: the source is passed on.
    let network: LiveNetwork?
    let style: LiveStyle
    let alpha: Float
    let clock: RelayClock
    let pace: FramePace
    let input: Newest<ArrivedFrame>
    let output: Handover<LiveTranslation>
    private let pool = PicturePool()

    init(
        network: LiveNetwork?, style: LiveStyle, alpha: Float, clock: RelayClock, pace: FramePace,
        input: Newest<ArrivedFrame>, output: Handover<LiveTranslation>
    ) {
        self.network = network
        self.style = style
        self.alpha = alpha
        self.clock = clock
        self.pace = pace
        self.input = input
        self.output = output
    }

    /// Runs until the input ends.
    func run() throws {
        while let arrived = input.take() {
            let start = clock.now
            let translated = try translate(arrived, at: start)
            pace.noteTranslated(seconds: clock.now - start)
            guard output.send(translated) else { return }
        }
    }

    private func translate(_ arrived: ArrivedFrame, at now: Double) throws -> LiveTranslation {
        let strength = style.strength(at: now)
        guard strength > 0, let network, let statistics = style.style(at: now) else {
            return LiveTranslation(arrived: arrived, translation: nil)
        }
        let parts = network.parts
        let source = try parts.preprocessing.fullSize8(of: arrived.frame)
        let content = try parts.preprocessing.networkInput(of: arrived.frame)
        let generator = parts.generator
        let picture = PlanarImage<Float>(width: generator.width, height: generator.height, pool: pool)
        try generator(content, styles: [statistics], alpha: alpha, into: [picture])
        return LiveTranslation(
            arrived: arrived,
            translation: .init(source: source, networkInput: content, networkOutput: picture, strength: strength, parts: parts))
    }
}
