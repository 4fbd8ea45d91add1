internal import Yams

/// The options of the program's commands that a configuration has keys for, by their long names without dashes.
///
/// The commands themselves say what they mean; a test holds this list against them.
public struct CommandOptions: Sendable {
    public var name: String
    /// Yes or no instead of a value.
    public var isFlag = false
    /// Yes unless the configuration says no, which the command line says as `--no-NAME`.
    public var isOn = false
    /// The value is the path of a file, and nothing else.
    public var isPath = false

    /// Options of `solstice convert` that a watch folder has: everything about translation and encoding.
    public static let conversion: [CommandOptions] = translation + encoding + [.init(name: "max-errors"), .init(name: "salvage", isFlag: true)]

    /// Options of `solstice relay` that a relay has; the others are the daemon's own business.
    public static let relay: [CommandOptions] =
        values(
            "source-user", "source-transport", "listen", "user", "max-readers", "target-user", "segment", "keep", "output", "max-latency", "on-loss", "max-bitrate", "keyframe-interval")
        + ["source-password-file", "password-file", "target-password-file"].map { CommandOptions(name: $0, isPath: true) }
        + ["realtime-file", "loop", "open", "adapt"].map { CommandOptions(name: $0, isFlag: true) } + translation + encoding

    private static let translation =
        [CommandOptions(name: "model", isPath: true)]
        + values(
            "to", "style", "style-at", "strength", "strength-at", "norm", "alpha", "network-size", "detail", "detail-residual", "seed",
            "precision", "threads")
        + [CommandOptions(name: "stabilize", isFlag: true, isOn: true)]
    private static let encoding = values("encoder", "crf", "bitrate", "preset")

    private static func values(_ names: String...) -> [CommandOptions] { names.map { CommandOptions(name: $0) } }
}

extension Section {
    /// The values of options as arguments, `--name=value` or `--name` each, in the order of `options`.
    ///
    /// - Parameter path: makes a path absolute; nil where it cannot.
    func arguments(_ options: [CommandOptions], path: (String) -> String?) throws(ConfigurationError) -> [String] {
        var arguments: [String] = []
        for option in options {
            if option.isFlag {
                let value = try flag(option.name)
                if value == !option.isOn { arguments.append(option.isOn ? "--no-\(option.name)" : "--\(option.name)") }
            } else if let value = try text(option.name) {
                guard !value.isEmpty, let value = option.isPath ? path(value) : value else {
                    throw error(.badValue, option.name, "'\(option.name)' is '\(value)'", remedy: "write the whole value")
                }
                arguments.append("--\(option.name)=\(value)")
            }
        }
        return arguments
    }
}
