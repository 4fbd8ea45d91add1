import Glibc

/// The names of rolling files: with the time at which each begins, in UTC.
///
/// `night.mkv` gives `night-20261123T135500Z.mkv`. A name with percent signs is a pattern as strftime(3) takes it, of `%Y %m
/// %d %H %M %S %j %s %F %T %%`. A name that is taken gets a number before its ending.
struct SegmentNames {
    /// The directory with its slash, empty for the current one.
    let directory: String
    private let pieces: [Piece]

    private enum Piece: Equatable {
        case text(String)
        case field(Character)
    }

    /// Digits that a field has; 0 for one or more.
    private static let widths: [Character: Int] = ["Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "j": 3, "s": 0]
    private static let compounds: [Character: String] = ["F": "%Y-%m-%d", "T": "%H:%M:%S"]

    /// Throws `.unsupportedOption` for a field that is not known, `.unwritable` for what is no file's name.
    init(path: String) throws(MediaError) {
        let target = try OutputTarget(path: path, isPattern: false)
        directory = target.directory
        var name = target.name
        if !name.contains("%") {
            let parts = Self.split(name)
            name = "\(parts.stem)-%Y%m%dT%H%M%SZ\(parts.ending)"
        }
        pieces = try Self.parse(name, path: path)
    }

    private static func parse(_ name: String, path: String) throws(MediaError) -> [Piece] {
        var pieces: [Piece] = []
        var text = ""
        var rest = Substring(name)
        while let character = rest.popFirst() {
            guard character == "%" else {
                text.append(character)
                continue
            }
            let field = rest.popFirst() ?? " "
            if field == "%" {
                text.append("%")
            } else if let compound = compounds[field] {
                rest = compound + rest
            } else if widths[field] != nil {
                pieces += [.text(text), .field(field)]
                text = ""
            } else {
                throw MediaError(
                    .unsupportedOption, "\(path) has %\(field) in it, which is no part of a time that solstice knows",
                    remedy: "use %Y %m %d %H %M %S %j %s %F or %T, and %% for a percent sign")
            }
        }
        pieces.append(.text(text))
        return pieces.filter { $0 != .text("") }
    }

    /// The name for a file that begins at `time` (seconds since 1970), with a number behind it from 1 on.
    func name(at time: Double, number: Int = 0) -> String {
        let fields = Self.fields(time)
        let name = pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .field(let field): fields[field] ?? ""
            }
        }.joined()
        return Self.numbered(name, number)
    }

    /// True for a name that this pattern could have given.
    func matches(_ name: String) -> Bool {
        if matches(name[...], pieces[...]) { return true }
        let parts = Self.split(name)
        guard let dash = parts.stem.lastIndex(of: "-"), Self.isNumber(parts.stem[parts.stem.index(after: dash)...]) else {
            return false
        }
        return matches((parts.stem[..<dash] + parts.ending)[...], pieces[...])
    }

    private func matches(_ name: Substring, _ pieces: ArraySlice<Piece>) -> Bool {
        guard let piece = pieces.first else { return name.isEmpty }
        switch piece {
        case .text(let text):
            return name.hasPrefix(text) && matches(name.dropFirst(text.count), pieces.dropFirst())
        case .field(let field):
            let width = Self.widths[field] ?? 0
            if width > 0 {
                return Self.isNumber(name.prefix(width), width) && matches(name.dropFirst(width), pieces.dropFirst())
            }
            let digits = name.prefix { $0.isASCII && $0.isNumber }.count
            // More digits than a time has would only cost steps.
            return digits > 0 && (1...min(digits, 20)).contains { matches(name.dropFirst($0), pieces.dropFirst()) }
        }
    }

    private static func isNumber(_ text: Substring, _ width: Int? = nil) -> Bool {
        !text.isEmpty && text.count <= 20 && (width == nil || text.count == width) && text.allSatisfy { $0.isASCII && $0.isNumber }
    }

    // MARK: - Times

    /// `20261123T135500Z` for seconds since 1970.
    static func stamp(_ time: Double) -> String {
        let fields = fields(time)
        func get(_ field: Character) -> String { fields[field] ?? "" }
        return get("Y") + get("m") + get("d") + "T" + get("H") + get("M") + get("S") + "Z"
    }

    private static func fields(_ time: Double) -> [Character: String] {
        var seconds = time_t(time.rounded(.down))
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let numbers: [Character: Int32] = [
            "Y": parts.tm_year + 1900, "m": parts.tm_mon + 1, "d": parts.tm_mday, "H": parts.tm_hour, "M": parts.tm_min,
            "S": parts.tm_sec, "j": parts.tm_yday + 1,
        ]
        var fields = numbers.reduce(into: [Character: String]()) { result, entry in
            let text = String(entry.value)
            result[entry.key] = String(repeating: "0", count: max(0, (widths[entry.key] ?? 0) - text.count)) + text
        }
        fields["s"] = String(seconds)
        return fields
    }

    // MARK: - Parts

    /// `night` and `.mkv`; a name without a dot has an empty ending.
    static func split(_ name: String) -> (stem: String, ending: String) {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return (name, "") }
        return (String(name[..<dot]), String(name[dot...]))
    }

    /// `path` itself, or with the first number before its ending that gives a name that is not taken.
    static func free(_ path: String) -> String {
        var status = stat()
        return (0..<10_000).lazy.map { numbered(path, $0) }.first { lstat($0, &status) != 0 } ?? path
    }

    /// `name` itself for 0, else with a number before its ending.
    static func numbered(_ name: String, _ number: Int) -> String {
        guard number > 0 else { return name }
        let parts = split(name)
        return "\(parts.stem)-\(number)\(parts.ending)"
    }
}
