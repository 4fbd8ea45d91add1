/// Numbers that every part of TSIT shares.
enum NetworkConstants {
    /// Slope of every leaky ReLU.
    static let slope: Float = 0.2
    /// Added to every variance.
    static let epsilon = 1e-5
    /// Feature maps of a stream; map `k` has 1/2^k of the input's size.
    static let mapCount = 8
    /// The head's map is the input's size over this.
    static let headReduction = 128
    /// Beyond this a side is a mistake, not a picture.
    static let largestSide = 1 << 15
}

/// A size that the network can run at, in pixels.
struct NetworkSize: Sendable, Equatable {
    let width: Int
    let height: Int

    /// - Throws: `TSITError` `.badSize` unless both sides are multiples of 128 and the head has at least two pixels (the
    ///   unbiased deviation of one pixel does not exist).
    init(width: Int, height: Int) throws(TSITError) {
        let step = NetworkConstants.headReduction
        guard width > 0, height > 0, width % step == 0, height % step == 0 else {
            throw TSITError(
                .badSize, "the network cannot run at \(width)x\(height)", remedy: "use multiples of \(step) for both sides")
        }
        guard width > step || height > step else {
            throw TSITError(.badSize, "\(width)x\(height) is too small for the network", remedy: "use 256x128 or more")
        }
        guard max(width, height) <= NetworkConstants.largestSide else {
            throw TSITError(
                .badSize, "\(width)x\(height) is too large for the network",
                remedy: "use at most \(NetworkConstants.largestSide) pixels a side")
        }
        self.width = width
        self.height = height
    }

    /// Width and height of map `k`.
    func map(_ k: Int) -> (width: Int, height: Int) { (width >> k, height >> k) }
    /// Width and height of the generator's head.
    var head: (width: Int, height: Int) { map(7) }
}

extension ModelConfiguration {
    /// - Throws: `TSITError` `.badConfiguration` where there is no such network.
    func checkRunnable() throws(TSITError) {
        guard inputChannels == (labels?.channelCount ?? 3), (labels == nil) == (task != .sis) else {
            throw TSITError(.badConfiguration, "a model of task \(task.rawValue) with \(inputChannels) input channels")
        }
        guard (1...ModelMetadata.greatestNgf).contains(ngf) else {
            throw TSITError(.badConfiguration, "a model of base width \(ngf)")
        }
        guard labels.map({ (1...LabelSet.mostClasses).contains($0.classCount) }) ?? true else {
            throw TSITError(.badConfiguration, "a model of \(inputChannels) classes")
        }
    }
}
