/// What is appended to a result's name for the files beside it. An attachment has a name of its own, and is never without a
/// `description`.
public enum SidecarEnding: String, CaseIterable, Sendable {
    /// Streams that the container cannot hold.
    case mov = ".streams.mov", nut = ".streams.nut"
    /// What belongs where, in words for programs.
    case description = ".streams.json"
    /// Boxes of the source that libav does not read.
    case boxes = ".boxes.bin"
}
