internal import Imaging
internal import MediaIO

/// Pictures as references: a video is none, since which of its frames is meant would be a guess.
enum StylePicture {
    /// The picture at `path`, upright.
    ///
    /// - Parameter ofVideo: what the user can do where it is a video.
    /// - Throws: `MediaError` as `PictureIO.load`, and `.badPicture` for a video.
    static func load(
        _ path: String, ofVideo remedy: String = "make a style of it: solstice style make --video", interrupt: Interrupt = Interrupt()
    ) throws(MediaError) -> PlanarImage<UInt8> {
        if let info = try? Demuxer(path: path, interrupt: interrupt).info, !info.isStillPicture, !info.isPictureSequence {
            throw MediaError(.badPicture, "\(path) is a video, not a picture", remedy: remedy)
        }
        return try PictureIO.load(path)
    }
}
