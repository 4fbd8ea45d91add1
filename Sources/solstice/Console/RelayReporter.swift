internal import Foundation
internal import Relay
internal import Synchronization

/// How a relay tells what it does: lines on standard error, or JSON lines on standard output.
final class RelayReporter: Sendable {
    private let json: Bool
    private let quiet: Bool
    /// The last reason given for each address, so that an outage of days is not told every 15 seconds.
    private let told = Mutex<[String: (reason: String, at: ContinuousClock.Instant)]>([:])
    private static let repetition = Duration.seconds(600)
    private let printer = LinePrinter { $0.isOutput ? Terminal.print($0.text) : Terminal.note($0.text) }

    init(json: Bool, quiet: Bool) {
        self.json = json
        self.quiet = quiet
    }

    func show(_ event: RelayEvent) {
        if json { return printer.put(.init(text: RelayLine.text(of: event), isOutput: true)) }
        guard let words = words(for: event) else { return }
        printer.put(.init(text: words, isOutput: false))
    }

    /// Lets what has been said come out, for a moment.
    func finish() { printer.finish() }

    func notice(_ text: String) { show(.notice(text)) }

    /// The one line that says why the relay failed.
    func failed(_ error: any Error) {
        if json { printer.put(.init(text: RelayLine.failure("\(error)", status: ExitStatus(error)), isOutput: true)) }
        printer.put(.init(text: "solstice: \(error)", isOutput: false))
    }

    /// Nil for what need not be said.
    private func words(for event: RelayEvent) -> String? {
        switch event {
        case .notice(let text): return "solstice: \(text)"
        case .listening(let address): return quiet ? nil : "readers connect to \(address)"
        case .source(let state): return words(source: state)
        case .target(let address, let state): return words(target: address, state)
        case .reader(let address, let state): return words(reader: address, state)
        case .status(let status): return quiet ? nil : Self.words(status)
        }
    }

    private func words(source state: RelayEvent.SourceState) -> String? {
        switch state {
        case .connecting: return nil
        case .playing(let description):
            told.withLock { $0["source"] = nil }
            return quiet ? nil : "the source plays: \(description)"
        case .lost(let reason, let pause):
            return isNews(reason, of: "source") ? String(format: "solstice: the source is lost: \(Self.escaped(reason)); next attempt in %.1f s", pause) : nil
        case .ended: return quiet ? nil : "the source has ended"
        }
    }

    private func words(target address: String, _ state: RelayEvent.TargetState) -> String? {
        switch state {
        case .connecting: return nil
        case .running:
            told.withLock { $0[address] = nil }
            return quiet ? nil : "sending to \(address)"
        case .lost(let reason, let pause):
            guard isNews(reason, of: address) else { return nil }
            return String(format: "solstice: \(Self.escaped(address)) is lost: \(Self.escaped(reason)); next attempt in %.1f s", pause)
        case .slow(let packets): return "solstice: \(address) is too slow: \(packets) packets dropped"
        case .finished: return quiet ? nil : "finished \(address)"
        }
    }

    private func words(reader address: String, _ state: RelayEvent.ReaderState) -> String? {
        switch state {
        case .playing: return quiet ? nil : "reader \(address) plays"
        case .left(let reason): return quiet ? nil : "reader \(address) has left: \(reason)"
        case .slow(let frames): return "solstice: reader \(address) is too slow: \(frames) frames dropped"
        case .refused(let reason): return "solstice: reader \(address) is refused: \(reason)"
        }
    }

    private func isNews(_ reason: String, of address: String) -> Bool {
        let now = ContinuousClock.now
        return told.withLock { told in
            if let last = told[address], last.reason == reason, now - last.at < Self.repetition { return false }
            told[address] = (reason, now)
            return true
        }
    }

    /// Words that may hold anything, as a part of a format.
    private static func escaped(_ text: String) -> String { text.replacingOccurrences(of: "%", with: "%%") }

    private static func words(_ status: RelayStatus) -> String {
        var parts = [String(format: "%.1f fps in, %.1f out", status.fpsIn, status.fpsOut), "\(status.dropped) dropped"]
        if let median = status.latencyP50, let most = status.latencyP95 {
            parts.append(String(format: "latency %.0f ms (95 %%: %.0f)", median * 1000, most * 1000))
        }
        parts.append("\(status.reconnects) reconnects")
        if !status.readers.isEmpty { parts.append(status.readers.count == 1 ? "1 reader" : "\(status.readers.count) readers") }
        if status.source != "playing" { parts.append("source \(status.source)") }
        return parts.joined(separator: ", ")
    }
}

/// The lines of `relay --json`: one object a line, its kind in `event`.
enum RelayLine {
    private struct Line: Encodable {
        var event: String
        var address: String?
        var state: String?
        var reason: String?
        var description: String?
        var text: String?
        var error: String?
        var code: Int32?
        var attempt: Int?
        var retryIn: Double?
        var frames: Int?
        var packets: Int?
    }

    private struct StatusLine: Encodable {
        private enum Key: String, CodingKey { case event }
        let status: RelayStatus

        func encode(to encoder: any Encoder) throws {
            try status.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode("status", forKey: .event)
        }
    }

    static func text(of event: RelayEvent) -> String {
        switch event {
        case .listening(let address): JSONLine.encode(Line(event: "listening", address: address))
        case .notice(let text): JSONLine.encode(Line(event: "notice", text: text))
        case .status(let status): JSONLine.encode(StatusLine(status: status))
        case .source(let state): JSONLine.encode(line(source: state))
        case .target(let address, let state): JSONLine.encode(line(target: address, state))
        case .reader(let address, let state): JSONLine.encode(line(reader: address, state))
        }
    }

    static func failure(_ error: String, status: ExitStatus) -> String {
        JSONLine.encode(Line(event: "failed", error: error, code: status.rawValue))
    }

    private static func line(source state: RelayEvent.SourceState) -> Line {
        switch state {
        case .connecting(let attempt): Line(event: "source", state: "connecting", attempt: attempt)
        case .playing(let description): Line(event: "source", state: "playing", description: description)
        case .lost(let reason, let pause): Line(event: "source", state: "lost", reason: reason, retryIn: pause)
        case .ended: Line(event: "source", state: "ended")
        }
    }

    private static func line(target address: String, _ state: RelayEvent.TargetState) -> Line {
        switch state {
        case .connecting(let attempt): Line(event: "target", address: address, state: "connecting", attempt: attempt)
        case .running: Line(event: "target", address: address, state: "running")
        case .lost(let reason, let pause): Line(event: "target", address: address, state: "lost", reason: reason, retryIn: pause)
        case .slow(let packets): Line(event: "target", address: address, state: "slow", packets: packets)
        case .finished: Line(event: "target", address: address, state: "finished")
        }
    }

    private static func line(reader address: String, _ state: RelayEvent.ReaderState) -> Line {
        switch state {
        case .playing: Line(event: "reader", address: address, state: "playing")
        case .left(let reason): Line(event: "reader", address: address, state: "left", reason: reason)
        case .slow(let frames): Line(event: "reader", address: address, state: "slow", frames: frames)
        case .refused(let reason): Line(event: "reader", address: address, state: "refused", reason: reason)
        }
    }
}
