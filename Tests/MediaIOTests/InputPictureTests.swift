import Foundation
import Imaging
import Testing

@testable import MediaIO

/// Single pictures: loading, scaling, padding, writing.
@Suite struct InputPictureTests {
    /// A smooth picture with detail, different in each plane.
    private func picture(_ width: Int, _ height: Int) -> PlanarImage<UInt8> {
        let picture = PlanarImage<UInt8>(width: width, height: height)
        for plane in 0..<3 {
            for y in 0..<height {
                for x in 0..<width {
                    let value = 128 + 60 * sin(Double(x * (plane + 1)) / 7) + 60 * cos(Double(y) / Double(5 + plane))
                    picture[plane, y, x] = UInt8(min(max(value, 0), 255))
                }
            }
        }
        return picture
    }

    private func same(_ a: PlanarImage<UInt8>, _ b: PlanarImage<UInt8>) -> Bool {
        guard a.width == b.width, a.height == b.height else { return false }
        return (0..<3).allSatisfy { plane in
            (0..<a.height).allSatisfy { y in (0..<a.width).allSatisfy { x in a[plane, y, x] == b[plane, y, x] } }
        }
    }

    @Test func writtenPicturesAreReadBack() throws {
        let media = try InputMedia()
        for (width, height) in [(1, 1), (67, 31), (256, 128)] {
            let original = picture(width, height)
            let file = try PictureFile(path: media.path("p.png"), source: nil, overwrite: true)
            try file.write(original)
            try file.publish()
            #expect(same(try PictureIO.load(media.path("p.png")), original))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: media.directory) == ["p.png"])
        let error = #expect(throws: MediaError.self) { try PictureFile(path: media.path("no/such/p.png"), source: nil, overwrite: true) }
        #expect(error?.code == .unwritable)
    }

    @Test func formatsAndBadPictures() throws {
        let media = try InputMedia()
        for name in ["p.jpg", "p.png", "p.webp", "p.bmp", "gray.png"] {
            let format = name.hasPrefix("gray") ? "-pix_fmt gray" : ""
            let path = try media.make(name, "-f lavfi -i color=c=0x808080:s=40x30 -frames:v 1 \(format)")
            let loaded = try PictureIO.load(path)
            #expect((loaded.width, loaded.height) == (40, 30))
            for plane in 0..<3 { #expect(abs(Int(loaded[plane, 15, 20]) - 128) <= 3, "\(name)") }
        }
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: media.path("p.png"))))
        let bad = try [
            media.write("t.png", Array("no picture".utf8)), media.write("cut.png", Array(bytes.prefix(30))), media.write("e.png", []),
            media.directory, media.make("a.mp3", "-f lavfi -i sine -t 0.2"),
        ]
        for path in bad {
            let error = #expect(throws: MediaError.self, "\(path)") { try PictureIO.load(path) }
            #expect(error?.code == .badPicture, "\(path)")
        }
        #expect(#expect(throws: MediaError.self) { try PictureIO.load(media.path("none.png")) }?.code == .noSuchFile)
    }

    /// Everything that PNG stores: grey, palette, alpha, 16 bits.
    @Test(arguments: ["gray", "ya8", "pal8", "rgb24", "rgba", "gray16be", "rgb48be", "rgba64be", "monob"])
    func pixelFormats(_ format: String) throws {
        let media = try InputMedia()
        let path = try media.make("p.png", "-f lavfi -i color=c=white:s=33x17,format=gbrp -frames:v 1 -pix_fmt \(format)")
        let loaded = try PictureIO.load(path)
        for plane in 0..<3 { #expect(loaded[plane, 16, 32] >= 252) }
        var frame: Frame?
        let video = try DecodedSource(path) { frame = $0.frame }.info.video
        let scaler = try PictureScaler(source: video, networkWidth: 32, networkHeight: 16)
        let input = try scaler.networkInput(of: try #require(frame))
        for plane in 0..<3 { #expect(input[plane, 8, 31] > 0.97) }
        guard video.bitDepth > 8 else { return }
        let full = try scaler.fullSize16(of: try #require(frame))
        for plane in 0..<3 { #expect(full[plane, 16, 32] > 65_000) }
        let back = try scaler.frame(from: full, like: try #require(frame), format: "rgb48be")
        #expect(back.pixelFormatName == "rgb48be")
    }

    @Test func transparencyIsLaidOnBlack() throws {
        let media = try InputMedia()
        let path = try media.make("a.png", "-f lavfi -i color=c=0xFF800080:s=16x16,format=rgba -frames:v 1 -pix_fmt rgba")
        let loaded = try PictureIO.load(path)
        for (plane, value) in [127, 64, 0].enumerated() { #expect(abs(Int(loaded[plane, 8, 8]) - value) <= 2) }
    }

    /// A JPEG with an Exif orientation is turned upright: the tag is put into the file by hand.
    @Test func exifOrientationIsFollowed() throws {
        let media = try InputMedia()
        let path = try media.make("p.jpg", "-f lavfi -i gradients=s=64x32:c0=black:c1=white:x0=0:y0=0:x1=63:y1=0:n=2 -frames:v 1 -q:v 2")
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let tiff: [UInt8] = Array("MM".utf8) + [0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]
        let exif = Array("Exif".utf8) + [0, 0] + tiff
        let segment: [UInt8] = [0xff, 0xe1, 0, UInt8(exif.count + 2)] + exif
        let turned = try PictureIO.load(try media.write("t.jpg", Array(bytes[..<2]) + segment + Array(bytes[2...])))
        let upright = try PictureIO.load(path)
        #expect((turned.width, turned.height) == (32, 64))
        #expect(same(turned, upright.turned(by: .clockwise90)))
    }

    /// Against the filter as it is defined: Keys' kernel with a = -0.5, widened where the picture shrinks.
    @Test(arguments: [(64, 48, 40, 30), (97, 61, 32, 16), (40, 30, 97, 71), (128, 64, 64, 64)])
    func bicubicIsTheOneOfTheReference(_ width: Int, _ height: Int, _ newWidth: Int, _ newHeight: Int) throws {
        let source = picture(width, height)
        let scaled = try source.resizedBicubic(width: newWidth, height: newHeight)
        #expect((scaled.width, scaled.height) == (newWidth, newHeight))
        let columns = Self.weights(width, newWidth), rows = Self.weights(height, newHeight)
        var worst = 0.0, sum = 0.0
        for plane in 0..<3 {
            for y in 0..<newHeight {
                for x in 0..<newWidth {
                    var value = 0.0
                    for (row, weight) in rows[y] {
                        for (column, other) in columns[x] { value += weight * other * Double(source[plane, row, column]) }
                    }
                    let difference = abs(min(max(value, 0), 255) - Double(scaled[plane, y, x]))
                    worst = max(worst, difference)
                    sum += difference
                }
            }
        }
        #expect(worst <= 2.0)
        #expect(sum / Double(3 * newWidth * newHeight) < 0.5)
    }

    private static func weights(_ size: Int, _ newSize: Int) -> [[(Int, Double)]] {
        let scale = Double(size) / Double(newSize), spread = max(1, scale)
        return (0..<newSize).map { target in
            let centre = (Double(target) + 0.5) * scale - 0.5
            var taps: [Int: Double] = [:]
            for place in Int((centre - 2 * spread).rounded(.up))...Int((centre + 2 * spread).rounded(.down)) {
                let t = abs(Double(place) - centre) / spread
                let weight = t < 1 ? 1.5 * t * t * t - 2.5 * t * t + 1 : t < 2 ? -0.5 * t * t * t + 2.5 * t * t - 4 * t + 2 : 0
                taps[min(max(place, 0), size - 1), default: 0] += weight
            }
            let total = taps.values.reduce(0, +)
            return taps.map { ($0.key, $0.value / total) }
        }
    }

    @Test func reflectPaddingAndCropping() {
        let picture = PlanarImage<Float>(width: 3, height: 2)
        for plane in 0..<3 { for y in 0..<2 { for x in 0..<3 { picture[plane, y, x] = Float(100 * plane + 10 * y + x) } } }
        let padded = picture.reflectPadded(toMultipleOf: 4, minimumWidth: 8)
        #expect((padded.width, padded.height) == (8, 4))
        let columns = [0, 1, 2, 1, 0, 1, 2, 1], rows = [0, 1, 0, 1]
        for plane in 0..<3 {
            for y in 0..<4 { for x in 0..<8 { #expect(padded[plane, y, x] == Float(100 * plane + 10 * rows[y] + columns[x])) } }
        }
        let cropped = padded.cropped(width: 3, height: 2)
        for plane in 0..<3 { for y in 0..<2 { for x in 0..<3 { #expect(cropped[plane, y, x] == picture[plane, y, x]) } } }
        #expect(picture.reflectPadded(toMultipleOf: 1) === picture)
        #expect(picture.cropped(width: 3, height: 2) === picture)
    }

    /// The network sees the picture upright, whatever the way it is stored; at its own size padded, else squeezed.
    @Test func networkInputIsUpright() throws {
        let media = try InputMedia()
        _ = try media.make("p.mp4", "-f lavfi -i testsrc2=s=192x112:r=25 -frames:v 2 -c:v libx264 -qp 10")
        let path = try media.make("t.mp4", "-i @p.mp4 -c copy -metadata:s:v rotate=90")
        var frame: Frame?
        let info = try DecodedSource(path) { frame = $0.frame }.info
        let first = try #require(frame)
        let plain = try PictureScaler(source: info.video, network: .native)
        #expect(plain.uprightSize == (112, 192))
        #expect(plain.networkSize == (256, 256))
        let native = try plain.networkInput(of: first)
        let full = try plain.fullSize8(of: first).turned(by: info.video.orientation)
        #expect((native.width, native.height) == (256, 256))
        for y in stride(from: 0, to: 192, by: 7) { for x in stride(from: 0, to: 112, by: 5) { #expect(abs((native[1, y, x] + 1) * 127.5 - Float(full[1, y, x])) < 0.51) } }
        let squeezed = try PictureScaler(source: info.video, networkWidth: 64, networkHeight: 128).networkInput(of: first)
        #expect((squeezed.width, squeezed.height) == (64, 128))
        let expected = try full.resizedBicubic(width: 64, height: 128)
        var sum: Float = 0
        for y in 0..<128 { for x in 0..<64 { sum += abs((squeezed[0, y, x] + 1) * 127.5 - Float(expected[0, y, x])) } }
        #expect(sum / Float(64 * 128) < 4)
    }
}
