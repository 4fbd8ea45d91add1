internal import MediaIO

/// Where a target's packets go once it is connected. All calls block, on the target's own thread.
protocol TargetSink: AnyObject {
    func write(_ packet: Packet) throws
    /// Says goodbye or finishes the file.
    func finish() throws
    /// What the user should know, such as audio that is left out.
    var notices: [String] { get }
}

extension LiveOutput: TargetSink {}
extension SegmentFiles: TargetSink {}
