import Foundation
import MediaIO
import Pipeline
import TSIT
import TestSupport
import Testing

@Suite("The limit of damage") struct DamageLimitTests {
    /// One packet of this source brings 200 stand-ins at once: the first that decodes.
    @Test("is looked at before stand-ins are rendered")
    func standIns() async throws {
        let folder = try TemporaryFolder()
        let input = folder.path("in.mp4")
        try Program.output(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=8.4"] + Source.x264 + ["-g", "200", "-bf", "0", input])
        try blank(firstPackets: 200, of: input)
        var request = ConvertRequest(input: input, output: folder.path("out.mp4"))
        request.strength = Timeline(0)
        let trace = Trace()
        let job = ConvertJob(request, translator: try await Translator.load(for: request))
        let failure = await #expect(throws: MediaError.self) { try await job.run(trace: trace) }
        #expect(failure?.code == .damaged)
        #expect(trace.events.contains { $0.stage == "decode" })
        // The end of its input is work too.
        #expect(trace.events.count { $0.stage == "encode" } <= 1)
        request.salvage = true
        let report = try await ConvertJob(request, translator: try await Translator.load(for: request)).run()
        #expect(report.frames == 210 && report.damage.replaced == 200)
    }

    /// Writes zeros over the payload of the first video packets.
    private func blank(firstPackets count: Int, of path: String) throws {
        let lines = try Program.output("ffprobe", ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pos,size", "-of", "csv=p=0", path])
        let packets = lines.split(separator: "\n").map { $0.split(separator: ",").compactMap { Int($0) } }
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        for packet in packets.prefix(count) where packet.count == 2 {
            let (size, position) = (packet[0], packet[1])
            bytes.replaceSubrange(position..<position + size, with: [UInt8](repeating: 0, count: size))
        }
        try bytes.write(to: URL(fileURLWithPath: path))
    }
}
