/// placeholder while the interface is agreed
struct WatchLoop {
    let control: WatchControl
    let onEvent: @Sendable (WatchEvent) -> Void
    func run() {}
}
