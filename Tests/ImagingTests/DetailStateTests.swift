import Foundation
import Testing

@testable import Imaging

/// What the detail transfer carries from frame to frame.
@Suite struct DetailStateTests {
    fileprivate static let network = (width: 64, height: 32)

    /// A video of frames that are given one by one.
    fileprivate struct Video {
        let transfer: DetailTransfer
        var state: DetailState?
        var seconds = 0.0
        var isSteadied = true

        init(isSteadied: Bool = true, residual: Float = 1) {
            transfer = DetailTransfer(width: 256, height: 128, networkWidth: 64, networkHeight: 32, residual: residual)
            self.isSteadied = isSteadied
        }

        /// - Parameter interval: seconds since the frame before.
        mutating func show(_ source: PlanarImage<UInt8>, _ output: PlanarImage<Float>, after interval: Double = 0.04) -> PlanarImage<UInt8> {
            seconds += interval
            let result = PlanarImage<UInt8>(width: source.width, height: source.height)
            let next = transfer(
                source: source, networkInput: DetailStateTests.reduced(source), networkOutput: output,
                after: isSteadied ? state : nil, at: seconds, into: result)
            state = next
            return result
        }
    }

    fileprivate static func reduced(_ source: PlanarImage<UInt8>) -> PlanarImage<Float> {
        let picture = PlanarImage<Float>(width: network.width, height: network.height)
        Resampler(from: (source.width, source.height), to: network, filter: .area)(Picture.map(source) { Float($0) / 127.5 - 1 }, into: picture)
        return picture
    }

    /// A scene of two kinds of ground and a few edges, `shift` samples along.
    private func scene(_ level: Int = 0, shift: Int = 0) -> PlanarImage<UInt8> {
        let picture = PlanarImage<UInt8>(width: 256, height: 128)
        for plane in 0..<3 {
            for y in 0..<128 {
                for x in 0..<256 {
                    let value = (y < 60 ? 170 : 80) + ((x + shift) / 32 % 2) * 20 + plane * 5 + level
                    picture[plane, y, x] = UInt8(min(max(value, 0), 255))
                }
            }
        }
        return picture
    }

    /// What a network that darkens makes of a scene.
    private func night(_ source: PlanarImage<UInt8>, _ lift: Float = 0) -> PlanarImage<Float> {
        Picture.map(Self.reduced(source)) { 0.4 * $0 - 0.5 + lift }
    }

    private func mean(_ picture: PlanarImage<UInt8>, _ rows: Range<Int> = 0..<128, _ columns: Range<Int> = 0..<256) -> Double {
        rows.reduce(0.0) { sum, y in sum + columns.reduce(0.0) { $0 + Double(picture[0, y, $1]) } } / Double(rows.count * columns.count)
    }

    private func spot(_ picture: PlanarImage<UInt8>, x: Int, y: Int, radius: Int = 6) -> PlanarImage<UInt8> {
        let lit = Picture.map(picture) { $0 }
        for plane in 0..<3 { for v in y - radius...y + radius { for u in x - radius...x + radius { lit[plane, v, u] = 250 } } }
        return lit
    }

    @Test func flickerIsAveraged() {
        var (steady, plain) = (Video(), Video(isSteadied: false))
        let source = scene()
        var (a, b): ([Double], [Double]) = ([], [])
        for k in 0..<40 {
            let output = night(source, k % 2 == 0 ? 0.02 : -0.02)
            a.append(mean(steady.show(source, output)))
            b.append(mean(plain.show(source, output)))
        }
        func change(_ values: [Double]) -> Double { zip(values.dropFirst(10), values.dropFirst(11)).map { abs($0 - $1) }.reduce(0, +) }
        #expect(change(b) > 40)
        #expect(change(a) < 0.25 * change(b))
    }

    /// A scene that pans past by `shift` samples, lit in stripes that go with it; the network lifts every second frame.
    private func panned(_ shift: Int, lift: Float) -> (source: PlanarImage<UInt8>, output: PlanarImage<Float>) {
        let source = PlanarImage<UInt8>(width: 256, height: 128), lit = PlanarImage<UInt8>(width: 256, height: 128)
        for plane in 0..<3 {
            for y in 0..<128 {
                for x in 0..<256 {
                    let (u, v) = (Double(x + shift), Double(y))
                    let value = 120 + 50 * sin(u / 9 + sin(v / 13)) * cos(v / 11 + u / 37) + 20 * sin(u / 5.3 - v / 7)
                    source[plane, y, x] = UInt8(min(max(value, 0), 255))
                    lit[plane, y, x] = UInt8(min(max(value * ((x + shift) / 48 % 2 == 0 ? 0.35 : 0.8), 0), 255))
                }
            }
        }
        return (source, Picture.map(Self.reduced(lit)) { $0 + 0.1 + lift })
    }

    /// Maps go with what they belong to: while the scene pans by 1.5 windows a frame, flicker is averaged as when it stands.
    @Test(arguments: [0, 12]) func mapsFollowTheSource(shift: Int) {
        var videos = [true, false].map { Video(isSteadied: $0, residual: 0) }, changes = [0, 0], before: [PlanarImage<UInt8>] = []
        for k in 0..<24 {
            let (source, output) = panned(k * shift, lift: k % 2 == 0 ? 0.05 : -0.05)
            let now = videos.indices.map { videos[$0].show(source, output) }
            if k >= 10 {
                for i in videos.indices {
                    for y in 0..<128 { for x in 8..<240 - shift { changes[i] += abs(Int(now[i][0, y, x]) - Int(before[i][0, y, x + shift])) } }
                }
            }
            before = now
        }
        #expect(changes[1] > 14 * 128 * 200 * 10)
        #expect(Double(changes[0]) < 0.2 * Double(changes[1]))
    }

    /// The same time, not the same number of frames.
    @Test(arguments: [5, 25, 60]) func countsInSeconds(rate: Int) {
        var video = Video()
        let source = scene()
        let before = mean(video.show(source, night(source)))
        let after = mean(Video.once(source, night(source, 0.04)))
        var value = before
        for _ in 0..<rate { value = mean(video.show(source, night(source, 0.04), after: 1 / Double(rate))) }
        // After a second all but e^-4 has arrived.
        #expect(abs((value - before) / (after - before) - (1 - exp(-4))) < 0.1)
    }

    @Test func aFrameAloneIsAsWithoutAveraging() {
        let source = scene()
        var video = Video()
        #expect(Picture.samples(video.show(source, night(source))) == Picture.samples(Video.once(source, night(source))))
        // Time that goes back or makes a leap begins anew.
        for interval in [-1.0, 0, 1.5] {
            let result = video.show(source, night(source, 0.03), after: interval)
            #expect(Picture.samples(result) == Picture.samples(Video.once(source, night(source, 0.03))))
        }
    }

    @Test func aCutBeginsAnew() {
        let (one, other) = (scene(), Picture.map(scene()) { 250 - $0 })
        var video = Video()
        for _ in 0..<5 { _ = video.show(one, night(one)) }
        #expect(Picture.samples(video.show(other, night(other))) == Picture.samples(Video.once(other, night(other))))
    }

    @Test func aFlashLeavesNothing() {
        let (usual, bright) = (scene(), scene(80))
        var video = Video()
        for _ in 0..<5 { _ = video.show(usual, night(usual)) }
        #expect(Picture.samples(video.show(bright, night(bright, 0.6))) == Picture.samples(Video.once(bright, night(bright, 0.6))))
        #expect(Picture.samples(video.show(usual, night(usual))) == Picture.samples(Video.once(usual, night(usual))))
    }

    /// A fade of two seconds to black: the result is never more than a few levels behind, and makes no steps.
    @Test func aFadeIsFollowed() {
        var video = Video()
        var last: Double?
        for k in 0..<50 {
            let source = Picture.map(scene()) { UInt8(Double($0) * (1 - Double(k) / 60)) }
            let value = mean(video.show(source, night(source))), fresh = mean(Video.once(source, night(source)))
            #expect(abs(value - fresh) < 4)
            if let last { #expect(abs(value - last) < 5) }
            last = value
        }
    }

    /// A light that goes out, in the source and in the network's picture or there alone, is gone after two frames.
    @Test(arguments: [true, false]) func lightsLeaveNoTrail(isInSource: Bool) {
        let dark = scene()
        let lit = isInSource ? spot(dark, x: 100, y: 90) : dark
        let shine = night(lit)
        for c in 0..<3 { for y in 21...24 { for x in 24...26 { shine[c, y, x] = 0.95 } } }
        var video = Video()
        for _ in 0..<10 { _ = video.show(lit, shine) }
        _ = video.show(dark, night(dark))
        let result = video.show(dark, night(dark)), fresh = Video.once(dark, night(dark))
        let trail = zip(Picture.samples(result), Picture.samples(fresh)).map { abs(Int($0) - Int($1)) }
        #expect(trail.max() ?? 0 <= 2)
    }

    /// A light that moves by a few samples a frame has no tail.
    @Test func movingLightsHaveNoTail() {
        let dark = scene()
        var video = Video()
        var (result, fresh) = (dark, dark)
        for k in 0..<12 {
            let lit = spot(dark, x: 40 + 12 * k, y: 90)
            let shine = night(lit)
            let place = (40 + 12 * k) / 4
            for c in 0..<3 { for y in 21...24 { for x in place - 1...place + 1 { shine[c, y, x] = 0.95 } } }
            (result, fresh) = (video.show(lit, shine), Video.once(lit, shine))
        }
        // Where it was two frames before, and earlier.
        let tail = (60..<120).flatMap { y in (0..<120).map { x in Int(result[0, y, x]) - Int(fresh[0, y, x]) } }
        #expect(tail.max() ?? 0 <= 2)
    }

    @Test func damageDoesNotStay() {
        let source = scene()
        var video = Video()
        _ = video.show(source, Picture.constant(width: 64, height: 32, [.nan, .infinity, -.infinity]))
        for _ in 0..<50 { _ = video.show(source, night(source)) }
        let (result, fresh) = (video.show(source, night(source)), Video.once(source, night(source)))
        for (a, b) in zip(Picture.samples(result), Picture.samples(fresh)) { #expect(abs(Int(a) - Int(b)) <= 2) }
    }

    @Test func bytesGiveTheSameState() throws {
        let source = scene()
        var (whole, cut) = (Video(), Video())
        for k in 0..<4 {
            let output = night(source, 0.01 * Float(k))
            _ = whole.show(source, output)
            _ = cut.show(source, output)
        }
        let bytes = try #require(cut.state).bytes
        var resumed = Video()
        resumed.seconds = whole.seconds
        resumed.state = resumed.transfer.state(from: bytes)
        #expect(resumed.state != nil)
        let output = night(source, 0.05)
        #expect(Picture.samples(resumed.show(source, output)) == Picture.samples(whole.show(source, output)))
        // Of another size, cut short, of another version: none.
        let other = DetailTransfer(width: 128, height: 64, networkWidth: 64, networkHeight: 32)
        #expect(other.state(from: bytes) == nil)
        #expect(resumed.transfer.state(from: bytes.dropLast()) == nil)
        #expect(resumed.transfer.state(from: [UInt8(9)] + bytes.dropFirst()) == nil)
        #expect(resumed.transfer.state(from: []) == nil)
    }

    @Test func aStateOfAnotherSizeIsNone() {
        let source = scene()
        var video = Video()
        let transfer = DetailTransfer(width: 256, height: 128, networkWidth: 128, networkHeight: 64)
        let result = PlanarImage<UInt8>(width: 256, height: 128)
        let output = Picture.constant(width: 128, height: 64, [-0.5, -0.4, -0.3])
        let state = transfer(source: source, networkInput: output, networkOutput: output, at: 0, into: result)
        video.state = state
        #expect(Picture.samples(video.show(source, night(source))) == Picture.samples(Video.once(source, night(source))))
    }
}

extension DetailStateTests.Video {
    /// The frame as it is without those before it.
    fileprivate static func once(_ source: PlanarImage<UInt8>, _ output: PlanarImage<Float>) -> PlanarImage<UInt8> {
        var video = Self()
        return video.show(source, output)
    }
}
