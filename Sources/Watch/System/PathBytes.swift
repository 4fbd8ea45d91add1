internal import Glibc
internal import SystemPackage

extension FilePath {
    /// The path as the kernel takes it, without the closing zero.
    var nameBytes: [UInt8] {
        withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: length)) }
    }

    /// The last component alone; nil where there is none.
    var lastNameBytes: [UInt8]? { lastComponent?.bytes }

    /// For people: what is not printable is replaced.
    var display: String {
        var text = ""
        for scalar in String(decoding: self).unicodeScalars {
            text.unicodeScalars.append(scalar.value < 32 || scalar.value == 127 ? "\u{FFFD}" : scalar)
        }
        return text
    }
}

extension FilePath.Component {
    var bytes: [UInt8] { withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } }
}
