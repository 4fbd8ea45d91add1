public import TSIT

/// What to make a style of. The defaults are those of `solstice style make`.
public struct StyleRequest: Sendable {
    /// A video that frames are taken from.
    public struct Video: Sendable {
        public var path: String
        /// The part: seconds from the start of the source, and how long.
        public var start: Double?
        public var duration: Double?
        /// How many frames, evenly spread over the part.
        public var frames = 8

        public init(path: String) { self.path = path }
    }

    public var pictures: [String]
    public var video: Video?
    /// Where the style file goes.
    public var output: String
    public var model = ConvertRequest.Model.embedded(.night)
    /// The style's name; nil takes the output's.
    public var name: String?
    /// What it comes from, in words; nil makes them of the sources.
    public var origin: String?
    /// Whether a small picture of the sources is kept.
    public var keepsThumbnail = true
    public var overwrite = false
    /// Threads of the network; nil uses every core.
    public var threads: Int?

    public init(pictures: [String] = [], output: String) {
        self.pictures = pictures
        self.output = output
    }
}

/// A style that was made.
public struct StyleReport: Sendable {
    public let style: StyleFile
    public let pictures: Int
    public let frames: Int
    /// Bytes of the file.
    public let size: Int
    /// What the user should know.
    public let notices: [String]
}
