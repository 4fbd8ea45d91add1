public import ArgumentParser
internal import Base
internal import Foundation
public import MediaIO
public import Relay

/// Where a relay's video comes from.
struct RelaySourceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("User name at the source (default: the one in its address).", valueName: "name")) var sourceUser: String?
    @Option(help: "A file with the password of the source.", completion: .file()) var sourcePasswordFile: String?
    @Option(help: "How an RTSP source sends: tcp, or udp, which has less delay and may lose packets.")
    var sourceTransport = LiveInput.Transport.tcp
    @Flag(help: "SOURCE is a video file, to be played as fast as it was recorded.") var realtimeFile = false
    @Flag(help: "Play the file over and over.") var loop = false

    func validate() throws {
        guard realtimeFile || !loop else { throw ValidationError("--loop repeats a file: give --realtime-file too.") }
    }

    func address(_ text: String) throws -> MediaAddress {
        let password = try Password.read(file: sourcePasswordFile, variable: "SOLSTICE_SOURCE_PASSWORD")
        let address = try MediaAddress(parsing: text).withPassword(password, user: sourceUser, "--source-user")
        switch (address.scheme == .file, realtimeFile) {
        case (true, false):
            throw MediaError(
                .unsupportedOption, "\(address) is a file, not a live source",
                remedy: "add --realtime-file to play it in real time, or use 'solstice convert'")
        case (false, true):
            throw MediaError(.unsupportedOption, "\(address) is no file", remedy: "leave --realtime-file out")
        default: return address
        }
    }
}

/// The relay as a server.
struct RelayListenOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Be an RTSP server at this address, such as rtsp://127.0.0.1:8554/night.", valueName: "address"))
    var listen: String?
    @Option(help: ArgumentHelp("User name that readers must give.", valueName: "name")) var user: String?
    @Option(help: "A file with the readers' password.", completion: .file()) var passwordFile: String?
    @Flag(help: "Let anybody read who can reach an address other than loopback.") var open = false
    @Option(help: "How many readers there may be at once.") var maxReaders = 32

    func validate() throws {
        guard (1...10_000).contains(maxReaders) else { throw ValidationError("--max-readers is 1 to 10000.") }
        guard listen != nil || (user == nil && passwordFile == nil && !open) else {
            throw ValidationError("--user, --password-file and --open say who may read from --listen, which is not given.")
        }
    }

    /// Throws `MediaError` `.unsupportedOption` for an address that would let strangers read unasked.
    func listener() throws -> RelayRequest.Listener? {
        guard let listen else { return nil }
        let address = try MediaAddress(parsing: listen)
        guard address.scheme == .rtsp, address.path.count > 1, !address.hasPassword, address.user == nil else {
            throw MediaError(
                .unsupportedOption, "--listen \(address) is no address that readers can use",
                remedy: "give one such as rtsp://127.0.0.1:8554/night, and --user beside it")
        }
        var listener = RelayRequest.Listener(host: address.host, port: address.port ?? 8554, path: address.path)
        listener.readerLimit = maxReaders
        let password = try Password.read(file: passwordFile, variable: "SOLSTICE_RELAY_PASSWORD")
        switch (user, password) {
        case (let user?, let password?): listener.credentials = (user, password)
        case (.some, nil):
            throw MediaError(
                .unsupportedOption, "--user needs a password", remedy: "give --password-file, or set SOLSTICE_RELAY_PASSWORD")
        case (nil, .some) where passwordFile != nil:
            throw MediaError(.unsupportedOption, "--password-file needs --user")
        case (nil, _):
            guard address.isLoopback || open else {
                throw MediaError(
                    .unsupportedOption, "\(address) would let anybody on the network watch",
                    remedy: "give --user and a password, or --open if that is meant")
            }
        }
        return listener
    }
}

/// Where a relay's video goes.
struct RelayTargetOptions: ParsableArguments {
    @Option(help: ArgumentHelp("User name at the targets (default: the one in an address).", valueName: "name")) var targetUser: String?
    @Option(help: "A file with the password of the targets.", completion: .file()) var targetPasswordFile: String?
    @Option(help: "Cut file targets into files of this length, such as 10min, each playable on its own.") var segment: DurationArgument?
    @Option(help: "Remove rolling files that are older, such as 24h.") var keep: DurationArgument?

    func validate() throws {
        if let segment, !(1...86400).contains(segment.seconds) { throw ValidationError("--segment is 1s to 24h.") }
        if let keep, keep.seconds <= 0 { throw ValidationError("--keep must be longer than nothing.") }
    }

    func addresses(_ texts: [String]) throws -> [MediaAddress] {
        let password = try Password.read(file: targetPasswordFile, variable: "SOLSTICE_TARGET_PASSWORD")
        return try texts.map { text in
            let address = try MediaAddress(parsing: text)
            return try address.withPassword(password, user: targetUser, "--target-user")
        }
    }
}

/// How a relay keeps up.
struct RelayLiveOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Size and rate of the result, whatever the source has, such as 1280x720@25.", valueName: "WxH@FPS"))
    var output: LiveFormatArgument?
    @Option(help: "How long anything may wait before it is dropped, such as 500ms.") var maxLatency = DurationArgument(seconds: 0.5)
    @Flag(help: "Let the network work at a smaller size where the machine cannot keep up.") var adapt = false
    @Option(help: "What readers see while the source is lost: hold (the last picture), black, or end (the relay ends).")
    var onLoss = RelayRequest.OnLoss.hold
    @Option(help: "Bits per second that the video never exceeds for long, such as 4M.") var maxBitrate: BitRateArgument?
    @Option(help: "Time between two key frames, such as 2s.") var keyframeInterval = DurationArgument(seconds: 2)

    func validate() throws {
        guard (0.02...60).contains(maxLatency.seconds) else { throw ValidationError("--max-latency is 20ms to 60s.") }
        guard (0.1...60).contains(keyframeInterval.seconds) else { throw ValidationError("--keyframe-interval is 0.1s to 60s.") }
    }
}

/// Passwords that are kept out of the command line.
enum Password {
    /// The first line of `file`, else the environment's `variable`; nil where neither is given.
    ///
    /// Throws `MediaError` `.noSuchFile` or `.unsupportedOption`.
    static func read(file: String?, variable: String) throws -> String? {
        guard let file else { return ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 } }
        guard let line = SecretFile.firstLine(file) else {
            throw MediaError(.noSuchFile, "the password file \(file) cannot be read")
        }
        guard !line.isEmpty else { throw MediaError(.unsupportedOption, "the password file \(file) is empty") }
        return line
    }
}

extension MediaAddress {
    /// With the user name and password where they are given and this kind of address has any.
    ///
    /// Throws `MediaError` `.unsupportedOption` for a name, given by `option`, without a password.
    func withPassword(_ password: String?, user: String?, _ option: String) throws -> MediaAddress {
        guard ![.file, .device, .udp, .srt].contains(scheme) else { return self }
        if let password { return authenticated(user: user ?? self.user, password: password) }
        guard user == nil else {
            throw MediaError(
                .unsupportedOption, "\(option) needs a password",
                remedy: "give the password file or variable that goes with it, or write both into the address")
        }
        return self
    }

    /// A name that only begins like a number may belong to any host.
    var isLoopback: Bool {
        ["localhost", "::1"].contains(host) || (host.hasPrefix("127.") && host.utf8.allSatisfy { "0123456789.".utf8.contains($0) })
    }
}

extension LiveInput.Transport: ExpressibleByArgument {}
extension RelayRequest.OnLoss: ExpressibleByArgument {}

/// A length of time such as `500ms`, `10s`, `10min`, `24h` or `1.5`, which are seconds.
struct DurationArgument: ExpressibleByArgument {
    let seconds: Double

    init(seconds: Double) { self.seconds = seconds }

    init?(argument: String) {
        let units = [("ms", 0.001), ("min", 60.0), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0), ("", 1.0)]
        guard let (unit, scale) = units.first(where: { argument.hasSuffix($0.0) }),
            let number = Double(argument.dropLast(unit.count)), number.isFinite, number >= 0, number * scale < 1e9
        else { return nil }
        seconds = number * scale
    }

    var defaultValueDescription: String {
        seconds > 0 && seconds < 1 ? String(format: "%gms", seconds * 1000) : String(format: "%gs", seconds)
    }
}

/// `WxH@FPS`, the rate as a number or a fraction.
struct LiveFormatArgument: ExpressibleByArgument {
    private let width: Int
    private let height: Int
    private let rate: Rational

    /// Throws `MediaError` `.unsupportedOption`.
    var format: LiveFormat { get throws { try LiveFormat(width: width, height: height, frameRate: rate) } }

    init?(argument: String) {
        let halves = argument.lowercased().split(separator: "@", omittingEmptySubsequences: false)
        let size = halves[0].split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard halves.count == 2, size.count == 2, let width = size[0], let height = size[1] else { return nil }
        let parts = halves[1].split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 2, let above = Int32(parts[0]), let below = Int32(parts[1]), above > 0, below > 0 {
            rate = Rational(above, below).reduced
        } else if parts.count == 1, let value = Double(parts[0]), value > 0, value < 1e5 {
            rate = Rational(Int32(nearest: value * 1001), 1001).reduced
        } else {
            return nil
        }
        (self.width, self.height) = (width, height)
    }
}
