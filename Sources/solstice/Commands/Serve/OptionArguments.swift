internal import Foundation
internal import TSIT

/// The options as a command line has them, `--name=value` each, those left out left out: what a job is stored with, and its
/// worker reads again. Files are named by absolute paths, since that may be in another folder.
extension TranslationOptions {
    var arguments: [String] {
        let usual = TranslationOptions.usual
        let flags = stabilize == usual.stabilize ? [] : ["--no-stabilize"]
        return flags + OptionText.list([
            ("to", to), ("style", style.map(Self.absolute(recipe:))), ("style-at", styleAt.map(Self.absolute(schedule:))),
            ("model", model.map(OptionText.absolute)), ("strength", strength.map { "\($0)" }),
            ("strength-at", strengthAt.map(Self.absolute(schedule:))), ("norm", norm?.rawValue),
            ("alpha", alpha == usual.alpha ? nil : "\(alpha)"), ("network-size", networkSize?.defaultValueDescription),
            ("detail", detail == usual.detail ? nil : detail.rawValue), 
            ("detail-residual", detailResidual.map { "\($0)" }), ("seed", seed == usual.seed ? nil : "\(seed)"),
            ("precision", precision == usual.precision ? nil : precision.rawValue), ("threads", threads.map { "\($0)" }),
        ])
    }

    /// What is not asked for.
    private static var usual: TranslationOptions {
        // No arguments are always valid.
        (try? TranslationOptions.parse([])) ?? TranslationOptions()
    }

    private static func absolute(recipe text: String) -> String {
        guard let recipe = try? StyleRecipe(parsing: text) else { return text }
        return recipe.parts.map { part in
            let isFile = FileManager.default.fileExists(atPath: part.reference)
            let reference = isFile ? OptionText.absolute(part.reference) : part.reference
            return part.weight == 1 && !reference.contains(":") ? reference : "\(reference):\(part.weight)"
        }.joined(separator: ",")
    }

    private static func absolute(schedule text: String) -> String {
        text.hasPrefix("@") ? "@" + OptionText.absolute(String(text.dropFirst())) : text
    }
}

extension EncodingOptions {
    var arguments: [String] {
        OptionText.list([
            ("encoder", encoder), ("crf", crf.map { "\($0)" }), ("bitrate", bitrate.map { "\($0.bitsPerSecond)" }), ("preset", preset),
        ])
    }
}

extension DamageOptions {
    var arguments: [String] {
        OptionText.list([("max-errors", maxErrors == 1 ? nil : "\(maxErrors)")]) + (salvage ? ["--salvage"] : [])
    }
}

enum OptionText {
    static func list(_ options: [(name: String, value: String?)]) -> [String] {
        options.compactMap { option in option.value.map { "--\(option.name)=\($0)" } }
    }

    static func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
}
