internal import Foundation
internal import MediaIO

extension LiveInput {
    /// How fast a source is played that gives its packets as fast as they are read; nil where the source sets the pace.
    var playoutSpeed: Double? {
        // A thousandth faster than it is made: see `Playout`.
        needsPacing ? (address.scheme == .file ? 1 : 1.001) : nil
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
