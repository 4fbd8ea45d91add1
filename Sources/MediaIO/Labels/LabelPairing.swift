/// Holds the frames of an instance source against those of the labels: in order, one for one, at the same time from the
/// start of their sources where both have times of their own.
struct LabelPairing {
    /// Whether times are compared: not where a container keeps none, nor for pictures, whose rate is the user's.
    let isTimed: Bool
    private let labels: SourceInfo
    private let instances: SourceInfo
    private var lastLabelTime: Double?

    init(labels: SourceInfo, instances: SourceInfo) {
        self.labels = labels
        self.instances = instances
        isTimed = labels.hasOwnTimes && instances.hasOwnTimes
    }

    /// Throws `MediaError` `.badLabels` where the upright pictures have not the same size.
    func checkSize() throws(MediaError) {
        let of = UprightWalk(labels.video), with = UprightWalk(instances.video)
        guard (of.width, of.height) == (with.width, with.height) else {
            throw MediaError(
                .badLabels, "\(instances.path) is \(with.width)x\(with.height), but its labels \(labels.path) are "
                    + "\(of.width)x\(of.height)",
                remedy: "give instances of the labels' size")
        }
    }

    enum Verdict: Equatable {
        case together
        /// How many seconds the instances' frame is behind the labels' (negative: before it).
        case apart(Double)
    }

    /// Whether two frames, given by their pts, are of the same moment, to half the step between the labels' frames.
    func compare(label: Int64?, instance: Int64?) -> Verdict {
        guard isTimed, let a = labels.seconds(ofPts: label), let b = instances.seconds(ofPts: instance) else { return .together }
        // A container's clock may be coarser than its frames' times.
        let ticks = [labels, instances].compactMap(\.video.timeBase.value).max() ?? 0
        let nominal = labels.video.frameRate?.inverse.value
        guard let step = [lastLabelTime.map { a - $0 }, nominal].compactMap({ $0 }).filter({ $0 > 0 }).min() else { return .together }
        return abs(b - a) <= max(step / 2, ticks) ? .together : .apart(b - a)
    }

    /// The labels go on to the next frame.
    mutating func pass(label: Int64?) { lastLabelTime = labels.seconds(ofPts: label) }
}

extension SourceInfo {
    /// True where the frames' times are the file's own.
    fileprivate var hasOwnTimes: Bool {
        video.hasKnownTimestamps && !isStillPicture && !isPictureSequence && video.startTime != nil
    }

    /// Seconds from the start of the source.
    fileprivate func seconds(ofPts pts: Int64?) -> Double? {
        guard let pts, let start = video.startTime, let tick = video.timeBase.value else { return nil }
        return Double(pts.subtractingClamped(start)) * tick
    }
}
