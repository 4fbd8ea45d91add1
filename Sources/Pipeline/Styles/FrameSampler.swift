internal import Imaging
internal import MediaIO

/// Takes frames of a video that are evenly spread over a part of it.
///
/// The part is cut into as many equal pieces as there are frames wanted, and the frame in the middle of each is taken;
/// where the part has fewer frames, all of them are.
struct FrameSampler {
    let info: SourceInfo
    /// Seconds from the start of the source.
    let part: Range<Double>
    private let count: Int
    private let interrupt: Interrupt

    /// Behind a gap of that many seconds between two frames, the key frame before the next one is looked for.
    private static let longestRead = 5.0

    /// - Throws: `MediaError` for a source that cannot be read, `.unsupportedOption` for one that is a picture, whose length is
    ///   not known, or that has nothing in the part.
    init(path: String, start: Double?, duration: Double?, count: Int, interrupt: Interrupt) throws(MediaError) {
        let info = try SourceProbe.probe(path: path, interrupt: interrupt)
        guard !info.isStillPicture, !info.isPictureSequence else {
            throw MediaError(.unsupportedOption, "\(path) is not a video", remedy: "name pictures without --video")
        }
        let start = start ?? 0
        let byCount = info.frameCountEstimate.flatMap { count in info.video.frameRate?.inverse.value.map { Double(count) * $0 } }
        let end = [info.duration, byCount, duration.map { start + $0 }].compactMap(\.self).min()
        guard let end else {
            throw MediaError(.unsupportedOption, "\(path) does not say how long it is", remedy: "say how much of it with --duration")
        }
        guard end > start else { throw Self.nothing(of: info, in: start..<max(start, start + (duration ?? 0))) }
        self.info = info
        part = start..<end
        self.count = count
        self.interrupt = interrupt
    }

    private func seconds(_ frame: Frame) -> Double? {
        frame.pts == nil ? nil : SourceClock(info.video).seconds(of: frame)
    }

    /// The moments at or behind which a frame is taken.
    var moments: [Double] {
        let step = (part.upperBound - part.lowerBound) / Double(count)
        // A frame stands for the time up to the next one: its own middle is half a frame later.
        let half = (info.video.frameRate?.inverse.value ?? 0) / 2
        return (0..<count).map { max(part.lowerBound, part.lowerBound + (Double($0) + 0.5) * step - half) }
    }

    /// Calls `body` with each frame: in 8 bits, upright, at full size; and returns how many there were.
    ///
    /// Damaged frames are passed over. Throws `MediaError` `.unsupportedOption` where there is none, `.damaged` where all
    /// are damaged, `.cancelled`, and what `body` throws.
    func forEach(_ body: (PlanarImage<UInt8>) throws -> Void) throws -> Int {
        let scaler = try PictureScaler(source: info.video, network: .native)
        // Enough for what containers round their length by; less than a tick, of which some have only one for each frame.
        var picker = Picker(moments: moments, tolerance: min(1e-4, (info.video.timeBase.value ?? 0) / 2))
        while let next = picker.wanted {
            let isThere = try read(from: next, &picker) { frame in
                try body(scaler.fullSize8(of: frame).turned(by: info.video.orientation))
            }
            if !isThere { break }
        }
        guard picker.taken > 0 else {
            guard picker.damaged == 0 else {
                throw MediaError(.damaged, "every frame of \(info.path) that was looked at is damaged", remedy: "give another part of it")
            }
            throw Self.nothing(of: info, in: part)
        }
        return picker.taken
    }

    /// Reads from `start` on until the next wanted frame is far away; false where nothing more can come.
    private func read(from start: Double, _ picker: inout Picker, _ body: (Frame) throws -> Void) throws -> Bool {
        let demuxer = try Demuxer(path: info.path, interrupt: interrupt)
        if start > 0 { try demuxer.seek(toSeconds: start) }
        let decoder = try VideoDecoder(demuxer: demuxer, info: info.video, threads: 0, startSeconds: start)
        let end = part.upperBound
        var isOver = false, isFar = false
        while !isOver, !isFar {
            try interrupt.check()
            let packet = try demuxer.next()
            try decoder.decode(packet) { decoded in
                guard !isOver, !isFar, let time = seconds(decoded.frame) else { return }
                guard time < end - picker.tolerance else { return isOver = true }
                if picker.takes(time, isIntact: decoded.condition == .intact) { try body(decoded.frame) }
                guard let wanted = picker.wanted else { return isOver = true }
                isFar = demuxer.canSeek && wanted > time + Self.longestRead
            }
            if packet == nil { isOver = true }
        }
        return isFar
    }

    private static func nothing(of info: SourceInfo, in part: Range<Double>) -> MediaError {
        let length = info.duration.map { " (\(($0 * 1000).rounded() / 1000) s long)" } ?? ""
        return MediaError(
            .unsupportedOption, "no frame of \(info.path)\(length) lies in the part to take frames from",
            remedy: part.lowerBound > 0 ? "give an earlier --start or a longer --duration" : "give a longer --duration")
    }
}

/// Chooses frames for moments, in ascending order: for each the first one at or behind it that is not taken yet.
struct Picker {
    private let moments: [Double]
    let tolerance: Double
    private(set) var taken = 0
    private(set) var damaged = 0
    private var last = -Double.infinity

    init(moments: [Double], tolerance: Double) {
        self.moments = moments
        self.tolerance = tolerance
    }

    /// The moment that is next; nil once there is a frame for each.
    var wanted: Double? { moments.indices.contains(taken) ? moments[taken] : nil }

    /// Whether the frame at `time` is one of them. No frame counts twice, also where it is read again behind a seek.
    mutating func takes(_ time: Double, isIntact: Bool) -> Bool {
        guard let wanted, time >= wanted - tolerance, time > last + tolerance else { return false }
        guard isIntact else {
            damaged += 1
            return false
        }
        last = time
        taken += 1
        return true
    }
}
