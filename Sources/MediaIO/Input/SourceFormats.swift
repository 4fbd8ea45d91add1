/// Which of libav's input formats solstice opens.
///
/// A closed list, because a file must not make libav open other files or network addresses (playlists, `concat`,
/// `sdp`, `svg`), nor take a text for a picture (`tty`).
enum SourceFormats {
    static let containers: Set<String> = [
        "mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "mxf", "flv", "live_flv", "kux", "asf", "asf_o", "ogg",
        "nut", "ivf", "obu", "av1", "h261", "h263", "h264", "hevc", "vvc", "m4v", "mjpeg", "mjpeg_2000", "smjpeg", "vc1",
        "vc1test", "dirac", "dnxhd", "cavsvideo", "avs2", "avs3", "dv", "gxf", "rm", "wtv", "ty", "nsv", "nuv", "dhav",
        "ifv", "lmlm4", "pmp", "swf", "r3d", "yuv4mpegpipe", "gif", "apng", "mtv", "mv", "film_cpk", "bink", "smk", "flic",
    ]

    /// Opened only to be able to say that there is no picture in them.
    static let audioOnly: Set<String> = [
        "mp3", "wav", "w64", "flac", "aac", "ac3", "eac3", "aiff", "caf", "au", "amr", "ape", "wv", "tta", "dts", "truehd",
        "dsf", "mlp", "tak", "sox", "voc", "mpc", "mpc8", "oma", "ircam", "mmf", "dsdiff", "iff", "loas", "latm",
    ]

    /// Picture formats by libav's probes (`<name>_pipe`), and the codec of each.
    static let pictures: [String: String] = [
        "jpeg_pipe": "mjpeg", "jpegls_pipe": "jpegls", "png_pipe": "png", "webp_pipe": "webp", "bmp_pipe": "bmp",
        "tiff_pipe": "tiff", "j2k_pipe": "jpeg2000", "jpegxl_pipe": "jpegxl", "dpx_pipe": "dpx", "exr_pipe": "exr",
        "pgm_pipe": "pgm", "ppm_pipe": "ppm", "pbm_pipe": "pbm", "pam_pipe": "pam", "pfm_pipe": "pfm", "qoi_pipe": "qoi",
        "sgi_pipe": "sgi", "sunrast_pipe": "sunrast", "psd_pipe": "psd", "pcx_pipe": "pcx", "gif_pipe": "gif",
    ]

    /// libav gives a format several names separated by commas; one that is known is enough.
    static func isAllowed(_ names: String) -> Bool {
        names.split(separator: ",").contains { containers.contains(String($0)) || audioOnly.contains(String($0)) }
    }
}
