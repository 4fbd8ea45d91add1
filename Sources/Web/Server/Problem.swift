internal import Foundation
internal import Hummingbird
internal import Jobs

/// What a request is refused with: a status, and a JSON body that says why and what helps.
struct Problem: Error, Sendable {
    let status: HTTPResponse.Status
    /// For programs; does not change.
    let code: String
    let message: String
    let remedy: String?
    var headers = HTTPFields()

    init(_ status: HTTPResponse.Status, _ code: String, _ message: String, remedy: String? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.remedy = remedy
    }

    /// With one more header.
    func with(_ name: String, _ value: String) -> Problem {
        var copy = self
        copy.headers[.init(name)!] = value
        return copy
    }

    static func notFound(_ what: String) -> Problem { Problem(.notFound, "notFound", what) }
    static func bad(_ what: String, remedy: String? = nil) -> Problem { Problem(.badRequest, "badRequest", what, remedy: remedy) }
    static let tooSlow = Problem(.requestTimeout, "tooSlow", "the body came too slowly")

    /// What an error of the daemon is to the client. What nobody thought of is not told: it may name files.
    init(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as JobError: self = Problem(error)
        case let error as HTTPError:
            self = error.status == .notFound ? Problem.notFound("there is nothing at this address") : Problem.bad("the request cannot be understood")
        default: self.init(.internalServerError, "internalFailure", "the request failed inside the program", remedy: "see the log")
        }
    }

    private init(_ error: JobError) {
        let status: HTTPResponse.Status =
            switch error.code {
            case .noSuchJob: .notFound
            case .notPossible: .conflict
            case .databaseUnavailable, .databaseDamaged, .newerVersion, .noDatabase: .serviceUnavailable
            case .diskFull: .init(code: 507, reasonPhrase: "Insufficient Storage")
            case .internalFailure: .internalServerError
            }
        self.init(status, error.code.rawValue, error.message, remedy: error.remedy)
    }

    var response: Response {
        var response = JSONAnswer.response(ProblemView(error: .init(code: code, message: message, remedy: remedy)), status: status)
        for field in headers { response.headers[field.name] = field.value }
        return response
    }
}

/// The body of every answer above 399 of the API.
struct ProblemView: Encodable, Equatable {
    struct Body: Encodable, Equatable {
        let code: String
        let message: String
        let remedy: String?
    }

    let error: Body
}

/// How values become JSON: keys in snake case and in order, moments as in ISO 8601.
enum JSONAnswer {
    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // An infinite rate must not cost the whole answer.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return (try? encoder.encode(value)).map(Array.init) ?? Array("{}".utf8)
    }

    static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
        Response.bytes(encode(value), type: "application/json", status: status)
    }
}

extension Response {
    /// A whole body of a type; not to be kept by the browser unless the caller says so.
    static func bytes(_ bytes: [UInt8], type: String, status: HTTPResponse.Status = .ok) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = type
        headers[.contentLength] = String(bytes.count)
        headers[.cacheControl] = "no-store"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
