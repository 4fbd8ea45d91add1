import FuzzKit

Fuzzer.run(serviceHarnesses)
