import FuzzKit

@testable import Daemon

/// The harnesses of the rooms Daemon and Web.
let serviceHarnesses = [Harness("yaml", yaml), Harness("upload", upload)]

/// Reads a configuration file; of the commands' options any value will do.
@Sendable private func yaml(_ bytes: [UInt8]) throws -> Bool {
    let validator = OptionValidator(convert: { _ in }, relay: { _ in }, identity: { $0.joined(separator: " ") })
    return try Scratch.withFile(bytes) { path in
        do throws(ConfigurationError) {
            let environment = ["HOME": "/home/somebody"]
            let configuration = try Configuration.load(path: path, environment: environment, validate: validator)
            let again = try Configuration.load(path: path, environment: environment, validate: validator)
            guard configuration == again else { throw ConfigurationError(.contradiction, "another configuration at the second time") }
            return true
        } catch {
            try check(error, bytes, path)
            return false
        }
    }
}

/// The error names the file, and its place is one of the file.
private func check(_ error: ConfigurationError, _ bytes: [UInt8], _ path: String) throws {
    try hold(error.file == path, "an error without the file: \(error)")
    // libyaml counts what Unicode calls a line's end; each takes a byte at least.
    let lines = bytes.count + 1
    if let line = error.line { try hold((1...lines + 1).contains(line), "line \(line) of \(lines): \(error)") }
    if let column = error.column { try hold((1...bytes.count + 2).contains(column), "column \(column): \(error)") }
}
