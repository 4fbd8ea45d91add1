internal import Base
internal import Foundation
public import Web

extension WebSettings {
    /// Reads `host:port`, `[v6]:port`, or a port alone, which is loopback's; nil for anything else.
    public init?(parsing text: String) {
        let digits = text.reversed().prefix { $0.isASCII && $0.isNumber }.reversed()
        guard let port = Int(String(digits)), (0...65535).contains(port) else { return nil }
        var host = text.dropLast(digits.count)
        self.init(port: port)
        if host.isEmpty { return }
        guard host.popLast() == ":" else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":"), host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
        } else {
            let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
            guard !host.isEmpty, host.allSatisfy({ letters.contains($0) }) else { return nil }
        }
        self.host = String(host)
    }

    /// The first line of the token file; nil where there is none. Throws `.unreadable`, `.badValue`.
    public func token() throws(ConfigurationError) -> String? {
        guard let tokenFile else { return nil }
        guard let token = SecretFile.firstLine(tokenFile) else {
            throw ConfigurationError(.unreadable, "the token file \(tokenFile) cannot be read", remedy: "make it, readable by the service's user")
        }
        do {
            try WebConfiguration(token: token).validate()
        } catch {
            throw ConfigurationError(.badValue, "\(tokenFile): \(error.message)", remedy: error.remedy)
        }
        return token
    }

    /// What the web server is given. Throws `.unreadable`, `.badValue` for the token file.
    public func webConfiguration() throws(ConfigurationError) -> WebConfiguration {
        WebConfiguration(host: host, port: port, token: try token(), uploadLimit: uploadLimit, hostNames: hostNames)
    }

    /// Why nobody may listen like that; the token itself is looked at elsewhere.
    var refusal: WebError? {
        let token = tokenFile == nil ? nil : String(repeating: "x", count: WebConfiguration.tokenLength)
        do {
            try WebConfiguration(host: host, port: port, token: token).validate()
            return nil
        } catch {
            return error
        }
    }
}
