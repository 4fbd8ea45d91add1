/// The latencies of the last while, of which percentiles are told. All times are seconds.
struct LatencyWindow: Sendable {
    private let span: Double
    private var samples: [(at: Double, latency: Double)] = []
    private static let most = 16384

    /// - Parameter span: how far back a sample counts.
    init(span: Double = 60) { self.span = span }

    mutating func note(_ latency: Double, at now: Double) {
        samples.append((now, latency))
        // Now and then, so that the cost for one sample stays small.
        if samples.count > Self.most || samples.count % 256 == 0 { trim(now) }
    }

    /// The latency that a share of the samples does not exceed; nil without samples.
    func percentile(_ share: Double, at now: Double) -> Double? {
        let recent = samples.filter { $0.at > now - span }.map(\.latency).sorted()
        guard !recent.isEmpty else { return nil }
        return recent[min(recent.count - 1, Int((Double(recent.count) * share).rounded(.down)))]
    }

    private mutating func trim(_ now: Double) {
        samples.removeAll { $0.at <= now - span }
        if samples.count > Self.most { samples.removeFirst(samples.count - Self.most / 2) }
    }
}
