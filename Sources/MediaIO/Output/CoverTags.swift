/// Cover pictures in MP4 and MOV files: `moov/udta/meta/ilst/covr`, the tag that iTunes introduced.
///
/// libavformat writes it only where it does not write unknown tags (movenc.c, `mov_write_meta_tag`), and never to MOV, so
/// it is put behind the finished index. libavformat and players read more than one `udta`.
enum CoverTags {
    struct Cover {
        /// libav's name of the codec: `mjpeg`, `png` or `bmp`.
        var codecName: String
        var content: [UInt8]
    }

    /// The `udta` box that holds the covers.
    static func box(_ covers: [Cover]) -> [UInt8] {
        let number = MovieIndex.bigEndian
        let pictures = covers.flatMap { cover in
            // Well-known types of the `data` box (QuickTime File Format, 'Well-known types').
            let type: UInt32 = ["png": 14, "bmp": 27][cover.codecName] ?? 13
            return MovieIndex.box("data", number(type) + number(0) + cover.content)
        }
        let handler = number(0) + number(0) + Array("mdirappl".utf8) + [UInt8](repeating: 0, count: 9)
        let list = MovieIndex.box("ilst", MovieIndex.box("covr", pictures))
        return MovieIndex.box("udta", MovieIndex.box("meta", number(0) + MovieIndex.box("hdlr", handler) + list))
    }
}
