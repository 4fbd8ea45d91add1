internal import MediaIO
internal import RTSP

extension RelayRequest.Listener {
    /// As readers write it; `port` where the system has chosen it.
    func address(port: Int) -> String {
        let host = host.contains(":") ? "[\(host)]" : host
        return "rtsp://\(host):\(port)\(path)"
    }

    var address: String { address(port: port) }

    var configuration: RTSPServerConfiguration {
        var configuration = RTSPServerConfiguration(host: host, port: port, path: path)
        configuration.credentials = credentials.map { .init(user: $0.user, password: $0.password) }
        configuration.readerLimit = readerLimit
        // Some players come with two connections, and those that are refused need one too.
        configuration.connectionLimit = max(configuration.connectionLimit, 2 * readerLimit)
        return configuration
    }
}

extension RelayEvent {
    init(_ event: RTSPServer.Event) {
        switch event {
        case .playing(let reader): self = .reader(address: reader, .playing)
        case .left(let reader, let reason): self = .reader(address: reader, .left(reason: reason))
        case .lost(let reader, let frames): self = .reader(address: reader, .slow(frames: frames))
        case .refused(let reader, let reason): self = .reader(address: reader, .refused(reason: reason))
        }
    }
}

extension RelayStatus.Reader {
    init(_ reader: ReaderStatus) {
        self.init(address: reader.address, transport: reader.transport.rawValue, frames: reader.framesSent, dropped: reader.framesDropped)
    }
}
