import Foundation
import Synchronization
import TestSupport
import Testing

@testable import solstice

@Suite struct LinePrinterTests {
    private static func line(_ number: Int) -> LinePrinter.Line { .init(text: "\(number)", isOutput: number % 2 == 0) }

    @Test func linesKeepTheirOrder() {
        let written = Mutex<[LinePrinter.Line]>([])
        let printer = LinePrinter { line in written.withLock { $0.append(line) } }
        for number in 0..<500 { printer.put(Self.line(number)) }
        #expect(printer.finish(patience: 10))
        #expect(written.withLock { $0 } == (0..<500).map(Self.line))
    }

    @Test(.enabled(if: TimedWait.canBeSeen, "the kernel does not say how threads wait")) func theLastWaitCountsByTheClockThatNobodySets() {
        let gate = DispatchSemaphore(value: 0), printer = LinePrinter { _ in gate.wait() }
        printer.put(Self.line(1))
        #expect(TimedWait.clock { _ = printer.finish(patience: 3600) } == .monotonic)
        gate.signal()
    }

    /// Nobody who has something to say waits for a reader that has stopped, and what waits is bounded.
    @Test func aReaderThatStopsHoldsNobodyUp() {
        let gate = DispatchSemaphore(value: 0), written = Mutex<[LinePrinter.Line]>([])
        let printer = LinePrinter { line in
            gate.wait()
            gate.signal()
            written.withLock { $0.append(line) }
        }
        for number in 0..<5000 { printer.put(Self.line(number)) }
        #expect(!printer.finish(patience: 0.1))
        gate.signal()
        #expect(printer.finish(patience: 10))
        let texts = written.withLock { $0.map(\.text) }
        #expect(texts.count <= LinePrinter.most + 1 && texts.last == "4999")
    }
}
