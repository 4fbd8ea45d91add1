/// Opcodes of the pickle protocols 2 to 5 (Python's `pickletools`).
enum Opcode {
    static let mark = UInt8(ascii: "(")
    static let none = UInt8(ascii: "N")
    static let newTrue: UInt8 = 0x88
    static let newFalse: UInt8 = 0x89
    static let binInt = UInt8(ascii: "J")
    static let binInt1 = UInt8(ascii: "K")
    static let binInt2 = UInt8(ascii: "M")
    static let long1: UInt8 = 0x8a
    static let binFloat = UInt8(ascii: "G")
    static let shortBinString = UInt8(ascii: "U")
    static let binString = UInt8(ascii: "T")
    static let shortBinUnicode: UInt8 = 0x8c
    static let binUnicode = UInt8(ascii: "X")
    static let binUnicode8: UInt8 = 0x8d
    static let emptyTuple = UInt8(ascii: ")")
    static let emptyList = UInt8(ascii: "]")
    static let emptyDictionary = UInt8(ascii: "}")

    static let proto: UInt8 = 0x80
    static let frame: UInt8 = 0x95
    static let binPut = UInt8(ascii: "q")
    static let longBinPut = UInt8(ascii: "r")
    static let memoize: UInt8 = 0x94
    static let binGet = UInt8(ascii: "h")
    static let longBinGet = UInt8(ascii: "j")

    static let tuple = UInt8(ascii: "t")
    static let tuple1: UInt8 = 0x85
    static let tuple2: UInt8 = 0x86
    static let tuple3: UInt8 = 0x87
    static let append = UInt8(ascii: "a")
    static let appends = UInt8(ascii: "e")
    static let setItem = UInt8(ascii: "s")
    static let setItems = UInt8(ascii: "u")

    static let global = UInt8(ascii: "c")
    static let stackGlobal: UInt8 = 0x93
    static let reduce = UInt8(ascii: "R")
    static let build = UInt8(ascii: "b")
    static let binPersistentID = UInt8(ascii: "Q")

    /// Opcodes that exist but are never honoured.
    static let refused: [UInt8: String] = [
        UInt8(ascii: "i"): "INST", UInt8(ascii: "o"): "OBJ", 0x81: "NEWOBJ", 0x92: "NEWOBJ_EX",
        0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", UInt8(ascii: "P"): "PERSID",
        UInt8(ascii: "0"): "POP", UInt8(ascii: "1"): "POP_MARK", UInt8(ascii: "2"): "DUP",
        UInt8(ascii: "I"): "INT", UInt8(ascii: "L"): "LONG", 0x8b: "LONG4", UInt8(ascii: "F"): "FLOAT",
        UInt8(ascii: "S"): "STRING", UInt8(ascii: "V"): "UNICODE", UInt8(ascii: "g"): "GET", UInt8(ascii: "p"): "PUT",
        UInt8(ascii: "l"): "LIST", UInt8(ascii: "d"): "DICT", 0x8f: "EMPTY_SET", 0x90: "ADDITEMS", 0x91: "FROZENSET",
        UInt8(ascii: "B"): "BINBYTES", UInt8(ascii: "C"): "SHORT_BINBYTES", 0x8e: "BINBYTES8", 0x96: "BYTEARRAY8",
        0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
    ]
}
