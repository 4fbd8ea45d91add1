import CFFmpeg
import Foundation
import Imaging
import Testing

@testable import MediaIO

/// Frames to RGB and back, with every matrix, range and chroma format.
@Suite struct InputScalerTests {
    struct Variant: Sendable, CustomTestStringConvertible {
        var format: String
        var matrix: String
        var range: String
        var testDescription: String { "\(format) \(matrix) \(range)" }
    }

    static let variants: [Variant] = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"].flatMap { format in
        ["smpte170m", "bt709", "bt2020nc"].flatMap { matrix in
            ["tv", "pc"].map { Variant(format: format, matrix: matrix, range: $0) }
        }
    }

    /// A lossless video of `picture` (a lavfi source) in the variant's format and tags.
    private func make(_ media: InputMedia, _ name: String, _ picture: String, _ variant: Variant) throws -> String {
        try media.make(
            name,
            "-f lavfi -i \(picture) -frames:v 1 -vf scale=out_color_matrix=\(variant.matrix == "bt2020nc" ? "bt2020" : variant.matrix):out_range=\(variant.range),format=\(variant.format) "
                + "-c:v ffv1 -colorspace \(variant.matrix) -color_range \(variant.range)")
    }

    private func firstFrame(_ path: String) throws -> (Frame, VideoInfo) {
        var frame: Frame?
        let decoded = try DecodedSource(path) { if frame == nil { frame = $0.frame } }
        return (try #require(frame), decoded.info.video)
    }

    @Test(arguments: variants) func thereAndBack(_ variant: Variant) throws {
        let media = try InputMedia()
        let gradient = "c0=0x102030:c1=0xE0C0A0:x0=0:y0=0:x1=96:y1=64:n=2:seed=1"
        // At an odd size the last chroma sample has but one luma sample: two levels of 8 bits, also of 10.
        let sources = [("color=c=0x3060C0:s=98x66", 2), ("gradients=s=98x66:\(gradient)", 2), ("gradients=s=97x65:\(gradient)", 8)]
        for (number, (source, limit)) in sources.enumerated() {
            let (frame, info) = try firstFrame(try make(media, "\(number).mkv", source, variant))
            let scaler = try PictureScaler(source: info, networkWidth: 64, networkHeight: 64)
            let back =
                info.bitDepth > 8
                ? try scaler.frame(from: scaler.fullSize16(of: frame), like: frame, format: variant.format)
                : try scaler.frame(from: scaler.fullSize8(of: frame), like: frame, format: variant.format)
            #expect(back.pts == frame.pts)
            #expect(back.colour == frame.colour)
            let worst = zip(samples(of: frame), samples(of: back)).map { abs($0 - $1) }.max() ?? .max
            #expect(worst <= (info.bitDepth > 8 ? limit : 2), "\(source)")
        }
    }

    /// Known colours come out as what they are, whatever matrix and range they are stored in.
    @Test(arguments: variants) func coloursAreRight(_ variant: Variant) throws {
        let media = try InputMedia()
        let colours = [[0x30, 0x60, 0xC0], [0xE0, 0x20, 0x10], [0x10, 0xD0, 0x30], [0xFF, 0xFF, 0xFF], [0, 0, 0]]
        let bands = colours.map { "color=c=0x" + $0.map { String(format: "%02X", $0) }.joined() + ":s=32x48,format=gbrp" }
        let joined = zip(bands, "abcde").map { "\($0)[\($1)]" }.joined(separator: ";") + ";[a][b][c][d][e]hstack=5"
        let (frame, info) = try firstFrame(try make(media, "bands.mkv", joined, variant))
        let scaler = try PictureScaler(source: info, networkWidth: 80, networkHeight: 32)
        let full = try scaler.fullSize8(of: frame)
        let network = try scaler.networkInput(of: frame)
        for (band, colour) in colours.enumerated() {
            for (plane, value) in colour.enumerated() {
                #expect(abs(Int(full[plane, 24, 32 * band + 16]) - value) <= 2, "band \(band) plane \(plane)")
                #expect(abs((network[plane, 16, 16 * band + 8] + 1) * 127.5 - Float(value)) < 2.01, "band \(band) plane \(plane)")
            }
        }
    }

    private func deviation(_ differences: [Int]) -> Double {
        (Double(differences.reduce(0) { $0 + $1 * $1 }) / Double(max(1, differences.count))).squareRoot()
    }

    /// What the own kernels make of 8-bit 4:2:0 is what libswscale makes of it, but for its rounding and its clipping of
    /// chroma that overshoots between saturated colours.
    @Test(arguments: variants.filter { $0.format == "yuv420p" }) func agreesWithLibswscale(_ variant: Variant) throws {
        let media = try InputMedia()
        let (frame, info) = try firstFrame(try make(media, "pattern.mkv", "testsrc2=s=98x66", variant))
        let scaler = try PictureScaler(source: info, network: .native)
        let colour = SampleColour(format: frame.format, tags: info.colour, height: info.height)
        let side = Rescaler.Side(width: 98, height: 66, format: frame.format, colour: colour)
        var rgb = side
        rgb.format = AV_PIX_FMT_GBRP
        rgb.colour.isFullRange = true
        let picture = try scaler.fullSize8(of: frame), wanted = PlanarImage<UInt8>(width: 98, height: 66)
        let (there, back) = (try Rescaler(from: side, to: rgb), try Rescaler(from: rgb, to: side))
        try frame.withPlanes { (from) throws(MediaError) in
            try wanted.withGBRPlanes { (to) throws(MediaError) in try there.scale(from, to: to) }
        }
        let differences = (0..<3).flatMap { plane in
            (0..<66).flatMap { y in (0..<98).map { Int(picture[plane, y, $0]) - Int(wanted[plane, y, $0]) } }
        }
        #expect(deviation(differences) < 0.5)
        let own = try scaler.frame(from: wanted, like: frame, format: "yuv420p")
        let other = try Frame.allocate(width: 98, height: 66, format: AV_PIX_FMT_YUV420P)
        try wanted.withGBRPlanes { (from) throws(MediaError) in
            try other.withPlanes { (to) throws(MediaError) in try back.scale(from, to: to) }
        }
        #expect(deviation(zip(samples(of: own), samples(of: other)).map { $0 - $1 }) < 0.2)
    }

    /// All samples of the planes of a planar YUV frame.
    private func samples(of frame: Frame) -> [Int] {
        let name = frame.pixelFormatName
        let (shiftX, shiftY) = (name.contains("444") ? 0 : 1, name.contains("420") ? 1 : 0)
        let isWide = name.contains("10")
        var result: [Int] = []
        try? frame.withPlanes { planes in
            for plane in 0..<3 {
                guard let base = planes.pointers[plane] else { continue }
                let width = plane == 0 ? frame.width : (frame.width + shiftX) >> shiftX
                let height = plane == 0 ? frame.height : (frame.height + shiftY) >> shiftY
                for y in 0..<height {
                    let row = UnsafeRawPointer(base + y * Int(planes.strides[plane]))
                    for x in 0..<width {
                        result.append(isWide ? Int(row.load(fromByteOffset: 2 * x, as: UInt16.self)) : Int(row.load(fromByteOffset: x, as: UInt8.self)))
                    }
                }
            }
        }
        return result
    }
}
