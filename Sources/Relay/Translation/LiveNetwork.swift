internal import Imaging
internal import MediaIO
internal import Pipeline
internal import Synchronization
internal import TSIT

/// The network at one size, and what stands before and behind it at that size.
struct NetworkParts: Sendable {
    /// Used by the translating thread.
    let preprocessing: PictureScaler
    let generator: Generator
    /// Used by the finishing thread.
    let detail: DetailTransfer
    let stabilizes: Bool
    /// What of the network's picture shows the video.
    let shown: (width: Int, height: Int)

    init(_ generator: Generator, size: NetworkSize, format: LiveFormat, detail: DetailChoice) throws {
        self.generator = generator
        preprocessing = try PictureScaler(source: format.video, network: size)
        shown = size == .native ? (format.width, format.height) : (generator.width, generator.height)
        self.detail = DetailTransfer(
            width: format.width, height: format.height, networkWidth: shown.width, networkHeight: shown.height, mode: detail.mode,
            residual: detail.residual)
        stabilizes = detail.stabilizes
    }
}

/// How a relay's network pictures become frames.
struct DetailChoice: Sendable {
    let mode: DetailMode
    let residual: Float
    let stabilizes: Bool

    init(_ request: ConvertRequest, translator: Translator) {
        mode = request.detail
        residual = translator.detailResidual(request)
        stabilizes = request.stabilizes
    }
}

/// The network that runs now; another size is made ready beside it, so that no frame waits for the change.
final class LiveNetwork: Sendable {
    private let translator: Translator
    private let format: LiveFormat
    private let detail: DetailChoice
    private struct State: Sendable {
        var parts: NetworkParts
        var isChanging = false
    }
    private let state: Mutex<State>

    /// - Parameter size: nil for the model's own. Blocks while the weights are packed.
    init(_ translator: Translator, size: NetworkSize?, format: LiveFormat, detail: DetailChoice) throws {
        self.translator = translator
        self.format = format
        self.detail = detail
        let size = size ?? translator.nativeSize
        let network = try PictureScaler(source: format.video, network: size).networkSize
        let generator = try translator.generator(width: network.width, height: network.height, renditions: 1)
        state = Mutex(State(parts: try NetworkParts(generator, size: size, format: format, detail: detail)))
    }

    var parts: NetworkParts { state.withLock { $0.parts } }

    var size: NetworkLadder.Size {
        let generator = parts.generator
        return .init(width: generator.width, height: generator.height)
    }

    /// Makes the network ready at another size on a thread of its own and puts it in place; nothing where that is already
    /// going on. `done` is called with the error, if there was one.
    func change(to size: NetworkLadder.Size, done: @escaping @Sendable ((any Error)?) -> Void) {
        guard state.withLock({ state in
            defer { state.isChanging = true }
            return !state.isChanging
        }) else { return }
        Task {
            var failure: (any Error)?
            do {
                let parts = try await onOwnThread(named: "resize") { [self] in
                    let generator = try translator.newGenerator(width: size.width, height: size.height, renditions: 1)
                    return try NetworkParts(
                        generator, size: .fixed(width: size.width, height: size.height), format: format, detail: detail)
                }
                state.withLock { $0.parts = parts }
            } catch {
                failure = error
            }
            state.withLock { $0.isChanging = false }
            done(failure)
        }
    }
}
