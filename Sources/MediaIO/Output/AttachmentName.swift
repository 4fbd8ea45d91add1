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

    /// The name without directories, so that it can stand behind the output's.
    var safeFileName: String {
        String(fileName.map { $0 == "/" || $0 == "\\" || $0 == "\0" ? "_" : $0 }.prefix(80))
    }
}
