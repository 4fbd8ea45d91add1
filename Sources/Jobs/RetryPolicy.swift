public import Foundation

/// When a job that failed is tried again.
public struct RetryPolicy: Sendable, Equatable {
    /// Seconds before the second attempt, the third, and so on; the last one holds for all that follow.
    public var pauses: [Double]
    /// Attempts that may fail in a row; codes in `patientCodes` are tried for ever.
    public var mostAttempts: Int
    /// Failures of the surroundings rather than of the file: they last as long as they last.
    public var patientCodes: Set<String>
    /// How often workers may die of the same content before it is put in quarantine.
    public var deathsOfContent: Int

    public init(
        pauses: [Double] = [10, 30, 120, 600, 1800], mostAttempts: Int = 8,
        patientCodes: Set<String> = ["diskFull", "noSuchFile", "unreadable", "unwritable", "sourceChanged"], deathsOfContent: Int = 2
    ) {
        self.pauses = pauses
        self.mostAttempts = mostAttempts
        self.patientCodes = patientCodes
        self.deathsOfContent = deathsOfContent
    }

    /// Seconds; no job waits longer than this for its next attempt.
    public var longestPause: Double { pauses.max() ?? 0 }

    /// Seconds until the next attempt, or nil where the job has failed for good.
    /// - Parameter failedAttempts: how many have failed in a row, this one included.
    public func pause(after failure: JobFailure, failedAttempts: Int) -> Double? {
        guard failure.mayPass, failedAttempts < mostAttempts || patientCodes.contains(failure.code) else { return nil }
        return pauses.isEmpty ? 0 : pauses[min(max(failedAttempts, 1), pauses.count) - 1]
    }

    /// True where `moment` has come, or is farther away than any pause: then the clock was set back, and the job need not wait for it.
    public func isDue(_ moment: Date?, now: Date) -> Bool {
        guard let moment else { return true }
        return moment <= now || moment > now.addingTimeInterval(longestPause)
    }
}
