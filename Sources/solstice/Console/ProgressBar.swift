internal import Foundation
internal import MediaIO
internal import Pipeline

/// Words and bars for how far a conversion is.
enum ProgressBar {
    /// One line that fits `columns`: a bar, then frame, total, rate, speed and time left.
    static func line(_ progress: ConvertProgress, columns: Int) -> String {
        let words = text(progress)
        let room = columns - words.count - 4
        guard let total = progress.total, total > 0, room >= 10 else { return String(words.prefix(columns - 1)) }
        let width = min(room, 40)
        let filled = min(width, progress.frame * width / total)
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        return "\(bar)  \(words)"
    }

    static func text(_ progress: ConvertProgress) -> String {
        var parts = ["frame \(progress.frame)" + (progress.total.map { "/\($0)" } ?? "")]
        parts.append(String(format: "%.1f fps", progress.framesPerSecond))
        parts.append(String(format: "%.2fx", progress.speed))
        if let remaining = progress.remaining { parts.append("\(clock(remaining)) left") }
        return parts.joined(separator: "  ")
    }

    static func summary(_ report: ConvertReport, output: String) -> String {
        let rate = report.elapsed > 0 ? Double(report.frames) / report.elapsed : 0
        let frames = report.frames == 1 ? "1 frame" : "\(report.frames) frames"
        return "\(output): \(frames) in \(clock(report.elapsed)), " + String(format: "%.1f fps", rate)
    }

    /// Seconds as `m:ss` or `h:mm:ss`.
    static func clock(_ seconds: Double) -> String {
        let whole = Int(nearest: seconds)
        let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
        return hours > 0
            ? String(format: "%d:%02d:%02d", hours, minutes, rest) : String(format: "%d:%02d", minutes, rest)
    }
}
