internal import Foundation

/// Ends this process when the one that started it has gone: its end of our standard input closes then, however it died.
enum ParentWatch {
    /// Seconds that the way out in order may take; a process that hangs must not outlive its parent all the same.
    private static let patience: UInt32 = 10

    /// Reads standard input on a thread of its own, and ends as SIGTERM would when it is over.
    static func start() {
        let thread = Thread {
            while let data = try? FileHandle.standardInput.read(upToCount: 4096), !data.isEmpty {}
            kill(getpid(), SIGTERM)
            sleep(patience)
            _exit(ExitStatus.terminated.rawValue)
        }
        thread.name = "parent"
        thread.stackSize = 256 << 10
        thread.start()
    }
}
