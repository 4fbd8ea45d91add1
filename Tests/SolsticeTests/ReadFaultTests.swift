import Foundation
import TestSupport
import Testing

/// A disk or a network that fails in the middle of a source is neither its end nor damage of it.
@Suite("Failed reads", .enabled(if: Faults.isAvailable, "needs a clang that builds Tests/Fixtures/faults.c"))
struct ReadFaultTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func source(_ ending: String) throws -> (path: String, size: Int) {
        let path = folder.path("in.\(ending)")
        let picture = ["-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=4"]
        try Program.output(
            "ffmpeg", ["-v", "error", "-nostdin"] + picture + ["-f", "lavfi", "-i", "sine=duration=4", "-c:v", "mpeg4", "-g", "10", "-c:a", "mp2", path])
        return (path, try Data(contentsOf: URL(fileURLWithPath: path)).count)
    }

    private func convert(_ path: String, failingFrom offset: Int, _ options: [String] = []) throws -> Program.Outcome {
        let environment = Faults.environment(file: "/" + (path as NSString).lastPathComponent, from: offset)
        let arguments = ["convert", path, folder.path("out.mkv"), "--strength", "0"] + ContractTests.quick + options
        return try Program.run(Program.solstice, arguments, environment: environment)
    }

    @Test("fail the conversion as such, wherever they come", arguments: ["ts", "mpg", "mkv", "avi", "mp4", "nut"])
    func everyContainer(ending: String) throws {
        let (path, size) = try source(ending)
        for offset in [0, size / 8, size / 2, size - 5000] {
            for options in [[], ["--salvage"]] {
                let outcome = try convert(path, failingFrom: offset, options)
                #expect(outcome.status == 14, "from \(offset) of \(size): \(outcome.errors)")
                #expect(outcome.errors.contains("disk or network"), "\(outcome.errors)")
                #expect(folder.names.filter { $0.contains("out.mkv") } == [])
            }
        }
        #expect(try convert(path, failingFrom: .max).status == 0)
    }

    @Test("fail the conversion of a picture sequence")
    func sequence() throws {
        try Program.output(
            "ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25", "-frames:v", "5", folder.path("f_%03d.png")])
        let environment = Faults.environment(file: "/f_003.png", from: 0)
        let outcome = try Program.run(
            Program.solstice, ["convert", folder.path("f_%03d.png"), folder.path("out.mkv"), "--strength", "0"] + ContractTests.quick,
            environment: environment)
        #expect(outcome.status == 14, "\(outcome.errors)")
        #expect(folder.names.filter { $0.contains("out.mkv") } == [])
    }

    @Test("of a model are no fault of the model")
    func model() throws {
        let path = try source("mp4").path
        let arguments = ["convert", path, folder.path("out.mkv"), "--strength", "0.5"] + ContractTests.quick
        let environment = Faults.environment(file: "/night.safetensors", from: 5_000_000)
        let outcome = try Program.run(Program.solstice, arguments, environment: environment)
        #expect(outcome.status == 14 && outcome.errors.contains("night.safetensors"), "\(outcome)")
        #expect(outcome.errors.contains("disk or network"), "\(outcome)")
    }

    @Test("of a result that is there do not make it incomplete")
    func verification() throws {
        let source = folder.path("day"), target = folder.path("night")
        try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
        try FileManager.default.moveItem(atPath: try self.source("ts").path, toPath: source + "/in.ts")
        let arguments = ["convert", source, target, "--strength", "0"] + ContractTests.quick
        #expect(try Program.run(Program.solstice, arguments).status == 0)
        let result = try Data(contentsOf: URL(fileURLWithPath: target + "/in.ts"))
        let environment = Faults.environment(file: "/night/in.ts", from: result.count / 2)
        let outcome = try Program.run(Program.solstice, arguments, environment: environment)
        #expect(outcome.status == 2 && outcome.errors.contains("disk or network"), "\(outcome)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: target + "/in.ts")) == result)
    }
}
