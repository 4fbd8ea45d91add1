import MediaIO
import Testing

@testable import solstice

@Suite struct RelayAddressTests {
    @Test func aNameNeedsAPassword() throws {
        let address = try MediaAddress(parsing: "rtsp://camera/x")
        #expect(throws: MediaError.self) { try address.withPassword(nil, user: "ann", "--source-user") }
        #expect(try address.withPassword("secret", user: "ann", "--source-user").description == "rtsp://ann:***@camera/x")
        #expect(try address.withPassword(nil, user: nil, "--source-user") == address)
    }

    /// One password is given for all targets; those that know none are left as they are.
    @Test(arguments: ["udp://127.0.0.1:5000", "srt://host:9000?mode=caller", "night.mkv"])
    func someAddressesTakeNoPassword(text: String) throws {
        let address = try MediaAddress(parsing: text)
        #expect(try address.withPassword("secret", user: "ann", "--target-user") == address)
    }

    /// A name may belong to any host, whatever it begins with.
    @Test(arguments: [
        ("127.0.0.1", true), ("127.1.2.3", true), ("localhost", true), ("[::1]", true), ("127.example.com", false), ("0.0.0.0", false),
    ])
    func loopback(host: String, isLoopback: Bool) throws {
        #expect(try MediaAddress(parsing: "rtsp://\(host):8554/night").isLoopback == isLoopback)
    }
}
