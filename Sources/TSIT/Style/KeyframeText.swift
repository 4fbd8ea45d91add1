/// Styles at moments, as `--style-at` has them: `TIME=RECIPE[,TIME=RECIPE...]`, or `@FILE` with one `TIME=RECIPE` a line.
public enum StyleSchedule {
    /// The keyframes of `text`, in ascending order of time; seconds from the start of the source.
    ///
    /// - Throws: `TSITError` `.badTimeline`, naming the item and, in a file, its line; `.noSuchFile`, `.damagedFile` for a
    ///   file that cannot be read.
    public static func parse(_ text: String) throws(TSITError) -> [(seconds: Double, recipe: StyleRecipe)] {
        try parse(text, exists: { isFile($0) })
    }

    static func parse(
        _ text: String, exists: (String) -> Bool
    ) throws(TSITError) -> [(seconds: Double, recipe: StyleRecipe)] {
        try KeyframeText(form: "TIME=STYLE").parse(text) { value throws(TSITError) in
            try StyleRecipe(parsing: value, exists: exists)
        }.map { ($0.seconds, $0.value) }
    }
}

/// Strengths at moments, as `--strength-at` has them: `TIME=STRENGTH[,TIME=STRENGTH...]`, or `@FILE`.
public enum StrengthSchedule {
    /// The strengths of `text`, 0...1, linear between keyframes.
    ///
    /// - Throws: as `StyleSchedule.parse`.
    public static func parse(_ text: String) throws(TSITError) -> Timeline<Float> {
        let keyframes = try KeyframeText(form: "TIME=STRENGTH").parse(text) { value throws(TSITError) in
            guard let strength = MediaTime.number(value), (0...1).contains(strength) else {
                throw TSITError(
                    .badTimeline, "the strength \(quoted(value)) is not a number from 0 to 1", remedy: "give one from 0 to 1")
            }
            return Float(strength)
        }
        return try Timeline(keyframes.map { .init(seconds: $0.seconds, value: $0.value) })
    }
}

/// The grammar that both schedules share.
///
/// An item after a comma begins a new keyframe where it starts with a time and `=`; else it goes on with the value before
/// it. In a file, `#` at the start of a line or after a space begins a comment; paths count from the current folder.
struct KeyframeText {
    /// What an item looks like, for errors.
    let form: String

    /// An item as it was written, and where.
    private struct Item {
        var text: String
        /// ` in line 3 of 'file'`, or nothing.
        var place: String
    }

    private static let longestFile = 1 << 20

    func parse<Value>(
        _ text: String, value: (String) throws(TSITError) -> Value
    ) throws(TSITError) -> [(seconds: Double, value: Value)] {
        let items = text.hasPrefix("@") ? try fileItems(String(text.dropFirst())) : Self.items(of: text, place: "")
        var keyframes: [(seconds: Double, value: Value)] = []
        var previous = ""
        for item in items {
            let keyframe = try parse(item, value)
            if let last = keyframes.last, keyframe.seconds <= last.seconds {
                throw TSITError(
                    .badTimeline, "the keyframe \(quoted(item.text))\(item.place) is not later than \(quoted(previous)) before it",
                    remedy: "give keyframes in the order of time")
            }
            keyframes.append(keyframe)
            previous = item.text
        }
        guard !keyframes.isEmpty else {
            throw TSITError(.badTimeline, "\(quoted(text)) has no keyframe", remedy: "write \(form), one a line")
        }
        return keyframes
    }

    private func parse<Value>(
        _ item: Item, _ value: (String) throws(TSITError) -> Value
    ) throws(TSITError) -> (seconds: Double, value: Value) {
        guard let equals = item.text.firstIndex(of: "=") else {
            let what = item.text.isEmpty ? "an empty item" : "\(quoted(item.text)) has no time"
            throw TSITError(.badTimeline, what + item.place, remedy: "write \(form), such as \(example)")
        }
        let time = trimmed(String(item.text[..<equals]))
        guard let seconds = MediaTime.seconds(time) else {
            throw TSITError(
                .badTimeline, "\(quoted(time)) in \(quoted(item.text))\(item.place) is not a time",
                remedy: "write seconds or [h:]m:s, such as \(example)")
        }
        do throws(TSITError) {
            return (seconds, try value(trimmed(String(item.text[item.text.index(after: equals)...]))))
        } catch {
            var error = error
            error.message += item.place.isEmpty ? " at \(time)" : item.place
            throw error
        }
    }

    private var example: String { form.hasSuffix("STYLE") ? "0:20=dusk.style" : "0:20=0.5" }

    private static func items(of text: String, place: String) -> [Item] {
        var items: [Item] = []
        for piece in text.split(separator: ",", omittingEmptySubsequences: false) {
            if items.isEmpty || beginsKeyframe(piece) {
                items.append(Item(text: trimmed(String(piece)), place: place))
            } else {
                items[items.count - 1].text += "," + piece
            }
        }
        return items
    }

    /// What looks like a time counts as one, so that a mistake in it is called that.
    private static func beginsKeyframe(_ piece: Substring) -> Bool {
        guard let equals = piece.firstIndex(of: "=") else { return false }
        let head = trimmed(String(piece[..<equals])).lowercased()
        return ["", "nan", "inf"].contains(head) || head.utf8.allSatisfy { "0123456789:.+-".utf8.contains($0) }
    }

    private func fileItems(_ path: String) throws(TSITError) -> [Item] {
        guard !path.isEmpty else {
            throw TSITError(.badTimeline, "no file after '@'", remedy: "write @FILE, a text with \(form) on each line")
        }
        let file = try RandomAccessFile(path: path)
        guard file.size <= Self.longestFile else {
            throw TSITError(
                .badTimeline, "\(quoted(path)) is too long for a list of keyframes", remedy: "give a text with \(form) on each line")
        }
        guard let text = String(validating: try file.bytes(at: 0, count: file.size), as: UTF8.self) else {
            throw TSITError(
                .badTimeline, "\(quoted(path)) is not a text in UTF-8", remedy: "give a text with \(form) on each line")
        }
        var items: [Item] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = trimmed(Self.withoutComment(index == 0 && line.hasPrefix("\u{FEFF}") ? line.dropFirst() : line))
            if !words.isEmpty { items += Self.items(of: words, place: " in line \(index + 1) of \(quoted(path))") }
        }
        return items
    }

    private static func withoutComment(_ line: Substring) -> String {
        var before: Character = " "
        for index in line.indices {
            if line[index] == "#", before.isWhitespace { return String(line[..<index]) }
            before = line[index]
        }
        return String(line)
    }
}
