import FuzzKit

Fuzzer.run(rtspHarnesses)
