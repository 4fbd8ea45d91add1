import Testing

@testable import TSIT

/// The data sets' colours, against what their own tools say of a few well-known classes.
@Suite struct LabelColoursTests {
    private func colour(_ id: UInt8, _ table: [(colour: UInt32, id: UInt8)]) -> UInt32? { table.first { $0.id == id }?.colour }

    @Test func cityscapes() {
        let table = LabelColours.cityscapes
        #expect(table.map(\.id) == Array(0...33))
        // Black five times, and pole and group of poles alike.
        #expect(Set(table.map(\.colour)).count == 34 - 4 - 1)
        #expect(table[0..<5].allSatisfy { $0.colour == 0 } && table[17].colour == table[18].colour)
        let known: [(UInt8, UInt32)] = [(7, 0x804080), (8, 0xF423E8), (11, 0x464646), (21, 0x6B8E23), (23, 0x4682B4), (24, 0xDC143C), (26, 0x00008E), (33, 0x770B20)]
        for (id, value) in known { #expect(colour(id, table) == value) }
    }

    @Test func ade20k() {
        let table = LabelColours.ade20k
        #expect(table.map(\.id) == Array(0..<150) + [255])
        #expect(Set(table.map(\.colour)).count == 150)
        #expect(table[6].colour == table[48].colour && colour(255, table) == 0)
        let known: [(UInt8, UInt32)] = [(0, 0x787878), (1, 0xB47878), (2, 0x06E6E6), (4, 0x04C803), (12, 0x96053D), (20, 0x0066C8), (127, 0xFFF500), (149, 0x5C00FF)]
        for (id, value) in known { #expect(colour(id, table) == value) }
    }
}
