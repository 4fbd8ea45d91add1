internal import Foundation
internal import Hummingbird

/// What concerns the daemon as a whole: status, health, metrics, the relays' pictures, the session of the page.
struct ServiceRoutes: Sendable {
    let backend: any Backend
    let access: Access
    let uploadLimit: Int64
    let events: EventHub
    let counters: RequestCounters

    var routes: [Route] {
        [
            Route(.get, "/api/v1/status") { _, _ in
                let status = await backend.status()
                return JSONAnswer.response(StatusView(status, counts: try await backend.counts(), uploadLimit: uploadLimit))
            },
            Route(.get, "/api/v1/relays/{name}/before.jpg") { _, context in try await picture(.before, context) },
            Route(.get, "/api/v1/relays/{name}/after.jpg") { _, context in try await picture(.after, context) },
            Route(.get, "/api/v1/session", access: .open) { request, _ in
                JSONAnswer.response(SessionView(needsToken: access.needsToken, isAllowed: access.allows(request.headers)))
            },
            Route(.post, "/api/v1/session", access: .open) { request, _ in try await logIn(request) },
            Route(.delete, "/api/v1/session", access: .open) { request, _ in
                var response = Response(status: .noContent)
                response.headers[.setCookie] = access.noSessionCookie(isSecure: Self.isSecure(request))
                return response
            },
            Route(.get, "/healthz", access: .open) { _, _ in .bytes(Array("ok\n".utf8), type: "text/plain; charset=utf-8") },
            Route(.get, "/readyz", access: .open) { _, _ in await readiness() },
            Route(.get, "/metrics") { _, _ in await metrics() },
        ]
    }

    private func picture(_ side: PictureSide, _ context: WebContext) async throws -> Response {
        let name = context.parameters.get("name")?.removingPercentEncoding ?? ""
        if let picture = await backend.picture(of: .relay(name), side: side) { return .bytes(picture, type: "image/jpeg") }
        guard await backend.status().relays.contains(where: { $0.name == name }) else { throw Problem.notFound("there is no relay \(name)") }
        return Response(status: .noContent)
    }

    private func readiness() async -> Response {
        let status = await backend.status()
        // No reason here: everyone may ask.
        let line = status.isReady ? "ready\n" : "not ready\n"
        return .bytes(Array(line.utf8), type: "text/plain; charset=utf-8", status: status.isReady ? .ok : .serviceUnavailable)
    }

    private func metrics() async -> Response {
        // What the database cannot tell now is missing; the rest is wanted all the more.
        let text = MetricsPage.text(
            status: await backend.status(), counts: try? await backend.counts(), eventStreams: events.listeners, answers: counters.byClass)
        return .bytes(Array(text.utf8), type: "text/plain; version=0.0.4; charset=utf-8")
    }

    private func logIn(_ request: Request) async throws -> Response {
        struct Form: Decodable { let token: String }
        // A page elsewhere can send text without asking, but not this type.
        guard request.headers[.contentType]?.lowercased().hasPrefix("application/json") == true else {
            throw Problem(.unsupportedMediaType, "badType", "the token is sent as JSON")
        }
        let bytes = try await SmallBody.read(request.body, limit: 4096)
        guard let form = try? JSONDecoder().decode(Form.self, from: Data(bytes)) else { throw Problem.bad("a JSON object with token is needed") }
        guard access.accepts(token: form.token) else {
            throw Problem(.forbidden, "wrongToken", "this is not the token", remedy: "it stands in the file that token-file names")
        }
        var response = JSONAnswer.response(SessionView(needsToken: access.needsToken, isAllowed: true))
        if access.needsToken { response.headers[.setCookie] = access.sessionCookie(isSecure: Self.isSecure(request)) }
        return response
    }

    /// A proxy in front speaks TLS.
    private static func isSecure(_ request: Request) -> Bool { request.headers[.init("X-Forwarded-Proto")!]?.lowercased() == "https" }
}

/// Whether the one who asks may see the rest.
struct SessionView: Codable, Equatable {
    var needsToken: Bool
    var isAllowed: Bool
}

/// Bodies that are read as a whole.
enum SmallBody {
    static let seconds = 20.0

    /// Throws 413 above `limit` bytes, 408 where they come too slowly.
    static func read(_ body: RequestBody, limit: Int) async throws -> [UInt8] {
        let start = ContinuousClock.now
        var bytes: [UInt8] = []
        for try await part in body {
            guard bytes.count + part.readableBytes <= limit else {
                throw Problem(.contentTooLarge, "tooLarge", "the body has more than \(limit) bytes")
            }
            guard ContinuousClock.now - start < .seconds(seconds) else { throw Problem.tooSlow }
            bytes.append(contentsOf: part.readableBytesView)
        }
        return bytes
    }
}
