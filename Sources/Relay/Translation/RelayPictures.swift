internal import Foundation
internal import Imaging
internal import MediaIO

/// Keeps pictures of the frame that a relay is at, before and after, for whoever looks on: `before.jpg` and `after.jpg`.
///
/// They are made small and coded on a thread of their own, so that no frame waits for them.
final class RelayPictures: Sendable {
    private struct Pair: Sendable {
        let before: PlanarImage<UInt8>
        let after: PlanarImage<UInt8>
    }

    private let folder: String
    private let onFailure: @Sendable (String) -> Void
    private let next = Newest<Pair>()

    /// Seconds from one pair to the next.
    static let interval = 2.0

    /// - Parameters:
    ///   - folder: is there already.
    ///   - onFailure: told once where pictures cannot be written; the relay goes on without.
    init(folder: String, onFailure: @escaping @Sendable (String) -> Void) {
        self.folder = folder
        self.onFailure = onFailure
    }

    /// When the next pair is wanted, in seconds of the relay's clock. Used by the finishing thread alone.
    struct Timetable {
        private var due = 0.0

        mutating func isDue(at now: Double) -> Bool {
            guard now >= due else { return false }
            due = now + RelayPictures.interval
            return true
        }
    }

    /// Takes the upright pictures of one frame; an earlier pair that has not been written yet is let go.
    func offer(before: PlanarImage<UInt8>, after: PlanarImage<UInt8>) { _ = next.put(Pair(before: before, after: after)) }

    /// Writes until `end()`, then takes the pictures away: what they show is over.
    func run() {
        var hasFailed = false
        while let pair = next.take() {
            do throws(MediaError) {
                try JPEGFile.write(pair.before, to: "\(folder)/before.jpg")
                try JPEGFile.write(pair.after, to: "\(folder)/after.jpg")
                hasFailed = false
            } catch {
                if !hasFailed { onFailure("there is no picture to look at: \(error)") }
                hasFailed = true
            }
        }
        for side in ["before", "after"] { try? FileManager.default.removeItem(atPath: "\(folder)/\(side).jpg") }
    }

    func end() { next.end() }
}
