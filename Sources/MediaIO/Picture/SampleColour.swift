internal import CFFmpeg

/// How the samples of a picture are to be read: matrix, range and chroma siting, with nothing left unspecified.
struct SampleColour: Hashable {
    /// `SWS_CS_*`, the same numbers as `AVColorSpace`.
    var matrix: Int32
    var isFullRange: Bool
    /// Place of the chroma samples in 1/256 of a luma sample, from the centre of the upper left luma sample.
    var chromaX: Int32
    var chromaY: Int32

    /// - Parameter height: coded height; without a matrix tag, standard definition (up to 576 lines) means BT.601, more
    ///   means BT.709.
    init(format: AVPixelFormat, tags: ColourTags, height: Int) {
        let isRGB = PixelFormat.isRGB(format)
        let isJPEG = PixelFormat.name(of: format).hasPrefix("yuvj")
        isFullRange = isRGB || isJPEG || tags.range == Int32(bitPattern: AVCOL_RANGE_JPEG.rawValue)
        matrix = Self.matrix(tag: tags.matrix, height: height)
        switch AVChromaLocation(UInt32(bitPattern: tags.chromaLocation)) {
        case AVCHROMA_LOC_CENTER: (chromaX, chromaY) = (128, 128)
        case AVCHROMA_LOC_TOPLEFT: (chromaX, chromaY) = (0, 0)
        case AVCHROMA_LOC_TOP: (chromaX, chromaY) = (128, 0)
        case AVCHROMA_LOC_BOTTOMLEFT: (chromaX, chromaY) = (0, 256)
        case AVCHROMA_LOC_BOTTOM: (chromaX, chromaY) = (128, 256)
        case AVCHROMA_LOC_LEFT: (chromaX, chromaY) = (0, 128)
        // Unspecified: MPEG-2, H.264 and HEVC mean left, JPEG means centre.
        default: (chromaX, chromaY) = isJPEG ? (128, 128) : (0, 128)
        }
    }

    private static func matrix(tag: Int32, height: Int) -> Int32 {
        switch AVColorSpace(UInt32(bitPattern: tag)) {
        case AVCOL_SPC_BT709: SWS_CS_ITU709
        case AVCOL_SPC_FCC: SWS_CS_FCC
        case AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M: SWS_CS_ITU601
        case AVCOL_SPC_SMPTE240M: SWS_CS_SMPTE240M
        case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: SWS_CS_BT2020
        default: height <= 576 ? SWS_CS_ITU601 : SWS_CS_ITU709
        }
    }
}

extension VideoInfo {
    /// The colour tags of this video stored as `pixelFormat`: its own, unless it changes between RGB and YCbCr, where the
    /// matrix and the range are those that `PictureScaler.frame(from:like:format:)` uses.
    public func colour(storedAs pixelFormat: String) -> ColourTags {
        let target = av_get_pix_fmt(pixelFormat)
        guard PixelFormat.isRGB(target) != PixelFormat.isRGB(av_get_pix_fmt(pixelFormatName)) else { return colour }
        var tags = colour
        tags.chromaLocation = Int32(bitPattern: AVCHROMA_LOC_UNSPECIFIED.rawValue)
        if PixelFormat.isRGB(target) {
            tags.matrix = Int32(bitPattern: AVCOL_SPC_RGB.rawValue)
            tags.range = Int32(bitPattern: AVCOL_RANGE_JPEG.rawValue)
        } else {
            let isHigh = height > 576
            tags.matrix = Int32(bitPattern: isHigh ? AVCOL_SPC_BT709.rawValue : AVCOL_SPC_SMPTE170M.rawValue)
            tags.range = Int32(bitPattern: AVCOL_RANGE_MPEG.rawValue)
        }
        return tags
    }
}

extension Frame {
    /// The frame's own tags.
    var colour: ColourTags {
        get {
            ColourTags(
                range: Int32(bitPattern: raw.pointee.color_range.rawValue),
                primaries: Int32(bitPattern: raw.pointee.color_primaries.rawValue),
                transfer: Int32(bitPattern: raw.pointee.color_trc.rawValue),
                matrix: Int32(bitPattern: raw.pointee.colorspace.rawValue),
                chromaLocation: Int32(bitPattern: raw.pointee.chroma_location.rawValue))
        }
        set {
            raw.pointee.color_range = AVColorRange(UInt32(bitPattern: newValue.range))
            raw.pointee.color_primaries = AVColorPrimaries(UInt32(bitPattern: newValue.primaries))
            raw.pointee.color_trc = AVColorTransferCharacteristic(UInt32(bitPattern: newValue.transfer))
            raw.pointee.colorspace = AVColorSpace(UInt32(bitPattern: newValue.matrix))
            raw.pointee.chroma_location = AVChromaLocation(UInt32(bitPattern: newValue.chromaLocation))
        }
    }

    var format: AVPixelFormat { AVPixelFormat(raw.pointee.format) }
}

extension ColourTags {
    /// These tags, each unspecified one taken from `other`.
    func completed(from other: ColourTags) -> ColourTags {
        func isSet(_ value: Int32, _ unspecified: UInt32) -> Bool { value != Int32(bitPattern: unspecified) }
        return ColourTags(
            range: isSet(range, AVCOL_RANGE_UNSPECIFIED.rawValue) ? range : other.range,
            primaries: isSet(primaries, AVCOL_PRI_UNSPECIFIED.rawValue) ? primaries : other.primaries,
            transfer: isSet(transfer, AVCOL_TRC_UNSPECIFIED.rawValue) ? transfer : other.transfer,
            matrix: isSet(matrix, AVCOL_SPC_UNSPECIFIED.rawValue) ? matrix : other.matrix,
            chromaLocation: isSet(chromaLocation, AVCHROMA_LOC_UNSPECIFIED.rawValue) ? chromaLocation : other.chromaLocation)
    }
}
