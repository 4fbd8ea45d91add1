/// How the parts of an address are escaped (RFC 3986, section 2.1) and made safe to print.
extension MediaAddress {
    /// Unreserved characters and those with a meaning of their own that have none in user info.
    static func isPlainInUserInfo(_ byte: UInt8) -> Bool { isUnreserved(byte) || "!$&'()*+,;=".utf8.contains(byte) }

    /// Printing ASCII but what RFC 3986 leaves out. `%` stays: paths keep their escapes.
    static func isPlainInPath(_ byte: UInt8) -> Bool {
        (0x21...0x7e).contains(byte) && !"\"<>\\^`{|}#".utf8.contains(byte)
    }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~".utf8.contains(byte)
        }
    }

    static func encoded(_ text: String, keeping isPlain: (UInt8) -> Bool) -> String {
        let digits = Array("0123456789ABCDEF".unicodeScalars)
        var result = ""
        for byte in text.utf8 {
            if isPlain(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%"
                result.unicodeScalars.append(digits[Int(byte >> 4)])
                result.unicodeScalars.append(digits[Int(byte & 15)])
            }
        }
        return result
    }

    /// Nil where a `%` is not followed by two hexadecimal digits, or where the bytes are no UTF-8.
    static func decoded(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexadecimal), let low = rest.popFirst().flatMap(hexadecimal) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }

    /// Control characters, and those that turn the direction of writing, are escaped.
    static func printable(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: result += scalar.escaped(asASCII: true)
            default: result.unicodeScalars.append(scalar)
            }
        }
    }

    /// A query with `***` for all values, and for words that have none.
    static func withoutWords(_ query: String) -> String {
        query.split(separator: "&", omittingEmptySubsequences: false).map { word in
            word.contains("=") ? word.prefix { $0 != "=" } + "=" + hidden : hidden
        }.joined(separator: "&")
    }

    /// A path with `***` behind each `=` up to the next `&`, `;` or `/`.
    static func withoutValues(_ text: String) -> String {
        var result = ""
        var isHiding = false
        for character in text {
            if "&;/".contains(character) { isHiding = false }
            if !isHiding { result.append(character) }
            if character == "=", !isHiding {
                isHiding = true
                result += hidden
            }
        }
        return result
    }

    /// `***` for every `secret`; a short one must stand alone, or each letter of the text that is like it would show it.
    static func replacing(_ secret: String, in text: String) -> String {
        var result = ""
        var rest = text[...]
        while let range = rest.firstRange(of: secret) {
            let before = range.lowerBound > text.startIndex ? text[text.index(before: range.lowerBound)] : " "
            let after = range.upperBound < text.endIndex ? text[range.upperBound] : " "
            func joins(_ character: Character) -> Bool { character.isLetter || character.isNumber }
            let stands = secret.count >= 4 || !(joins(before) || joins(after))
            result += rest[..<range.lowerBound] + (stands ? hidden : secret)
            rest = rest[range.upperBound...]
        }
        return result + rest
    }

    /// Hides user info and queries of all addresses in `text`, also of one that is cut off: a server may have sent
    /// us elsewhere, with a key of its own.
    static func withoutForeignSecrets(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let mark = rest.firstRange(of: "://") {
            result += rest[..<mark.upperBound]
            rest = rest[mark.upperBound...]
            let end = rest.firstIndex { $0.isWhitespace || "\"'<>".contains($0) } ?? rest.endIndex
            var address = rest[..<end]
            rest = rest[end...]
            if let at = address.lastIndex(of: "@") {
                let user = address[..<at].prefix { $0 != ":" && $0 != "/" }
                result += user.endIndex == at ? "\(user)@" : "\(user):\(hidden)@"
                address = address[address.index(after: at)...]
            }
            let question = address.firstIndex(of: "?") ?? address.endIndex
            result += withoutValues(String(address[..<question]))
            if question != address.endIndex { result += "?" + withoutWords(String(address[question...].dropFirst())) }
        }
        return result + rest
    }
}
