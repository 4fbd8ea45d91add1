internal import Synchronization

/// Counts what a relay does; anybody may note, from any thread.
final class RelayMeter: Sendable {
    private struct Counts: Sendable {
        var status = RelayStatus()
        var latency = LatencyWindow()
        var last = (at: 0.0, framesIn: 0, framesOut: 0)
    }

    private let counts = Mutex(Counts())

    func noteFrameIn() { counts.withLock { $0.status.framesIn += 1 } }
    func noteDropped(_ count: Int = 1) { counts.withLock { $0.status.dropped += count } }
    func noteHeld() { counts.withLock { $0.status.held += 1 } }
    func noteReconnect() { counts.withLock { $0.status.reconnects += 1 } }
    func note(source: String) { counts.withLock { $0.status.source = source } }
    func note(networkSize: String) { counts.withLock { $0.status.networkSize = networkSize } }

    func noteFrameOut(latency: Double, at now: Double) {
        counts.withLock {
            $0.status.framesOut += 1
            $0.latency.note(latency, at: now)
        }
    }

    /// The counts up to now; rates are those since the last call with `resetsRates`.
    func status(at now: Double, resetsRates: Bool) -> RelayStatus {
        counts.withLock { counts in
            var status = counts.status
            let last = counts.last, span = now - last.at
            status.elapsed = now
            if span > 0 {
                status.fpsIn = Double(status.framesIn - last.framesIn) / span
                status.fpsOut = Double(status.framesOut + status.held - last.framesOut) / span
            }
            status.latencyP50 = counts.latency.percentile(0.5, at: now)
            status.latencyP95 = counts.latency.percentile(0.95, at: now)
            if resetsRates { counts.last = (now, status.framesIn, status.framesOut + status.held) }
            return status
        }
    }
}
