internal import SystemPackage

/// A path, or the end of one, as patterns see it: Unicode scalars in lower case. Bytes that are no UTF-8 stand for themselves.
struct GlobSubject {
    let path: [UInt32]
    let name: ArraySlice<UInt32>

    init(_ relativePath: FilePath) {
        let bytes = relativePath.nameBytes
        let path: [UInt32]
        if bytes.allSatisfy({ $0 < 0x80 }) {
            path = bytes.map { UInt32($0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0) }
        } else if let text = String(validating: bytes, as: UTF8.self) {
            path = text.unicodeScalars.map(Glob.folded)
        } else {
            // No scalar lies here, so a pattern's letters cannot be taken for such a byte.
            path = bytes.map { $0 < 0x80 ? Glob.folded(Unicode.Scalar($0)) : 0xDC00 + UInt32($0) }
        }
        self.path = path
        name = path.lastIndex(of: Glob.slash).map { path[($0 + 1)...] } ?? path[...]
    }
}

/// A pattern of file names, without regard to case.
///
/// `?` is one character, `*` any number of them, `[a-z]` one of a set and `[!a-z]` one outside of it, none of them a slash;
/// `**` as a whole component is any number of folders; `{a,b}` is either; a backslash takes the next character as it is. A
/// pattern without a slash is one of names in any folder; with one (at its start, too) it is one of paths below the root; with
/// one at its end only folders match it, and as a pattern to include it is everything in such folders.
struct Glob: Sendable {
    /// States of the automaton that matches; state i leads to i + 1 unless said otherwise.
    private enum Token: Sendable, Equatable {
        case one(UInt32)
        case any
        case set([ClosedRange<UInt32>], isNegated: Bool)
        case star
        /// Before a folder's name, with a way past the next state, and within a name, which leads back.
        case boundary, within
        /// All that is left.
        case rest
    }

    static let slash: UInt32 = 0x2F
    /// Alternatives that one pattern may have, and characters of one.
    static let mostAlternatives = 256
    static let mostLength = 4096

    private let tokens: [Token]
    private let matchesPath: Bool
    private let isForFolders: Bool
    /// Where the pattern is `*` and letters: those letters.
    private let ending: [UInt32]?

    static func folded(_ scalar: Unicode.Scalar) -> UInt32 {
        if scalar.value < 0x80 { return scalar.value >= 0x41 && scalar.value <= 0x5A ? scalar.value | 0x20 : scalar.value }
        let lower = scalar.properties.lowercaseMapping.unicodeScalars
        return lower.count == 1 ? lower.first!.value : scalar.value
    }

    /// - Throws: `badPattern`.
    static func parse(_ pattern: String) throws(WatchError) -> [Glob] {
        guard !pattern.isEmpty, pattern.unicodeScalars.count <= mostLength, !pattern.utf8.contains(0) else {
            throw WatchError(.badPattern, "the pattern \"\(pattern.prefix(40))\" is empty, too long or holds a zero byte")
        }
        var globs: [Glob] = []
        for alternative in try BraceExpansion.alternatives(of: pattern) { globs.append(try Glob(alternative, of: pattern)) }
        return globs
    }

    private init(_ text: [Unicode.Scalar], of pattern: String) throws(WatchError) {
        var text = text[...]
        isForFolders = text.count > 1 && text.last == "/"
        if isForFolders { text.removeLast() }
        matchesPath = text.contains("/")
        if text.first == "/" { text.removeFirst() }
        guard !text.isEmpty else { throw WatchError(.badPattern, "the pattern \"\(pattern)\" names nothing") }
        var tokens: [Token] = []
        var index = text.startIndex
        while index < text.endIndex { try Self.parseToken(text, &index, into: &tokens, pattern) }
        self.tokens = tokens
        let letters = tokens.dropFirst().compactMap { if case .one(let scalar) = $0 { scalar } else { nil } }
        ending = tokens.first == .star && letters.count == tokens.count - 1 && !matchesPath ? letters : nil
    }

    private static func parseToken(
        _ text: ArraySlice<Unicode.Scalar>, _ index: inout Int, into tokens: inout [Token], _ pattern: String
    ) throws(WatchError) {
        let scalar = text[index]
        switch scalar {
        case "?": tokens.append(.any)
        case "*":
            var end = index
            while end < text.endIndex, text[end] == "*" { end += 1 }
            let isComponent =
                end - index == 2 && (index == text.startIndex || text[index - 1] == "/") && (end == text.endIndex || text[end] == "/")
            if isComponent, end < text.endIndex {
                tokens += [.boundary, .within]
                index = end
            } else {
                tokens.append(isComponent ? .rest : .star)
                index = end - 1
            }
        case "[": tokens.append(try parseSet(text, &index, pattern))
        case "\\":
            guard index + 1 < text.endIndex else {
                throw WatchError(.badPattern, "the pattern \"\(pattern)\" ends with a backslash", remedy: "write two of them")
            }
            index += 1
            tokens.append(.one(folded(text[index])))
        default: tokens.append(.one(folded(scalar)))
        }
        index += 1
    }

    private static func parseSet(_ text: ArraySlice<Unicode.Scalar>, _ index: inout Int, _ pattern: String) throws(WatchError) -> Token {
        var at = index + 1
        var isNegated = false
        if at < text.endIndex, text[at] == "!" || text[at] == "^" {
            isNegated = true
            at += 1
        }
        var ranges: [ClosedRange<UInt32>] = []
        let start = at
        while at < text.endIndex, text[at] != "]" || at == start {
            if text[at] == "\\", at + 1 < text.endIndex { at += 1 }
            let low = folded(text[at])
            var high = low
            if at + 2 < text.endIndex, text[at + 1] == "-", text[at + 2] != "]" {
                at += 2
                high = folded(text[at])
            }
            guard low <= high else { throw WatchError(.badPattern, "the pattern \"\(pattern)\" has a range that goes backwards") }
            ranges.append(low...high)
            at += 1
        }
        guard at < text.endIndex else {
            throw WatchError(.badPattern, "the pattern \"\(pattern)\" has a [ without its ]", remedy: "write \\[ for the character itself")
        }
        index = at
        return .set(ranges, isNegated: isNegated)
    }

    /// True where the pattern is the subject's; a pattern to include is asked about files only.
    func matches(_ subject: GlobSubject, isFolder: Bool) -> Bool {
        if isForFolders, !isFolder { return hasFolder(of: subject.path) }
        return matchesPath ? run(subject.path[...]) : run(subject.name)
    }

    /// A file lies in a folder of this pattern.
    private func hasFolder(of path: [UInt32]) -> Bool {
        var start = 0
        for index in path.indices where path[index] == Self.slash {
            if matchesPath ? run(path[..<index]) : run(path[start..<index]) { return true }
            start = index + 1
        }
        return false
    }

    /// All states at once, so the time is the product of both lengths at most, whatever the pattern.
    private func run(_ text: ArraySlice<UInt32>) -> Bool {
        if let ending { return text.count >= ending.count && text.suffix(ending.count).elementsEqual(ending) }
        var states = [Bool](repeating: false, count: tokens.count + 1)
        enter(0, &states)
        for scalar in text {
            var next = [Bool](repeating: false, count: tokens.count + 1)
            var isAlive = false
            for state in tokens.indices where states[state] {
                guard let target = step(state, scalar) else { continue }
                enter(target, &next)
                isAlive = true
            }
            guard isAlive else { return false }
            states = next
        }
        return states[tokens.count]
    }

    private func step(_ state: Int, _ scalar: UInt32) -> Int? {
        switch tokens[state] {
        case .one(let own): return own == scalar ? state + 1 : nil
        case .any: return scalar == Self.slash ? nil : state + 1
        case .set(let ranges, let isNegated):
            return scalar != Self.slash && ranges.contains { $0.contains(scalar) } != isNegated ? state + 1 : nil
        case .star: return scalar == Self.slash ? nil : state
        case .boundary: return scalar == Self.slash ? nil : state + 1
        case .within: return scalar == Self.slash ? state - 1 : state
        case .rest: return state
        }
    }

    /// Marks a state, and those that it leads to without a character.
    private func enter(_ state: Int, _ states: inout [Bool]) {
        guard !states[state] else { return }
        states[state] = true
        guard state < tokens.count else { return }
        switch tokens[state] {
        case .star, .rest: enter(state + 1, &states)
        case .boundary: enter(state + 2, &states)
        default: break
        }
    }
}

/// `{a,b}` written out.
enum BraceExpansion {
    /// - Throws: `badPattern`.
    static func alternatives(of pattern: String) throws(WatchError) -> [[Unicode.Scalar]] {
        var open = [Array(pattern.unicodeScalars)]
        var done: [[Unicode.Scalar]] = []
        while let text = open.popLast() {
            guard let brace = try firstBrace(text, pattern) else {
                done.append(text)
                continue
            }
            for part in brace.parts.reversed() { open.append(Array(text[..<brace.start]) + part + Array(text[brace.end...])) }
            guard open.count + done.count <= Glob.mostAlternatives else {
                throw WatchError(.badPattern, "the pattern \"\(pattern)\" has more than \(Glob.mostAlternatives) alternatives")
            }
        }
        return done
    }

    private struct Brace {
        var start: Int
        var end: Int
        var parts: [ArraySlice<Unicode.Scalar>]
    }

    private static func firstBrace(_ text: [Unicode.Scalar], _ pattern: String) throws(WatchError) -> Brace? {
        var depth = 0, start = 0, partStart = 0
        var parts: [ArraySlice<Unicode.Scalar>] = []
        var index = 0
        while index < text.count {
            switch text[index] {
            case "\\": index += 1
            case "{":
                if depth == 0 { (start, partStart) = (index, index + 1) }
                depth += 1
            case "," where depth == 1:
                parts.append(text[partStart..<index])
                partStart = index + 1
            case "}" where depth > 0:
                depth -= 1
                if depth == 0 { return Brace(start: start, end: index + 1, parts: parts + [text[partStart..<index]]) }
            default: break
            }
            index += 1
        }
        guard depth == 0 else {
            throw WatchError(.badPattern, "the pattern \"\(pattern)\" has a { without its }", remedy: "write \\{ for the character itself")
        }
        return nil
    }
}
