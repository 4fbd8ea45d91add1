/// Chooses the network's size for a machine whose speed changes: a smaller one where it cannot keep up, a larger one when
/// it has been able to for long. All times are seconds.
struct NetworkLadder: Sendable {
    struct Size: Sendable, Equatable {
        let width: Int
        let height: Int
        var area: Int { width * height }
    }

    /// From the largest, which is the one asked for, to the smallest.
    let sizes: [Size]
    private(set) var step = 0
    private var slowSince: Double?
    private var calmSince: Double?
    /// How long the machine must keep up before a larger size is tried; doubled each time that went wrong.
    private var patience = NetworkLadder.firstPatience
    private var lastRise: Double?

    static let firstPatience = 30.0
    static let longestPatience = 1800.0
    /// How long the machine must be too slow.
    static let tolerance = 3.0
    /// The network takes multiples of 128, and no less than this.
    private static let grid = 128
    private static let smallest = Size(width: 256, height: 128)

    /// - Parameter largest: the size asked for, in multiples of 128.
    init(largest: Size) {
        var sizes = [largest]
        while let size = Self.below(sizes[sizes.count - 1], largest) { sizes.append(size) }
        self.sizes = sizes
    }

    var size: Size { sizes[step] }

    /// The next smaller size of about `shape`'s aspect: an edge is a multiple of 128 less.
    private static func below(_ size: Size, _ shape: Size) -> Size? {
        var width = size.width - grid
        while width >= smallest.width {
            let height = max(smallest.height, (width * shape.height / shape.width + grid / 2) / grid * grid)
            let found = Size(width: width, height: min(height, size.height))
            if found.area < size.area { return found }
            width -= grid
        }
        return nil
    }

    /// The size to change to, if any; to be called about once a second.
    ///
    /// - Parameters:
    ///   - isSlow: whether frames are left out for want of time.
    ///   - load: the share of the time between two frames that the network works.
    mutating func judge(isSlow: Bool, load: Double, now: Double) -> Size? {
        isSlow ? judgeSlow(now) : judgeCalm(load, now)
    }

    private mutating func judgeSlow(_ now: Double) -> Size? {
        calmSince = nil
        let since = slowSince ?? now
        slowSince = since
        guard now - since >= Self.tolerance, step + 1 < sizes.count else { return nil }
        if let lastRise, now - lastRise < 2 * patience { patience = min(patience * 2, Self.longestPatience) }
        slowSince = nil
        step += 1
        return size
    }

    private mutating func judgeCalm(_ load: Double, _ now: Double) -> Size? {
        slowSince = nil
        guard step > 0 else { return nil }
        let larger = Double(sizes[step - 1].area) / Double(size.area)
        guard load * larger < 0.85 else {
            calmSince = nil
            return nil
        }
        let since = calmSince ?? now
        calmSince = since
        guard now - since >= patience else { return nil }
        calmSince = nil
        lastRise = now
        step -= 1
        return size
    }
}
