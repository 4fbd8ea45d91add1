internal import ArgumentParser
internal import Foundation
internal import MediaIO
internal import Pipeline

/// Converts every video and picture below a folder into another one, or one for each style, under the same names.
struct FolderConversion: Sendable {
    /// Input and outputs are folders.
    let request: ConvertRequest
    let reporter: Reporter

    private enum Outcome { case done, skipped, failed }

    /// Goes on after a failure. Throws `ExitStatus.someFilesFailed` at the end where there was one.
    func run() async throws {
        if request.preview != nil {
            throw ValidationError("--preview shows one video; it cannot be used with a folder.")
        }
        if request.sequenceRate != nil {
            throw ValidationError("--sequence-rate is for one numbered picture sequence; it cannot be used with a folder.")
        }
        let (files, unreadable) = try MediaFolder.files(below: request.input, except: request.outputs)
        let outcomes = try await Signals.cancelling {
            let translator = try await Translator.load(for: request)
            var outcomes: [Outcome] = []
            for folder in unreadable {
                let path = (request.input as NSString).appendingPathComponent(folder)
                reporter.failed(
                    MediaError(.unreadable, "the folder \(path) may not be read by this user", remedy: "change its permissions"),
                    file: path)
                outcomes.append(.failed)
            }
            for file in files {
                outcomes.append(try await convert(file, translator: translator))
            }
            return outcomes
        }
        let failures = outcomes.count { $0 == .failed }
        let skipped = outcomes.count { $0 == .skipped }
        reporter.folderDone(converted: outcomes.count - failures - skipped, skipped: skipped, failed: failures)
        if failures > 0 { throw ExitStatus.someFilesFailed.exitCode }
    }

    /// The instances of a label file: of the same name in another folder, or named as Cityscapes names them.
    private func instances(of file: String, in folder: String) -> String {
        let same = (folder as NSString).appendingPathComponent(file)
        guard !FileManager.default.fileExists(atPath: same) else { return same }
        return (folder as NSString).appendingPathComponent(file.replacingOccurrences(of: "labelIds", with: "instanceIds"))
    }

    private func convert(_ file: String, translator: Translator) async throws -> Outcome {
        var single = request
        single.input = (request.input as NSString).appendingPathComponent(file)
        single.output = (request.output as NSString).appendingPathComponent(file)
        for place in single.also.indices {
            single.also[place].output = (request.also[place].output as NSString).appendingPathComponent(file)
        }
        single.labels.instances = request.labels.instances.map { instances(of: file, in: $0) }
        do {
            let job = ConvertJob(single, translator: translator)
            let missing = request.overwrite ? Array(single.outputs.indices) : try await job.missingOutputs()
            guard !missing.isEmpty else {
                reporter.skipped(single.input, outputs: single.outputs)
                return .skipped
            }
            for place in missing { try MediaFolder.makeParent(of: single.outputs[place]) }
            let report = try await job.run(chosen: missing) { [single] in reporter.show($0, of: single.input) }
            reporter.done(report, input: single.input)
            return .done
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            reporter.failed(error, file: single.input)
            return .failed
        }
    }
}
