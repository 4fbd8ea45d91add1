internal import CFFmpeg

/// File name and MIME type of an attachment or cover picture.
struct AttachmentName {
    let fileName: String
    let mimeType: String

    init(of stream: UnsafeMutablePointer<AVStream>) {
        let tags = dictionary(stream.pointee.metadata)
        let codec = String(cString: avcodec_get_name(stream.pointee.codecpar.pointee.codec_id))
        let known: [String: (ending: String, type: String)] = [
            "mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png"), "bmp": ("bmp", "image/bmp"),
            "gif": ("gif", "image/gif"), "webp": ("webp", "image/webp"), "tiff": ("tiff", "image/tiff"),
            "ttf": ("ttf", "application/x-truetype-font"), "otf": ("otf", "application/vnd.ms-opentype"),
            "text": ("txt", "text/plain"),
        ]
        let isCover = stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0
        let stem = isCover ? "cover" : "attachment\(stream.pointee.index)"
        fileName = tags["filename"] ?? stem + "." + (known[codec]?.ending ?? "bin")
        mimeType = tags["mimetype"] ?? known[codec]?.type ?? "application/octet-stream"
    }

    /// The name without directories, so that it can stand behind the output's, in at most `longest` bytes: what is too long is
    /// cut before its ending.
    func safeFileName(longest: Int) -> String {
        let name = String(fileName.map { $0 == "/" || $0 == "\\" || $0 == "\0" ? "_" : $0 })
        guard name.utf8.count > longest else { return name }
        let ending = name.lastIndex(of: ".").map { name[$0...].prefix(bytes: 12) } ?? ""
        return name.prefix(bytes: max(1, longest - ending.utf8.count)) + ending
    }
}

extension StringProtocol {
    /// The longest beginning that has at most `count` bytes of UTF-8 and cuts no character: what the system limits in a name are
    /// bytes.
    func prefix(bytes count: Int) -> String {
        var end = startIndex
        var size = 0
        while end < endIndex {
            size += self[end].utf8.count
            guard size <= count else { break }
            end = index(after: end)
        }
        return String(self[..<end])
    }
}
