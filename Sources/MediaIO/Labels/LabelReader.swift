public import Imaging

/// Reads the classes that the frames of a label source show: a video, picture sequence or picture whose samples are class
/// ids, or the data set's colours.
///
/// What a pixel says depends on the pixel format, once for the whole source:
/// - gray of 8 to 16 bits: the sample is the id, whatever the range tag says;
/// - a palette: the id is the index, or the class whose colour the entry has. The first frame in which the two differ
///   decides: colours if every entry that it uses is in the table, else indices, and so for all frames behind it;
/// - 8-bit RGB: the class of that colour, which must be in the table; without a table, R = G = B = the id. Alpha is ignored;
/// - YCbCr, only if forced: the picture is converted to RGB. If the first frame is without any colour, its gray levels
///   are ids in all frames, else each pixel is the class with the nearest colour.
///
/// Frames must come in order, from a `VideoDecoder` that keeps the samples.
public final class LabelReader: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the stage that preprocesses.

    /// What the numbers of a source mean. Undecided where ids and colours have said the same so far.
    private enum Meaning { case undecided, ids, colours }

    private let source: SourceInfo
    private let layout: SampleLayout
    private let colours: ColourTable?
    private let reducesZeroLabel: Bool
    /// The class of an id; `unknown` where the data set has none.
    private let classes: [UInt16]
    private static let unknown: UInt16 = 0x100
    private let walk: UprightWalk
    private let scaler: PictureScaler?
    private var meaning: Meaning
    private var nearest = NearestColours()
    private var previous: LabelImage?

    /// - Parameters:
    ///   - source: from `SourceProbe`, its coding checked by `LabelCoding`.
    ///   - colours: the data set's colours; nil where it has none.
    ///   - knownClasses: the classes that a frame may have, 255 too where 'don't care' is allowed; nil for any.
    ///   - reducesZeroLabel: ids count from 1, and 0 means 'don't care': id 0 is class 255, id n class n - 1, 255 stays.
    ///   - isForced: takes YCbCr.
    /// - Throws: `MediaError` `.badLabels` for a pixel format that holds no labels, and for colours with `reducesZeroLabel`.
    public init(
        source: SourceInfo, colours: ColourTable?, knownClasses: Set<UInt8>? = nil, reducesZeroLabel: Bool, isForced: Bool
    ) throws(MediaError) {
        self.source = source
        self.colours = colours
        self.reducesZeroLabel = reducesZeroLabel
        layout = try SampleLayout.checked(of: source, isForced: isForced)
        walk = UprightWalk(source.video)
        classes = (0...UInt8.max).map { id in
            let reduced = !reducesZeroLabel || id == 255 ? id : id &- 1
            return knownClasses?.contains(reduced) == false ? Self.unknown : UInt16(reduced)
        }
        scaler = layout.kind == .luma ? try PictureScaler(source: source.video, network: .native) : nil
        switch layout.kind {
        case .gray, .wideGray: meaning = .ids
        case .palette: meaning = colours == nil ? .ids : .undecided
        case .colour: meaning = colours == nil ? .ids : .colours
        case .luma: meaning = .undecided
        }
        if meaning == .colours { try checkColoursAreClasses() }
    }

    /// Size of the upright picture.
    public var size: (width: Int, height: Int) { (walk.width, walk.height) }

    /// The classes of a frame, upright, at its own size. A frame whose damage has left what are no labels shows those of
    /// the frame before.
    ///
    /// Throws `MediaError` `.badLabels` naming frame, pixel and what stands there.
    public func labels(of decoded: DecodedFrame) throws(MediaError) -> LabelImage {
        do throws(MediaError) {
            let frame = decoded.frame
            try frame.check(isOf: source.video)
            let classes = try read(frame, index: decoded.index)
            let labels = LabelImage(width: walk.width, height: walk.height, classes: classes)
            previous = labels
            return labels
        } catch {
            guard decoded.condition != .intact, error.code == .badLabels, let previous else { throw error }
            return previous
        }
    }

    private func read(_ frame: Frame, index: Int) throws(MediaError) -> [UInt8] {
        switch layout.kind {
        case .gray, .wideGray: try readNumbers(frame, index: index, classes: classes, name: Self.idName)
        case .palette: try readPalette(frame, index: index)
        case .colour: try readColours(frame, index: index)
        case .luma: try readLuma(frame, index: index)
        }
    }

    private static func idName(_ id: UInt32) -> String { "id \(id), which is no class of the data set" }

    // MARK: - Ids

    /// `classes` of every sample; `name` says what is wrong with one that has none.
    private func readNumbers(
        _ frame: Frame, index: Int, classes: [UInt16], name: (UInt32) -> String
    ) throws(MediaError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: walk.width * walk.height)
        var seen: UInt16 = 0
        try result.withUnsafeMutableBufferPointer { (target) throws(MediaError) in
            try classes.withUnsafeBufferPointer { (classes) throws(MediaError) in
                try layout.scan(frame, walk) { place, value in
                    let id = value < 256 ? classes[Int(value)] : Self.unknown
                    seen |= id
                    target[place] = UInt8(truncatingIfNeeded: id)
                }
            }
        }
        guard seen & Self.unknown != 0 else { return result }
        var wrong: (place: Int, value: UInt32)?
        try layout.scan(frame, walk) { place, value in
            if wrong == nil, value > 255 || classes[Int(value)] == Self.unknown { wrong = (place, value) }
        }
        throw bad(index, at: wrong?.place ?? 0, has: name(wrong?.value ?? 0))
    }

    private func readPalette(_ frame: Frame, index: Int) throws(MediaError) -> [UInt8] {
        guard let colours else { return try readNumbers(frame, index: index, classes: classes, name: Self.idName) }
        let palette = try layout.palette(of: frame)
        if meaning == .undecided {
            var isUsed = [Bool](repeating: false, count: 256)
            try isUsed.withUnsafeMutableBufferPointer { (isUsed) throws(MediaError) in
                try layout.scan(frame, walk) { _, value in isUsed[Int(value & 255)] = true }
            }
            let used = (0...UInt8.max).filter { isUsed[Int($0)] }
            let isSame = used.allSatisfy { index in
                UInt8(exactly: classes[Int(index)]).map { colours.shows($0, in: palette[Int(index)]) } ?? false
            }
            if !isSame {
                meaning = used.allSatisfy { colours.id(of: palette[Int($0)]) != nil } ? .colours : .ids
                if meaning == .colours { try checkColoursAreClasses() }
            }
        }
        guard meaning == .colours else { return try readNumbers(frame, index: index, classes: classes, name: Self.idName) }
        let shown = palette.map { colours.id(of: $0).map(UInt16.init) ?? Self.unknown }
        return try readNumbers(frame, index: index, classes: shown) { Self.colourName(palette[Int($0 & 255)]) }
    }

    // MARK: - Colours

    private static func colourName(_ colour: UInt32) -> String {
        "colour \(ColourTable.text(colour)), which is no colour of the data set"
    }

    private func readColours(_ frame: Frame, index: Int) throws(MediaError) -> [UInt8] {
        let table = meaning == .colours ? colours : nil
        let classes = classes
        func look(_ colour: UInt32) -> UInt16 {
            if let table { return table.id(of: colour).map(UInt16.init) ?? Self.unknown }
            let id = colour & 255
            return colour == id &* 0x01_0101 ? classes[Int(id)] : Self.unknown
        }
        var result = [UInt8](repeating: 0, count: walk.width * walk.height)
        var wrong: (place: Int, colour: UInt32)?
        // Labels come in large areas: most pixels have the colour of the one before.
        var last = UInt32.max
        var lastClass: UInt16 = 0
        try result.withUnsafeMutableBufferPointer { (target) throws(MediaError) in
            try layout.scan(frame, walk) { place, colour in
                if colour != last {
                    last = colour
                    lastClass = look(colour)
                    if lastClass == Self.unknown, wrong == nil { wrong = (place, colour) }
                }
                target[place] = UInt8(truncatingIfNeeded: lastClass)
            }
        }
        guard let wrong else { return result }
        if table != nil { throw bad(index, at: wrong.place, has: Self.colourName(wrong.colour)) }
        let id = wrong.colour & 255
        let isGray = wrong.colour == id &* 0x01_0101
        throw bad(
            index, at: wrong.place,
            has: isGray ? Self.idName(id) : "colour \(ColourTable.text(wrong.colour)), and the model's label set has no colours")
    }

    /// A frame that is not of RGB or gray, as nearly as its colours or gray levels say.
    private func readLuma(_ frame: Frame, index: Int) throws(MediaError) -> [UInt8] {
        guard let scaler else { throw MediaError(.internalFailure, "no scaler for \(frame.pixelFormatName) labels") }
        let isNeutral = try layout.isNeutral(frame)
        if meaning == .undecided {
            meaning = isNeutral || colours == nil ? .ids : .colours
            if meaning == .colours { try checkColoursAreClasses() }
        }
        var result = [UInt8](repeating: 0, count: walk.width * walk.height)
        let picture = try scaler.fullSize8(of: frame)
        if meaning == .colours, let colours {
            picture.scan(walk) { place, colour in result[place] = nearest.id(of: colour, in: colours) }
            return result
        }
        guard isNeutral else {
            throw MediaError(
                .badLabels, "frame \(index) of \(source.path) has colours, where "
                    + (colours == nil ? "the model's label set has none" : "the first frame's gray levels are ids"),
                remedy: "give labels as 8-bit gray or RGB (PNG, FFV1)")
        }
        var wrong: (place: Int, id: UInt32)?
        picture.scan(walk) { place, colour in
            let id = colour & 255
            result[place] = UInt8(truncatingIfNeeded: classes[Int(id)])
            if classes[Int(id)] == Self.unknown, wrong == nil { wrong = (place, id) }
        }
        if let wrong { throw bad(index, at: wrong.place, has: Self.idName(wrong.id)) }
        return result
    }

    // MARK: - Failures

    /// Colours name classes themselves: there is no id to subtract from.
    private func checkColoursAreClasses() throws(MediaError) {
        guard reducesZeroLabel else { return }
        throw MediaError(
            .badLabels, "\(source.path) shows classes by their colours, which are not counted from 1",
            remedy: "leave --reduce-zero-label out")
    }

    private func bad(_ frame: Int, at place: Int, has what: String) -> MediaError {
        MediaError(
            .badLabels, "frame \(frame) of \(source.path) has at pixel (\(place % walk.width), \(place / walk.width)) \(what)",
            remedy: "give labels of the set that the model was made for")
    }
}
