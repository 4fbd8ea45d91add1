/// How far a result lies from what was expected, over all elements.
public struct Difference: Sendable, Equatable {
    /// The largest absolute difference; infinite where a value is not a number.
    public let maximum: Double
    /// The mean absolute difference.
    public let mean: Double
    public let count: Int

    /// Largest and mean difference that count as agreement with the reference, in float32 and tanh's range [-1, 1].
    public static let bounds = (maximum: 1e-3, mean: 1e-5)

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

    public var isWithinBounds: Bool { maximum <= Self.bounds.maximum && mean <= Self.bounds.mean }
}
