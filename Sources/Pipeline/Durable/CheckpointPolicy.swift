/// When a run of packets is closed and brought into safety.
public struct CheckpointPolicy: Sendable, Equatable {
    /// Seconds of work after which a run ends at the next key frame of the source.
    public let interval: Double

    public init(interval: Double) { self.interval = interval }

    /// True where the run ends before the next frame: at a key frame, from which the source is found again without decoding
    /// what lies before, or, where none comes, somewhat later at any.
    ///
    /// - Parameters:
    ///   - elapsed: seconds since the run began.
    ///   - isKey: whether the source's next frame was decoded without any other.
    func endsRun(elapsed: Double, isKey: Bool) -> Bool { elapsed >= 1.5 * interval || (elapsed >= interval && isKey) }
}
