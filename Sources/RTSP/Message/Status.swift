/// Answers of RTSP (RFC 2326, 7.1.1), as far as this server gives them.
enum Status: Int, Sendable, CaseIterable {
    case ok = 200
    case badRequest = 400
    case unauthorized = 401
    case notFound = 404
    case methodNotAllowed = 405
    case notAcceptable = 406
    case requestEntityTooLarge = 413
    case requestURITooLarge = 414
    case parameterNotUnderstood = 451
    case notEnoughBandwidth = 453
    case sessionNotFound = 454
    case methodNotValidInThisState = 455
    case aggregateOperationNotAllowed = 459
    case onlyAggregateOperationAllowed = 460
    case unsupportedTransport = 461
    case internalServerError = 500
    case notImplemented = 501
    case serviceUnavailable = 503
    case versionNotSupported = 505
    case optionNotSupported = 551

    var reason: String {
        switch self {
        case .ok: "OK"
        case .badRequest: "Bad Request"
        case .unauthorized: "Unauthorized"
        case .notFound: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .notAcceptable: "Not Acceptable"
        case .requestEntityTooLarge: "Request Entity Too Large"
        case .requestURITooLarge: "Request-URI Too Large"
        case .parameterNotUnderstood: "Parameter Not Understood"
        case .notEnoughBandwidth: "Not Enough Bandwidth"
        case .sessionNotFound: "Session Not Found"
        case .methodNotValidInThisState: "Method Not Valid In This State"
        case .aggregateOperationNotAllowed: "Aggregate Operation Not Allowed"
        case .onlyAggregateOperationAllowed: "Only Aggregate Operation Allowed"
        case .unsupportedTransport: "Unsupported Transport"
        case .internalServerError: "Internal Server Error"
        case .notImplemented: "Not Implemented"
        case .serviceUnavailable: "Service Unavailable"
        case .versionNotSupported: "RTSP Version Not Supported"
        case .optionNotSupported: "Option Not Supported"
        }
    }
}

/// Why a request is not done: the status that says so, and headers that go with it.
struct Refusal: Error, Equatable {
    let status: Status
    var headers: [Header] = []

    init(_ status: Status, _ headers: [Header] = []) {
        self.status = status
        self.headers = headers
    }
}
