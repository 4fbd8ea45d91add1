import Testing

@testable import MediaIO

/// Integers of numbers that files and users give: none of them ends the program.
@Suite struct CheckedNumberTests {
    @Test func numbersThatFit() {
        #expect(Int32(checked: 2.5) == 3 && Int32(checked: -2.5) == -3)
        #expect(Int32(checked: 2.9, .towardZero) == 2 && Int64(checked: 2.1, .up) == 3)
        #expect(Int32(nearest: 7.4) == 7)
    }

    @Test(arguments: [1e10, -1e10, .infinity, -.infinity, .nan, 0x1p31, -0x1p32, Double.greatestFiniteMagnitude])
    func numbersThatDoNot(value: Double) {
        #expect(Int32(checked: value) == nil)
        #expect(Int32(nearest: value) == (value.isNaN ? 0 : value < 0 ? .min : .max))
        #expect(Int64(nearest: value * 1e30) == (value.isNaN ? 0 : value < 0 ? .min : .max))
    }

    @Test(arguments: [0x1p55, -0x1p55, 0x1p62, 1e300, .infinity, .nan])
    func windowsOfSourcesThatStartNowhere(origin: Double) {
        for window in [TimeWindow(start: 1), TimeWindow(start: 1, end: 2), TimeWindow(start: 9e8)] {
            let failure = #expect(throws: MediaError.self) { try window.ticks(in: Rational(1, 90000), origin: origin) }
            #expect(failure?.code == .unsupportedOption)
        }
    }
}
