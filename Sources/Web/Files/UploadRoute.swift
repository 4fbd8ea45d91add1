internal import Foundation
internal import Hummingbird
internal import Jobs
internal import Logging

/// `PUT /api/v1/folders/NAME/files/PATH`: a file comes into a watch folder.
struct UploadRoute: Sendable {
    let backend: any Backend
    let limit: Int64
    let slots: Slots
    let logger: Logger
    /// Bytes that are gathered before the disk is asked.
    private static let partSize = 512 * 1024
    /// A client that sends less than this for a minute on average is cut off: it keeps others waiting.
    private static let slowestRate = 1024.0

    var routes: [Route] {
        [Route(.put, "/api/v1/folders/{name}/files/**") { request, context in try await receive(request, context) }]
    }

    private func receive(_ request: Request, _ context: WebContext) async throws -> Response {
        let name = context.parameters.get("name")?.removingPercentEncoding ?? ""
        let path = try UploadPath(encoded: Self.encodedPath(request))
        guard request.headers[.transferEncoding] == nil, let size = request.headers[.contentLength].flatMap({ Int64($0) }), size >= 0 else {
            throw Problem(.lengthRequired, "lengthRequired", "the length of the file must be sent along", remedy: "send Content-Length")
        }
        guard size <= limit else {
            throw Problem(.contentTooLarge, "tooLarge", "the file has more than the \(limit) bytes that are allowed", remedy: "raise upload-limit, or copy it into the folder")
        }
        guard size > 0 else { throw Problem.bad("the file is empty") }
        guard let root = await backend.uploadRoot(folder: name) else { throw Problem(.notFound, "noSuchFolder", "there is no watch folder \(name)") }
        guard let slot = slots.take() else {
            throw Problem(.serviceUnavailable, "tooManyUploads", "as many uploads are under way as the server allows", remedy: "try again later")
                .with("Retry-After", "10")
        }
        defer { withExtendedLifetime(slot) {} }
        try await store(request.body, size: size, in: root, as: path)
        logger.info("uploaded", metadata: ["folder": "\(name)", "file": "\(path.shown)", "bytes": "\(size)"])
        return JSONAnswer.response(UploadView(folder: name, file: path.shown, bytes: size), status: .created)
    }

    private func store(_ body: RequestBody, size: Int64, in root: String, as path: UploadPath) async throws {
        let upload = try await DiskQueue.run { try Upload(root: root, to: path, size: size) }
        do {
            let start = ContinuousClock.now
            var received: Int64 = 0
            var gathered: [UInt8] = []
            for try await part in body {
                received += Int64(part.readableBytes)
                gathered.append(contentsOf: part.readableBytesView)
                if gathered.count >= Self.partSize {
                    let bytes = gathered
                    gathered = []
                    try await DiskQueue.run { try upload.write(bytes) }
                }
                let seconds = (ContinuousClock.now - start) / .seconds(1)
                guard seconds < 60 || Double(received) > seconds * Self.slowestRate else { throw Problem.tooSlow }
            }
            // The stream may end like a whole one when the connection breaks.
            guard received == size else { throw Problem.bad("the file broke off after \(received) of \(size) bytes") }
            let bytes = gathered
            try await DiskQueue.run {
                try upload.write(bytes)
                try upload.finish()
            }
        } catch {
            try? await DiskQueue.run { upload.abandon() }
            throw error
        }
    }

    /// The path as it was sent: the router would have decoded it, and forgotten empty parts.
    private static func encodedPath(_ request: Request) throws(Problem) -> Substring {
        let parts = request.uri.path.split(separator: "/", maxSplits: 6, omittingEmptySubsequences: false)
        // "", api, v1, folders, NAME, files, the rest
        guard parts.count == 7, parts[0].isEmpty, parts[3] == "folders", parts[5] == "files" else { throw Problem.notFound("there is nothing at this address") }
        return parts[6]
    }
}

/// What came in.
struct UploadView: Codable, Equatable {
    var folder: String
    /// Below the folder.
    var file: String
    var bytes: Int64
}
