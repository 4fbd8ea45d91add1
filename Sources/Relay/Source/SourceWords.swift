internal import Foundation
internal import MediaIO

extension LiveInput {
    /// How fast a source is played that gives its packets as fast as they are read; nil where the source sets the pace.
    var playoutSpeed: Double? {
        // A thousandth faster than it is made: see `Playout`.
        needsPacing ? (address.scheme == .file ? 1 : 1.001) : nil
    }

    /// What an output that follows this source is: its size upright with square samples, and its rate.
    var liveFormat: LiveFormat {
        get throws(MediaError) {
            let swaps = video.orientation.swapsAxes
            let aspect = video.sampleAspect.isPositive ? video.sampleAspect.value ?? 1 : 1
            func even(_ value: Double) -> Int { max(16, min(8192, Int(value.rounded()) / 2 * 2)) }
            let coded = (width: even(Double(video.width) * aspect), height: even(Double(video.height)))
            var rate = video.frameRate ?? Rational(25, 1)
            // A source without a known rate says absurd ones.
            if !(1...120).contains(rate.value ?? 0) { rate = Rational(25, 1) }
            return try LiveFormat(
                width: swaps ? coded.height : coded.width, height: swaps ? coded.width : coded.height, frameRate: rate)
        }
    }

    /// For the log: size, rate, and audio.
    var summary: String {
        var words = "\(video.width)x\(video.height)"
        if let rate = video.frameRate?.value { words += String(format: " at %.4g fps", rate) }
        if let audio { words += ", audio \(audio.summary)" }
        return words
    }
}

extension AudioTrack {
    var summary: String { "\(codecName) \(sampleRate) Hz \(channels == 1 ? "mono" : channels == 2 ? "stereo" : "\(channels) channels")" }
}
