internal import ArgumentParser
internal import Crypto
internal import Daemon
internal import Foundation
internal import Pipeline
internal import TSIT

/// The options of `solstice convert` that a job can have: everything but paths and what is about one run.
struct JobOptions: ParsableArguments {
    @OptionGroup var translation: TranslationOptions
    @OptionGroup var encoding: EncodingOptions
    @OptionGroup var damage: DamageOptions

    func request(input: String, output: String) throws -> ConvertRequest {
        var request = ConvertRequest(input: input, output: output)
        try translation.apply(to: &request)
        encoding.apply(to: &request)
        damage.apply(to: &request)
        return request
    }
}

extension OptionValidator {
    /// Options as the program's own commands take them.
    static let program = OptionValidator(
        convert: { arguments in
            do { _ = try JobOptions.parse(arguments).request(input: "", output: "") } catch { throw OptionFailure(error, of: JobOptions.self) }
        },
        relay: { arguments in
            do { _ = try RelayCommand.parse(arguments).request() } catch { throw OptionFailure(error, of: RelayCommand.self) }
        },
        identity: { try JobIdentity.of($0) })
}

/// Why options are refused, in one line.
struct OptionFailure: Error, CustomStringConvertible {
    let description: String

    init<Command: ParsableArguments>(_ error: any Error, of command: Command.Type) {
        guard !ExitStatus.isOwn(error) else {
            description = "\(error)"
            return
        }
        let text = Command.message(for: error)
        description = text.split(separator: "\n").first.map(String.init) ?? text
    }
}

/// Digest of everything that a result depends on besides its source.
enum JobIdentity {
    /// What this version of the program makes of a source: to be raised with every change after which the same source and
    /// options give another result, so that neither journals nor results of an older version are taken for this one's.
    private static let resultVersion = 1

    /// Throws where a model or a style cannot be read.
    static func of(_ arguments: [String]) throws -> String {
        let request = try JobOptions.parse(arguments).request(input: "", output: "")
        var hash = SHA256()
        hash.update(data: Data("result \(resultVersion)".utf8) + [0])
        // Threads change the speed, not the result.
        for argument in arguments.sorted() where !argument.hasPrefix("--threads=") { hash.update(data: Data(argument.utf8) + [0]) }
        for path in try files(of: request) + schedules(in: arguments) {
            guard isFile(path), let file = FileHandle(forReadingAtPath: path) else {
                throw TSITError(.noSuchFile, "\(path) cannot be read", remedy: "check the path and its permissions")
            }
            while let part = try file.read(upToCount: 1 << 20), !part.isEmpty { hash.update(data: part) }
        }
        return hash.finalize().prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The files that schedules are read from: their names among the arguments do not change with what is in them.
    private static func schedules(in arguments: [String]) -> [String] {
        ["--strength-at=@", "--style-at=@"].flatMap { option in
            arguments.filter { $0.hasPrefix(option) }.map { String($0.dropFirst(option.count)) }
        }
    }

    /// What is no file, such as a pipe, would be waited for.
    private static func isFile(_ path: String) -> Bool {
        (try? FileManager.default.attributesOfItem(atPath: (path as NSString).resolvingSymlinksInPath)[.type] as? FileAttributeType) == .typeRegular
    }

    /// The style files in a model's folder, any of which a style may be named by.
    private static func styles(beside model: String) -> [String] {
        let folder = URL(fileURLWithPath: model).deletingLastPathComponent().path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".style") }.sorted().map { folder + "/" + $0 }
    }

    /// The files that weights and styles come from, each once; names of styles lie beside the model and are part of it.
    private static func files(of request: ConvertRequest) throws -> [String] {
        var paths: [String] = []
        var recipes: [StyleRecipe] = []
        switch request.model {
        case .embedded(let name):
            let place = try EmbeddedModels.locate(name)
            paths += [place.modelPath, place.stylePath]
        case .file(let path): paths.append(path)
        }
        switch request.style {
        case .standard, .named: break
        case .recipe(let recipe): recipes = [recipe]
        case .keyframes(let keyframes): recipes = keyframes.map(\.recipe)
        }
        if case .file(let model) = request.model { paths += styles(beside: model) }
        paths += recipes.flatMap(\.parts).map(\.reference).filter { FileManager.default.fileExists(atPath: $0) }
        return Array(Set(paths)).sorted()
    }
}
