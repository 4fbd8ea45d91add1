/// All that FAdaIN needs of a style picture: mean and deviation of every channel of the style stream's eight maps.
///
/// The deviation is the root of the unbiased variance plus 1e-5 (paper, section 3.4). Map 0 is not used by the
/// generator; it is kept so that index and map number agree.
public struct StyleStatistics: Sendable, Equatable {
    /// Eight maps of `ngf` times 1, 2, 4, 8, 16, 16, 16, 16 channels.
    public var means: [[Float]]
    /// The same shape as `means`; every value is positive.
    public var deviations: [[Float]]

    public init(means: [[Float]], deviations: [[Float]]) {
        self.means = means
        self.deviations = deviations
    }
}
