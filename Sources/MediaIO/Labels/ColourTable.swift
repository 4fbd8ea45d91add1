/// The colours that a data set shows its classes in, for looking them up pixel by pixel.
public struct ColourTable: Sendable {
    private let entries: [(colour: UInt32, id: UInt8)]
    /// Open addressing with linear probing; a power of two at least four times the number of entries.
    private var keys: [UInt32]
    private var ids: [UInt8]
    private let shift: UInt32
    private static let free = UInt32.max

    /// - Parameter entries: 0xRRGGBB and the class. Of several classes in one colour the first is the one that the colour
    ///   stands for.
    public init(_ entries: [(colour: UInt32, id: UInt8)]) {
        self.entries = entries.map { ($0.colour & 0xFF_FFFF, $0.id) }
        var bits: UInt32 = 4
        while 1 << bits < 4 * entries.count { bits += 1 }
        shift = 32 - bits
        keys = Array(repeating: Self.free, count: 1 << bits)
        ids = Array(repeating: 0, count: 1 << bits)
        for (colour, id) in self.entries where self.id(of: colour) == nil {
            let slot = slot(of: colour)
            (keys[slot], ids[slot]) = (colour, id)
        }
    }

    /// Where `colour` is, or the free slot where it would be.
    private func slot(of colour: UInt32) -> Int {
        // Knuth's multiplicative hashing, with 2^32 over the golden ratio.
        var slot = Int((colour &* 0x9E37_79B1) >> shift)
        while keys[slot] != colour, keys[slot] != Self.free { slot = (slot + 1) & (keys.count - 1) }
        return slot
    }

    /// The class that `colour` (0xRRGGBB) stands for; nil where the table lacks it.
    public func id(of colour: UInt32) -> UInt8? {
        let slot = slot(of: colour)
        return keys[slot] == colour ? ids[slot] : nil
    }

    /// True where class `id` is shown in `colour`, also where another class shares it.
    func shows(_ id: UInt8, in colour: UInt32) -> Bool { entries.contains { $0.id == id && $0.colour == colour } }

    /// The class whose colour is nearest by Euclidean distance in RGB, the first of equals; nil for an empty table.
    func nearest(to colour: UInt32) -> UInt8? {
        func channel(_ colour: UInt32, _ shift: UInt32) -> Int { Int(colour >> shift & 0xFF) }
        func distance(_ other: UInt32) -> Int {
            ([16, 8, 0] as [UInt32]).reduce(0) { sum, shift in
                let difference = channel(colour, shift) - channel(other, shift)
                return sum + difference * difference
            }
        }
        return entries.min { distance($0.colour) < distance($1.colour) }?.id
    }

    /// 0xRRGGBB as a user writes it.
    static func text(_ colour: UInt32) -> String {
        let digits = String(colour, radix: 16)
        return "#" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }
}
