internal import Foundation
internal import Hummingbird
internal import Logging
internal import NIOCore

/// Every request passes here first: refuses what a browser was tricked into, turns errors into answers, and puts on every
/// answer what a browser must not do with it.
struct Gate: RouterMiddleware {
    let access: Access
    /// Names that an open server answers to, besides `localhost` and addresses.
    let hostNames: Set<String>
    let counters: RequestCounters
    let logger: Logger
    /// An answer that comes before the request's body has been read is followed by this many seconds for the client to notice.
    static let lingerSeconds: Int64 = 5

    func handle(
        _ request: Request, context: WebContext, next: (Request, WebContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            try checkHost(request)
            try checkOrigin(request)
            response = try await next(request, context)
            // What nobody reads is not waited for either.
            if Self.isSafe(request.method), request.headers[.transferEncoding] != nil || Self.length(request) > 0 { cutOff(context, &response) }
        } catch {
            // Only the connection's own end is no answer.
            if error is CancellationError { throw error }
            let problem = Problem(error)
            if problem.status.code >= 500 { log(error, of: request, problem) }
            response = problem.response
            if Self.mayHaveMore(request) { cutOff(context, &response) }
        }
        Self.protect(&response)
        counters.count(response.status.code)
        logger.debug("request", metadata: ["method": "\(request.method)", "path": "\(request.uri.path)", "status": "\(response.status.code)"])
        return response
    }

    private func log(_ error: any Error, of request: Request, _ problem: Problem) {
        logger.warning(
            "\(request.method) \(request.uri.path): \(problem.message)",
            metadata: problem.code == "internalFailure" ? ["error": "\(error)"] : [:])
    }

    /// An open server answers only to names that nobody else can give it. Behind a token there is nothing to be gained by
    /// another name: the session's cookie belongs to the name that it was given to.
    private func checkHost(_ request: Request) throws(Problem) {
        guard let authority = request.head.authority.flatMap({ Authority($0) }) else {
            throw Problem.bad("the request names no host")
        }
        let host = authority.host
        guard access.needsToken || host.isAddress || host.isLoopback || hostNames.contains(host.text) else {
            throw Problem(
                .init(code: 421, reasonPhrase: "Misdirected Request"), "wrongHost", "this server is not known by the name \(host.text)",
                remedy: "use its address, or set a token")
        }
    }

    /// What changes something, or would hold a stream open, must not come from a page of another site
    /// (Fetch Metadata; Origin, RFC 6454). Programs send neither header.
    private func checkOrigin(_ request: Request) throws(Problem) {
        let refusal = Problem(.forbidden, "otherOrigin", "pages of other sites may not do this")
        if let site = request.headers[.init("Sec-Fetch-Site")!] {
            if site == "same-origin" || site == "none" { return }
            guard Self.isSafe(request.method), request.headers[.init("Sec-Fetch-Mode")!] == "navigate" else { throw refusal }
            return
        }
        guard let origin = request.headers[.init("Origin")!] else { return }
        let parts = origin.components(separatedBy: "://")
        guard parts.count == 2, let from = Authority(parts[1]), let here = request.head.authority.flatMap({ Authority($0) }) else { throw refusal }
        let usual = parts[0] == "https" ? 443 : 80
        guard from.host == here.host, (from.port ?? usual) == (here.port ?? usual) else { throw refusal }
    }

    private static func isSafe(_ method: HTTPRequest.Method) -> Bool { method == .get || method == .head }

    /// A body that nobody has read may still be coming.
    private static func mayHaveMore(_ request: Request) -> Bool {
        if request.headers[.transferEncoding] != nil { return true }
        return length(request) > 65536
    }

    private static func length(_ request: Request) -> Int64 { request.headers[.contentLength].flatMap { Int64($0) } ?? 0 }

    /// The client gets time to read why before the connection goes: one that is reset while it sends shows no reason.
    private func cutOff(_ context: WebContext, _ response: inout Response) {
        response.headers[.connection] = "close"
        let channel = context.channel
        channel.eventLoop.scheduleTask(in: .seconds(Self.lingerSeconds)) { channel.close(promise: nil) }
    }

    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:", "connect-src 'self'", "form-action 'self'",
        "frame-ancestors 'none'", "base-uri 'none'",
    ].joined(separator: "; ")

    private static func protect(_ response: inout Response) {
        response.headers[.init("Content-Security-Policy")!] = policy
        response.headers[.init("X-Content-Type-Options")!] = "nosniff"
        response.headers[.init("Referrer-Policy")!] = "no-referrer"
        response.headers[.init("Cross-Origin-Resource-Policy")!] = "same-origin"
        response.headers[.init("Cross-Origin-Opener-Policy")!] = "same-origin"
        response.headers[.init("X-Frame-Options")!] = "DENY"
    }
}

/// What Hummingbird carries along with a request.
struct WebContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
