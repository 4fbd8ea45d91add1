/// What a lease's file says: lines of a key and a value.
///
/// All its versions have the same length, so that a new one is written over the old one in one piece.
struct LeaseRecord: Sendable, Equatable {
    /// Who holds it, for people.
    var holder: String
    var process: HolderProcess
    /// Tells leases of one process apart.
    var nonce: UInt64
    /// How long it is believed without a new beat.
    var ttl: Duration
    /// Counts the renewals: what others see change.
    var beat: UInt64 = 0

    private static let title = "solstice lease 1"
    /// Longer ones are not believed: a damaged file must not keep a target for ever.
    static let longestTTL: Duration = .seconds(3600)
    static let mostBytes = 4096

    var bytes: [UInt8] {
        let milliseconds = ttl.components.seconds * 1000 + ttl.components.attoseconds / 1_000_000_000_000_000
        let count = String(beat)
        let lines = [
            Self.title, "holder \(Self.line(holder))", "pid \(process.pid)", "start \(process.startTime)", "boot \(process.bootID)",
            "namespace \(process.namespace)", "nonce \(nonce)", "ttl \(milliseconds)",
            "beat \(String(repeating: "0", count: 20 - count.count))\(count)",
        ]
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    init(holder: String, process: HolderProcess, nonce: UInt64, ttl: Duration) {
        (self.holder, self.process, self.nonce, self.ttl) = (holder, process, nonce, ttl)
    }

    /// Nil where they are no whole record.
    init?(bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.first.map(String.init) == Self.title else { return nil }
        var values: [Substring: Substring] = [:]
        for line in lines.dropFirst() {
            let pair = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { values[pair[0]] = pair[1] }
        }
        guard let holder = values["holder"], let pid = values["pid"].flatMap({ Int32($0) }), let boot = values["boot"],
            let start = values["start"].flatMap({ UInt64($0) }), let nonce = values["nonce"].flatMap({ UInt64($0) }),
            let ttl = values["ttl"].flatMap({ Int64($0) }), let beat = values["beat"].flatMap({ UInt64($0) }),
            let namespace = values["namespace"], ttl > 0
        else { return nil }
        self.init(
            holder: String(holder),
            process: HolderProcess(pid: pid, startTime: start, bootID: String(boot), namespace: String(namespace)), nonce: nonce,
            ttl: min(.milliseconds(min(ttl, 86_400_000)), Self.longestTTL))
        self.beat = beat
    }

    /// One line, of a length that leaves room for the rest.
    private static func line(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 }.prefix(200)))
    }
}
