internal import Jobs
internal import MediaIO

/// What a job's record says of an error.
enum WorkFailure {
    /// Codes of failures that another attempt may not meet: of the disk, the source's place, the memory.
    private static let passing: Set<String> = [
        "diskFull", "outOfMemory", "noSuchFile", "unreadable", "unwritable", "sourceChanged", "busy",
        "interrupted", JobFailure.inputsChanged,
    ]

    static func of(_ error: any Error, codeName: String, paths: WorkPaths) -> JobFailure {
        // Counts among the outputs that cannot be written, but does not pass.
        let isName = (error as? MediaError)?.code == .nameTooLong
        let code = (error as? WorkerError)?.code.rawValue ?? (isName ? WorkerError.Code.nameTooLong.rawValue : codeName)
        return JobFailure(code: code, text: paths.shown("\(error)"), mayPass: passing.contains(code))
    }
}
