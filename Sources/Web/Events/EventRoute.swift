internal import Hummingbird

/// `/api/v1/events`: the state of everything, as it changes.
struct EventRoute: Sendable {
    static let path = "/api/v1/events"
    let hub: EventHub

    var routes: [Route] { [Route(.get, Self.path) { request, _ in try stream(request) }] }

    private func stream(_ request: Request) throws -> Response {
        guard let subscription = hub.subscribe() else {
            throw Problem(.serviceUnavailable, "tooManyStreams", "as many event streams are open as the server allows", remedy: "try again later")
                .with("Retry-After", "10")
        }
        var headers = HTTPFields()
        headers[.contentType] = "text/event-stream"
        headers[.cacheControl] = "no-store"
        // Proxies would collect events before they pass them on.
        headers[.init("X-Accel-Buffering")!] = "no"
        let incoming = request.body
        let body = ResponseBody { writer in
            try await Self.write(subscription, to: &writer, until: incoming)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    private static func write(_ subscription: EventHub.Subscription, to writer: inout any ResponseBodyWriter, until incoming: RequestBody) async throws {
        try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
        try await incoming.consumeWithInboundCloseHandler { _ in
            var told: [String: Int] = [:]
            for await sections in subscription.states {
                var text: [UInt8] = []
                for section in sections where told[section.name] != section.version {
                    text += section.bytes
                    told[section.name] = section.version
                }
                // A comment: only to see whether anybody is there.
                try await writer.write(ByteBuffer(bytes: text.isEmpty ? Array(":\n\n".utf8) : text))
            }
        } onInboundClosed: {
            subscription.end()
        }
        try await writer.finish(nil)
    }
}
