internal import MediaIO

/// Reads the source: packets of the video go to the decoder, all others straight to the muxer of every output.
struct DemuxStage: Sendable {
    let demuxer: Demuxer
    let window: VideoWindow?
    let meter: StageMeter
    let video: Channel<Packet>
    let others: [Channel<Packet>]

    func run() throws {
        defer {
            video.finish()
            for channel in others { channel.finish() }
        }
        if let start = window?.window.start, start > 0 { try demuxer.seek(toSeconds: start) }
        let videoIndex = demuxer.info.video.streamIndex
        while let packet = try meter.work({ try demuxer.next() }) {
            if window?.isFarBehind(packet) == true { break }
            if packet.streamIndex == videoIndex {
                try meter.send(packet, to: video)
                continue
            }
            for channel in others.dropLast() { try meter.send(packet.reference(), to: channel) }
            if let channel = others.last { try meter.send(packet, to: channel) }
        }
    }
}

/// Turns packets into frames, one for each that the source should have, and watches over the damage.
struct DecodeStage: Sendable {
    let decoder: VideoDecoder
    let window: VideoWindow?
    let limit: DamageLimit
    let damage: DamageLog
    let meter: StageMeter
    let input: Channel<Packet>
    let output: Channel<DecodedFrame>

    func run() throws {
        defer { output.finish() }
        while true {
            let packet = meter.receive(input)
            var frames: [DecodedFrame] = []
            try meter.work { try decoder.decode(packet) { frames.append($0) } }
            frames.removeAll { window?.isBeforeEnd($0.frame) == false }
            for frame in frames { damage.note(frame) }
            // A part of a source may well end before the packets that a cut file lacks.
            if packet == nil, window == nil { damage.note(missing: decoder.damage.missing) }
            // Before they are sent: one packet may bring thousands of stand-ins, each of which would be rendered.
            try limit.check(damage.report, isFinal: packet == nil)
            for frame in frames { try meter.send(frame, to: output) }
            if packet == nil { break }
        }
    }
}

/// Turns finished frames into packets.
struct EncodeStage: Sendable {
    let encoder: VideoEncoder
    let meter: StageMeter
    let input: Channel<FinishedFrame>
    let output: Channel<Packet>
    /// Called for each frame that the encoder has taken, with its pts in seconds.
    let onFrame: @Sendable (Double?) -> Void

    func run() throws {
        defer { output.finish() }
        while true {
            let finished = meter.receive(input)
            var packets: [Packet] = []
            try meter.work { try encoder.encode(finished?.frame) { packets.append($0) } }
            for packet in packets { try meter.send(packet, to: output) }
            guard let frame = finished?.frame else { break }
            onFrame(frame.seconds)
        }
    }
}

/// Writes packets of all streams to the output.
struct MuxStage: Sendable {
    let output: MediaOutput
    let meter: StageMeter
    let input: Channel<Packet>

    func run() throws {
        while let packet = meter.receive(input) {
            try meter.work { try output.write(packet) }
        }
    }
}

extension Frame {
    /// Presentation time in seconds.
    var seconds: Double? { pts.flatMap { pts in timeBase.value.map { Double(pts) * $0 } } }
}
