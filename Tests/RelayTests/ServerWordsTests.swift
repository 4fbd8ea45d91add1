import Testing

@testable import RTSP
@testable import Relay

@Suite struct ServerWordsTests {
    /// Each reader over TCP holds a connection, so that a limit on these must not undercut the limit on readers.
    @Test(arguments: [1, 32, 1000]) func thereAreConnectionsForAllReaders(limit: Int) {
        var listener = RelayRequest.Listener(host: "127.0.0.1", port: 0, path: "/night")
        listener.readerLimit = limit
        #expect(listener.configuration.readerLimit == limit)
        #expect(listener.configuration.connectionLimit >= 2 * limit)
    }
}
