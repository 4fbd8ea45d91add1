internal import Foundation
internal import Hummingbird
internal import Jobs
internal import NIOCore
internal import SystemPackage

/// `/api/v1/jobs/ID/result`: the translated file, whole or in parts.
struct DownloadRoute: Sendable {
    let backend: any Backend
    let slots: Slots
    private static let partSize = 64 * 1024

    var routes: [Route] { [Route(.get, "/api/v1/jobs/{id}/result") { request, context in try await send(request, context) }] }

    private func send(_ request: Request, _ context: WebContext) async throws -> Response {
        let id = try JobRoutes.id(context)
        guard let job = try await backend.result(of: id) else {
            guard let job = try await backend.job(id) else { throw JobRoutes.noSuchJob(id) }
            if job.state == .done { throw Self.gone(id) }
            throw Problem(.notFound, "noResult", "job \(id) has no result yet")
        }
        guard let slot = slots.take() else {
            throw Problem(.serviceUnavailable, "tooManyDownloads", "as many downloads are under way as the server allows", remedy: "try again later")
                .with("Retry-After", "10")
        }
        let (file, status) = try await Self.open(job)
        let tag = "\"\(String(status.inode, radix: 16))-\(String(status.size, radix: 16))-\(String(status.modifiedNanoseconds, radix: 16))\""
        var headers = HTTPFields()
        headers[.acceptRanges] = "bytes"
        headers[.eTag] = tag
        headers[.cacheControl] = "private, no-cache"
        if request.headers[.ifNoneMatch] == tag { return Response(status: .notModified, headers: headers) }
        headers[.contentType] = Self.type(of: job.target)
        headers[.contentDisposition] = Self.disposition(job.target)
        // Parts of another version must not be put together with this one's.
        let isSame = request.headers[.ifRange].map { $0 == tag } ?? true
        let range = ByteRange(header: isSame ? request.headers[.range] : nil, size: status.size)
        guard range != .unsatisfiable else {
            throw Problem(.rangeNotSatisfiable, "badRange", "the file has \(status.size) bytes").with("Content-Range", "bytes */\(status.size)")
        }
        guard case .part(let part) = range else {
            return Response(status: .ok, headers: headers, body: Self.body(of: file, from: 0, count: status.size, slot))
        }
        headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound)/\(status.size)"
        return Response(
            status: .partialContent, headers: headers, body: Self.body(of: file, from: part.lowerBound, count: part.upperBound - part.lowerBound + 1, slot))
    }

    private static func gone(_ id: Int64) -> Problem { Problem(.gone, "resultGone", "the result of job \(id) is no longer where it was put") }

    private static func open(_ job: Job) async throws -> (SystemFile, SystemFile.Status) {
        do {
            return try await DiskQueue.run {
                let (root, path) = job.target.split(at: job.relativePath)
                let file = try SystemFile.reading(path, below: root)
                return (file, try file.status())
            }
        } catch let failure as SystemFailure {
            let isGone = failure.number == ENOENT || failure.number == ENOTDIR
            throw isGone
                ? gone(job.id)
                : Problem(.serviceUnavailable, "resultUnreadable", "the result of job \(job.id) cannot be read (\(failure.text))")
        }
    }

    private static func body(of file: SystemFile, from start: Int64, count: Int64, _ slot: Slots.Slot) -> ResponseBody {
        ResponseBody(contentLength: Int(count)) { writer in
            defer { withExtendedLifetime(slot) {} }
            var offset = start, left = count
            while left > 0 {
                let at = offset, wanted = Int(min(Int64(partSize), left))
                let bytes = try await DiskQueue.run { try file.read(at: at, count: wanted) }
                // The file became shorter: the promised length cannot be kept, only the connection ended.
                guard !bytes.isEmpty else { throw SystemFailure(call: "pread", number: EIO) }
                try await writer.write(ByteBuffer(bytes: bytes))
                offset += Int64(bytes.count)
                left -= Int64(bytes.count)
            }
            try await writer.finish(nil)
        }
    }

    /// The name twice: plain for old clients, whole for all others (RFC 6266, RFC 8187).
    static func disposition(_ path: FilePath) -> String {
        let name = path.lastComponent.map { FilePath(root: nil, [$0]).shown } ?? "result"
        let plain = String(String.UnicodeScalarView(name.unicodeScalars.map { $0.isASCII && $0.value >= 32 && $0.value != 127 && !"\"\\%".unicodeScalars.contains($0) ? $0 : "_" }))
        let letters = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`|~")
        let encoded = name.addingPercentEncoding(withAllowedCharacters: letters) ?? plain
        return "attachment; filename=\"\(plain)\"; filename*=UTF-8''\(encoded)"
    }

    private static func type(of path: FilePath) -> String {
        switch path.extension?.lowercased() {
        case "mp4", "m4v": "video/mp4"
        case "mov": "video/quicktime"
        case "mkv": "video/x-matroska"
        case "webm": "video/webm"
        case "avi": "video/x-msvideo"
        case "ts", "m2ts", "mts": "video/mp2t"
        case "ogv", "ogg": "video/ogg"
        case "flv": "video/x-flv"
        default: "application/octet-stream"
        }
    }
}
