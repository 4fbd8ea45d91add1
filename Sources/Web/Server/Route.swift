internal import Hummingbird

/// One operation of the server; the OpenAPI description lists the same ones.
struct Route: Sendable {
    enum Access: Sendable { case open, token }

    typealias Handler = @Sendable (Request, WebContext) async throws -> Response

    let method: HTTPRequest.Method
    /// With `{name}` for a part that varies, as in OpenAPI; a last part of `**` takes all that follows.
    let path: String
    let access: Access
    let handler: Handler

    init(_ method: HTTPRequest.Method, _ path: String, access: Access = .token, _ handler: @escaping Handler) {
        self.method = method
        self.path = path
        self.access = access
        self.handler = handler
    }

    static func responder(for routes: [Route], access: Web.Access, gate: Gate) -> RouterResponder<WebContext> {
        let router = Router(context: WebContext.self)
        router.add(middleware: gate)
        for (path, group) in Dictionary(grouping: routes, by: \.path) {
            var methods = group.map(\.method)
            for route in group {
                router.on(RouterPath(path), method: route.method) { request, context in
                    if route.access == .token { try access.check(request.headers) }
                    return try await route.handler(request, context)
                }
            }
            if let get = group.first(where: { $0.method == .get }), get.path != EventRoute.path {
                methods.append(.head)
                router.on(RouterPath(path), method: .head) { request, context in
                    if get.access == .token { try access.check(request.headers) }
                    return try await get.handler(request, context).createHeadResponse()
                }
            }
            refuseOthers(than: methods, at: path, router)
        }
        return router.buildResponder()
    }

    private static func refuseOthers(than methods: [HTTPRequest.Method], at path: String, _ router: Router<WebContext>) {
        let allowed = methods.map(\.rawValue).sorted().joined(separator: ", ")
        let known: [HTTPRequest.Method] = [.get, .head, .post, .put, .delete, .patch, .options]
        for method in known where !methods.contains(method) {
            router.on(RouterPath(path), method: method) { _, _ -> Response in
                throw Problem(.methodNotAllowed, "methodNotAllowed", "\(method.rawValue) is not for this address; \(allowed) is").with("Allow", allowed)
            }
        }
    }
}
