import TestSupport
import Testing

@testable import MediaIO

/// The relay's encoder: no delay, key frames where they are due or asked for, a bit rate that holds.
@Suite struct LiveEncodingTests {
    @Test(arguments: ["libx264", "libx265", "libvpx", "libvpx-vp9", "mpeg4", "mpeg2video"])
    func everyFrameComesOutAtOnce(name: String) throws {
        let source = try LiveSource(LiveEncoding(settings: EncoderSettings(name: name)))
        for index in 0..<30 {
            let packets = try source.next()
            #expect(packets.count == 1, "frame \(index)")
            #expect(packets.first?.pts == LiveSource.start + Int64(index) * 3600)
            #expect(packets.first?.dts == packets.first?.pts)
            #expect(packets.first?.streamIndex == 0)
            #expect(packets.first?.timeBase == LiveFormat.timeBase)
        }
    }

    @Test(arguments: ["libx264", "libx265", "libvpx", "libvpx-vp9", "mpeg4"])
    func keyframesComeWhenAskedForAndWhenDue(name: String) throws {
        let source = try LiveSource(LiveEncoding(settings: EncoderSettings(name: name), keyframeInterval: 1))
        let keys = try (0..<60).filter { try source.next(asKeyframe: $0 == 33)[0].isKey }
        #expect(keys == [0, 25, 33, 58])
    }

    @Test func aForcedKeyframeOfH264IsAnIDRPicture() throws {
        let source = try LiveSource()
        for index in 0..<12 {
            let types = nalTypes(try source.next(asKeyframe: index == 7)[0].bytes)
            #expect(types.contains(5) == (index == 0 || index == 7), "\(types)")
            // The headers are apart; outputs repeat them.
            #expect(!types.contains(7) && !types.contains(8))
        }
    }

    /// At a fifth of the nominal rate an encoder that counts frames would give a key frame every ten seconds.
    @Test func keyframesAreCountedInTimeNotInFrames() throws {
        let source = try LiveSource()
        var keys: [Int64] = []
        for index in 0..<60 {
            let frame = try source.frame()
            frame.pts = Int64(index) * 18000
            try source.encoder.encode(frame) { if $0.isKey { keys.append($0.pts! / 18000) } }
        }
        #expect(keys == [0, 10, 20, 30, 40, 50])
    }

    @Test(arguments: ["libx264", "libx265", "libvpx", "mpeg4"])
    func theBitRateStaysBelowItsCap(name: String) throws {
        let settings = EncoderSettings(name: name, crf: name.hasPrefix("libx26") ? 1 : nil)
        let source = try LiveSource(LiveEncoding(settings: settings, maxBitrate: 1_000_000))
        var sizes: [Int] = []
        for _ in 0..<150 { sizes.append(try source.next(isNoise: true).reduce(0) { $0 + $1.size }) }
        // The buffer holds a second, so that five seconds may have the bits of six; libavcodec's own control is loose.
        let rate = sizes[25...].reduce(0, +) * 8 / 5
        #expect(rate < 1_300_000, "\(rate)")
        #expect(rate > 300_000, "the frames are too easy for this test: \(rate)")
    }

    @Test func theDefaultCapGrowsWithTheFormat() throws {
        func cap(_ width: Int, _ height: Int, _ encoding: LiveEncoding = LiveEncoding()) throws -> Int {
            encoding.cap(for: try LiveFormat(width: width, height: height, frameRate: Rational(25, 1)))
        }
        #expect(try cap(640, 360) == 1_691_200)
        #expect(try cap(1920, 1080) == 7_220_800)
        #expect(try cap(640, 360, LiveEncoding(maxBitrate: 800_000)) == 800_000)
        #expect(try cap(640, 360, LiveEncoding(settings: EncoderSettings(bitrate: 4_000_000))) == 6_000_000)
    }

    @Test func whatMeansNothingIsRefused() throws {
        let bad = [
            LiveEncoding(keyframeInterval: 0), LiveEncoding(keyframeInterval: .nan), LiveEncoding(keyframeInterval: 100),
            LiveEncoding(maxBitrate: 5), LiveEncoding(settings: EncoderSettings(bitrate: 2_000_000), maxBitrate: 1_000_000),
            LiveEncoding(settings: EncoderSettings(preset: "sloow")),
        ]
        for encoding in bad {
            let error = #expect(throws: MediaError.self) { try LiveSource(encoding) }
            #expect(error?.code == .unsupportedOption, "\(encoding)")
        }
    }
}

/// Types of the NAL units (H.264, 7.4.1) between start codes.
func nalTypes(_ bytes: [UInt8]) -> [UInt8] {
    bytes.indices.dropLast(3).filter { bytes[$0] == 0 && bytes[$0 + 1] == 0 && bytes[$0 + 2] == 1 }.map { bytes[$0 + 3] & 0x1f }
}
