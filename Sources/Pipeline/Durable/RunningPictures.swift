internal import Imaging
internal import MediaIO
internal import Synchronization

/// Who sees single frames of a running conversion, before and after.
protocol FrameWitness: Sendable {
    /// Whether the frame of this place is of use.
    func wants(index: Int) -> Bool
    /// A frame in coded orientation; ignored where it is not wanted.
    func offer(index: Int, before: FullSizePicture, after: FullSizePicture, orientation: Orientation)
}

/// Two JPEG files of the frame that is being worked on, `before.jpg` and `after.jpg`, replaced every 2 seconds.
final class RunningPictures: FrameWitness {
    private let folder: String
    private let last = Mutex<ContinuousClock.Instant?>(nil)
    private static let interval = Duration.seconds(2)

    init(folder: String) { self.folder = folder }

    func wants(index: Int) -> Bool {
        let last = last.withLock { $0 }
        return last.map { ContinuousClock.now - $0 >= Self.interval } ?? true
    }

    func offer(index: Int, before: FullSizePicture, after: FullSizePicture, orientation: Orientation) {
        guard wants(index: index) else { return }
        last.withLock { $0 = .now }
        // Nobody's result depends on them: where they cannot be written, there are none.
        try? JPEGFile.write(before.eightBit.turned(by: orientation), to: folder + "/before.jpg")
        try? JPEGFile.write(after.eightBit.turned(by: orientation), to: folder + "/after.jpg")
    }
}
