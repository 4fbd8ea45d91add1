public import Imaging

/// A PNG picture that a conversion writes beside its output: checked before the run, written under a hidden name, and put
/// in place once all else is.
public final class PictureFile: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the one that ends the conversion.
    let files: OutputFiles
    private let file: PartialFile

    /// Reserves `path`; neither the source nor the files `kept` may be replaced by it.
    ///
    /// Throws `.outputExists` unless `overwrite`, `.outputIsInput`, `.unwritable`, `.diskFull`.
    public init(path: String, source: SourceInfo?, kept: [String] = [], overwrite: Bool) throws(MediaError) {
        files = try OutputFiles(
            target: OutputTarget(path: path, isPattern: false), replacesExisting: overwrite,
            inputs: source.map(SourceIdentity.files) ?? [], kept: kept.compactMap { FileIdentity($0) })
        file = try files.create()
    }

    /// Writes the picture under the hidden name. Throws `.diskFull`, `.unwritable`.
    public func write(_ picture: PlanarImage<UInt8>) throws(MediaError) {
        let packet = try PictureIO.encodePNG(picture)
        try file.append(UnsafeRawBufferPointer(start: packet.raw.pointee.data, count: max(0, packet.size)))
    }

    /// Gives the picture its name. Throws `.outputExists`, `.diskFull`, `.unwritable`.
    public func publish() throws(MediaError) { try OutputFiles.publish([files]) }

    /// Leaves nothing behind.
    public func abandon() { files.discard() }
}
