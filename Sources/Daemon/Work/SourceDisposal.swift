internal import Crypto
internal import Foundation
internal import Glibc
internal import Jobs
internal import SystemPackage

/// Does with a source what `after` says, once its translation is verified and on the disk. Blocks.
///
/// Every step can be cut off and done again: a source is only removed where the file that was translated is still there,
/// its result is too, and for `move` a whole copy lies in the other folder.
struct SourceDisposal {
    enum Outcome: Equatable {
        case kept, moved(FilePath), deleted
        /// Was not touched, and why.
        case left(String)
        /// Was not touched now, and why: another time it may be.
        case postponed(String)
    }

    let job: Job
    /// Tells this daemon's partial copies from another's.
    let token: String

    func run() -> Outcome {
        guard job.settings.after != .keep else { return .kept }
        guard let size = FileStatus(job.target)?.size, size > 0, job.outputBytes == nil || job.outputBytes == size else {
            return .left("its result is not there any more")
        }
        guard let now = FileStatus(job.source), now.isFile else { return .left("it is not there any more") }
        guard now.size == job.identity.size, now.modified == job.identity.modified else { return .left("it has changed since") }
        switch job.settings.after {
        case .keep: return .kept
        case .delete: return remove() ? .deleted : .postponed(Self.words("it cannot be removed"))
        case .move: return move()
        }
    }

    private func remove() -> Bool {
        // A copy may have taken minutes, in which the file was replaced.
        guard isUnchanged else {
            errno = ESTALE
            return false
        }
        guard job.source.withPlatformString({ unlink($0) }) == 0 else { return false }
        Folders.synchronize(job.source.removingLastComponent())
        return true
    }

    private var isUnchanged: Bool {
        FileStatus(job.source).map { $0.size == job.identity.size && $0.modified == job.identity.modified } ?? false
    }

    private func move() -> Outcome {
        guard let root = job.settings.moveTo else { return .left("no folder to move it to is given") }
        let wanted = FilePath(root).pushing(job.relativePath)
        let folder = wanted.removingLastComponent()
        // Its name must be on the disk before what is moved into it leaves its place.
        do { try Folders.make(folder) } catch { return .postponed("\(folder.shown) cannot be made: \(error)") }
        // Through a link, or a second mount: what is taken for a copy there would be the source itself.
        guard !Self.isOneFolder(folder, job.source.removingLastComponent()) else { return .left("\(folder.shown) is where it is") }
        for place in Self.names(wanted) {
            if FileStatus(place) != nil {
                // A run that was cut off behind the copying, or another file of that name.
                guard isCopy(place) else { continue }
                return remove() ? .moved(place) : .postponed(Self.words("it cannot be removed"))
            }
            if renamed(to: place) { return .moved(place) }
            switch errno {
            case EEXIST: continue
            case EXDEV, EINVAL: return copied(to: place)
            default: return .postponed(Self.words("it cannot be moved to \(place.shown)"))
            }
        }
        return .left("there are too many files of its name in \(folder.shown)")
    }

    private static func isOneFolder(_ one: FilePath, _ other: FilePath) -> Bool {
        guard let one = FileStatus(one), let other = FileStatus(other) else { return false }
        return one.device == other.device && one.number == other.number
    }

    private func renamed(to place: FilePath) -> Bool {
        guard Self.rename(job.source, to: place) else { return false }
        Folders.synchronize(place.removingLastComponent())
        Folders.synchronize(job.source.removingLastComponent())
        return true
    }

    /// Without replacing anything: by a second name, for which the kernel refuses one that is taken (`link(2)`). False, with
    /// `errno` set, where it cannot be.
    private static func rename(_ source: FilePath, to target: FilePath) -> Bool {
        source.withPlatformString { from in
            target.withPlatformString { to in
                if link(from, to) == 0 { return unlink(from) == 0 }
                // A file system without hard links, such as exFAT.
                guard errno == EPERM || errno == EOPNOTSUPP, access(to, F_OK) != 0 else { return false }
                return Glibc.rename(from, to) == 0
            }
        }
    }

    /// To another file system: copied under a hidden name, synced, put in place, and only then removed here.
    private func copied(to place: FilePath) -> Outcome {
        let name = place.lastComponent.map { $0.string } ?? "file"
        let partial = place.removingLastComponent().appending(".\(name.prefix(100)).partial-\(token)-\(job.id)")
        defer { _ = partial.withPlatformString { unlink($0) } }
        do {
            try Self.copy(job.source, to: partial)
        } catch {
            return .postponed("it cannot be copied to \(place.shown): \(error)")
        }
        guard isCopy(partial) else { return .left("its copy in \(place.shown) is not the file that was translated") }
        guard Self.rename(partial, to: place) else { return .postponed(Self.words("its copy cannot be put in place as \(place.shown)")) }
        guard Folders.synchronize(place.removingLastComponent()) else { return .postponed(Self.words("its copy \(place.shown) is not safe on the disk")) }
        return remove() ? .moved(place) : .postponed(Self.words("it cannot be removed"))
    }

    /// True where `place` holds what was translated, byte for byte.
    private func isCopy(_ place: FilePath) -> Bool {
        guard let wanted = job.identity.contentHash, FileStatus(place)?.size == job.identity.size,
            let file = try? FileDescriptor.open(place, .readOnly, options: [.closeOnExec, .noFollow])
        else { return false }
        defer { try? file.close() }
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            guard let count = try? buffer.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return false }
            guard count > 0 else { break }
            hash.update(data: buffer[..<count])
        }
        return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == wanted
    }

    private static func copy(_ source: FilePath, to target: FilePath) throws {
        let input = try FileDescriptor.open(source, .readOnly, options: [.closeOnExec])
        defer { try? input.close() }
        let output = try FileDescriptor.open(
            target, .writeOnly, options: [.create, .truncate, .closeOnExec, .noFollow], permissions: [.ownerReadWrite, .groupRead, .otherRead])
        defer { try? output.close() }
        var status = stat()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try input.read(into: $0) }
            guard count > 0 else { break }
            try output.writeAll(buffer[..<count])
        }
        guard fstat(input.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
        // The copy stands for the source, so it keeps its times.
        var times = [status.st_atim, status.st_mtim]
        guard futimens(output.rawValue, &times) == 0, fsync(output.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }

    /// `place`, then `name-2.mp4`, `name-3.mp4` and so on.
    private static func names(_ place: FilePath) -> [FilePath] {
        [place]
            + (2...99).map { number in
                let (stem, ending) = place.stemAndEnding
                return place.removingLastComponent().pushing(FilePath(bytes: stem + Array("-\(number)".utf8) + ending) ?? place)
            }
    }

    private static func words(_ what: String) -> String { "\(what): \(Errno(rawValue: errno))" }
}

extension FilePath {
    /// The last component's bytes before its ending, and the ending with its dot.
    fileprivate var stemAndEnding: (stem: [UInt8], ending: [UInt8]) {
        let name = FilePath(root: nil, lastComponent.map { [$0] } ?? []).bytes
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > 0 else { return (name, []) }
        return (Array(name[..<dot]), Array(name[dot...]))
    }
}
