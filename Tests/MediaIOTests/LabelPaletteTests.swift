import CFFmpeg
import Foundation
import Imaging
import TestSupport
import Testing

@testable import MediaIO

/// Pictures with a palette, whose pixels may be ids or colours.
@Suite struct LabelPaletteTests {
    /// Frames of one row with these indices, in these colours.
    private func frame(_ indices: [UInt8], _ palette: [UInt8: UInt32], index: Int) throws -> DecodedFrame {
        let frame = try Frame.allocate(width: indices.count, height: 1, format: AV_PIX_FMT_PAL8)
        let samples = try #require(frame.raw.pointee.data.0), colours = try #require(frame.raw.pointee.data.1)
        for (x, value) in indices.enumerated() { samples[x] = value }
        for entry in 0..<256 {
            let colour = 0xFF00_0000 | palette[UInt8(entry), default: 0x123456]
            UnsafeMutableRawPointer(colours).storeBytes(of: colour, toByteOffset: 4 * entry, as: UInt32.self)
        }
        return DecodedFrame(index: index, frame: frame, condition: .intact)
    }

    private func reader(_ table: ColourTable?, width: Int, reduces: Bool = false) throws -> LabelReader {
        let media = try InputMedia()
        var info = try keptFrames(media.labels("a.png", "gray", "-frames:v 1")).info
        (info.video.pixelFormatName, info.video.width, info.video.height) = ("pal8", width, 1)
        return try LabelReader(source: info, colours: table, reducesZeroLabel: reduces, isForced: false)
    }

    private let table = ColourTable([(0x000000, 0), (0x000000, 1), (0xFF0000, 2), (0x00FF00, 3)])

    @Test func coloursWhereAllAreInTheTable() throws {
        let reader = try reader(table, width: 3)
        let labels = try reader.labels(of: frame([5, 6, 7], [5: 0x00FF00, 6: 0xFF0000, 7: 0], index: 0))
        #expect(labels.classes == [3, 2, 0])
        // What was decided stays: a colour that the table lacks is then wrong.
        let error = #expect(throws: MediaError.self) {
            try reader.labels(of: frame([5, 6, 0], [5: 0x00FF00, 6: 0xFF0000, 0: 0x010203], index: 1))
        }
        #expect(error?.message.contains("pixel (2, 0) colour #010203") == true)
    }

    @Test func indicesWhereOneIsNot() throws {
        let reader = try reader(table, width: 3)
        #expect(try reader.labels(of: frame([3, 2, 9], [3: 0x00FF00, 2: 0x00FF00, 9: 0x777777], index: 0)).classes == [3, 2, 9])
        #expect(try reader.labels(of: frame([2, 2, 2], [2: 0x00FF00], index: 1)).classes == [2, 2, 2])
    }

    /// Indices that agree with the table tell classes apart that share a colour; nothing is decided by them.
    @Test func indicesThatAreTheClassesOfTheirColours() throws {
        let reader = try reader(table, width: 3)
        let agreeing: [UInt8: UInt32] = [0: 0, 1: 0, 2: 0xFF0000, 3: 0x00FF00]
        #expect(try reader.labels(of: frame([0, 1, 3], agreeing, index: 0)).classes == [0, 1, 3])
        #expect(try reader.labels(of: frame([0, 1, 8], [0: 0, 1: 0, 8: 0xFF0000], index: 1)).classes == [0, 0, 2])
        #expect(try reader.labels(of: frame([0, 1, 3], agreeing, index: 2)).classes == [0, 0, 3])
    }

    @Test func withoutATableIndices() throws {
        #expect(try reader(nil, width: 2).labels(of: frame([200, 7], [200: 0xFF0000], index: 0)).classes == [200, 7])
        #expect(try reader(nil, width: 2, reduces: true).labels(of: frame([200, 0], [:], index: 0)).classes == [199, 255])
    }

    /// A real file: ffmpeg writes the palette's entries in an order of its own.
    @Test func palettePictureOfTheDataSetsColours() throws {
        let media = try InputMedia()
        let path = try media.colourLabels(
            "a%02d.png", "-filter_complex split[a][b];[a]palettegen=reserve_transparent=0[p];[b][p]paletteuse=dither=none -pix_fmt pal8")
        #expect(try keptFrames(path).info.video.pixelFormatName == "pal8")
        expectPattern(try readLabels(path, LabelPattern.table), path)
        let indices = try readLabels(path).map(\.classes), instances = try readInstances(path)
        #expect(instances == indices.map { $0.map(UInt32.init) })
        let named = zip(indices[0], LabelPattern.ids(frame: 0)).reduce(into: [UInt8: Set<UInt8>]()) { $0[$1.0, default: []].insert($1.1) }
        #expect(named.count == Set(LabelPattern.ids(frame: 0)).count && named.values.allSatisfy { $0.count == 1 })
    }
}
