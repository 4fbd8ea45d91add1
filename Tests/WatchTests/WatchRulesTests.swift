import SystemPackage
import Testing

@testable import Watch

@Suite struct GlobTests {
    private func matches(_ pattern: String, _ path: FilePath, isFolder: Bool = false) throws -> Bool {
        let subject = GlobSubject(path)
        return try Glob.parse(pattern).contains { $0.matches(subject, isFolder: isFolder) }
    }

    @Test(arguments: [
        ("*.mp4", "a.mp4", true), ("*.mp4", "x/y/A.MP4", true), ("*.mp4", "a.mp4x", false), ("*.mp4", "mp4", false),
        ("a?c", "abc", true), ("a?c", "a/c", false), ("a?c", "aäc", true), ("a?c", "ac", false),
        ("a*c", "abbc", true), ("a*c", "ab/c", false), ("*", "x/anything", true), ("a*b*c*d", "axbxcxd", true), ("a*b*c*d", "axbxcx", false),
        ("x/*.mp4", "x/a.mp4", true), ("x/*.mp4", "y/x/a.mp4", false), ("x/*.mp4", "x/y/a.mp4", false),
        ("/a.mp4", "a.mp4", true), ("/a.mp4", "x/a.mp4", false),
        ("**/a.mp4", "a.mp4", true), ("**/a.mp4", "x/y/a.mp4", true), ("**/a.mp4", "xa.mp4", false),
        ("x/**/a.mp4", "x/a.mp4", true), ("x/**/a.mp4", "x/1/2/a.mp4", true), ("x/**/a.mp4", "x/1/ba.mp4", false),
        ("x/**", "x/1/2", true), ("x/**", "x", false), ("**", "x/1/2", true), ("a**b", "aXXb", true), ("**/x/**/y", "1/x/2/3/y", true),
        ("[a-c]x", "bx", true), ("[a-c]x", "dx", false), ("[!a-c]x", "dx", true), ("[!a-c]x", "bx", false), ("[]a]", "]", true),
        ("[^a]", "b", true), ("[a-]", "-", true), ("[A-C]x", "bx", true), ("a[!b]c", "a/c", false), ("[\\]]", "]", true),
        ("*.{mp4,mkv}", "a.mkv", true), ("*.{mp4,mkv}", "a.mp4", true), ("*.{mp4,mkv}", "a.avi", false), ("{a,b{c,d}}", "bd", true),
        ("{,x}a", "a", true), ("\\*", "*", true), ("\\*", "a", false), ("\\{a\\}", "{a}", true), ("ÄÖ", "äö", true),
        ("a,b", "a,b", true), ("extras/", "extras/a.mp4", true), ("extras/", "x/extras/1/a.mp4", true), ("extras/", "extras", false),
        ("x/extras/", "x/extras/a", true), ("x/extras/", "y/x/extras/a", false), ("a\nb", "a\nb", true),
    ])
    func names(_ pattern: String, _ path: String, _ expected: Bool) throws {
        #expect(try matches(pattern, FilePath(path)) == expected)
    }

    @Test func aPatternWithASlashAtItsEndMatchesFolders() throws {
        #expect(try matches("extras/", "extras", isFolder: true))
        #expect(try matches("extras/", "x/extras", isFolder: true))
        #expect(try !matches("/extras/", "x/extras", isFolder: true))
    }

    @Test func bytesThatAreNoUTF8() throws {
        let path = try path([0x61, 0xFF, 0xE4, 0x2E, 0x4D, 0x50, 0x34])  // a\xFF\xE4.MP4
        #expect(try matches("*.mp4", path))
        #expect(try matches("a??.mp4", path))
        #expect(try !matches("a?.mp4", path))
        // The byte 0xE4 is no ä.
        #expect(try !matches("*ä.mp4", path))
    }

    @Test(arguments: ["", "[a", "{a,b", "a\\", "[z-a]", "/", "{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}", "a\0b", String(repeating: "a", count: 5000)])
    func badPatterns(_ pattern: String) {
        #expect { try Glob.parse(pattern) } throws: { ($0 as? WatchError)?.code == .badPattern }
    }

    /// A pattern that backtracking would never be done with.
    @Test func manyStarsTakeNoTime() throws {
        let pattern = String(repeating: "*a", count: 30) + "*b"
        #expect(try !matches(pattern, FilePath(String(repeating: "a", count: 200))))
        #expect(try !matches(String(repeating: "**/", count: 30) + "b", FilePath(String(repeating: "a/", count: 100) + "a")))
    }
}

@Suite struct WatchRulesTests {
    private func rules(include: [String]? = nil, exclude: [String] = [], ignored: [FilePath] = []) throws -> WatchRules {
        guard let include else { return try WatchRules(root: "/in", exclude: exclude, ignored: ignored) }
        return try WatchRules(root: "/in", include: include, exclude: exclude, ignored: ignored)
    }

    @Test(arguments: [
        ("a.mp4", true), ("A.MKV", true), ("x/y/a b.mov", true), ("a.txt", false), ("mp4", false), (".a.mp4", false), ("a.mp4~", false),
        ("a.mp4.part", false), ("a.mp4.PART", false), ("a.tmp", false), ("a.crdownload", false), ("a.mp4.filepart", false),
        (".hidden/a.mp4", false), ("x/.hidden/y/a.mp4", false), (".solstice-12/a.mp4", false), ("lost+found/a.mp4", false),
        ("$RECYCLE.BIN/a.mp4", false), ("a.swp", false),
    ])
    func whatIsTakenByDefault(_ path: String, _ expected: Bool) throws {
        #expect(try rules().admits(FilePath(path)) == expected)
    }

    @Test func unfinishedNamesStayOutWhateverIsIncluded() throws {
        let all = try rules(include: ["*"])
        for name in ["a.part", ".a", "a~", "x.tmp", "b.!qB", "c.aria2"] { #expect(!all.admits(FilePath(name)), "\(name)") }
        #expect(all.admits("part"))
        #expect(all.admits("a"))
    }

    @Test func exclusionsKeepFilesAndFoldersOut() throws {
        let rules = try rules(exclude: ["*-proxy.*", "trailers/", "/old"])
        #expect(rules.admits("a.mp4"))
        #expect(!rules.admits("x/a-proxy.mp4"))
        #expect(!rules.admits("x/trailers/a.mp4"))
        #expect(!rules.admits("old/a.mp4"))
        #expect(rules.admits("x/old/a.mp4"))
        #expect(!rules.admitsFolder("x/trailers"))
    }

    @Test func ignoredFoldersBelowTheRoot() throws {
        let rules = try rules(ignored: ["/in/out", "/elsewhere", "/in/x/../y"])
        #expect(!rules.admits("out/a.mp4"))
        #expect(!rules.admits("out/x/a.mp4"))
        #expect(!rules.admits("y/a.mp4"))
        #expect(rules.admits("x/out/a.mp4"))
        #expect(rules.admits("outer/a.mp4"))
    }

    @Test func rulesAreEqualWhereTheyWereMadeOfTheSame() throws {
        #expect(try rules(exclude: ["a"]) == rules(exclude: ["a"]))
        #expect(try rules(exclude: ["a"]) != rules(exclude: ["b"]))
    }
}

/// A path of any bytes.
func path(_ bytes: [UInt8]) throws -> FilePath {
    (bytes.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer { FilePath(platformString: $0.baseAddress!) }
}
