internal import ArgumentParser
internal import Foundation
internal import MediaIO
internal import NeuralEngine
internal import TSIT

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Print what a bug report needs, and check the network on this machine.")

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let report = DoctorReport()
        Terminal.print(json ? JSONLine.encode(report) : report.description)
        if !report.isHealthy { throw ExitStatus.checkFailed.exitCode }
    }
}

/// What a bug report needs.
struct DoctorReport: Encodable, CustomStringConvertible {
    struct Library: Encodable {
        let name: String
        let version: String
    }

    struct Model: Encodable {
        let name: String
        /// Where it is, or why it is not there.
        let path: String
        let isFound: Bool
    }

    let version = Solstice.version
    let system: String
    let processor: String
    let cores = ThreadPool.coreCount
    /// Instruction sets the kernels could use here, and the one they do use.
    let instructionSets: [String]
    let instructionSet: String
    let libraries: [Library]
    let encoders: [String]
    let models: [Model]
    let selfCheck: String
    let isHealthy: Bool

    init() {
        system = ProcessInfo.processInfo.operatingSystemVersionString
        processor = Self.processorName ?? "unknown"
        instructionSets = InstructionSet.allCases.filter(\.isAvailable).map(\.rawValue)
        instructionSet = InstructionSet.current.rawValue
        libraries = LibraryVersions.all().map { Library(name: $0.name, version: $0.version) }
        encoders = EncoderCatalogue.video().map(\.name)
        models = EmbeddedModels.Name.allCases.map { name in
            do {
                let found = try EmbeddedModels.load(name)
                return Model(name: name.rawValue, path: found.model.path, isFound: true)
            } catch {
                return Model(name: name.rawValue, path: "\(error)", isFound: false)
            }
        }
        let check = Self.checkNetwork()
        selfCheck = check.text
        isHealthy = check.passed && models.allSatisfy(\.isFound)
    }

    private static func checkNetwork() -> (passed: Bool, text: String) {
        do {
            let difference = try SelfCheck.run(pool: ThreadPool(threads: ThreadPool.coreCount))
            let figures = String(format: "maximum difference %.3g, mean %.3g", difference.maximum, difference.mean)
            return (difference.isWithinBounds, (difference.isWithinBounds ? "passed: " : "FAILED: ") + figures)
        } catch {
            return (false, "FAILED: \(error)")
        }
    }

    private static var processorName: String? {
        guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
    }

    var description: String {
        var lines = [
            "solstice \(version)",
            "system      \(system)",
            "processor   \(processor), \(cores) cores",
            "kernels     \(instructionSet) (of \(instructionSets.joined(separator: ", ")))",
        ]
        lines += libraries.map { "library     \($0.name) \($0.version)" }
        lines += models.map { "model       \($0.name): \($0.path)" }
        lines.append("encoders    \(encoders.joined(separator: " "))")
        lines.append("self-check  \(selfCheck)")
        return lines.joined(separator: "\n")
    }
}
