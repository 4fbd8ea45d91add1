/// A value that keyframes can move between.
public protocol Interpolatable: Sendable, Equatable {
    /// This value at a share of 0, `other` at 1, a straight line between.
    func interpolated(to other: Self, share: Double) -> Self
}

/// A value that changes while a video runs: linear between keyframes, constant before the first and after the last.
public struct Timeline<Value: Interpolatable>: Sendable, Equatable {
    public struct Keyframe: Sendable, Equatable {
        /// Seconds from the start of the source.
        public var seconds: Double
        public var value: Value

        public init(seconds: Double, value: Value) {
            self.seconds = seconds
            self.value = value
        }
    }

    /// At least one, in ascending order of time.
    public let keyframes: [Keyframe]

    /// A value that does not change.
    public init(_ value: Value) { keyframes = [Keyframe(seconds: 0, value: value)] }

    /// - Throws: `TSITError` `.badTimeline` where there is no keyframe, or one is not later than the one before it.
    public init(_ keyframes: [Keyframe]) throws(TSITError) {
        guard !keyframes.isEmpty else { throw TSITError(.badTimeline, "a timeline without keyframes") }
        guard keyframes.allSatisfy({ $0.seconds.isFinite && $0.seconds >= 0 }) else {
            throw TSITError(.badTimeline, "a keyframe before the start of the source")
        }
        for (earlier, later) in zip(keyframes, keyframes.dropFirst()) where later.seconds <= earlier.seconds {
            throw TSITError(
                .badTimeline, "the keyframe at \(later.seconds) s follows one at \(earlier.seconds) s",
                remedy: "give keyframes in the order of time")
        }
        self.keyframes = keyframes
    }

    /// The value at a moment; at a keyframe it is exactly that keyframe's.
    public func value(at seconds: Double) -> Value {
        // The last keyframe that is not later; the first one stands for the time before it.
        guard let index = keyframes.lastIndex(where: { $0.seconds <= seconds }) else { return keyframes[0].value }
        let current = keyframes[index]
        guard index + 1 < keyframes.count, seconds > current.seconds else { return current.value }
        let next = keyframes[index + 1]
        return current.value.interpolated(
            to: next.value, share: (seconds - current.seconds) / (next.seconds - current.seconds))
    }

    /// The same times with other values.
    public func map<Other>(_ transform: (Value) throws -> Other) rethrows -> Timeline<Other> {
        Timeline<Other>(unchecked: try keyframes.map { .init(seconds: $0.seconds, value: try transform($0.value)) })
    }

    private init(unchecked keyframes: [Keyframe]) { self.keyframes = keyframes }
}

extension Float: Interpolatable {
    public func interpolated(to other: Float, share: Double) -> Float {
        Float(Double(self) * (1 - share) + Double(other) * share)
    }
}

extension StyleStatistics: Interpolatable {
    public func interpolated(to other: StyleStatistics, share: Double) -> StyleStatistics {
        .mixed([(self, 1 - share), (other, share)])
    }

    /// The weighted mean of several statistics: means with means, deviations with deviations.
    ///
    /// Sums are in double precision, so that a style mixed with itself has the same bits. All parts have one shape; weights
    /// are not negative and count relative to their sum, which is positive.
    public static func mixed(_ parts: [(statistics: StyleStatistics, weight: Double)]) -> StyleStatistics {
        let sum = parts.reduce(0) { $0 + $1.weight }
        precondition(sum > 0 && parts.allSatisfy { $0.weight >= 0 })
        let shares = parts.map { $0.weight / sum }
        func blend(_ values: [[[Float]]]) -> [[Float]] {
            values[0].indices.map { map in
                values[0][map].indices.map { channel in
                    Float(zip(shares, values).reduce(0.0) { $0 + $1.0 * Double($1.1[map][channel]) })
                }
            }
        }
        return StyleStatistics(means: blend(parts.map(\.statistics.means)), deviations: blend(parts.map(\.statistics.deviations)))
    }
}
