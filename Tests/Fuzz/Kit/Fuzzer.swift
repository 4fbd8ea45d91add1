#if FUZZING
    internal import CLibFuzzer
    internal import Foundation

    /// Gives the process to libFuzzer (https://llvm.org/docs/LibFuzzer.html).
    public enum Fuzzer {
        // Safe: set once, before libFuzzer starts, and libFuzzer calls from one thread.
        private nonisolated(unsafe) static var chosen: Harness?

        /// Fuzzes the harness that `SOLSTICE_HARNESS` names, with libFuzzer's arguments from the command line. It is not an argument,
        /// as libFuzzer starts the program again with arguments of its own.
        public static func run(_ harnesses: [Harness]) -> Never {
            let name = ProcessInfo.processInfo.environment["SOLSTICE_HARNESS"] ?? ""
            guard let harness = harnesses.first(where: { $0.name == name }) else {
                FileHandle.standardError.write(Data("SOLSTICE_HARNESS is one of \(harnesses.map(\.name).joined(separator: ", "))\n".utf8))
                exit(64)
            }
            chosen = harness
            var count = CommandLine.argc
            var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
            exit(LLVMFuzzerRunDriver(&count, &arguments) { data, size in
                Fuzzer.one(Array(UnsafeBufferPointer(start: data, count: size)))
                return 0
            })
        }

        private static func one(_ bytes: [UInt8]) {
            do {
                _ = try chosen?.run(bytes)
            } catch {
                fatalError("\(error)")
            }
        }
    }
#endif
