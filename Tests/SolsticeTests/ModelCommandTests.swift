import Foundation
import TestSupport
import Testing

/// `solstice model` on the checkpoints of TSITTests, as a user runs it.
@Suite struct ModelCommandTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "TSITTests/Fixtures").path

    private func run(_ arguments: String...) throws -> Program.Outcome {
        try Program.run(Program.solstice, ["model"] + arguments)
    }

    @Test func aLabelNetworkWithItsEncoderIsImportedAndDescribed() throws {
        let folder = try TemporaryFolder()
        let model = folder.path("cityscapes.safetensors")
        let imported = try run(
            "import", "\(Self.fixtures)/sis-G-legacy-module.pth", model, "--vae", "\(Self.fixtures)/sis-E-zip-module.pth",
            "--native-size", "256x128", "--labels", "34+other+edges")
        #expect(imported.status == 0, "\(imported.errors)")
        let info = try run("info", model)
        #expect(info.output == imported.output)
        for line in [
            "task            sis", "label set       34+other+edges", "head            latent vector of 256",
            "VAE encoder     base width 2", "native size     256x128", "normalization   running",
        ] { #expect(info.output.split(separator: "\n").contains(Substring(line)), "\(line)") }
        let json = try run("info", model, "--json").output
        #expect(json.contains(#""labels":"34+other+edges""#) && json.contains(#""encoder_width":2"#), "\(json)")
    }

    @Test func photographNetworksStartFromNoise() throws {
        let folder = try TemporaryFolder()
        let model = folder.path("weathers.safetensors")
        let imported = try run("import", "\(Self.fixtures)/checkpoint-legacy-module.pth", model, "--task", "mmis")
        #expect(imported.status == 0, "\(imported.errors)")
        #expect(imported.output.contains("head            noise") && imported.output.contains("normalization   frame"))
        #expect(!imported.output.contains("label set") && !imported.output.contains("VAE encoder"))
        let golden = "\(Self.fixtures)/golden-ade"
        #expect(try run("check", model, "--golden", golden).status == 10)  // No content.npy.
    }

    @Test(arguments: [
        (["sis-E-legacy.pth"], 41 as Int32, "give this one with --vae"),
        (["sis-G-zip.pth", "--native-size", "256x128", "--vae", "sis-G-zip.pth"], 41, "not TSIT's VAE encoder"),
        (["ade-G.pth", "--vae", "sis-E-legacy.pth"], 41, "import it without --vae"),
        (["sis-G-zip.pth", "--native-size", "256x128", "--labels", "ade20k"], 41, "the label set ade20k has 151"),
        (["checkpoint-zip.pth", "--labels", "ade20k"], 41, "leave the label set out"),
        (["sis-G-zip.pth", "--labels", "cityscope"], 64, "--labels"),
        (["sis-G-zip.pth"], 31, "native size"),
        (["sis-G-zip.pth", "--native-size", "9223372036854775807x9223372036854775807"], 31, "cannot have the native size"),
    ])
    func mistakesAreNamed(arguments: [String], status: Int32, says: String) throws {
        let folder = try TemporaryFolder()
        var words = arguments.map { $0.hasSuffix(".pth") ? "\(Self.fixtures)/\($0)" : $0 }
        words.insert(folder.path("x.safetensors"), at: 1)
        let outcome = try Program.run(Program.solstice, ["model", "import"] + words)
        #expect(outcome.status == status && outcome.errors.contains(says), "\(outcome.status): \(outcome.errors)")
        #expect(folder.names.isEmpty)
    }
}
