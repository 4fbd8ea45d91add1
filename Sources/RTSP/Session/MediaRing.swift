internal import NIOCore

/// The frames that wait for one reader. Bounded in number, bytes and age; what does not fit is lost in whole frames, up to a
/// key frame, so that what is sent can always be decoded.
struct MediaRing {
    struct Limits: Sendable, Equatable {
        var units: Int
        var bytes: Int
        /// Nanoseconds between the arrival of the oldest and of the newest.
        var age: UInt64
    }

    let limits: Limits
    /// Frames of video lost since the start; of audio, where there is no video.
    private(set) var lost = 0
    private(set) var bytes = 0
    private var units = CircularBuffer<FramedUnit>()
    private let hasVideo: Bool
    /// Video that is not a key frame cannot be decoded now.
    private var awaitsKeyframe: Bool
    /// Audio before the first picture is of no use, and shifts players' clocks.
    private var hasStarted: Bool

    /// - Parameter startsAtKeyframe: leaves out what comes before the video's first key frame, without counting it as lost.
    init(limits: Limits, hasVideo: Bool, startsAtKeyframe: Bool = true) {
        self.limits = limits
        self.hasVideo = hasVideo
        awaitsKeyframe = hasVideo && startsAtKeyframe
        hasStarted = !awaitsKeyframe
    }

    var isEmpty: Bool { units.isEmpty }
    var count: Int { units.count }

    mutating func append(_ unit: FramedUnit) {
        if unit.isVideo && awaitsKeyframe {
            guard unit.isKeyframe else {
                if hasStarted { lost += 1 }
                return
            }
            awaitsKeyframe = false
            hasStarted = true
        }
        guard hasStarted else { return }
        units.append(unit)
        bytes += unit.byteCount
        while isOverfull { shed() }
    }

    mutating func popFirst() -> FramedUnit? {
        guard let unit = units.popFirst() else { return nil }
        bytes -= unit.byteCount
        return unit
    }

    private var isOverfull: Bool {
        guard let oldest = units.first, let newest = units.last else { return false }
        return units.count > limits.units || bytes > limits.bytes
            || newest.arrival > oldest.arrival && newest.arrival - oldest.arrival > limits.age
    }

    /// Drops what is before the newest key frame; without one everything, and the video waits for the next.
    private mutating func shed() {
        guard hasVideo else { return drop(1) }
        if let newest = units.lastIndex(where: { $0.isVideo && $0.isKeyframe }), newest > units.startIndex {
            drop(units.distance(from: units.startIndex, to: newest))
        } else {
            drop(units.count)
            awaitsKeyframe = true
        }
    }

    private mutating func drop(_ count: Int) {
        for _ in 0..<count {
            guard let unit = popFirst() else { return }
            if unit.isVideo || !hasVideo { lost += 1 }
        }
    }
}
