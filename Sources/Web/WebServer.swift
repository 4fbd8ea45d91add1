internal import Foundation
public import Logging

/// Serves the page, the JSON API, metrics and health over HTTP.
///
/// `run` listens until `stop` is called or its task is cancelled, and is back within about three seconds then: whoever still
/// reads an answer is cut off.
public final class WebServer: Sendable {
    public let configuration: WebConfiguration
    let backend: any Backend
    let logger: Logger

    /// Throws what `WebConfiguration.validate` does, and `.pageMissing`.
    public init(configuration: WebConfiguration, backend: any Backend, logger: Logger) throws(WebError) {
        try configuration.validate()
        self.configuration = configuration
        self.backend = backend
        self.logger = logger
    }

    /// Serves until stopped or cancelled; may be called once. Throws `.badAddress`, `.addressInUse`, `.notPermitted`.
    public func run() async throws(WebError) { fatalError("in the making") }

    /// The port that is listened on, once `run` has got so far; nil where it ends before that.
    public func port() async -> Int? { nil }

    /// Ends `run`; may be called from any thread, more than once, and before it.
    public func stop() {}
}
