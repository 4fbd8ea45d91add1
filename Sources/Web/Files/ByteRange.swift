/// The part of a file that a request asks for (RFC 9110, 14).
enum ByteRange: Equatable {
    case whole
    case part(ClosedRange<Int64>)
    case unsatisfiable

    /// Several ranges, and what cannot be understood, are answered with the whole file, as is allowed.
    init(header: String?, size: Int64) {
        self = .whole
        guard let header, header.lowercased().hasPrefix("bytes=") else { return }
        let text = header.dropFirst(6).filter { $0 != " " }
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard !text.contains(","), ends.count == 2, ends.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }) else { return }
        let first = Int64(ends[0]), last = Int64(ends[1])
        // A number too large to hold lies behind the end of every file.
        if ends[0].isEmpty {
            guard !ends[1].isEmpty else { return }
            let count = min(last ?? .max, size)
            self = count > 0 ? .part(size - count...size - 1) : .unsatisfiable
            return
        }
        if let first, let last, last < first { return }
        guard let first, first < size else {
            self = .unsatisfiable
            return
        }
        self = .part(first...min(ends[1].isEmpty ? .max : last ?? .max, size - 1))
    }
}
