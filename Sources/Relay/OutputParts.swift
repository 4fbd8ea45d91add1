internal import MediaIO

/// What a relay sends, fixed when its first source is known and the same for all targets and all later sources.
struct OutputParts: Sendable {
    let format: LiveFormat
    let audio: AudioTrack?
    let encoder: VideoEncoder
    let streams: LiveStreams
    /// Nil where the strength is 0 throughout.
    let network: LiveNetwork?
}
