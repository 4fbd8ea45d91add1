internal import Foundation
internal import Web

/// A line of `solstice relay --json`, as far as the daemon looks at it.
struct RelayReport: Decodable, Equatable {
    enum Kind: String, Decodable { case listening, notice, status, source, target, reader, failed }
    struct Reader: Decodable, Equatable {}

    var event: Kind
    var address: String?
    /// `connecting`, `playing`, `lost`, `ended` of a source; `connecting`, `running`, `lost`, `slow`, `finished` of a target.
    var state: String?
    var reason: String?
    var description: String?
    var text: String?
    var error: String?
    var retryIn: Double?
    /// In a status: the source's state.
    var source: String?
    var fpsIn: Double?
    var fpsOut: Double?
    var latencyP50: Double?
    var latencyP95: Double?
    var dropped: Int?
    var reconnects: Int?
    var readers: [Reader]?

    /// Nil for a line that is none.
    init?(line: Data) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let report = try? decoder.decode(RelayReport.self, from: line) else { return nil }
        self = report
    }

    /// Takes what the line says into the state of its relay; false where that changes nothing.
    func apply(to relay: inout RelayState) -> Bool {
        let before = relay
        switch event {
        case .source: Self.take(source: state, reason, into: &relay)
        case .status:
            // The events say why; the status only says that.
            if source != relay.state { Self.take(source: source, nil, into: &relay) }
            (relay.fpsIn, relay.fpsOut) = (fpsIn, fpsOut)
            (relay.latencyP50, relay.latencyP95) = (latencyP50, latencyP95)
            (relay.dropped, relay.reconnects, relay.readers) = (dropped, reconnects, readers?.count)
        case .failed: relay.reason = error
        case .listening, .notice, .target, .reader: break
        }
        return relay != before
    }

    private static func take(source state: String?, _ reason: String?, into relay: inout RelayState) {
        switch state {
        // Between two attempts at a source that is lost, the loss and its reason are the news.
        case "connecting" where relay.state == "lost": break
        case "connecting", "playing": (relay.state, relay.reason) = (state ?? "", nil)
        case "lost": (relay.state, relay.reason) = ("lost", reason ?? relay.reason)
        case "ended": relay.reason = "the source has ended"
        default: break
        }
    }
}
