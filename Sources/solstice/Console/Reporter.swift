internal import Foundation
internal import Pipeline

/// How a conversion tells what it does: a bar on a terminal, lines elsewhere, JSON lines where asked for, or nothing.
///
/// Progress, notices and errors go to standard error; JSON lines and a command's own result to standard output.
final class Reporter: @unchecked Sendable {
    // Safe to share: `lastShown` and `barIsDrawn` are only touched with `lock` held.
    enum Style: Sendable { case bar, lines, json, quiet }

    let style: Style
    private let lock = NSLock()
    private var lastShown: ContinuousClock.Instant?
    private var barIsDrawn = false

    init(json: Bool, quiet: Bool) {
        style = json ? .json : quiet ? .quiet : Terminal.drawsBars ? .bar : .lines
    }

    /// Shows `progress` of `file`, unless the last showing was a moment ago.
    func show(_ progress: ConvertProgress, of file: String) {
        let interval: Duration = style == .bar ? .milliseconds(100) : style == .json ? .milliseconds(500) : .seconds(5)
        lock.lock()
        defer { lock.unlock() }
        let now = ContinuousClock.now
        if let lastShown, now - lastShown < interval { return }
        // The first line waits for its interval too: a rate from one frame says nothing.
        let isFirst = lastShown == nil
        lastShown = now
        if isFirst && style != .bar { return }
        switch style {
        case .bar:
            Terminal.redraw(ProgressBar.line(progress, columns: Terminal.columns))
            barIsDrawn = true
        case .lines: Terminal.note(ProgressBar.text(progress))
        case .json: Terminal.print(JSONLine.progress(progress, file: file))
        case .quiet: break
        }
    }

    /// Ends the bar, so that what follows starts on a line of its own.
    func finish() {
        lock.lock()
        defer { lock.unlock() }
        if barIsDrawn { Terminal.redraw("") }
        barIsDrawn = false
        lastShown = nil
    }

    /// A warning or other word to the user.
    func notice(_ text: String, file: String) {
        finish()
        switch style {
        case .json: Terminal.print(JSONLine.notice(text, file: file))
        case .bar, .lines, .quiet: Terminal.note("solstice: \(text)")
        }
    }

    /// The end of one conversion.
    func done(_ report: ConvertReport, input: String) {
        finish()
        for notice in report.allNotices { self.notice(notice, file: input) }
        if let damage = report.damageSummary { notice(damage, file: input) }
        switch style {
        case .json: Terminal.print(JSONLine.done(report, input: input))
        case .bar, .lines: for output in report.outputs { Terminal.note(ProgressBar.summary(report, output: output.path)) }
        case .quiet: break
        }
    }

    /// The one line that says why a conversion failed.
    func failed(_ error: any Error, file: String) {
        finish()
        let status = ExitStatus(error)
        switch style {
        case .json: Terminal.print(JSONLine.failure("\(error)", status: status, file: file))
        case .bar, .lines, .quiet: Terminal.note("solstice: \(error)")
        }
    }

    /// A file of a folder that needs no work.
    func skipped(_ input: String, outputs: [String]) {
        finish()
        switch style {
        case .json: Terminal.print(JSONLine.skipped(input: input, outputs: outputs))
        case .bar, .lines: for output in outputs { Terminal.note("\(output): already done") }
        case .quiet: break
        }
    }
}

extension Reporter {
    /// The end of a folder's conversion.
    func folderDone(converted: Int, skipped: Int, failed: Int) {
        finish()
        switch style {
        case .json: Terminal.print(JSONLine.summary(converted: converted, skipped: skipped, failed: failed))
        case .bar, .lines: Terminal.note("\(converted) converted, \(skipped) already done, \(failed) failed")
        case .quiet: break
        }
    }
}
