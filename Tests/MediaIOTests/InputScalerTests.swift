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
        let sources = ["color=c=0x3060C0:s=98x66", "color=c=white:s=98x66", "gradients=s=98x66:c0=0x102030:c1=0xE0C0A0:x0=0:y0=0:x1=97:y1=65:n=2:seed=1"]
        for (number, source) in sources.enumerated() {
            let (frame, info) = try firstFrame(try make(media, "\(number).mkv", source, variant))
            let scaler = try PictureScaler(source: info, networkWidth: 64, networkHeight: 64)
            let back =
                info.bitDepth > 8
                ? try scaler.frame(from: scaler.fullSize16(of: frame), like: frame, format: variant.format)
                : try scaler.frame(from: scaler.fullSize8(of: frame), like: frame, format: variant.format)
            #expect(back.pts == frame.pts)
            #expect(back.colour == frame.colour)
            let worst = zip(samples(of: frame), samples(of: back)).map { abs($0 - $1) }.max() ?? .max
            #expect(worst <= 2, "\(source)")
        }
    }

    /// Known colours come out as what they are, whatever matrix and range they are stored in.
    @Test(arguments: variants) func coloursAreRight(_ variant: Variant) throws {
        let media = try InputMedia()
        for (name, red, green, blue) in [("0x3060C0", 0x30, 0x60, 0xC0), ("0xE02010", 0xE0, 0x20, 0x10), ("0x10D030", 0x10, 0xD0, 0x30)] {
            let (frame, info) = try firstFrame(try make(media, "\(name).mkv", "color=c=\(name):s=64x48,format=gbrp", variant))
            let scaler = try PictureScaler(source: info, networkWidth: 32, networkHeight: 32)
            let full = try scaler.fullSize8(of: frame)
            let network = try scaler.networkInput(of: frame)
            for (plane, value) in [red, green, blue].enumerated() {
                #expect(abs(Int(full[plane, 20, 30]) - value) <= 2, "plane \(plane)")
                #expect(abs((network[plane, 10, 10] + 1) * 127.5 - Float(value)) < 2.01, "plane \(plane)")
            }
        }
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

extension InputScalerTests {
    /// Set SOLSTICE_MEASURE=1 to print what the conversions cost.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["SOLSTICE_MEASURE"] != nil)) func cost() throws {
        let media = try InputMedia()
        for (size, format) in [("960x540", "yuv420p"), ("1280x720", "yuv420p"), ("1280x720", "yuv420p10le")] {
            let path = try media.make("\(size)\(format).mkv", "-f lavfi -i testsrc2=s=\(size) -frames:v 1 -pix_fmt \(format) -c:v ffv1")
            let (frame, info) = try firstFrame(path)
            let scaler = try PictureScaler(source: info, networkWidth: 512, networkHeight: 256)
            func measure(_ name: String, _ body: () throws -> Void) rethrows {
                try body()
                var best = Double.infinity
                for _ in 0..<15 {
                    let start = ContinuousClock.now
                    try body()
                    let elapsed = (ContinuousClock.now - start).components
                    best = min(best, Double(elapsed.seconds) * 1e3 + Double(elapsed.attoseconds) / 1e15)
                }
                print("cost \(size) \(format) \(name): \(best) ms")
            }
            try measure("network input") { _ = try scaler.networkInput(of: frame) }
            if info.bitDepth == 8 {
                let picture = try scaler.fullSize8(of: frame)
                try measure("full size") { _ = try scaler.fullSize8(of: frame) }
                try measure("back") { _ = try scaler.frame(from: picture, like: frame, format: format) }
            } else {
                let picture = try scaler.fullSize16(of: frame)
                try measure("full size") { _ = try scaler.fullSize16(of: frame) }
                try measure("back") { _ = try scaler.frame(from: picture, like: frame, format: format) }
            }
        }
    }
}
