import Foundation
import TestSupport
import Testing

@Suite("An interrupted conversion leaves nothing behind") struct InterruptTests {
    @Test("SIGINT and SIGTERM end it in order", arguments: [SIGINT, SIGTERM])
    func signals(number: Int32) throws {
        let folder = try TemporaryFolder(), log = try TemporaryFolder()
        let input = folder.path("in.mp4")
        try Program.output(
            "ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=60"] + Source.x264 + [input])
        let source = try Data(contentsOf: URL(fileURLWithPath: input))
        let running = try Program.start(Program.solstice, ["convert", input, folder.path("out.mp4"), "--quiet"], in: log.url)
        // Once the partial file is there, frames are on their way.
        let end = Date().addingTimeInterval(30)
        while folder.names.count < 2 && Date() < end { usleep(5000) }
        #expect(folder.names.count >= 2)
        running.send(signal: number)
        let outcome = running.wait(limit: 20)
        #expect(outcome.status == 128 + number, "\(outcome.errors)")
        #expect(folder.names == ["in.mp4"])
        #expect(try Data(contentsOf: URL(fileURLWithPath: input)) == source)
    }

    @Test("kill -9 leaves a partial file that the next run clears away")
    func kill() throws {
        let folder = try TemporaryFolder(), log = try TemporaryFolder()
        let input = folder.path("in.mp4"), output = folder.path("out.mp4")
        try Program.output(
            "ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=20"] + Source.x264 + [input])
        let arguments = ["convert", input, output] + ContractTests.quick
        let running = try Program.start(Program.solstice, arguments, in: log.url)
        let end = Date().addingTimeInterval(30)
        while folder.names.count < 2 && Date() < end { usleep(5000) }
        running.send(signal: SIGKILL)
        #expect(running.wait(limit: 20).status == 128 + SIGKILL)
        #expect(!folder.names.contains("out.mp4"))
        let outcome = try Program.run(Program.solstice, arguments + ["--duration", "0.4"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(folder.names == ["in.mp4", "out.mp4"])
    }
}
