import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// Addresses of live sources and targets: what they are taken apart into, and that no secret is ever printed.
@Suite struct LiveAddressTests {
    private static let secret = "Zw9kQ7canary"

    @Test func partsOfAnAddress() throws {
        let address = try MediaAddress(parsing: "RTSP://ad%6Din:p%40ss:w%2Frd@Camera-1.example:8554/cam/1?channel=1&sub")
        #expect(address.scheme == .rtsp)
        #expect(address.user == "admin")
        #expect(address.secret?.text == "p@ss:w/rd")
        #expect(address.host == "Camera-1.example")
        #expect(address.port == 8554)
        #expect(address.path == "/cam/1")
        #expect(address.query == "channel=1&sub")
        #expect(address.url == "rtsp://admin:p%40ss%3Aw%2Frd@Camera-1.example:8554/cam/1?channel=1&sub")
        #expect(address.description == "rtsp://admin:***@Camera-1.example:8554/cam/1?channel=***&***")
    }

    @Test func placesWithoutLogin() throws {
        let six = try MediaAddress(parsing: "http://[2001:db8::1]:8080/live.m3u8")
        #expect(six.host == "2001:db8::1" && six.port == 8080 && !six.hasPassword)
        #expect(six.url == "http://[2001:db8::1]:8080/live.m3u8")
        let any = try MediaAddress(parsing: "udp://:1234")
        #expect(any.host.isEmpty && any.port == 1234 && any.path.isEmpty && any.url == "udp://:1234")
        let group = try MediaAddress(parsing: "udp://@239.0.0.1:1234")
        #expect(group.host == "239.0.0.1" && group.user == nil && group.url == "udp://239.0.0.1:1234")
        let bare = try MediaAddress(parsing: "rtsp://camera")
        #expect(bare.port == nil && bare.path.isEmpty && bare.url == "rtsp://camera")
        let space = try MediaAddress(parsing: "http://camera/a b\u{1b}")
        #expect(space.url == "http://camera/a%20b%1B")
        #expect(space.description == "http://camera/a b\\u{1B}")
    }

    @Test func filesAndDevices() throws {
        for (text, scheme, path) in [
            ("/dev/video0", MediaAddress.Scheme.device, "/dev/video0"), ("v4l2:///dev/video2", .device, "/dev/video2"),
            ("night.mkv", .file, "night.mkv"), ("./12:30@home.mkv", .file, "./12:30@home.mkv"), ("a:b.mkv", .file, "a:b.mkv"),
            ("file:///tmp/a%20b.mp4", .file, "/tmp/a b.mp4"), ("me@home.mkv", .file, "me@home.mkv"),
        ] {
            let address = try MediaAddress(parsing: text)
            #expect(address.scheme == scheme && address.path == path, "\(text)")
            #expect(address.url == (scheme == .file ? "file:" + path : path))
        }
    }

    /// Who knows the stream key of an RTMP server may publish there.
    @Test func aStreamKeyIsNotShown() throws {
        let address = try MediaAddress(parsing: "rtmps://live.example/app/\(Self.secret)?x=1")
        #expect(address.url == "rtmps://live.example/app/\(Self.secret)?x=1")
        #expect(address.description == "rtmps://live.example/app/***?x=***")
        #expect(address.scrubbed("publish '\(Self.secret)' failed") == "publish '***' failed")
        #expect(try MediaAddress(parsing: "rtmp://live.example/app/a=b/\(Self.secret)/").description == "rtmp://live.example/app/a=***/***/")
        // An application alone is no key, and other schemes have none.
        #expect(try MediaAddress(parsing: "rtmp://live.example/live").description == "rtmp://live.example/live")
        #expect(try MediaAddress(parsing: "rtsp://camera/live/night").description == "rtsp://camera/live/night")
    }

    @Test func aPasswordGivenApart() throws {
        let address = try MediaAddress(parsing: "rtsp://admin@camera/x").authenticated(user: nil, password: "a@b:c/d e%")
        #expect(address.url == "rtsp://admin:a%40b%3Ac%2Fd%20e%25@camera/x")
        #expect(address.description == "rtsp://admin:***@camera/x")
        let other = address.authenticated(user: "me@work", password: "x")
        #expect(other.description == "rtsp://me%40work:***@camera/x")
        #expect("\(other)" == other.description && String(reflecting: other) == other.description)
        var dumped = ""
        dump(address, to: &dumped)
        #expect(!dumped.contains("a@b"))
    }

    @Test(arguments: [
        ("foo://host/x", "foo://"), ("rtsp:/host/x", "rtsp://"), ("rtsp://", "host"), ("rtsp:///x", "host"),
        ("rtsp://host:0/x", "port"), ("rtsp://host:65536/", "port"), ("rtsp://host:/", "port"), ("rtsp://host:9a/", "port"),
        ("rtsp://ho st/", "host"), ("rtsp://[::1/", "host"), ("rtsp://[host]/", "host"), ("rtsp://a%zz@host/", "%25"),
        ("rtsp://host/%4", "%25"), ("rtsp://host/a#b", "%23"), ("rtsp://a%0d:b@host/", "control"), ("", "empty"),
        ("v4l2://dev/video0", "path"), ("udp://", "host"), ("udp://me@host:1", "no name"), ("srt://:a@host:1", "no name"),
    ])
    func whatIsNoAddress(_ text: String, _ word: String) throws {
        let error = try #require(throws: MediaError.self) { try MediaAddress(parsing: text) }
        #expect(error.code == .unsupportedOption)
        #expect(error.description.contains(word), "\(error)")
    }

    /// A password that is not escaped may end anywhere: either it is understood, or refused without being repeated.
    @Test(arguments: ["a@b", "a:b", "12/b", "a/b", "12?b", "a?b=c", "12#b", "a b", "@", "://", "é", "a%", "%41", "1/2@3", "/", "a'b\""])
    func passwordsOfAnyKind(_ odd: String) throws {
        for word in [odd + Self.secret, Self.secret + odd, odd + Self.secret + odd] {
            for text in ["rtsp://me:\(word)@camera:554/x", "http://me:\(word)@camera/x", "me:\(word)@camera/x", "rtsp:/me:\(word)@camera"] {
                do throws(MediaError) {
                    let address = try MediaAddress(parsing: text)
                    #expect(!address.description.contains(Self.secret), "\(address)")
                    #expect(address.host == "camera" && address.user == "me", "\(address)")
                    #expect(address.secret?.text == MediaAddress.decoded(word))
                } catch {
                    #expect(!error.description.contains(Self.secret), "\(error)")
                }
            }
            let apart = try MediaAddress(parsing: "rtsp://me@camera/x").authenticated(user: nil, password: word)
            let taken = try MediaAddress(parsing: apart.url)
            #expect(taken == apart)
        }
    }

    @Test func secretsInPathsAndQueries() throws {
        let address = try MediaAddress(parsing: "rtsp://camera/user=admin&password=\(Self.secret)&stream=0.sdp?key=\(Self.secret)")
        #expect(address.description == "rtsp://camera/user=***&password=***&stream=***?key=***")
        #expect(!address.scrubbed("404 \(address.url) not found: \(Self.secret)").contains(Self.secret))
    }

    @Test func wordsOfOthersAreScrubbed() throws {
        let address = try MediaAddress(parsing: "rtsp://me@camera/x").authenticated(user: nil, password: Self.secret + "@/")
        for text in [
            address.url, "open \(address.url) failed", "me:\(Self.secret)@/", "\(Self.secret)%40%2F", "http://u:\(Self.secret)@h/",
            "moved to https://cdn/x?token=\(Self.secret)", "https://cdn/x?\(Self.secret.prefix(6))",
        ] {
            #expect(!address.scrubbed(text).contains("Zw9kQ7"), "\(address.scrubbed(text))")
        }
        #expect(address.scrubbed("a\u{1b}[2Jb") == "a\\u{1B}[2Jb")
        let short = address.authenticated(user: nil, password: "e")
        #expect(short.scrubbed("the server denies :e@ e") == "the server denies :***@ ***")
    }

    @Test func tooLongForTheClient() throws {
        let address = try MediaAddress(parsing: "rtsp://me@camera/x")
        try address.authenticated(user: nil, password: String(repeating: "a", count: 120)).checkLengths()
        let error = try #require(throws: MediaError.self) {
            try address.authenticated(user: nil, password: String(repeating: "@", count: 60)).checkLengths()
        }
        #expect(error.description.contains("rtsp://me:***@camera/x"))
        #expect(throws: MediaError.self) { try MediaAddress(parsing: String(repeating: "a", count: 5000)) }
    }

    /// Addresses damaged at random, and every beginning of them: no crash, and the password is not shown.
    @Test func mutations() throws {
        var random = SeededRandom(seed: 5)
        let seeds = [
            "rtsp://admin:\(Self.secret)@192.168.1.2:554/Streaming/Channels/101?transportmode=unicast&x=@y",
            "http://me:a@b:c/\(Self.secret)@[fe80::1%25eth0]:80/live/index.m3u8", "srt://host:9000?passphrase=\(Self.secret)&mode=caller",
            "rtmps://live.example/app/x?key=\(Self.secret)", "rtsp://camera/user=admin_password=\(Self.secret)_channel=1.sdp",
        ]
        let odd = Array("@:/?#%[]=& .\\\u{0}\u{1b}é0a".utf8)
        var parsed = 0
        for round in 0..<10_000 {
            var bytes = Array(seeds[round % seeds.count].utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.insert(odd.randomElement(using: &random) ?? 0, at: place)
                case 2: bytes.remove(at: place)
                default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 8)], at: place)
                }
            }
            parsed += try check(String(decoding: bytes, as: UTF8.self)) ? 1 : 0
        }
        #expect(parsed > 1000 && parsed < 9999)
        for seed in seeds { for length in 0...seed.count { _ = try check(String(seed.prefix(length))) } }
    }

    /// True where `text` is an address. The secret may be shown as host, path or scheme only where it is no password.
    private func check(_ text: String) throws -> Bool {
        do throws(MediaError) {
            let address = try MediaAddress(parsing: text)
            let again = address.scheme == .device ? address : try MediaAddress(parsing: address.scheme == .file ? address.path : address.url)
            if address.scheme != .file { #expect(again.url == address.url) }
            #expect(!address.description.unicodeScalars.contains { $0.value < 0x20 })
            let isSecret = address.secret?.text.contains(Self.secret) == true || address.query?.contains("=" + Self.secret) == true
            if isSecret { #expect(!address.description.contains(Self.secret), "\(text) -> \(address)") }
            return true
        } catch {
            #expect(error.code == .unsupportedOption)
            #expect(!error.description.contains(Self.secret), "\(text) -> \(error)")
            return false
        }
    }
}

/// The time until which blocking calls may wait.
@Suite struct LiveInterruptTests {
    @Test func expiry() throws {
        let interrupt = Interrupt()
        try interrupt.check()
        interrupt.expire(after: .zero)
        #expect(interrupt.isExpired && !interrupt.isTriggered)
        #expect(interrupt.callback.callback?(interrupt.callback.opaque) == 1)
        let stalled = try #require(throws: MediaError.self) { try interrupt.check() }
        #expect(stalled.code == .stalled)
        interrupt.expire(after: .seconds(3600))
        #expect(!interrupt.isExpired)
        interrupt.expire(after: .seconds(Int64.max))
        #expect(!interrupt.isExpired)
        interrupt.expire(after: .seconds(-1))
        #expect(interrupt.isExpired)
        interrupt.expire(after: nil)
        #expect(!interrupt.isExpired)
        #expect(interrupt.callback.callback?(interrupt.callback.opaque) == 0)
        interrupt.trigger()
        let cancelled = try #require(throws: MediaError.self) { try interrupt.check() }
        #expect(cancelled.code == .cancelled)
    }
}
