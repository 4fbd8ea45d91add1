import Foundation
import TestSupport
import Testing

@testable import Daemon

/// What is wrong with a configuration is told with its place.
@Suite("mistakes in a configuration") struct ConfigurationMistakeTests {
    struct Mistake: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let text: String
        let code: ConfigurationError.Code
        /// Line and column; nil where the whole file is meant.
        let place: String?
        let words: [String]

        init(_ description: String, _ text: String, _ code: ConfigurationError.Code, _ place: String?, _ words: String...) {
            (testDescription, self.text, self.code, self.place, self.words) = (description, text, code, place, words)
        }
    }

    private static let folder = "folders:\n  - {name: a, in: /in, out: /out}\n"
    private static func folder(_ lines: String) -> String { "folders:\n  - name: a\n    in: /in\n    out: /out\n    \(lines)\n" }
    private static func two(_ first: String, _ second: String) -> String { "folders:\n  - {name: a, \(first)}\n  - {name: b, \(second)}\n" }
    private static func relay(_ lines: String) -> String { "relays:\n  - name: r\n    \(lines)\n" }

    /// Ten to the twelfth values, as a key.
    private static let endlessKey: String = {
        func list(_ item: String) -> String { "[" + [String](repeating: item, count: 10).joined(separator: ",") + "]" }
        let lists = (1..<12).map { "a\($0): &a\($0) \(list("*a\($0 - 1)"))\n" }
        return "a0: &a0 \(list("x"))\n\(lists.joined())? *a11\n: 1\n"
    }()

    static let mistakes: [Mistake] = [
        .init("nothing", "", .missingKey, nil, "empty", "folders:"),
        .init("only comments", "# nothing\n", .missingKey, nil, "empty"),
        .init("nothing to do", "jobs: 1\n", .contradiction, "1:1", "nothing to do"),
        .init("no YAML", "folders: [\n", .badSyntax, "2:1", "no YAML"),
        .init("a tab", "folders:\n\t- a\n", .badSyntax, "2:1", "no YAML"),
        .init("two documents", "jobs: 1\n---\njobs: 2\n", .badSyntax, "2:1", "document"),
        .init("a control character", "jobs: 1\nwork: a\u{1}b\n", .badSyntax, "2:8", "no YAML"),
        .init("a list", "- a\n", .wrongType, "1:1", "keys"),
        .init("unknown key", "jobs: 1\nfolder: []\n", .unknownKey, "2:1", "'folder'", "did you mean 'folders'?"),
        .init("unknown key without a near one", "xyzzy: 1\n", .unknownKey, "1:1", "'xyzzy'", "state, work, jobs"),
        .init("unknown key of a folder", folder("crff: 22"), .unknownKey, "5:5", "'crff'", "'crf'"),
        .init("option of convert that is not for folders", folder("overwrite: yes"), .unknownKey, "5:5", "'overwrite'"),
        .init("unknown key of web", "web: {port: 80}\n" + folder, .unknownKey, "1:7", "'port'"),
        .init("twice", "jobs: 1\njobs: 2\n" + folder, .duplicate, "1:1", "'jobs'", "twice"),
        .init("twice in a folder", folder("to: night\n    to: winter"), .duplicate, "5:5", "'to'"),
        .init("an anchor", "folders:\n  - &x {name: a, in: /in, out: /out}\n  - *x\n", .badSyntax, "2:5", "anchors"),
        .init("an endless file", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\ni: [*h,*h,*h,*h,*h,*h,*h,*h,*h]\n", .badSyntax, "1:4", "anchors"),
        .init("an endless key", endlessKey, .badSyntax, "1:5", "anchors"),
        .init("an alias of nothing", "jobs: *a\nwork: 'a & b'\n", .badSyntax, "1:7", "undefined alias"),
        .init("a starred key twice", "'*a': '&'\n'*a': 2\n", .duplicate, "1:1", "'*a' is given twice"),
        .init("a key that is a list", "[a]: b\n", .wrongType, "1:1", "one word"),
        .init("a tag", "jobs: !!int 3\n" + folder, .wrongType, "1:7", "tag"),
        .init("no number", "jobs: many\n" + folder, .wrongType, "1:7", "'jobs'", "'many'"),
        .init("a number out of range", "jobs: 0\n" + folder, .badValue, "1:7", "1 to 64"),
        .init("no length of time", "checkpoint: soon\n" + folder, .wrongType, "1:13", "'soon'", "10s"),
        .init("too long a time", "checkpoint: 1h\n" + folder, .badValue, "1:13", "1s to 10min"),
        .init("no size", "disk-floor: 2 apples\n" + folder, .wrongType, "1:13", "2GiB"),
        .init("no level", "log-level: inof\n" + folder, .badValue, "1:12", "did you mean 'info'?"),
        .init("a value that is missing", "state:\n" + folder, .wrongType, "1:7", "'state'", "no value"),
        .init("a list where one value is wanted", "state: [a]\n" + folder, .wrongType, "1:8", "'state'", "a list"),
        .init("web is on", "web: on\n" + folder, .wrongType, "1:6", "off"),
        .init("no address", "web: {listen: here}\n" + folder, .badValue, "1:15", "'here'", "127.0.0.1:8080"),
        .init("open to everybody", "web: {listen: 0.0.0.0:8080}\n" + folder, .contradiction, "1:15", "0.0.0.0", "token-file"),
        .init("folders that are no list", "folders: {name: a}\n", .wrongType, "1:10", "'folders'", "list"),
        .init("a folder that is a text", "folders:\n  - /in\n", .wrongType, "2:5", "a folder"),
        .init("no name", "folders:\n  - in: /in\n    out: /out\n", .missingKey, "2:5", "'name'"),
        .init("no output", "folders:\n  - name: a\n    in: /in\n", .missingKey, "2:5", "'out'"),
        .init("a name with a slash", "folders:\n  - {name: a/b, in: /in, out: /out}\n", .badValue, "2:12", "'a/b'"),
        .init("an empty path", "folders:\n  - {name: a, in: '', out: /out}\n", .badValue, "2:19", "'in'"),
        .init("an empty pattern", folder("include: ['']"), .badValue, "5:14", "'include'"),
        .init("no flag", folder("salvage: perhaps"), .wrongType, "5:14", "'salvage'", "yes or no"),
        .init("an option that the command refuses", folder("crf: 20\n    preset: wrong"), .badValue, "6:13", "--preset is refused"),
        .init("move without a place", folder("after: move"), .contradiction, "5:12", "move-to"),
        .init("a place without move", folder("move-to: /done"), .contradiction, "5:14", "after: move"),
        .init("delete with a place", folder("after: delete\n    move-to: /done"), .contradiction, "6:14", "after: delete"),
        .init("moving to where it is", folder("after: move\n    move-to: /in/../in"), .contradiction, "6:14", "where they are"),
        .init("moving over results", folder("after: move\n    move-to: /out"), .contradiction, "6:14", "results"),
        .init("an unknown word", folder("after: delte"), .badValue, "5:12", "did you mean 'delete'?"),
        .init("input is output", "folders:\n  - {name: a, in: /x, out: /x/}\n", .contradiction, "2:28", "same folder"),
        .init("two of one name", "folders:\n  - {name: a, in: /in, out: /out}\n  - {name: a, in: /in2, out: /out2}\n", .contradiction, "3:12", "'a'"),
        .init("one output", two("in: /in, out: /out", "in: /in2, out: /./out"), .contradiction, "3:30", "'a' and 'b'"),
        .init("results are watched", two("in: /in, out: /all/out", "in: /all, out: /out2"), .contradiction, "2:29", "'b' watches", "exclude: ['out/**']"),
        .init("results are sources", two("in: /in, out: /mid", "in: /mid, out: /out2"), .contradiction, "2:29", "'b' watches"),
        .init("sources are taken from another", two("in: /in, out: /out, after: delete", "in: /in, out: /out2"), .contradiction, "2:42", "after: keep"),
        .init("sources are moved into another", two("in: /in, out: /out, after: move, move-to: /b/old", "in: /b, out: /out2"), .contradiction, "2:57", "'b' watches"),
        .init("no source", relay("targets: []"), .missingKey, "2:5", "'source'"),
        .init("a password in an address", relay("source: rtsp://u:p@camera/1"), .badValue, "3:13", "password", "source-password-file"),
        .init("a password in a target", relay("source: rtsp://camera/1\n    targets: [udp://127.0.0.1:5, rtmp://u:p@host/x]"), .badValue, "4:14", "target-password-file"),
        .init("an address that is an option", relay("source: --control"), .badValue, "3:13", "no address"),
        .init("an option of relay that is the daemon's", relay("source: rtsp://camera/1\n    json: yes"), .unknownKey, "4:5", "'json'"),
        .init("two relays at one address", "relays:\n  - {name: a, source: 'rtsp://c/1', listen: 'rtsp://127.0.0.1:1/a'}\n  - {name: b, source: 'rtsp://c/1', listen: 'rtsp://127.0.0.1:1/b'}\n", .contradiction, "3:45", "same address"),
        .init("two relays with one target", "relays:\n  - {name: a, source: 'rtsp://c/1', targets: ['udp://h:1']}\n  - {name: b, source: 'rtsp://c/1', targets: ['udp://h:1']}\n", .contradiction, "3:46", "udp://h:1"),
    ]

    @Test("is one line with its place", arguments: mistakes)
    func mistaken(_ mistake: Mistake) throws {
        let file = try ConfigurationFile(mistake.text)
        let error = #expect(throws: ConfigurationError.self) { try file.load() }
        let text = "\(error.map { "\($0)" } ?? "")"
        #expect(error?.code == mistake.code, "\(text)")
        #expect(text.hasPrefix(file.path + (mistake.place.map { ":\($0): " } ?? ": ")), "\(text)")
        #expect(!text.contains("\n"))
        for word in mistake.words { #expect(text.contains(word), "\(text)") }
        #expect(!text.contains("u:p@"), "a password is told")
    }

    @Test("what is allowed looks like a mistake", arguments: [
        two("in: /in, out: /in/out", "in: /in2, out: /in2/out"),
        two("in: /all, out: /out, exclude: ['b/**']", "in: /in, out: /all/b"),
        two("in: /same, out: /out", "in: /same, out: /out2"),
        two("in: /in, out: /inside", "in: /inside2, out: /out2"),
        "folders:\n  - {name: a, in: /in, out: /out, after: move, move-to: /in/done}\n",
        "web: {listen: '[::1]:80'}\n" + folder, "folders:\n" + "relays: [{name: r, source: rtsp://u@camera/1}]\n",
        "\u{FEFF}" + folder, folder.replacingOccurrences(of: "\n", with: "\r\n"),
    ])
    func allowed(_ text: String) throws {
        let file = try ConfigurationFile(text)
        #expect(throws: Never.self) { try file.load() }
    }

    @Test("files that are none")
    func unreadable() throws {
        let folder = try TemporaryFolder()
        let large = folder.path("large.yaml"), bytes = folder.path("bytes.yaml")
        try Data(repeating: UInt8(ascii: "#"), count: YAMLFile.most + 1).write(to: URL(fileURLWithPath: large))
        try Data([0x61, 0x3A, 0x20, 0x62, 0x0A, 0xFF, 0x0A]).write(to: URL(fileURLWithPath: bytes))
        for (path, words) in [(folder.path("none.yaml"), "cannot be read"), (folder.url.path, "cannot be read"), (large, "larger"), (bytes, ":2:1: ")] {
            let error = #expect(throws: ConfigurationError.self) { try Configuration.load(path: path, environment: [:], validate: lenient) }
            #expect(error.map { "\($0)".hasPrefix(path) && "\($0)".contains(words) } == true, "\(error.map { "\($0)" } ?? "")")
        }
    }

    @Test("deep nesting and broken files end in an error, never otherwise")
    func broken() throws {
        #expect(throws: ConfigurationError.self) { try YAMLFile.parse(String(repeating: "[", count: 100_000), file: "f") }
        var random = SeededRandom(seed: 6)
        let whole = Array(try ConfigurationMistakeTests.example().utf8)
        for _ in 0..<300 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...127, using: &random)
            }
            let file = try ConfigurationFile(String(decoding: bytes, as: UTF8.self))
            do { _ = try file.load() } catch { #expect(!"\(error)".contains("\n") && "\(error)".hasPrefix(file.path)) }
        }
    }

    static func example() throws -> String { try String(contentsOf: Units.folder.appendingPathComponent("solstice.yaml"), encoding: .utf8) }
}
