import FuzzKit

@testable import TSIT

/// The harnesses of the room TSIT.
let tsitHarnesses = [
    Harness("pickle", pickle), Harness("checkpoint", checkpoint), Harness("safetensors", safetensors), Harness("npy", npy),
    Harness("style", style),
]

/// Reads a pickle, and the tensors of the state dict where it holds one.
@Sendable private func pickle(_ bytes: [UInt8]) throws -> Bool {
    let (isRead, machine) = try run(bytes)
    let elements = [
        machine.tuples.reduce(0) { $0 + $1.count }, machine.lists.reduce(0) { $0 + $1.count }, machine.dictionaries.reduce(0) { $0 + $1.count },
    ]
    try hold(elements.reduce(0, +) <= bytes.count, "containers hold \(elements) elements of \(bytes.count) bytes")
    let containers = max(machine.tuples.count, machine.lists.count, machine.dictionaries.count)
    try hold(containers <= bytes.count, "\(containers) containers of \(bytes.count) bytes")
    return isRead
}

/// The machine after its run, and whether it read a state dict.
private func run(_ bytes: [UInt8]) throws -> (isRead: Bool, machine: PickleMachine) {
    var machine = PickleMachine(bytes)
    do {
        let value = try machine.run()
        try hold(machine.position <= bytes.count, "the machine read beyond the end")
        for tensor in try StateDictionary.tensors(value, machine, path: "input").values { try checkTensor(tensor) }
        return (true, machine)
    } catch let error as PickleError {
        try hold(error.offset <= bytes.count, "the error's place lies behind the end")
        return (try refusable { throw error.error("input") }, machine)
    } catch let error as TSITError {
        return (try refusable { throw error }, machine)
    }
}

/// A tensor is a view that stays within its storage and is no larger.
func checkTensor(_ tensor: CheckpointTensor) throws {
    try hold(tensor.count >= 0 && tensor.count <= tensor.storage.count, "\(tensor.count) elements of \(tensor.storage.count)")
    try hold(tensor.offset >= 0 && tensor.span >= 0, "a view from \(tensor.offset) of \(tensor.span)")
    guard tensor.count > 0 else { return }
    try hold(tensor.span <= tensor.storage.count - tensor.offset, "a view from \(tensor.offset) of \(tensor.span) leaves \(tensor.storage.count)")
    guard tensor.span <= 1 << 16 else { return }
    // Every element of the view is one of the storage; `gathered` traps otherwise.
    let gathered = tensor.gathered(Array(0..<tensor.span))
    try hold(gathered.count == tensor.count, "\(gathered.count) elements gathered for \(tensor.count)")
}
