internal import FoundationEssentials
internal import Imaging
internal import MediaIO
internal import NeuralEngine
public import TSIT

/// Makes a style file: the statistics of pictures and frames of a video, averaged, every one counting alike.
public struct StyleMaker: Sendable {
    public let request: StyleRequest
    private let cache: StyleCache

    /// - Parameter cache: where statistics of pictures are kept.
    public init(_ request: StyleRequest, cache: StyleCache = .standard()) {
        self.request = request
        self.cache = cache
    }

    /// Makes the style and writes it; on a thread of its own, since it blocks.
    ///
    /// - Throws: `TSITError`, `MediaError`, or `CancellationError`; nothing is then written.
    public func run() async throws -> StyleReport {
        let interrupt = Interrupt()
        return try await withTaskCancellationHandler {
            do {
                return try await onOwnThread(named: "style") { try make(interrupt) }
            } catch where interrupt.isTriggered {
                throw Task.isCancelled ? CancellationError() : error
            }
        } onCancel: {
            interrupt.trigger()
        }
    }

    private func make(_ interrupt: Interrupt) throws -> StyleReport {
        try checkOutput()
        let model =
            switch request.model {
            case .embedded(let name): try ModelFile(contentsOfFile: EmbeddedModels.locate(name).modelPath)
            case .file(let path): try ModelFile(contentsOfFile: path)
            }
        try checkApart(from: model)
        let pool = ThreadPool(threads: request.threads ?? ThreadPool.coreCount)
        let resolution = StyleResolution(model: model, pool: pool, cache: cache)
        try resolution.checkStyleStream()
        // Opening a model reads its header only; a damaged weight would show as a wrong style.
        try model.verifyDigest()
        var collection = StyleCollection(resolution: resolution, interrupt: interrupt)
        for picture in request.pictures { try collection.add(picture: picture) }
        if let video = request.video { try collection.add(video) }
        let style = StyleFile(
            statistics: try collection.statistics(), modelDigest: model.digest, name: request.name ?? outputStem,
            origin: request.origin ?? collection.origin, sources: collection.sources,
            thumbnail: request.keepsThumbnail ? try collection.sheet.thumbnail() : nil)
        try interrupt.check()
        // Another program may have been quicker.
        try checkOutput()
        try style.write(to: request.output)
        let size = (try? FileManager.default.attributesOfItem(atPath: request.output)[.size]) as? Int
        return StyleReport(
            style: style, pictures: request.pictures.count, frames: collection.frames, size: size ?? 0,
            notices: (InstructionSet.choice.notice.map { [$0] } ?? []) + collection.notices + resolution.notices)
    }

    /// Throws where the style would replace what it is made of.
    private func checkApart(from model: ModelFile) throws {
        let read = request.pictures + (request.video.map { [$0.path] } ?? []) + [model.path]
        guard !read.contains(where: { OutputPlace.isSameFile($0, request.output) }) else {
            throw MediaError(
                .outputIsInput, "\(request.output) is a file that the style is made of", remedy: "give the output another name")
        }
    }

    private var outputStem: String {
        let name = fileName(of: request.output)
        return name.lowercased().hasSuffix(".style") ? String(name.dropLast(6)) : name
    }

    private func checkOutput() throws {
        var isFolder = false
        let isThere = FileManager.default.fileExists(atPath: request.output, isDirectory: &isFolder)
        if isThere, isFolder {
            throw TSITError(.unwritable, "'\(request.output)' is a folder", remedy: "give the name of a file, such as dusk.style")
        }
        guard request.overwrite || !isThere else {
            throw TSITError(
                .outputExists, "'\(request.output)' exists already", remedy: "give another name, or --overwrite to replace it")
        }
        let folder = request.output.lastIndex(of: "/").map { String(request.output[...$0]) } ?? "."
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder else {
            throw TSITError(.unwritable, "cannot write '\(request.output)'", remedy: "make the folder first")
        }
    }
}

/// What has been gathered for a style so far.
private struct StyleCollection {
    let resolution: StyleResolution
    let interrupt: Interrupt
    var sheet = ContactSheet()
    private(set) var sources: [StyleSource] = []
    private(set) var frames = 0
    private(set) var notices: [String] = []
    private var words: [String] = []
    private var found: [StyleStatistics] = []

    init(resolution: StyleResolution, interrupt: Interrupt) {
        self.resolution = resolution
        self.interrupt = interrupt
    }

    /// All of them averaged.
    func statistics() throws -> StyleStatistics {
        guard !found.isEmpty else {
            throw TSITError(.styleMismatch, "there is nothing to make a style of", remedy: "name a picture or a video")
        }
        return found.count == 1 ? found[0] : .mixed(found.map { ($0, 1) })
    }

    var origin: String {
        let shown = words.prefix(6).joined(separator: ", ")
        return words.count > 6 ? "\(shown) and \(words.count - 6) more" : shown
    }

    mutating func add(picture path: String) throws {
        try interrupt.check()
        guard !StyleFile.isMeant(by: path) else {
            throw MediaError(.badPicture, "\(path) is a style file, not a picture", remedy: "mix styles when converting: --style A,B")
        }
        let picture = try StylePicture.load(path, ofVideo: "name it with --video", interrupt: interrupt)
        let digest = try ContentDigest.ofFile(path)
        found.append(try resolution.statistics(of: picture, digest: digest))
        try sheet.add(picture)
        sources.append(StyleSource(path: path, sha256: digest))
        words.append(sources[sources.count - 1].file)
    }

    mutating func add(_ video: StyleRequest.Video) throws {
        let sampler = try FrameSampler(
            path: video.path, start: video.start, duration: video.duration, count: video.frames, interrupt: interrupt)
        let info = sampler.info.video
        var aspect = info.sampleAspect.isPositive ? info.sampleAspect.value ?? 1 : 1
        if info.orientation.swapsAxes { aspect = 1 / aspect }
        frames = try sampler.forEach { picture in
            found.append(try resolution.statistics(of: picture))
            try sheet.add(picture, sampleAspect: aspect)
        }
        notices += sampler.info.notices
        if frames < video.frames {
            notices.append("\(video.path) has only \(frames) \(frames == 1 ? "frame" : "frames") to take in that part, not \(video.frames)")
        }
        let (start, end) = (sampler.part.lowerBound, sampler.part.upperBound)
        let digest = try ContentDigest.ofFile(video.path) { try interrupt.check() }
        sources.append(StyleSource(path: video.path, sha256: digest, start: start, end: end, frames: frames))
        let count = frames == 1 ? "1 frame" : "\(frames) frames"
        words.append("\(count) of \(sources[sources.count - 1].file) (\(MediaTime.text(start)) to \(MediaTime.text(end)))")
    }
}
