internal import Foundation

/// What a running relay can be told over its control socket: one JSON object a line, answered by one.
public enum ControlCommand: Sendable, Equatable {
    /// Another style; it fades in over so many seconds.
    case style(recipe: String, fade: Double)
    /// Another strength, 0...1.
    case strength(Float, fade: Double)
    case status

    private struct Line: Codable {
        var command: String
        var recipe: String?
        var strength: Float?
        var fade: Double?
    }

    /// The longest fade, in seconds: a day.
    static let longestFade = 86400.0

    /// Throws `RelayError` `.badCommand` for a line that is none.
    init(line: [UInt8]) throws(RelayError) {
        guard let line = try? JSONDecoder().decode(Line.self, from: Data(line)) else {
            throw RelayError(.badCommand, "the command is no JSON object with a 'command'")
        }
        let fade = line.fade ?? 0
        guard fade >= 0, fade <= Self.longestFade else {
            throw RelayError(.badCommand, "a fade takes 0 to \(Int(Self.longestFade)) seconds")
        }
        switch (line.command, line.recipe, line.strength) {
        case ("style", let recipe?, nil): self = .style(recipe: recipe, fade: fade)
        case ("strength", nil, let strength?) where (0...1).contains(strength): self = .strength(strength, fade: fade)
        case ("strength", nil, .some): throw RelayError(.badCommand, "a strength is a number from 0 to 1")
        case ("status", nil, nil): self = .status
        default:
            throw RelayError(
                .badCommand, "there is no such command", remedy: "use style with a recipe, strength with a number, or status")
        }
    }

    /// As it is sent, without the line's end.
    var line: String {
        let line =
            switch self {
            case .style(let recipe, let fade): Line(command: "style", recipe: recipe, fade: fade)
            case .strength(let strength, let fade): Line(command: "strength", strength: strength, fade: fade)
            case .status: Line(command: "status")
            }
        return ControlReply.encode(line)
    }
}

/// The answer to a command.
public struct ControlReply: Sendable, Codable, Equatable {
    public var ok: Bool
    /// Why not.
    public var error: String?
    /// Of `status` only.
    public var status: RelayStatus?

    static func encode(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        // Nothing that is encoded here can fail but a number that is not finite.
        return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{\"ok\":false}"
    }

    static func decode(_ line: String) -> ControlReply? {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try? decoder.decode(ControlReply.self, from: Data(line.utf8))
    }
}
