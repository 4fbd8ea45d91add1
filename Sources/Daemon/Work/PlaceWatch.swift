internal import Base
internal import Foundation
internal import Synchronization
internal import SystemPackage

/// Looks at a folder that is written to, again and again, on a thread of its own: a network file system whose server is gone
/// holds up whoever asks it, for minutes or for ever, and must not hold up the service.
final class PlaceWatch: Sendable {
    struct Sight: Sendable, Equatable {
        /// Why nothing may be written to it; nil where it may.
        var refusal: String?
        var room: DiskRoom?
    }

    private struct State {
        var sight = Sight()
        /// When the last look ended.
        var time = SuspendingClock.now
    }

    private let path: String
    private let patience: Duration
    private let state = Mutex(State())
    private let stopping = MonotonicFlag()

    /// Looks once before this returns, as far as the file system answers.
    /// - Parameters:
    ///   - patience: how old an answer may be; a look is taken every second.
    ///   - look: takes a look; blocks as long as the file system does.
    init(_ path: String, patience: Duration = .seconds(10), look: @escaping @Sendable (inout Anchor) -> Sight = { $0.look() }) {
        self.path = path
        self.patience = patience
        let looked = MonotonicFlag()
        let thread = Thread { [self] in
            var anchor = Anchor(path)
            repeat {
                let sight = look(&anchor)
                state.withLock { ($0.sight, $0.time) = (sight, .now) }
                looked.raise()
            } while !stopping.wait(seconds: 1)
        }
        thread.name = "place"
        thread.start()
        guard !looked.wait(seconds: min(2, patience.seconds)) else { return }
        // As old as it can be: there is no answer yet.
        state.withLock { if $0.sight == Sight() { $0.time = .now - patience - .seconds(1) } }
    }

    /// What the last look has shown; where that is too long ago, that the place does not answer.
    var sight: Sight {
        let (sight, time) = state.withLock { ($0.sight, $0.time) }
        guard SuspendingClock.now - time > patience else { return sight }
        return Sight(refusal: "\(path) does not answer", room: nil)
    }

    /// Ends the thread, when the file system lets it.
    func stop() { stopping.raise() }
}

extension Anchor {
    mutating func look() -> PlaceWatch.Sight {
        if let refusal = refusal() { return .init(refusal: refusal, room: nil) }
        return .init(refusal: nil, room: DiskRoom.of(path))
    }
}
