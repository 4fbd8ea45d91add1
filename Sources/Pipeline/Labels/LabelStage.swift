internal import Imaging
internal import MediaIO
internal import TSIT

/// Stands where the preprocessor does for semantic image synthesis: makes of a decoded frame the labels that the network
/// takes, at its size, and a picture that shows them at full size.
struct LabelStage: Sendable {
    let parts: LabelParts
    let orientation: Orientation
    let network: (width: Int, height: Int)
    /// At the video's own size labels are padded, at any other they are resized.
    let isNative: Bool
    let limit: DamageLimit
    /// Only a part of the source is read, so that instances may go on behind it.
    let isPart: Bool
    let meter: StageMeter
    let input: Channel<DecodedFrame>
    let output: Channel<PreparedFrame>

    func run() throws {
        defer { output.finish() }
        while let decoded = meter.receive(input) {
            let prepared = try meter.work { try prepare(decoded) }
            try meter.send(prepared, to: output)
        }
        guard let instances = parts.instances else { return }
        try limit.check(instances.damage, isFinal: true)
        if !isPart, !limit.salvage { try instances.finish() }
    }

    private func prepare(_ decoded: DecodedFrame) throws -> PreparedFrame {
        var labels = try parts.reader.labels(of: decoded)
        let shown = parts.painter.picture(of: labels).turned(by: orientation.inverse)
        labels.instances = try parts.instances?.next(for: decoded)
        let fitted = isNative
            ? labels.reflectPadded(width: network.width, height: network.height)
            : labels.resizedNearest(width: network.width, height: network.height)
        return PreparedFrame(decoded: decoded, source: .eight(shown), content: .labels(fitted))
    }
}
