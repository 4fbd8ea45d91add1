import FuzzKit

Fuzzer.run(mediaIOHarnesses)
