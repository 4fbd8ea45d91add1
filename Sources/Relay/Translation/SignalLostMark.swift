internal import MediaIO

/// Draws the words that tell a viewer that the picture stands still because the source is gone.
enum SignalLostMark {
    private static let words = "SIGNAL LOST"

    /// Five columns by seven rows for each letter, a row a byte, the leftmost column in bit 4.
    private static let glyphs: [Character: [UInt8]] = [
        "S": [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110],
        "I": [0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        "G": [0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01110],
        "N": [0b10001, 0b11001, 0b10101, 0b10101, 0b10011, 0b10001, 0b10001],
        "A": [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        "L": [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        "O": [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        "T": [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
        " ": [0, 0, 0, 0, 0, 0, 0],
    ]

    /// Draws the mark into the upper left corner of `frame`, which belongs to the caller alone, about an eighth as wide as
    /// half the picture.
    static func draw(on frame: Frame, format: LiveFormat) throws(MediaError) {
        let columns = words.count * 6 - 1
        // Dots of at least one sample; even, so that the box lies on whole chroma samples.
        let dot = max(1, format.width / 3 / columns)
        let margin = max(2, dot * 2) & ~1
        let width = (columns + 4) * dot + 1 & ~1, height = (7 + 4) * dot + 1 & ~1
        guard margin + width <= format.width, margin + height <= format.height else { return }
        try frame.paint(x: margin, y: margin, width: width, height: height, luma: 32)
        for (place, letter) in words.enumerated() {
            for (row, bits) in (glyphs[letter] ?? []).enumerated() {
                for column in 0..<5 where bits & (0b10000 >> UInt8(column)) != 0 {
                    try frame.paint(
                        x: margin + (place * 6 + column + 2) * dot, y: margin + (row + 2) * dot, width: dot, height: dot, luma: 225)
                }
            }
        }
    }
}
