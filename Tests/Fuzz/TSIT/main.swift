import FuzzKit

Fuzzer.run(tsitHarnesses)
