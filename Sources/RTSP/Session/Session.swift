/// What a reader has set up and whether it plays (RFC 2326, A.2), without any input or output.
struct Session: Sendable {
    enum State: Sendable, Equatable { case initial, ready, playing, ended }

    enum Ending: String, Sendable, Equatable {
        case teardown = "torn down"
        case connectionClosed = "connection closed"
        case silent = "nothing heard from it"
        case stuck = "nothing could be sent to it"
        case replaced = "set up anew"
    }

    enum Input: Sendable, Equatable {
        case setup(track: Int, Transport)
        case play, pause
        /// Nil for all tracks.
        case teardown(track: Int?)
        /// Any request, or RTCP.
        case heard
        /// Something was sent over TCP, or nothing waits to be.
        case delivered
        case connectionClosed
        case replaced
        case tick
    }

    enum Action: Sendable, Equatable { case start, stop, end(Ending) }

    private(set) var state = State.initial
    private(set) var transports: [Int: Transport] = [:]
    /// Nanoseconds of the monotonic clock.
    private var lastHeard: UInt64
    private var lastDelivered: UInt64
    private let timeout: UInt64
    /// For a session that has not played yet: a player asks for that at once.
    private let setUpTimeout: UInt64
    private(set) var hasPlayed = false
    /// When it was set up.
    let begun: UInt64

    init(at now: UInt64, timeout: UInt64, setUpTimeout: UInt64 = .max) {
        (lastHeard, lastDelivered, begun) = (now, now, now)
        (self.timeout, self.setUpTimeout) = (timeout, min(timeout, setUpTimeout))
    }

    var isInterleaved: Bool {
        transports.values.contains { if case .interleaved = $0 { true } else { false } }
    }

    /// Throws the answer to a request that this state does not allow; nothing has changed then.
    mutating func handle(_ input: Input, at now: UInt64) throws(Refusal) -> [Action] {
        guard state != .ended else { throw Refusal(.sessionNotFound) }
        switch input {
        case .setup(let track, let transport): try setUp(track, transport)
        case .play: return try play(at: now)
        case .pause: return try pause()
        case .teardown(let track): return try tearDown(track)
        case .heard: lastHeard = now
        case .delivered: lastDelivered = now
        case .connectionClosed:
            // A session over UDP does not depend on one connection (RFC 2326, 1.1).
            return state == .initial || isInterleaved ? end(.connectionClosed) : []
        case .replaced: return end(.replaced)
        case .tick: return tick(at: now)
        }
        return []
    }

    private mutating func setUp(_ track: Int, _ transport: Transport) throws(Refusal) {
        // Changing the transport of what plays is optional (RFC 2326, 10.4).
        guard state != .playing else { throw Refusal(.methodNotValidInThisState) }
        for (other, existing) in transports where other != track {
            switch (existing, transport) {
            case (.udp(let rtp, let rtcp), .udp(let newRTP, let newRTCP)):
                guard Set([rtp, rtcp]).isDisjoint(with: [newRTP, newRTCP]) else { throw Refusal(.unsupportedTransport) }
            case (.interleaved(let rtp, let rtcp), .interleaved(let newRTP, let newRTCP)):
                guard Set([rtp, rtcp]).isDisjoint(with: [newRTP, newRTCP]) else { throw Refusal(.unsupportedTransport) }
            default: throw Refusal(.unsupportedTransport)
            }
        }
        transports[track] = transport
        state = .ready
    }

    private mutating func play(at now: UInt64) throws(Refusal) -> [Action] {
        switch state {
        case .ready:
            state = .playing
            hasPlayed = true
            lastDelivered = now
            return [.start]
        case .playing: return []
        case .initial, .ended: throw Refusal(.methodNotValidInThisState)
        }
    }

    private mutating func pause() throws(Refusal) -> [Action] {
        switch state {
        case .playing:
            state = .ready
            return [.stop]
        case .ready: return []
        case .initial, .ended: throw Refusal(.methodNotValidInThisState)
        }
    }

    private mutating func tearDown(_ track: Int?) throws(Refusal) -> [Action] {
        if let track {
            guard transports.removeValue(forKey: track) != nil else { throw Refusal(.methodNotValidInThisState) }
            if !transports.isEmpty { return [] }
        }
        return end(.teardown)
    }

    private mutating func end(_ ending: Ending) -> [Action] {
        let wasPlaying = state == .playing
        state = .ended
        return wasPlaying ? [.stop, .end(ending)] : [.end(ending)]
    }

    private mutating func tick(at now: UInt64) -> [Action] {
        // What takes the stream over TCP lives, with or without a word; over UDP only a word tells.
        if state == .playing && isInterleaved {
            return now > lastDelivered && now - lastDelivered > timeout ? end(.stuck) : []
        }
        let limit = hasPlayed ? timeout : setUpTimeout
        return now > lastHeard && now - lastHeard > limit ? end(.silent) : []
    }

    /// The channels for a track: those asked for unless another track has them, else the lowest pair that is free.
    func channels(for track: Int, asked: (rtp: UInt8, rtcp: UInt8)?) -> Transport? {
        var taken: Set<UInt8> = []
        for (other, transport) in transports where other != track {
            if case .interleaved(let rtp, let rtcp) = transport { taken.formUnion([rtp, rtcp]) }
        }
        if let asked, taken.isDisjoint(with: [asked.rtp, asked.rtcp]) { return .interleaved(rtp: asked.rtp, rtcp: asked.rtcp) }
        let usual = UInt8(truncatingIfNeeded: 2 * track)
        for rtp in [usual] + stride(from: UInt8(0), through: 254, by: 2) where taken.isDisjoint(with: [rtp, rtp + 1]) {
            return .interleaved(rtp: rtp, rtcp: rtp + 1)
        }
        return nil
    }
}
