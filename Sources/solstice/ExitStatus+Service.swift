internal import Daemon
internal import Jobs
internal import Watch
internal import Web

/// Exit codes of the daemon's rooms.
extension ExitStatus {
    /// Nil for an error of another room.
    init?(ofService error: any Error) {
        switch error {
        case is ConfigurationError: self = .unsupportedOption
        case let error as ServiceError: self = error.code == .alreadyRunning ? .addressInUse : .unwritable
        case let error as SystemFailure: self = error.code == .badSocket ? .unreachable : .internalFailure
        case let error as WebError: self.init(error.code)
        case let error as WatchError: self.init(error.code)
        default: return nil
        }
    }

    private init(_ code: WebError.Code) {
        self =
            switch code {
            case .badAddress, .tokenRequired, .badToken: .unsupportedOption
            case .addressInUse, .notPermitted: .addressInUse
            case .pageMissing, .internalFailure: .internalFailure
            }
    }

    private init(_ code: WatchError.Code) {
        self =
            switch code {
            case .badPattern: .unsupportedOption
            case .noSuchFolder: .noSuchFile
            case .unreadable: .unreadable
            case .unwritable: .unwritable
            case .diskFull: .diskFull
            }
    }
}
