/// Reads pickles (protocols 2 to 5) that describe tensors, and nothing else.
///
/// A pickle is a program. This machine knows the opcodes that build numbers, strings and containers; those that call
/// something (`REDUCE`, `BUILD`, persistent ids) only in the forms of `PickleMachine+Rebuild`, where no code of the
/// file runs. Every other opcode ends the reading. Opcodes: Python's `pickletools`.
struct PickleMachine {
    private let bytes: [UInt8]
    /// Offset of the next opcode: after `run` the first byte behind the pickle.
    private(set) var position: Int
    private(set) var opcodeOffset = 0
    private var stack: [PickleValue] = []
    private var memo: [Int: PickleValue] = [:]

    var tuples: [[PickleValue]] = []
    var lists: [[PickleValue]] = []
    var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
    /// Every storage that a persistent id named, by its key.
    var storages: [String: StorageReference] = [:]

    /// Most values on the stack, in the memo, and containers of a kind. A state dict needs about ten per tensor.
    private let limit: Int
    /// Elements that containers may still take. One costs as little as a byte of pickle and takes some eighty of memory; a state
    /// dict needs about twenty per tensor.
    private var elementsLeft: Int
    /// Most bytes of pickle that are read: that of a state dict has about 150 per tensor.
    static let longestPickle = 16 << 20

    /// A machine that reads from `position` of `bytes`.
    init(_ bytes: [UInt8], at position: Int = 0) {
        self.bytes = bytes
        self.position = position
        limit = min(bytes.count, 1 << 20)
        elementsLeft = limit
    }

    /// Runs one pickle up to its `STOP`; stack and memo start empty.
    mutating func run() throws(PickleError) -> PickleValue {
        stack = []
        memo = [:]
        while true {
            opcodeOffset = position
            let opcode = try byte()
            if opcode == UInt8(ascii: ".") { return try pop() }
            if try pushes(opcode) { continue }
            if try stores(opcode) { continue }
            if try builds(opcode) { continue }
            if try calls(opcode) { continue }
            throw Opcode.refused[opcode].map { refused("the opcode \($0)") }
                ?? malformed("0x\(String(opcode, radix: 16)) is no pickle opcode")
        }
    }

    // MARK: Opcodes

    /// Opcodes that push a plain value.
    private mutating func pushes(_ opcode: UInt8) throws(PickleError) -> Bool {
        switch opcode {
        case Opcode.mark: try push(.mark)
        case Opcode.none: try push(.none)
        case Opcode.newTrue: try push(.bool(true))
        case Opcode.newFalse: try push(.bool(false))
        case Opcode.binInt: try push(.int(Int64(Int32(truncatingIfNeeded: try unsigned(4)))))
        case Opcode.binInt1: try push(.int(Int64(try unsigned(1))))
        case Opcode.binInt2: try push(.int(Int64(try unsigned(2))))
        case Opcode.long1: try push(Self.long(try take(try unsigned(1))))
        case Opcode.binFloat:
            let bits = try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            try push(.float(Double(bitPattern: bits)))
        case Opcode.shortBinUnicode, Opcode.shortBinString: try push(.text(try text(try unsigned(1))))
        case Opcode.binUnicode, Opcode.binString: try push(.text(try text(try unsigned(4))))
        case Opcode.binUnicode8: try push(.text(try text(try unsigned(8))))
        case Opcode.emptyTuple: try push(tuple([]))
        case Opcode.emptyList: try push(list([]))
        case Opcode.emptyDictionary: try push(dictionary([]))
        default: return false
        }
        return true
    }

    /// Opcodes of the memo and of the frame around the program.
    private mutating func stores(_ opcode: UInt8) throws(PickleError) -> Bool {
        switch opcode {
        case Opcode.proto:
            let version = try unsigned(1)
            guard (2...5).contains(version) else { throw malformed("pickle protocol \(version)") }
        case Opcode.frame:
            guard try unsigned(8) <= UInt64(bytes.count - position) else { throw malformed("a frame beyond its end") }
        case Opcode.binPut: try remember(Int(try unsigned(1)))
        case Opcode.longBinPut: try remember(Int(try unsigned(4)))
        case Opcode.memoize: try remember(memo.count)
        case Opcode.binGet: try push(try recall(Int(try unsigned(1))))
        case Opcode.longBinGet: try push(try recall(Int(try unsigned(4))))
        default: return false
        }
        return true
    }

    /// Opcodes that put values into containers.
    private mutating func builds(_ opcode: UInt8) throws(PickleError) -> Bool {
        switch opcode {
        case Opcode.tuple: try push(tuple(try popToMark()))
        case Opcode.tuple1: try push(tuple(try pop(1)))
        case Opcode.tuple2: try push(tuple(try pop(2)))
        case Opcode.tuple3: try push(tuple(try pop(3)))
        case Opcode.append: try append(try pop(1))
        case Opcode.appends: try append(try popToMark())
        case Opcode.setItem: try setItems(try pop(2))
        case Opcode.setItems: try setItems(try popToMark())
        default: return false
        }
        return true
    }

    /// Opcodes that in Python look up and call something.
    private mutating func calls(_ opcode: UInt8) throws(PickleError) -> Bool {
        switch opcode {
        case Opcode.global:
            let module = try line()
            try push(.global(try global(module, try line())))
        case Opcode.stackGlobal:
            guard case .text(let name) = try pop(), case .text(let module) = try pop() else {
                throw malformed("STACK_GLOBAL without two strings")
            }
            try push(.global(try global(module, name)))
        case Opcode.reduce:
            let arguments = try pop()
            let callee = try pop()
            try push(try rebuilt(callee, arguments))
        case Opcode.build:
            let state = try pop()
            try checkState(state, of: try top())
        case Opcode.binPersistentID:
            let identifier = try pop()
            try push(.storage(try storage(identifier)))
        default: return false
        }
        return true
    }

    private func global(_ module: String, _ name: String) throws(PickleError) -> PickleGlobal {
        guard let global = PickleGlobal(module: module, name: name) else {
            throw refused("it refers to \(quoted("\(module).\(name)"))")
        }
        return global
    }

    // MARK: Containers

    mutating func tuple(_ values: [PickleValue]) throws(PickleError) -> PickleValue {
        guard tuples.count < limit else { throw malformed("too many tuples") }
        try spend(values.count)
        tuples.append(values)
        return .tuple(tuples.count - 1)
    }

    mutating func list(_ values: [PickleValue]) throws(PickleError) -> PickleValue {
        guard lists.count < limit else { throw malformed("too many lists") }
        try spend(values.count)
        lists.append(values)
        return .list(lists.count - 1)
    }

    mutating func dictionary(_ pairs: [(key: PickleValue, value: PickleValue)]) throws(PickleError) -> PickleValue {
        guard dictionaries.count < limit else { throw malformed("too many dicts") }
        try spend(pairs.count)
        dictionaries.append(pairs)
        return .dictionary(dictionaries.count - 1)
    }

    private mutating func spend(_ count: Int) throws(PickleError) {
        guard count <= elementsLeft else { throw malformed("more elements than a state dict has") }
        elementsLeft -= count
    }

    private mutating func append(_ values: [PickleValue]) throws(PickleError) {
        guard case .list(let index) = try top() else { throw malformed("APPEND to \(try top().kind)") }
        try spend(values.count)
        lists[index] += values
    }

    private mutating func setItems(_ values: [PickleValue]) throws(PickleError) {
        guard case .dictionary(let index) = try top() else { throw malformed("SETITEM of \(try top().kind)") }
        guard values.count.isMultiple(of: 2) else { throw malformed("SETITEMS with a key but no value") }
        try spend(values.count / 2)
        for first in stride(from: 0, to: values.count, by: 2) {
            dictionaries[index].append((values[first], values[first + 1]))
        }
    }

    // MARK: Stack, memo, bytes

    private mutating func push(_ value: PickleValue) throws(PickleError) {
        guard stack.count < limit else { throw malformed("too many values") }
        stack.append(value)
    }

    private func top() throws(PickleError) -> PickleValue {
        guard let value = stack.last else { throw malformed("an empty stack") }
        if case .mark = value { throw malformed("a mark where a value should be") }
        return value
    }

    private mutating func pop() throws(PickleError) -> PickleValue {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func pop(_ count: Int) throws(PickleError) -> [PickleValue] {
        var values: [PickleValue] = []
        for _ in 0..<count { values.append(try pop()) }
        return values.reversed()
    }

    private mutating func popToMark() throws(PickleError) -> [PickleValue] {
        let mark = stack.lastIndex { if case .mark = $0 { true } else { false } }
        guard let mark else { throw malformed("no mark on the stack") }
        let values = Array(stack[(mark + 1)...])
        stack.removeSubrange(mark...)
        return values
    }

    private mutating func remember(_ index: Int) throws(PickleError) {
        guard memo.count < limit else { throw malformed("too many values in the memo") }
        memo[index] = try top()
    }

    private func recall(_ index: Int) throws(PickleError) -> PickleValue {
        guard let value = memo[index] else { throw malformed("memo \(index) is empty") }
        return value
    }

    private mutating func byte() throws(PickleError) -> UInt8 {
        guard position < bytes.count else { throw malformed("it ends in the middle") }
        position += 1
        return bytes[position - 1]
    }

    private mutating func take(_ count: UInt64) throws(PickleError) -> ArraySlice<UInt8> {
        guard count <= UInt64(bytes.count - position) else { throw malformed("it ends in the middle") }
        position += Int(count)
        return bytes[position - Int(count)..<position]
    }

    /// A little-endian number of `count` bytes.
    private mutating func unsigned(_ count: UInt64) throws(PickleError) -> UInt64 {
        try take(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func text(_ count: UInt64) throws(PickleError) -> String {
        String(decoding: try take(count), as: UTF8.self)
    }

    /// The rest of a line, for `GLOBAL`; names are short.
    private mutating func line() throws(PickleError) -> String {
        guard let end = bytes[position...].prefix(1024).firstIndex(of: UInt8(ascii: "\n")) else {
            throw malformed("a name without an end")
        }
        defer { position = end + 1 }
        return String(decoding: bytes[position..<end], as: UTF8.self)
    }

    private static func long(_ bytes: ArraySlice<UInt8>) -> PickleValue {
        guard bytes.count <= 8 else { return .long(Array(bytes)) }
        let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let unused = UInt64(64 - 8 * bytes.count)
        return .int(Int64(bitPattern: bits << unused) >> Int64(unused))
    }

    func malformed(_ what: String) -> PickleError { PickleError(kind: .malformed, what: what, offset: opcodeOffset) }
    func refused(_ what: String) -> PickleError { PickleError(kind: .refused, what: what, offset: opcodeOffset) }
}
