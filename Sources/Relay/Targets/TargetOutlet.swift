internal import Foundation
internal import MediaIO
internal import RTSP
internal import Synchronization

/// Makes the workers of a relay's targets.
struct TargetOutlet: Sendable {
    let request: RelayRequest
    let stop: StopSign
    let clock: RelayClock
    let keyframes: KeyframeWish
    let output: Settled<OutputParts>
    let onEvent: @Sendable (RelayEvent) -> Void

    func worker(for target: MediaAddress) -> TargetWorker {
        let segment = target.isPlainFile ? request.segment : nil
        let attempts = Atomic<Int>(0)
        // On disk nothing may be missing; over a network nothing may be late.
        return worker("\(target)", maxAge: target.scheme == .file ? nil : request.maxLatency) { [request] streams, interrupt in
            // A file that was there before the relay was refused at its start: one that is there later is its own.
            let isLater = attempts.add(1, ordering: .relaxed).oldValue > 0
            guard let segment else {
                return try LiveOutput(target, streams: streams, continuesRecording: isLater, interrupt: interrupt)
            }
            return try SegmentFiles(
                path: target.path, every: .seconds(segment), keep: request.keep.map { .seconds($0) }, streams: streams, interrupt: interrupt)
        }
    }

    func worker(serving server: RTSPServer, address: String, wallOrigin: Double) -> TargetWorker {
        worker(address, maxAge: request.maxLatency) { streams, _ in
            try ServerSink(server, streams: streams, wallOrigin: wallOrigin)
        }
    }

    private func worker(
        _ label: String, maxAge: Double?, open: @escaping @Sendable (LiveStreams, Interrupt) throws -> any TargetSink
    ) -> TargetWorker {
        TargetWorker(
            label: label, maxAge: maxAge, stop: stop, clock: clock, keyframes: keyframes,
            tell: { [onEvent] in onEvent(.target(address: label, $0)) }, notice: { [onEvent] in onEvent(.notice($0)) },
            open: { [output] interrupt in
                guard let streams = output.value?.streams else { throw MediaError(.cancelled, "cancelled") }
                return try open(streams, interrupt)
            })
    }
}
