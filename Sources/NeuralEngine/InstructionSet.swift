internal import CKernels
internal import Glibc

/// The instruction set whose kernels compute a network. Results are bit-identical within one, not across them.
public enum InstructionSet: String, Sendable, CaseIterable {
    case avx512bf16, avx512, avx2, neon, portable

    /// The environment variable that forces one.
    public static let variable = "SOLSTICE_ISA"

    var kernels: UnsafePointer<ck_network_kernels>? {
        let isa: ck_isa =
            switch self {
            case .avx512bf16: CK_AVX512_BF16
            case .avx512: CK_AVX512
            case .avx2: CK_AVX2
            case .neon: CK_NEON
            case .portable: CK_PORTABLE
            }
        return ck_network_kernels_of(isa)
    }

    /// True where this CPU and this build have it.
    public var isAvailable: Bool { kernels != nil }

    /// Those that are available, the fastest first.
    public static var available: [InstructionSet] { allCases.filter(\.isAvailable) }

    /// The fastest one that is available.
    public static var detected: InstructionSet { available.first ?? .portable }

    /// What `SOLSTICE_ISA` calls it.
    public var name: String { rawValue }

    /// What was chosen, and how.
    public struct Choice: Sendable, Equatable {
        public var instructionSet: InstructionSet
        /// True where `SOLSTICE_ISA` named it.
        public var isForced: Bool
        /// One line for the user where `SOLSTICE_ISA` could not be followed, else nil.
        public var notice: String?
    }

    /// The choice for this process, made once at first use.
    public static let choice: Choice = choose(forced: getenv(variable).map { String(cString: $0) })

    /// The instruction set of this process: forced by `SOLSTICE_ISA`, else detected.
    public static var current: InstructionSet { choice.instructionSet }

    /// The choice for a value of `SOLSTICE_ISA`; an unknown or unavailable name falls back to what is detected.
    public static func choose(forced name: String?) -> Choice {
        guard let name, !name.isEmpty else { return Choice(instructionSet: detected, isForced: false) }
        if let forced = InstructionSet(rawValue: name), forced.isAvailable {
            return Choice(instructionSet: forced, isForced: true)
        }
        let available = available.map(\.name).joined(separator: ", ")
        let fault = InstructionSet(rawValue: name) == nil ? "unknown" : "not available on this machine"
        return Choice(
            instructionSet: detected, isForced: false,
            notice: "\(variable)=\(name) is \(fault); using \(detected.rawValue) (available: \(available))")
    }
}
