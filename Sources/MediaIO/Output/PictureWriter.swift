/// Writes pictures: the encoder's packets, each a file of its own.
final class PictureWriter: OutputWriter {
    let notices: [String]
    private let files: OutputFiles
    private let path: String
    private let sequence: PictureSequence?
    private let directory: String?
    private var written: [(partial: String, final: String)] = []
    private var nextNumber: Int
    private let streamIndex: Int
    private var single: PartialFile?
    /// Where the tags of each picture are; nil where the source is no picture.
    private let tagSource: String?
    private let sourceSequence: PictureSequence?
    private var hasLostTags = false

    init(files: OutputFiles, source: SourceInfo, encoder: VideoEncoder) throws(MediaError) {
        self.files = files
        path = files.target.path
        streamIndex = source.video.streamIndex
        sequence = files.target.isPattern ? PictureSequence(pattern: path) : nil
        nextNumber = Self.firstNumber(of: source)
        tagSource = source.isStillPicture ? source.path : nil
        sourceSequence = source.isPictureSequence ? PictureSequence(pattern: source.path) : nil
        directory = sequence == nil ? nil : try files.createDirectory()
        let others = source.streams.filter { $0.index != source.video.streamIndex }
        notices =
            others.isEmpty
            ? [] : ["pictures hold no sound or data: \(others.count) other streams of \(source.path) are left out"]
    }

    /// A sequence keeps its numbers; anything else starts at 1.
    private static func firstNumber(of source: SourceInfo) -> Int {
        guard source.isPictureSequence, let sequence = PictureSequence(pattern: source.path) else { return 1 }
        let names = (try? SourceFile.names(inDirectory: sequence.directory.isEmpty ? "." : sequence.directory)) ?? []
        return sequence.range(ofFiles: names)?.first ?? 1
    }

    func write(_ packet: Packet) throws(MediaError) {
        guard packet.streamIndex == streamIndex else { return }
        let plain = UnsafeRawBufferPointer(start: packet.raw.pointee.data, count: max(0, packet.size))
        let tagged = try withTags(plain)
        let failure: MediaError? = (tagged ?? []).withUnsafeBytes { bytes in
            do throws(MediaError) { try write(tagged == nil ? plain : bytes) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    /// The picture with the tags of the one it was made from; nil where there are none. Throws `.unreadable`.
    private func withTags(_ picture: UnsafeRawBufferPointer) throws(MediaError) -> [UInt8]? {
        guard let path = tagSource ?? sourceSequence.map({ $0.directory + $0.fileName(nextNumber) }) else { return nil }
        let tags = try PictureTags(file: path)
        guard !tags.isEmpty else { return nil }
        let result = tags.inserted(into: picture)
        if result == nil { hasLostTags = true }
        return result
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(MediaError) {
        guard let sequence, let directory else {
            guard single == nil else {
                throw MediaError(
                    .unsupportedOption, "\(path) holds one picture, and the source has more",
                    remedy: "number the pictures, such as frame_%04d.png, or give a video's ending")
            }
            let file = try files.create()
            single = file
            try file.append(bytes)
            return
        }
        let name = sequence.fileName(nextNumber)
        nextNumber += 1
        try files.check(files.target.directory + name)
        try PartialFile.write(bytes, toNewFile: directory + "/" + name)
        written.append((directory + "/" + name, name))
    }

    func finish(expectedFrames: Int) throws(MediaError) -> OutputReport {
        let count = sequence == nil ? (single == nil ? 0 : 1) : written.count
        guard count == expectedFrames, count > 0 else {
            throw MediaError(.internalFailure, "\(count) pictures were written instead of \(expectedFrames)")
        }
        for file in written { try files.adopt(file.partial, finalName: file.final) }
        var report = OutputReport(frames: count)
        report.warnings = notices
        if hasLostTags {
            report.warnings.append(
                "\(path) does not hold the source's Exif tags (camera, place, rotation): give it the ending .jpg or .png to keep them"
            )
        }
        return report
    }

    func abandon() {}
}

extension PictureSequence {
    /// The name, without directory, of the file with this number.
    func fileName(_ number: Int) -> String {
        let digits = String(number)
        return prefix + String(repeating: "0", count: max(0, width - digits.count)) + digits + suffix
    }
}
