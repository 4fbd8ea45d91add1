internal import CFFmpeg

/// Writes one container file with its sidecars.
final class ContainerWriter: OutputWriter {
    let notices: [String]
    private let files: OutputFiles
    private let planner: OutputPlanner
    private let plan: StreamPlan
    private let info: SourceInfo
    private let interrupt: Interrupt
    private let mark: OutputMark
    private let shift: OutputShift
    private let output: Muxer
    private let outputFile: PartialFile
    private var sidecars: [StreamPlan.Carrier: Sidecar] = [:]
    private var routes: [Int: Route] = [:]
    private var ledger = OutputLedger()
    private var description: SidecarDescription
    private var covers: [CoverTags.Cover] = []
    private var warnings: [String] = []

    private final class Sidecar {
        let muxer: Muxer
        let file: PartialFile
        init(muxer: Muxer, file: PartialFile) {
            self.muxer = muxer
            self.file = file
        }
    }

    /// Where a stream's packets go.
    private final class Route {
        let muxer: Muxer
        /// Ticks of the stream by which it is moved.
        let offset: Int64
        var cut: StreamCut?
        var hidden: HiddenPackets
        init(muxer: Muxer, offset: Int64, cut: StreamCut?) {
            self.muxer = muxer
            self.offset = offset
            self.cut = cut
            hidden = HiddenPackets(hasEditLists: muxer.isISOMedia)
        }
    }

    init(
        files: OutputFiles, source: Demuxer, encoder: VideoEncoder, window: TimeWindow?, mark: OutputMark, interrupt: Interrupt
    ) throws(MediaError) {
        self.mark = mark
        self.files = files
        self.interrupt = interrupt
        info = source.info
        planner = OutputPlanner(source: source, encoder: encoder, container: encoder.container, interrupt: interrupt)
        plan = planner.plan()
        description = SidecarDescription(source: info, plan: plan)
        notices = PlanNotices.lines(plan, info, target: files.target.name)
        shift = try OutputShift(window: window, source: source, container: encoder.container)

        outputFile = try files.create()
        output = try planner.muxer(.output, streams: [], label: outputFile.finalPath)
        try addStreams()
        try OutputTags.write(to: output, planner: planner, plan: plan, shift: shift, mark: mark)
        try output.open(
            path: outputFile.partialPath, options: MuxerOptions.prepare(output, starts: shift.starts(of: source)))
        try openSidecars()
        for index in plan.entries(in: .output) {
            routes[index] = shift.route(index, source).map { Route(muxer: output, offset: $0.offset, cut: $0.cut) }
        }
        try saveFiles()
        if !description.isEmpty, !canDescribe {
            throw MediaError(
                .nameTooLong, "\(files.target.path)\(SidecarEnding.description.rawValue), which is needed beside it, cannot be written",
                remedy: "give the output a shorter name")
        }
    }

    /// False where the name of the description beside the output would be too long.
    private var canDescribe: Bool { files.target.roomForSuffix >= SidecarEnding.description.rawValue.utf8.count }

    // MARK: - Preparation

    private func addStreams() throws(MediaError) {
        for entry in plan.entries {
            guard let stream = planner.source.stream(at: entry.index) else { continue }
            switch entry.action {
            case .encode: try output.addEncoded(planner.encoder, inPlaceOf: stream)
            case .copy(.output): try output.addCopy(of: stream, isUntimed: planner.isUntimed)
            case .attach:
                try AttachedContent.with(stream) { bytes throws(MediaError) in
                    try output.addAttachment(of: stream, content: bytes)
                }
            case .coverTag:
                try AttachedContent.with(stream) { bytes in
                    covers.append(
                        CoverTags.Cover(codecName: info.streams[entry.index].codecName, content: Array(bytes)))
                }
            default: break
            }
        }
    }

    private func openSidecars() throws(MediaError) {
        for (carrier, suffix) in [(StreamPlan.Carrier.movSidecar, SidecarEnding.mov), (.nutSidecar, .nut)] {
            let streams = plan.entries(in: carrier)
            guard !streams.isEmpty else { continue }
            let file = try files.create(suffix: suffix.rawValue)
            let muxer = try planner.muxer(carrier, streams: streams, label: file.finalPath)
            OutputTags.put(mark, on: muxer)
            try muxer.open(
                path: file.partialPath, options: MuxerOptions.prepare(muxer, starts: shift.starts(of: planner.source)))
            sidecars[carrier] = Sidecar(muxer: muxer, file: file)
            for (position, index) in streams.enumerated() {
                routes[index] = shift.route(index, planner.source).map {
                    Route(muxer: muxer, offset: $0.offset, cut: $0.cut)
                }
                description.place(stream: index, file: file.finalPath, position: position)
            }
        }
    }

    /// Attachments that the output does not take, and boxes that libav does not read.
    private func saveFiles() throws(MediaError) {
        for entry in plan.entries where entry.action == .sidecarFile {
            guard let stream = planner.source.stream(at: entry.index) else { continue }
            let start = ".stream\(entry.index)."
            let room = min(80, files.target.roomForSuffix - start.utf8.count)
            let file = try files.create(suffix: start + AttachmentName(of: stream).safeFileName(longest: room))
            try AttachedContent.with(stream) { bytes throws(MediaError) in try file.append(bytes) }
            description.place(stream: entry.index, file: file.finalPath, position: nil)
        }
        guard !info.unreadBoxes.isEmpty else { return }
        let file = try files.create(suffix: SidecarEnding.boxes.rawValue)
        description.boxesFile = file.finalPath
        try SavedBoxes.copy(info.unreadBoxes, from: FileBytes(path: info.path), to: file, interrupt: interrupt)
    }

    // MARK: - Packets

    func write(_ packet: Packet) throws(MediaError) {
        let index = packet.streamIndex
        guard let route = routes[index] else {
            noteUnrouted(index)
            return
        }
        if index != info.video.streamIndex, let stream = planner.source.stream(at: index), route.hidden.leavesOut(packet, of: stream) {
            return
        }
        var written = packet
        if index != info.video.streamIndex, route.cut != nil {
            switch route.cut?.judge(pts: packet.pts ?? packet.dts, duration: packet.duration, isKey: packet.isKey)
                ?? .keep
            {
            case .drop: return
            case .keep: break
            case .shorten(let pts, let duration):
                written = try packet.reference()
                written.raw.pointee.pts = pts
                written.raw.pointee.dts = pts
                written.raw.pointee.duration = duration
            }
        }
        try route.muxer.write(written, offset: route.offset)
        ledger.count(written, stream: index)
    }

    /// A stream that appeared only after the header was written (MPEG-TS) has no place any more.
    private func noteUnrouted(_ index: Int) {
        guard index >= info.streams.count, ledger.noteLate(index) else { return }
        warnings.append("stream \(index) of \(info.path) begins in the middle of the file and is left out")
    }

    // MARK: - End

    func finish(expectedFrames: Int) throws(MediaError) -> OutputReport {
        try output.finish()
        try output.patchIndex(of: outputFile, covers: covers)
        if planner.container.name == "mpegts" { try outputFile.write(mark.nullPacket, at: outputFile.length()) }
        for sidecar in sidecars.values {
            try sidecar.muxer.finish()
            try sidecar.muxer.patchIndex(of: sidecar.file)
        }
        let census = try readBack(outputFile)
        try ledger.check(
            census, plan: plan, info: info, expectedFrames: expectedFrames, path: outputFile.finalPath,
            hasTimes: !planner.container.hasNoTimestamps, zero: planner.container.startsAtZero ? shift.seconds : nil)
        for (carrier, sidecar) in sidecars where plan.entries(in: carrier).contains(where: ledger.hasPackets) {
            let census = try readBack(sidecar.file)
            try ledger.check(
                sidecar: census, streams: plan.entries(in: carrier), info: info, path: sidecar.file.finalPath)
        }
        let losses = OutputLosses(
            source: info, plan: plan, census: census, ledger: ledger, container: planner.container)
        description.lostTags = losses.tags.map { ($0.place, $0.key, $0.value) }
        description.retagged = losses.retagged
        warnings += losses.notices(target: files.target.name, canDescribe: canDescribe)
        if let delay = delay(census) {
            let name = files.target.name
            let moved = "\((abs(delay) * 1e6).rounded() / 1e6) s \(delay < 0 ? "earlier" : "later")"
            warnings.append("\(name) cannot start when the source does: all its times are \(moved)")
        }
        if let notice = timeNotice { warnings.append(notice) }
        for (index, route) in routes.sorted(by: { $0.key < $1.key }) where route.hidden.count > 0 {
            warnings.append("\(route.hidden.count) packets of stream \(index) that the source's edit list hides are left out of \(route.muxer.label)")
        }
        if !description.isEmpty, canDescribe {
            let file = try files.create(suffix: SidecarEnding.description.rawValue)
            try file.append(Array(description.json(outputName: files.target.name).utf8))
        }
        var report = OutputReport(frames: expectedFrames, sidecarStreams: plan.outside.map(\.index))
        report.warnings = notices + warnings
        return report
    }

    /// What a finished file holds. Throws `.unwritable` where the disk does not give back what was written to it, `.internalFailure`
    /// where it is no whole file of its kind.
    private func readBack(_ file: PartialFile) throws(MediaError) -> PacketCensus {
        do throws(MediaError) { return try PacketCensus.take(path: file.partialPath, interrupt: interrupt) } catch {
            switch error.code {
            case .unreadable:
                throw MediaError(
                    .unwritable, "\(file.finalPath) cannot be read back", remedy: "check its disk or network", cause: error.cause)
            case .damaged:
                throw MediaError(
                    .internalFailure, "\(file.finalPath) does not read back as it should", remedy: "try another container",
                    cause: error.cause)
            default: throw error
            }
        }
    }

    /// Seconds by which the output's times are later than the source's; nil where they are the same.
    private func delay(_ census: PacketCensus) -> Double? {
        if planner.container.startsAtZero { return abs(shift.lead) > 0.0011 ? -shift.lead : nil }
        guard !planner.container.hasNoTimestamps else { return nil }
        return ledger.delay(census, plan: plan, info: info, moved: shift.seconds)
    }

    /// What happened to the times of packets, in one line.
    private var timeNotice: String? {
        var repairs = planner.source.timeRepairs
        repairs.strayed += output.lateCount + sidecars.values.reduce(0) { $0 + $1.muxer.lateCount }
        return repairs.notice(of: info.path)
    }

    func abandon() {}
}
