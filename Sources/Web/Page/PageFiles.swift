internal import Crypto
internal import Foundation
internal import Hummingbird

/// The files of the page and the description of the API, read once: they are small, and part of the program.
struct PageFiles: Sendable {
    struct File: Sendable {
        let path: String
        let name: String
        let type: String
        let bytes: [UInt8]
        let tag: String
    }

    private static let list: [(path: String, name: String, type: String)] = [
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/style.css", "style.css", "text/css; charset=utf-8"),
        ("/icon.svg", "icon.svg", "image/svg+xml"),
        ("/api/v1/openapi.json", "openapi.json", "application/json"),
    ] + scripts.map { ("/\($0)", $0, "text/javascript; charset=utf-8") }

    private static let scripts = ["app.js", "api.js", "compare.js", "dom.js", "jobs.js", "plot.js", "service.js", "upload.js"]

    let files: [File]

    /// Throws `.pageMissing`. The files lie beside the program (where a build puts them), or in `../share/solstice/page` from
    /// there (where an installation does).
    init() throws(WebError) {
        let binary = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        let folder = (binary as NSString).deletingLastPathComponent
        try self.init(folders: ["\(folder)/solstice_Web.resources/page", "\(folder)/../share/solstice/page"])
    }

    init(folders: [String]) throws(WebError) {
        for folder in folders {
            let found = Self.list.compactMap { Self.read(folder, $0.path, $0.name, $0.type) }
            if found.count == Self.list.count {
                files = found
                return
            }
        }
        throw WebError(
            .pageMissing, "the files of the web page are missing", remedy: "install the program's resources beside it, or switch the page off",
            cause: "looked in \(folders.joined(separator: ", "))")
    }

    private static func read(_ folder: String, _ path: String, _ name: String, _ type: String) -> File? {
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { return nil }
        let digest = SHA256.hash(data: data).prefix(8).map { String($0, radix: 16) }.joined()
        return File(path: path, name: name, type: type, bytes: Array(data), tag: "\"\(digest)\"")
    }

    var routes: [Route] {
        files.map { file in
            Route(.get, file.path, access: .open) { request, _ in
                // Asked for every time, sent only when new: a page and a program of different versions do not meet.
                var response = request.headers[.ifNoneMatch] == file.tag ? Response(status: .notModified) : Response.bytes(file.bytes, type: file.type)
                response.headers[.cacheControl] = "no-cache"
                response.headers[.eTag] = file.tag
                return response
            }
        }
    }
}
