/// The checksum of zip records (ISO 3309, polynomial 0xEDB88320 reflected), eight bytes per step.
struct CRC32 {
    private var state: UInt32 = 0xffff_ffff

    /// Eight tables of 256: table k gives the effect of a byte that k more bytes follow.
    private static let tables: [UInt32] = {
        var tables: [UInt32] = []
        for byte in UInt32(0)..<256 {
            var value = byte
            for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0xedb8_8320 : value >> 1 }
            tables.append(value)
        }
        for index in 256..<2048 {
            let previous = tables[index - 256]
            tables.append((previous >> 8) ^ tables[Int(previous & 255)])
        }
        return tables
    }()

    var value: UInt32 { ~state }

    mutating func update(_ bytes: [UInt8]) {
        var state = state
        Self.tables.withUnsafeBufferPointer { table in
            bytes.withUnsafeBytes { raw in
                var index = 0
                while index + 8 <= raw.count {
                    let word = raw.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian ^ UInt64(state)
                    var next: UInt32 = 0
                    for lane in 0..<8 {
                        next ^= table[256 * (7 - lane) + Int(truncatingIfNeeded: (word >> UInt64(8 * lane)) & 255)]
                    }
                    state = next
                    index += 8
                }
                while index < raw.count {
                    state = (state >> 8) ^ table[Int((state ^ UInt32(raw[index])) & 255)]
                    index += 1
                }
            }
        }
        self.state = state
    }
}
