internal import Jobs

/// All metrics of the daemon, by the naming conventions of Prometheus: base units, counters end in `_total`.
enum MetricsPage {
    /// - Parameters:
    ///   - counts: jobs by state; nil where the database cannot tell.
    ///   - answers: HTTP answers by class of status.
    static func text(
        status: ServiceStatus, counts: [JobState: Int]?, eventStreams: Int, answers: [(name: String, count: Int)]
    ) -> String {
        var page = MetricsText()
        addService(status, counts, to: &page)
        addMachine(status, to: &page)
        addFolders(status.folders, to: &page)
        addRelays(status.relays, to: &page)
        addCounters(status.counters, to: &page)
        page.add("solstice_http_event_streams", .gauge, "Open event streams.", Double(eventStreams))
        page.add(
            "solstice_http_responses_total", .counter, "Answers to HTTP requests by class of status.",
            answers.map { .init(Double($0.count), [("code", $0.name)]) })
        return page.text
    }

    private static func addService(_ status: ServiceStatus, _ counts: [JobState: Int]?, to page: inout MetricsText) {
        page.add("solstice_build_info", .gauge, "Always 1; the version is a label.", [.init(1, [("version", status.version)])])
        page.add("solstice_ready", .gauge, "Whether the daemon takes work.", status.isReady ? 1 : 0)
        page.add("solstice_uptime_seconds", .gauge, "Time since the daemon started.", status.uptime)
        page.add(
            "solstice_jobs", .gauge, "Jobs by state.",
            JobState.allCases.compactMap { state in counts.map { .init(Double($0[state] ?? 0), [("state", state.rawValue)]) } })
        if let newest = status.throughput.last {
            page.add("solstice_throughput_frames_per_second", .gauge, "Frames rendered by all jobs together, lately.", newest.framesPerSecond)
        }
    }

    private static func addMachine(_ status: ServiceStatus, to page: inout MetricsText) {
        let disks = status.disks.map { disk in (disk, [("path", disk.path), ("use", disk.use)]) }
        page.add("solstice_disk_free_bytes", .gauge, "Free space of a disk.", disks.map { .init(Double($0.free), $1) })
        page.add("solstice_disk_size_bytes", .gauge, "Size of a disk.", disks.map { .init(Double($0.total), $1) })
        page.add("solstice_disk_floor_bytes", .gauge, "Free space below which jobs pause.", disks.map { .init(Double($0.floor), $1) })
        let cpu = status.cpu
        page.add(
            "solstice_cpu_busy_cores", .gauge, "Busy cores: of the daemon with its children, and of the machine.",
            [.init(cpu.own, [("scope", "own")]), .init(cpu.machine, [("scope", "machine")])])
        page.add("solstice_cpu_cores", .gauge, "Cores of the machine.", Double(cpu.cores))
        page.add(
            "solstice_resident_memory_bytes", .gauge, "Resident memory.",
            [.init(Double(cpu.residentOwn), [("process", "daemon")]), .init(Double(cpu.residentChildren), [("process", "children")])])
    }

    private static func addFolders(_ folders: [FolderStatus], to page: inout MetricsText) {
        page.add(
            "solstice_folder_watching", .gauge, "Whether a folder is watched; 0 while it is paused.",
            folders.map { .init($0.state == "watching" ? 1 : 0, [("folder", $0.name)]) })
        page.add(
            "solstice_folder_settling_files", .gauge, "Files that are still being written.",
            folders.map { .init(Double($0.settling), [("folder", $0.name)]) })
    }

    private static func addRelays(_ relays: [RelayState], to page: inout MetricsText) {
        func add(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ values: [(label: (name: String, value: String)?, value: KeyPath<RelayState, Double?>)]) {
            page.add(
                name, kind, help,
                relays.flatMap { relay in
                    values.compactMap { entry in
                        relay[keyPath: entry.value].map { .init($0, [("relay", relay.name)] + (entry.label.map { [$0] } ?? [])) }
                    }
                })
        }
        page.add(
            "solstice_relay_playing", .gauge, "Whether a relay's pictures come.",
            relays.map { .init($0.state == "playing" ? 1 : 0, [("relay", $0.name)]) })
        add("solstice_relay_frames_per_second", .gauge, "Frames that come in and go out.", [(("direction", "in"), \.fpsIn), (("direction", "out"), \.fpsOut)])
        add("solstice_relay_latency_seconds", .gauge, "Time that a frame takes through the relay.", [(("quantile", "0.5"), \.latencyP50), (("quantile", "0.95"), \.latencyP95)])
        add("solstice_relay_dropped_frames_total", .counter, "Frames left out to keep up.", [(nil, \.droppedCount)])
        add("solstice_relay_reconnects_total", .counter, "How often the source was lost and found again.", [(nil, \.reconnectCount)])
        add("solstice_relay_readers", .gauge, "Readers of the relay's own server.", [(nil, \.readerCount)])
        add("solstice_relay_starts_total", .counter, "How often the relay's process was started.", [(nil, \.startCount)])
    }

    /// Counters that the daemon keeps by name; what is known of them is said, the others explain themselves.
    private static func addCounters(_ counters: [String: Int], to page: inout MetricsText) {
        for (name, count) in counters.sorted(by: { $0.key < $1.key }) {
            let base = MetricsText.name(name.hasSuffix("_total") ? String(name.dropLast(6)) : name)
            let words = base.replacing("_", with: " ")
            page.add("solstice_\(base)_total", .counter, "Since the daemon started: \(words).", Double(count))
        }
    }
}

extension RelayState {
    fileprivate var droppedCount: Double? { dropped.map(Double.init) }
    fileprivate var reconnectCount: Double? { reconnects.map(Double.init) }
    fileprivate var readerCount: Double? { readers.map(Double.init) }
    fileprivate var startCount: Double? { Double(starts) }
}
