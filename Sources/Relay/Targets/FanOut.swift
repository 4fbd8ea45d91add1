internal import MediaIO
internal import Synchronization

/// Gives every packet to every target's ring; a target that is too slow loses packets and delays nobody.
final class FanOut: Sendable {
    private struct Listener: Sendable {
        let ring: PacketRing
        let onLost: @Sendable (Int) -> Void
    }

    private struct State: Sendable {
        var listeners: [Listener] = []
        /// Lost by each listener since it was last told, and when that was.
        var untold: [(lost: Int, toldAt: Double)] = []
        var hasEnded = false
    }

    private let state = Mutex(State())

    /// - Parameter onLost: called at most once a second with the number of packets lost since the last call.
    func add(_ ring: PacketRing, onLost: @escaping @Sendable (Int) -> Void) {
        let hasEnded = state.withLock { state in
            state.listeners.append(Listener(ring: ring, onLost: onLost))
            state.untold.append((0, -1))
            return state.hasEnded
        }
        if hasEnded { ring.end() }
    }

    func offer(_ packet: TimedPacket) {
        // The rings' own locks are held for a moment only, so this one is too.
        let words: [(@Sendable (Int) -> Void, Int)] = state.withLock { state in
            state.listeners.indices.compactMap { place in
                state.untold[place].lost += state.listeners[place].ring.offer(packet)
                let untold = state.untold[place]
                guard untold.lost > 0, packet.at - untold.toldAt >= 1 else { return nil }
                state.untold[place] = (0, packet.at)
                return (state.listeners[place].onLost, untold.lost)
            }
        }
        for (tell, lost) in words { tell(lost) }
    }

    /// Nothing follows: every target finishes what it has.
    func end() {
        let rings = state.withLock { state in
            state.hasEnded = true
            return state.listeners.map(\.ring)
        }
        for ring in rings { ring.end() }
    }
}
