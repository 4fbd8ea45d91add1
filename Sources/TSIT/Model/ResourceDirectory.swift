internal import FoundationEssentials

/// Finds the files that come with the program, from an installed binary as well as from the build folder.
///
/// The accessor that SwiftPM generates ends the process where the resources are missing, and looks for a path of the
/// machine that built it; this one does neither.
enum ResourceDirectory {
    /// The folders that are looked in for `name` (such as `Models`), the first one first.
    ///
    /// - Parameters:
    ///   - override: a folder that the user named; where given, only it counts.
    ///   - binaries: folders that the program's binaries lie in.
    static func candidates(_ name: String, override: String?, binaries: [String]) -> [String] {
        if let override, !override.isEmpty { return [override] }
        return binaries.flatMap { ["\($0)/solstice_TSIT.resources/\(name)", "\($0)/../share/solstice/\(name)"] }
    }

    /// Folders of the executable and of the binary that this code is linked into; a test bundle is not an executable.
    static func binaryDirectories() -> [String] {
        var directories: [String] = []
        if let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
            directories.append(parentDirectory(of: executable))
        }
        if let binary = mappedFile(containing: UInt(bitPattern: #dsohandle)) {
            directories.append(parentDirectory(of: binary))
        }
        return directories.enumerated().filter { directories.firstIndex(of: $0.element) == $0.offset }.map(\.element)
    }

    /// The file that is mapped at `address` of this process (proc(5), /proc/pid/maps).
    private static func mappedFile(containing address: UInt) -> String? {
        guard let maps = try? String(contentsOf: URL(filePath: "/proc/self/maps"), encoding: .utf8) else { return nil }
        for line in maps.split(separator: "\n") {
            // start-end permissions offset device inode path
            let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            let bounds = fields.first?.split(separator: "-").compactMap { UInt($0, radix: 16) } ?? []
            guard fields.count == 6, bounds.count == 2, bounds[0] <= address, address < bounds[1] else { continue }
            return fields[5].drop { $0 == " " }.first == "/" ? String(fields[5].drop { $0 == " " }) : nil
        }
        return nil
    }
}
