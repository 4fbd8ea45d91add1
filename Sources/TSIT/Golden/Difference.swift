/// How far a result lies from what was expected, over all elements.
public struct Difference: Sendable, Equatable {
    /// The largest absolute difference; infinite where a value is not a number.
    public let maximum: Double
    /// The mean absolute difference.
    public let mean: Double
    public let count: Int

    /// The largest difference at any element that counts as agreement with the reference, in tanh's range [-1, 1].
    public static let maximumBound = 1e-3
    /// The largest mean difference that does.
    public static let meanBound = 1e-5

    /// - Precondition: as many values in both, at least one.
    public init(_ result: [Float], from expected: [Float]) {
        precondition(result.count == expected.count && !result.isEmpty, "differences need equal shapes")
        var largest = 0.0
        var sum = 0.0
        for (a, b) in zip(result, expected) {
            let difference = abs(Double(a) - Double(b))
            // A comparison with NaN is false, so that NaN must not pass as small.
            largest = difference <= largest ? largest : (difference.isNaN ? .infinity : max(largest, difference))
            sum += difference
        }
        maximum = largest
        mean = sum.isNaN ? .infinity : sum / Double(result.count)
        count = result.count
    }

    public var isWithinBounds: Bool { maximum <= Self.maximumBound && mean <= Self.meanBound }
}
