internal import ArgumentParser
internal import Jobs
internal import MediaIO
internal import NeuralEngine
internal import RTSP
internal import Relay
internal import TSIT
internal import Worker

/// The program's exit codes; the README documents them.
enum ExitStatus: Int32, CaseIterable {
    case success = 0
    case checkFailed = 1
    case someFilesFailed = 2

    case noSuchFile = 10
    case notMedia = 11
    case noVideo = 12
    case damaged = 13
    case unreadable = 14

    case outputExists = 20
    case outputIsInput = 21
    case unwritable = 22
    case diskFull = 23
    case unknownContainer = 24

    case unknownEncoder = 30
    case unsupportedOption = 31

    case brokenModel = 40
    case modelMismatch = 41
    case badPicture = 42
    case badLabels = 43

    case unreachable = 50
    case denied = 51
    case addressInUse = 52

    case usage = 64
    case internalFailure = 70
    case outOfMemory = 71
    case hungUp = 129
    case interrupted = 130
    case terminated = 143

    /// What each code means, for `--help` and the README.
    var meaning: String {
        switch self {
        case .success: "done"
        case .checkFailed: "a check found a difference beyond its bounds (model check, doctor); a job is not in a state for what was asked (jobs)"
        case .someFilesFailed: "some files of a folder failed; the others are done"
        case .noSuchFile: "the input, model, style, folder or job is not there"
        case .notMedia: "the input is not a video or picture (empty, a device, a folder where a file is wanted)"
        case .noVideo: "the input has no video stream"
        case .damaged: "more of the input is damaged than --max-errors allows"
        case .unreadable: "the input, the model, the style or the job database cannot be read (permission, a fault of the disk)"
        case .outputExists: "the output is there already"
        case .outputIsInput: "the output is the input"
        case .unwritable: "the output cannot be written"
        case .diskFull: "the disk is full"
        case .unknownContainer: "the output's extension names no container, or one that cannot hold the video"
        case .unknownEncoder: "there is no such encoder"
        case .unsupportedOption: "an option has a value that the encoder or network cannot take"
        case .brokenModel: "the model or style file is broken"
        case .modelMismatch: "the model lacks tensors or does not fit the style or the program"
        case .badPicture: "the style picture cannot be used"
        case .badLabels: "the labels or instances cannot be used: lossy coding, a class or colour that the model does not know"
        case .unreachable: "a live source or target does not answer, or has nothing to give any more"
        case .denied: "a live source or target refuses the user name or password"
        case .addressInUse: "the address to listen on is taken, or may not be used"
        case .usage: "the command line is wrong"
        case .internalFailure: "a fault of the program: please report it"
        case .outOfMemory: "there is not enough memory"
        case .hungUp: "the terminal was closed (SIGHUP)"
        case .interrupted: "interrupted (SIGINT)"
        case .terminated: "terminated (SIGTERM)"
        }
    }

    var exitCode: ExitCode { ExitCode(rawValue) }

    /// True for an error of one of the program's rooms, which speaks for itself in one line.
    static func isOwn(_ error: any Error) -> Bool {
        error is MediaError || error is TSITError || error is NeuralError || error is RelayError || error is RTSPError || error is WorkerError
            || error is JobError || ExitStatus(ofService: error) != nil
    }

    init(_ error: any Error) {
        switch error {
        case let error as MediaError: self.init(error.code)
        case let error as TSITError: self.init(error.code)
        case let error as NeuralError: self.init(error.code)
        case let error as RelayError: self.init(error.code)
        case let error as RTSPError: self.init(error.code)
        case let error as WorkerError: self.init(error.code)
        case let error as JobError: self.init(error.code)
        default: self = ExitStatus(ofService: error) ?? .internalFailure
        }
    }

    private init(_ code: MediaError.Code) {
        self =
            switch code {
            case .noSuchFile: .noSuchFile
            case .notMedia: .notMedia
            case .noVideo: .noVideo
            case .damaged: .damaged
            case .unreadable: .unreadable
            case .outputExists: .outputExists
            case .outputIsInput: .outputIsInput
            case .unwritable, .nameTooLong: .unwritable
            case .diskFull: .diskFull
            case .unknownContainer: .unknownContainer
            case .unknownEncoder: .unknownEncoder
            case .unsupportedOption, .unsupported: .unsupportedOption
            case .unreachable, .stalled: .unreachable
            case .denied: .denied
            case .badLabels: .badLabels
            case .badPicture: .badPicture
            case .outOfMemory: .outOfMemory
            case .cancelled: .interrupted
            case .internalFailure: .internalFailure
            }
    }

    private init(_ code: RelayError.Code) {
        self =
            switch code {
            case .badRequest, .badCommand: .unsupportedOption
            case .controlUnavailable: .unreachable
            }
    }

    private init(_ code: WorkerError.Code) {
        self =
            switch code {
            case .sourceChanged, .inputsChanged, .noSuchFile: .noSuchFile
            case .ownOutput: .outputIsInput
            case .outputExists: .outputExists
            case .unreadable, .foreignLink: .unreadable
            case .unwritable, .busy, .nameTooLong: .unwritable
            case .diskFull: .diskFull
            case .outOfMemory: .outOfMemory
            case .badOrder: .usage
            }
    }

    private init(_ code: JobError.Code) {
        self =
            switch code {
            case .noDatabase, .noSuchJob: .noSuchFile
            case .databaseUnavailable, .databaseDamaged, .newerVersion: .unreadable
            case .notPossible: .checkFailed
            case .diskFull: .diskFull
            case .internalFailure: .internalFailure
            }
    }

    private init(_ code: RTSPError.Code) {
        self =
            switch code {
            case .badAddress: .unsupportedOption
            case .addressInUse, .notPermitted: .addressInUse
            case .internalFailure: .internalFailure
            }
    }

    private init(_ code: NeuralError.Code) {
        self =
            switch code {
            case .outOfMemory: .outOfMemory
            case .badShape, .noInstructionSet: .internalFailure
            }
    }

    private init(_ code: TSITError.Code) {
        self =
            switch code {
            case .noSuchFile: .noSuchFile
            case .unreadable: .unreadable
            case .damagedFile, .unsafeCheckpoint: .brokenModel
            case .missingTensor, .surplusTensor, .wrongShape, .badConfiguration, .styleMismatch, .unsupported,
                .notInstalled: .modelMismatch
            case .badSize, .badTimeline: .unsupportedOption
            case .badLabel: .badLabels
            case .unwritable: .unwritable
            case .outputExists: .outputExists
            }
    }
}
