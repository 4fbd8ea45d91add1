internal import Yams

/// The options of the program's commands that a configuration has keys for, by their long names without dashes.
///
/// The commands themselves say what they mean; a test holds this list against them.
public struct CommandOptions: Sendable {
    public var name: String
    /// Yes or no instead of a value.
    public var isFlag = false

    /// Options of `solstice convert` that a watch folder has: everything about translation and encoding.
    public static let conversion: [CommandOptions] = translation + encoding + [.init(name: "max-errors"), .init(name: "salvage", isFlag: true)]

    /// Options of `solstice relay` that a relay has; the others are the daemon's own business.
    public static let relay: [CommandOptions] =
        values(
            "source-user", "source-password-file", "source-transport", "listen", "user", "password-file", "max-readers", "target-user",
            "target-password-file", "segment", "keep", "output", "max-latency", "on-loss", "max-bitrate", "keyframe-interval")
        + ["realtime-file", "loop", "open", "adapt"].map { CommandOptions(name: $0, isFlag: true) } + translation + encoding

    private static let translation = values(
        "to", "style", "style-at", "model", "strength", "strength-at", "norm", "alpha", "network-size", "detail", "seed", "precision", "threads")
    private static let encoding = values("encoder", "crf", "bitrate", "preset")

    private static func values(_ names: String...) -> [CommandOptions] { names.map { CommandOptions(name: $0) } }
}

extension Section {
    /// The values of options as arguments, `--name=value` or `--name` each, in the order of `options`.
    func arguments(_ options: [CommandOptions]) throws(ConfigurationError) -> [String] {
        var arguments: [String] = []
        for option in options {
            if option.isFlag {
                if try flag(option.name) == true { arguments.append("--\(option.name)") }
            } else if let value = try text(option.name) {
                arguments.append("--\(option.name)=\(value)")
            }
        }
        return arguments
    }
}
