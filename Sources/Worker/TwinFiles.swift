internal import Foundation
internal import Glibc
internal import Jobs
internal import MediaIO
internal import SystemPackage

/// A result elsewhere and the files that go with it, to be copied into the hidden folder under this job's names.
struct TwinFiles: Sendable {
    private let twin: FilePath
    private let twinName: String
    private let paths: WorkPaths

    /// The result as libraries take it.
    let text: String

    /// Nil for a path that is none, or not UTF-8: that is converted anew.
    init?(_ bytes: [UInt8], of paths: WorkPaths) {
        guard let twin = FilePath(bytes: bytes), let text = String(validating: twin),
            let name = twin.lastComponent.flatMap({ String(validating: $0) })
        else { return nil }
        self.twin = twin
        self.text = text
        twinName = name
        self.paths = paths
    }

    /// The names in the hidden folder, the result first; nil where the twin is not there or not whole, and after a stop.
    ///
    /// Others may write beside the twin: nothing is copied through a link, which could lead to what they may not read.
    func copy(isStopped: () -> Bool) throws -> [String]? {
        // As it is open: its path may lead elsewhere in the next moment.
        let descriptor = twin.removingLastComponent().withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let folder = FilePath("/proc/self/fd/\(descriptor)")
        guard let name = twin.lastComponent, WorkFiles.isRegular(folder.appending(name)) else { return nil }
        let description = twinName + ".streams.json"
        var suffixes: [String] = []
        if let bytes = try WorkFiles.read(folder.appending(description), followsLink: false) {
            guard let files = Self.files(in: Data(bytes)) else { return nil }
            suffixes = files.filter { $0.hasPrefix(twinName + ".") }.map { String($0.dropFirst(twinName.count)) }
            guard suffixes.count == files.count, !files.contains(where: { $0.utf8.contains(UInt8(ascii: "/")) }), suffixes.allSatisfy({ WorkFiles.isRegular(folder.appending(twinName + $0)) }) else {
                return nil
            }
        }
        guard try WorkFiles.copy(folder.appending(name), to: paths.result, isStopped: isStopped) else { return nil }
        for suffix in suffixes {
            let copied = try WorkFiles.copy(
                folder.appending(twinName + suffix), to: paths.stage.appending(paths.name + suffix), isStopped: isStopped)
            guard copied else { return nil }
        }
        if let bytes = try WorkFiles.read(folder.appending(description), followsLink: false), let text = renamed(Data(bytes)) {
            try WorkFiles.write(Array(text), to: paths.stage.appending(paths.name + ".streams.json"), mode: 0o666)
            suffixes.append(".streams.json")
        }
        return [paths.name] + suffixes.map { paths.name + $0 }
    }

    /// The sidecars that a description names; nil where it is none.
    private static func files(in description: Data) -> [String]? {
        guard let object = try? JSONSerialization.jsonObject(with: description) as? [String: Any] else { return nil }
        let streams = (object["streams"] as? [[String: Any]] ?? []).compactMap { $0["file"] as? String }
        let boxes = (object["boxes"] as? [String: Any])?["file"] as? String
        return Array(Set(streams + (boxes.map { [$0] } ?? []))).sorted()
    }

    /// The description with this job's names.
    private func renamed(_ description: Data) -> Data? {
        guard var object = try? JSONSerialization.jsonObject(with: description) as? [String: Any] else { return nil }
        func name(_ value: Any?) -> Any? {
            (value as? String).map { $0.hasPrefix(twinName) ? paths.name + $0.dropFirst(twinName.count) : $0 } ?? value
        }
        object["output"] = paths.name
        object["source"] = paths.source.lastComponent.map { FilePath(root: nil, [$0]).shown }
        if let streams = object["streams"] as? [[String: Any]] {
            object["streams"] = streams.map { stream in
                var stream = stream
                stream["file"] = name(stream["file"])
                return stream
            }
        }
        if var boxes = object["boxes"] as? [String: Any] {
            boxes["file"] = name(boxes["file"])
            object["boxes"] = boxes
        }
        return try? JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }
}
