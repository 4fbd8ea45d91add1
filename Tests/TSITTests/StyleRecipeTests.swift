import Testing

@testable import TSIT

@Suite("Recipes of styles")
struct StyleRecipeTests {
    /// What a text is read as while `files` exist: `reference*weight`, joined by spaces.
    private static func read(_ text: String, files: Set<String> = []) throws -> String {
        try StyleRecipe(parsing: text, exists: files.contains).parts.map { "\($0.reference)*\($0.weight)" }
            .joined(separator: " ")
    }

    @Test("Texts that make sense", arguments: [
        ("dusk", "dusk*1.0"), ("a.style:0.7,b.style:0.3", "a.style*0.7 b.style*0.3"), ("a,b,c", "a*1.0 b*1.0 c*1.0"),
        ("a:2,b", "a*2.0 b*1.0"), ("a:0,b:1e-3", "a*0.0 b*0.001"), (" a : 0.5 , b ", "a*0.5 b*1.0"),
        ("a,a:2", "a*1.0 a*2.0"), ("http://x/y.jpg", "http://x/y.jpg*1.0"), ("night:.5", "night*0.5"),
        ("pictures of snow/a b.jpg:3", "pictures of snow/a b.jpg*3.0"),
    ])
    func good(text: String, expected: String) throws { #expect(try Self.read(text) == expected) }

    @Test("A file that exists is that file, whatever its name looks like", arguments: [
        ("a:0.5", ["a:0.5"], "a:0.5*1.0"), ("a:0.5:2", ["a:0.5"], "a:0.5*2.0"), ("x,y.jpg", ["x,y.jpg"], "x,y.jpg*1.0"),
        ("x,y.jpg:0.2,b:0.8", ["x,y.jpg"], "x,y.jpg*0.2 b*0.8"), ("b,x,y,z.jpg", ["x,y,z.jpg"], "b*1.0 x,y,z.jpg*1.0"),
        ("x,y", ["x", "y"], "x*1.0 y*1.0"), ("x,y", ["x", "y", "x,y"], "x,y*1.0"), ("a:dusk.jpg", ["a:dusk.jpg"], "a:dusk.jpg*1.0"),
        ("a:nan", ["a:nan"], "a:nan*1.0"), (",", [","], ",*1.0"), (" a", [" a"], " a*1.0"), ("a, b", ["a", " b"], "a*1.0  b*1.0"),
    ])
    func files(text: String, files: [String], expected: String) throws {
        #expect(try Self.read(text, files: Set(files)) == expected)
    }

    @Test("Texts that make none name the item", arguments: [
        ("", "empty style"), (",", "empty item"), ("a,", "empty item"), ("a,,b", "empty item"), ("  ", "empty item"),
        ("a:nan", "'nan' of 'a'"), ("a:inf", "'inf' of 'a'"), ("a:0x1", "'0x1' of 'a'"), ("b,a:dusk", "'dusk' of 'a'"),
        ("a:", "'' of 'a'"), ("a:-1", "'a:-1' is negative"), ("b,:0.5", "':0.5'"), ("a:0", "all 0"), ("a:0,b:0", "all 0"),
        ("a:1e308,b:1e308", "too large"), ("a:1e999", "'1e999' of 'a'"),
    ])
    func bad(text: String, words: String) {
        let error = tsitError { _ = try Self.read(text) }
        #expect(error?.code == .badTimeline && error?.message.contains(words) == true, "\(text): \(error.map { "\($0)" } ?? "read")")
    }

    @Test("Its own description is read as the same recipe")
    func roundTrip() throws {
        let files: Set<String> = ["x,y.jpg", "a:0.5", "plain"]
        for text in ["dusk", "a:0.7,b:0.3", "x,y.jpg:2,a:0.5", "a:0.5:0.25,plain", "x:1:1", "b:3,c:1e-7,d:1e20"] {
            let recipe = try StyleRecipe(parsing: text, exists: files.contains)
            #expect(try StyleRecipe(parsing: recipe.description, exists: files.contains) == recipe, "\(text): \(recipe)")
        }
        #expect(StyleRecipe(reference: "a,b:1").parts.map(\.reference) == ["a,b:1"])
    }

    @Test("Files are looked for on the disk")
    func disk() throws {
        let folder = try TemporaryFolder()
        let odd = try folder.file("rain, heavy:0.9", [1])
        #expect(try StyleRecipe(parsing: odd).parts.map(\.reference) == [odd])
        #expect(try StyleRecipe(parsing: "\(odd):2,b").parts.map(\.reference) == [odd, "b"])
        // A folder is no style.
        #expect(!isFile(folder.path) && isFile(odd) && !isFile(odd + "x"))
    }

    @Test("Times", arguments: [
        ("0", 0), ("90", 90), ("1.25", 1.25), ("1:30", 90), ("0:00:01.5", 1.5), ("2:00:00", 7200), ("10:05.25", 605.25), ("90:00", 5400),
    ])
    func times(text: String, seconds: Double) { #expect(MediaTime.seconds(text) == seconds) }

    @Test("What is no time", arguments: [
        "", ":", "1:", ":1", "-1", "+1", "1:60", "1:2:60", "1:60:00", "1:2:3:4", "nan", "inf", "1e3", "0x10", " 1", "1 ", "1,5", "1.5:30",
        ".5", "1..5", "١", String(repeating: "9", count: 400),
    ])
    func noTimes(text: String) { #expect(MediaTime.seconds(text) == nil) }

    @Test("Times as text are read as the same times")
    func timeText() {
        for (seconds, text) in [(0, "0:00"), (8.84, "0:08.84"), (61.5, "1:01.5"), (3600, "1:00:00"), (7325.001, "2:02:05.001")] {
            #expect(MediaTime.text(seconds) == text && MediaTime.seconds(text) == seconds)
        }
    }
}

@Suite("Styles and strengths at moments")
struct StyleScheduleTests {
    /// `seconds=recipe`, joined by spaces.
    private static func read(_ text: String, files: Set<String> = []) throws -> String {
        try StyleSchedule.parse(text, exists: files.contains).map { "\($0.seconds)=\($0.recipe)" }.joined(separator: " ")
    }

    @Test("Schedules that make sense", arguments: [
        ("0:00=day.style,0:20=dusk.style,0:40=night.style", "0.0=day.style 20.0=dusk.style 40.0=night.style"),
        ("5=a:0.5,b:0.5,1:00=c", "5.0=a:0.5,b:0.5 60.0=c"), ("0=a", "0.0=a"), ("0=a,b", "0.0=a,b"),
        ("1.5=a, 2.5 = b", "1.5=a 2.5=b"), ("0=x=y.jpg", "0.0=x=y.jpg"), ("0=a,k=v.jpg,1=b", "0.0=a,k=v.jpg 1.0=b"),
    ])
    func good(text: String, expected: String) throws { #expect(try Self.read(text) == expected) }

    @Test("A file's name may hold commas and colons in a schedule too")
    func files() throws {
        #expect(try Self.read("0=rain, heavy:0.9,5=b", files: ["rain, heavy:0.9"]) == "0.0=rain, heavy:0.9:1 5.0=b")
    }

    @Test("Schedules that make none name the item", arguments: [
        ("", "empty item"), ("day.style", "'day.style' has no time"), ("a=b", "'a' in 'a=b'"), ("0=a,0=b", "'0=b' is not later than '0=a'"),
        ("5=a,4.9=b", "'4.9=b'"), ("0=a,0:75=b", "'0:75' in '0:75=b'"), ("-1=a", "'-1'"), ("nan=a", "'nan'"), ("0=a,inf=b", "'inf'"),
        ("0=a,=b", "'' in '=b'"), ("0=", "empty style at 0"), ("0=a,5=b:-1", "'b:-1' is negative at 5"), ("0=a,,5=b", "empty item"), ("@", "no file"),
    ])
    func bad(text: String, words: String) {
        let error = tsitError { _ = try Self.read(text) }
        #expect(error?.code == .badTimeline && error?.message.contains(words) == true, "\(text): \(error.map { "\($0)" } ?? "read")")
    }

    @Test("Strengths")
    func strengths() throws {
        let timeline = try StrengthSchedule.parse("0=0,0:10=1,20=0.5")
        #expect(timeline.keyframes.map(\.seconds) == [0, 10, 20] && timeline.keyframes.map(\.value) == [0, 1, 0.5])
        #expect(timeline.value(at: 5) == 0.5 && timeline.value(at: 99) == 0.5)
        for (text, words) in [
            ("0=1.5", "'1.5'"), ("0=-0.1", "'-0.1'"), ("0=nan", "'nan'"), ("0=", "''"), ("0=half", "'half'"), ("0=0.5,1", "'0.5,1'"),
            ("10=1,5=0", "'5=0' is not later"),
        ] {
            let error = tsitError { _ = try StrengthSchedule.parse(text) }
            #expect(error?.code == .badTimeline && error?.message.contains(words) == true, "\(text): \(error.map { "\($0)" } ?? "read")")
        }
    }

    @Test("A file has one keyframe a line, and comments; mistakes in it name the line")
    func file() throws {
        let folder = try TemporaryFolder()
        let text = "\u{FEFF}# from day to night\r\n0:00 = day\r\n\r\n0:20=dusk:0.5,night:0.5   # half\n  0:40=night#1\n"
        let path = try folder.file("times.txt", Array(text.utf8))
        #expect(try Self.read("@\(path)") == "0.0=day 20.0=dusk:0.5,night:0.5 40.0=night#1")
        let strengths = try folder.file("strengths.txt", Array("0=0\n10=1".utf8))
        #expect(try StrengthSchedule.parse("@\(strengths)").value(at: 5) == 0.5)
        for (lines, words) in [
            ("0=day\n\nnight\n", "'night' has no time in line 3 of"), ("0=a\n5=b:nan\n", "'nan' of 'b' is not a number in line 2 of"),
            ("0=a\n# x\n0=b", "in line 3 of"), ("0=a\n1:99=b", "'1:99' in '1:99=b' in line 2 of"), ("# nothing\n", "has no keyframe"), ("", "has no keyframe"),
        ] {
            let path = try folder.file("bad.txt", Array(lines.utf8))
            let error = tsitError { _ = try Self.read("@\(path)") }
            #expect(error?.code == .badTimeline && error?.message.contains(words) == true, "\(lines): \(error.map { "\($0)" } ?? "read")")
            #expect(error?.message.contains("bad.txt") == true)
        }
        #expect(tsitError { _ = try Self.read("@\(folder.path)/none.txt") }?.code == .noSuchFile)
        #expect(tsitError { _ = try Self.read("@\(folder.path)") }?.code == .noSuchFile)
        let noise = try folder.file("noise.txt", [0x30, 0x3D, 0xFF, 0xFE])
        #expect(tsitError { _ = try Self.read("@\(noise)") }?.message.contains("UTF-8") == true)
        let long = try folder.file("long.txt", [UInt8](repeating: 0x20, count: 1 << 20 | 1))
        #expect(tsitError { _ = try Self.read("@\(long)") }?.message.contains("too long") == true)
    }
}
