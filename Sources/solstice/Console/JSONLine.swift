internal import Foundation
internal import Jobs
internal import MediaIO
internal import Pipeline

/// The lines of `--json`: one object a line, its kind in `event`.
enum JSONLine {
    private struct Progress: Encodable {
        let event = "progress"
        let file: String
        let frame: Int
        let total: Int?
        let fps: Double
        let speed: Double
        let elapsed: Double
        let remaining: Double?
    }

    /// One of a run's outputs, with its sidecars.
    private struct Output: Encodable {
        let output: String
        let alsoWritten: [String]

        init(_ report: OutputReport) {
            output = report.path
            alsoWritten = Array(report.files.dropFirst())
        }
    }

    private struct Done: Encodable {
        let event = "done"
        let input: String
        /// The first of `outputs`, as are its `alsoWritten`.
        let output: String
        let outputs: [Output]
        let frames: Int
        let replaced: Int
        let concealed: Int
        let missing: Int
        /// First and last index of each run of damaged frames.
        let damagedFrames: [[Int]]
        let duration: Double
        let elapsed: Double
        let fps: Double
        let alsoWritten: [String]
        let styleCached: Bool
    }

    private struct Notice: Encodable {
        let event = "notice"
        let file: String
        let text: String
    }

    private struct Failure: Encodable {
        let event = "failed"
        let file: String
        let error: String
        let code: Int32
    }

    private struct Skipped: Encodable {
        let event = "skipped"
        let input: String
        let output: String
        let outputs: [String]
    }

    private struct Summary: Encodable {
        let event = "summary"
        let converted: Int
        let skipped: Int
        let failed: Int
    }

    static func progress(_ progress: ConvertProgress, file: String) -> String {
        encode(
            Progress(
                file: file, frame: progress.frame, total: progress.total, fps: progress.framesPerSecond,
                speed: progress.speed, elapsed: progress.elapsed, remaining: progress.remaining))
    }

    static func done(_ report: ConvertReport, input: String) -> String {
        let outputs = report.outputs.map(Output.init)
        return encode(
            Done(
                input: input, output: outputs.first?.output ?? "", outputs: outputs, frames: report.frames, replaced: report.damage.replaced,
                concealed: report.damage.concealed, missing: report.damage.missing,
                damagedFrames: report.damagedFrames.map { [$0.lowerBound, $0.upperBound] }, duration: report.duration, elapsed: report.elapsed,
                fps: report.elapsed > 0 ? Double(report.frames) / report.elapsed : 0,
                alsoWritten: outputs.first?.alsoWritten ?? [], styleCached: report.styleWasCached))
    }

    static func notice(_ text: String, file: String) -> String { encode(Notice(file: file, text: text)) }

    static func failure(_ error: String, status: ExitStatus, file: String) -> String {
        encode(Failure(file: file, error: error, code: status.rawValue))
    }

    static func skipped(input: String, outputs: [String]) -> String {
        encode(Skipped(input: input, output: outputs.first ?? "", outputs: outputs))
    }

    static func summary(converted: Int, skipped: Int, failed: Int) -> String {
        encode(Summary(converted: converted, skipped: skipped, failed: failed))
    }

    /// In the words of the service's API.
    static func job(_ job: Job) -> String { encode(JobView(job)) }

    /// Any value as one line, keys sorted, moments as in ISO 8601.
    static func encode(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.dateEncodingStrategy = .iso8601
        // Nothing that is encoded here can fail but a number that is not finite; that line is then left empty.
        return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
