internal import CFFmpeg

/// What reading or writing media can fail with.
public struct MediaError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that a caller may tell apart; the program documents an exit code for each.
    public enum Code: String, Sendable, CaseIterable {
        case noSuchFile, unreadable, notMedia, noVideo, damaged
        case outputExists, outputIsInput, unwritable, diskFull
        /// Longer than a file's name can be: another attempt meets it again.
        case nameTooLong
        case unknownEncoder, unsupportedOption, unknownContainer
        /// Of live sources and targets: nobody answers there; the password is wrong or missing; nothing comes any more.
        case unreachable, denied, stalled
        case badPicture, badLabels, unsupported, outOfMemory, cancelled, internalFailure
    }

    public var code: Code
    /// What went wrong, naming the file or option: one clause without a full stop.
    public var message: String
    /// What the user can do about it: one clause, or nil where nothing is known to help.
    public var remedy: String?
    /// libav's own words: the text of its return code and its last log line.
    public var cause: String?

    public init(_ code: Code, _ message: String, remedy: String? = nil, cause: String? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.cause = cause
    }

    public var description: String {
        var line = message
        if let cause { line += " (\(cause))" }
        if let remedy { line += "; \(remedy)" }
        return line
    }
}

/// libav's return codes, checked in one place.
enum AV {
    static let endOfFile = shim_averror_eof()
    static let again = shim_averror_again()

    private static let interrupted = shim_averror(4 /* EINTR */)

    /// Makes a call again as long as a signal cuts it off: libav does so itself where it reads and writes, but not where it opens.
    static func retried(_ call: () -> Int32) -> Int32 {
        while true {
            let result = call()
            if result != interrupted { return result }
        }
    }

    /// Closes an I/O context; what is written is flushed before. A file whose closing a signal cuts off is closed all the same.
    static func close(_ io: inout UnsafeMutablePointer<AVIOContext>?) -> Int32 {
        let result = avio_closep(&io)
        return result == interrupted ? 0 : result
    }

    /// Installed once, before the first use of libav.
    static let installLog: Void = shim_log_install()

    /// libav's text of a return code, and its last log line where there is one.
    static func text(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 512)
        av_strerror(code, &buffer, buffer.count)
        let text = string(buffer)
        let length = shim_log_take_last(&buffer, buffer.count)
        return length == 0 ? text : "\(text): \(withoutAddress(firstLine(string(buffer))))"
    }

    /// Some of libav's messages go on with advice about its own options, in further lines.
    static func firstLine(_ text: String) -> String { String(text.prefix { !$0.isNewline }) }

    /// A log line such as `[mov @ 0x7f...] moov atom not found` without the address, which means nothing to a reader and
    /// makes the same failure look different each time.
    static func withoutAddress(_ line: String) -> String {
        guard line.hasPrefix("["), let at = line.firstRange(of: " @ 0x"), let end = line[at.upperBound...].firstIndex(of: "]") else {
            return line
        }
        return String(line[..<at.lowerBound] + line[end...])
    }

    /// Returns `result` unless it is negative; else throws what `message` says, with libav's words as the cause.
    ///
    /// A full disk, missing memory and an interrupted call keep their own codes whatever `code` says.
    @discardableResult
    static func check(
        _ result: Int32, _ code: MediaError.Code, _ message: @autoclosure () -> String, remedy: String? = nil
    ) throws(MediaError) -> Int32 {
        guard result < 0 else { return result }
        throw error(result, code, message(), remedy: remedy)
    }

    static func error(_ result: Int32, _ code: MediaError.Code, _ message: String, remedy: String? = nil) -> MediaError {
        switch result {
        case shim_averror(28 /* ENOSPC */), shim_averror(122 /* EDQUOT */), shim_averror(27 /* EFBIG */):
            MediaError(.diskFull, message, remedy: "make room on the target's disk and run again", cause: text(result))
        case shim_averror(12 /* ENOMEM */):
            MediaError(.outOfMemory, message, cause: text(result))
        case shim_averror_exit():
            MediaError(.cancelled, "cancelled")
        default:
            MediaError(code, message, remedy: remedy, cause: text(result))
        }
    }

    private static func string(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
