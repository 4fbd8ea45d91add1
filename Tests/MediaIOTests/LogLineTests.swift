import Testing

@testable import MediaIO

@Suite struct LogLineTests {
    @Test func addressesAreLeftOut() {
        #expect(AV.withoutAddress("[mov,mp4 @ 0x7f0c2a] moov atom not found") == "[mov,mp4] moov atom not found")
        #expect(AV.withoutAddress("plain @ 0x12 line") == "plain @ 0x12 line")
        #expect(AV.withoutAddress("[open @ 0x12") == "[open @ 0x12")
    }

    @Test func adviceInFurtherLinesIsLeftOut() {
        #expect(AV.firstLine("Could not find codec parameters\nConsider increasing the value") == "Could not find codec parameters")
        #expect(AV.firstLine("one line") == "one line" && AV.firstLine("") == "")
    }
}
