import Foundation
import FuzzKit
import Hummingbird

@testable import Web

/// Uploads a file. The lines of the input are the encoded path behind `/files/`, then the headers Range, Host, Cookie and
/// Authorization; what follows is the file's content.
@Sendable func upload(_ bytes: [UInt8]) throws -> Bool {
    let parts = bytes.split(separator: 10, maxSplits: 5, omittingEmptySubsequences: false)
    let lines = parts.prefix(5).map { String(decoding: $0, as: UTF8.self) } + [String](repeating: "", count: 5)
    for size in [0, 1, 10, Int64.max] { try checkRange(lines[1], size) }
    checkHost(lines[2])
    try checkAccess(cookie: lines[3], authorization: lines[4])
    let path: UploadPath
    do throws(Problem) {
        path = try UploadPath(encoded: lines[0][...])
    } catch { return false }
    for name in path.folders + [path.name] {
        let isPlain = !name.isEmpty && name != "." && name != ".." && name.utf8.count <= 255 && !name.utf8.contains { $0 == 0 || $0 == 47 }
        try hold(isPlain, "the name \(name)")
    }
    try hold(path.folders.count < UploadPath.depth, "\(path.folders.count) folders")
    return try Scratch.withFolder { try store(parts.count > 5 ? Array(parts[5]) : [], path, in: $0) }
}

/// The file is where its path says, and nothing else is there.
private func store(_ content: [UInt8], _ path: UploadPath, in root: String) throws -> Bool {
    let upload: Upload
    do {
        upload = try Upload(root: root, to: path, size: Int64(content.count))
        try upload.write(content)
        try upload.finish()
    } catch is Problem { return false }
    let stored = path.folders.reduce(root) { "\($0)/\($1)" } + "/\(path.name)"
    try hold(FileManager.default.contents(atPath: stored).map(Array.init) == content, "another content at \(stored)")
    var folder = root
    for name in path.folders + [path.name] {
        let found = try FileManager.default.contentsOfDirectory(atPath: folder)
        try hold(found.map { Array($0.utf8) } == [Array(name.utf8)], "\(found) in \(folder) instead of \(name)")
        folder += "/\(name)"
    }
    return true
}

private func checkRange(_ header: String, _ size: Int64) throws {
    guard case .part(let range) = ByteRange(header: header, size: size) else { return }
    try hold(range.lowerBound >= 0 && range.upperBound < size, "the bytes \(range) of \(size)")
}

private func checkHost(_ header: String) {
    guard let authority = Authority(header) else { return }
    _ = (authority.host.isAddress, authority.host.isLoopback, authority.port, HostName(header: header))
}

/// Nobody without the token comes in.
private func checkAccess(cookie: String, authorization: String) throws {
    let access = Access(token: "a token that nobody knows", port: 8080)
    var withCookie = HTTPFields(), withToken = HTTPFields()
    withCookie[.cookie] = cookie
    withToken[.authorization] = authorization
    for headers in [withCookie, withToken] { try hold(!access.allows(headers), "let in with \(headers)") }
}
