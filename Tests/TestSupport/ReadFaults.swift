internal import Foundation

/// Runs programs for whom reads of one file fail as those of a broken disk do.
public enum ReadFaults {
    /// The library that is preloaded, built by the toolchain's clang in this process's temporary folder; nil where that is impossible.
    private static let library: String? = {
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/read_faults.c").path
        let output = FileManager.default.temporaryDirectory
            .appendingPathComponent("read-faults-\(ProcessInfo.processInfo.processIdentifier).so").path
        let built = try? Program.run("clang", ["-shared", "-fPIC", "-O1", "-o", output, source, "-ldl"])
        return built?.status == 0 ? output : nil
    }()

    /// False where the tests that need faults are to be skipped: there is no clang that builds the library.
    public static var isAvailable: Bool { library != nil }

    /// The environment of a program for whom reads of files whose path ends in `file` fail from byte `offset` on.
    public static func environment(file: String, from offset: Int) -> [String: String] {
        ["LD_PRELOAD": library ?? "", "READ_FAULT_FILE": file, "READ_FAULT_AT": "\(offset)"]
    }
}
