import Testing

@testable import NeuralEngine

@Suite struct InstructionSetTests {
    @Test func aKnownNameIsForced() {
        for set in InstructionSet.available {
            let choice = InstructionSet.choose(forced: set.name)
            #expect(choice == .init(instructionSet: set, isForced: true, notice: nil))
        }
    }

    @Test func withoutANameTheFastestIsTaken() {
        for name in [nil, ""] {
            let choice = InstructionSet.choose(forced: name)
            #expect(choice.instructionSet == InstructionSet.available.first)
            #expect(!choice.isForced && choice.notice == nil)
        }
    }

    @Test func anUnknownOrMissingOneIsSaid() {
        let absent = InstructionSet.allCases.first { !$0.isAvailable }?.name ?? "sse9"
        for name in ["AVX512", "avx1024", absent] {
            let choice = InstructionSet.choose(forced: name)
            #expect(choice.instructionSet == InstructionSet.detected && !choice.isForced)
            #expect(choice.notice?.contains(name) == true)
        }
    }
}
