internal import ArgumentParser
internal import Foundation
internal import MediaIO
internal import Pipeline
internal import TSIT

struct StyleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "style", abstract: "Make, describe and list style files.",
        subcommands: [Make.self, Show.self, List.self])
}

extension StyleCommand {
    struct Make: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "make",
            abstract: "Make a style file of pictures, frames of a video, or both.",
            discussion: """
                Each picture and each frame goes through the model's style stream, and their statistics are averaged, all \
                counting alike. The file holds these numbers, a thumbnail, and what it came from; it belongs to the model \
                that made it.
                """)

        @Argument(help: "Pictures whose look is wanted.", completion: .file()) var pictures: [String] = []
        @Option(name: .shortAndLong, help: "The style file to write, NAME.style.", completion: .file(extensions: ["style"]))
        var output: String
        @Option(help: "A model file that the style is for.", completion: .file(extensions: ["safetensors"])) var model: String?
        @Option(help: "An embedded model that the style is for (default: night).") var to: EmbeddedModels.Name?
        @Option(help: "A video to take frames from.", completion: .file()) var video: String?
        @Option(help: "Take frames from here on: seconds, or [h:]m:s.") var start: TimeArgument?
        @Option(help: "Take frames from this much: seconds, or [h:]m:s.") var duration: TimeArgument?
        @Option(help: "How many frames, evenly spread (default: 8).") var frames: Int?
        @Option(help: "The style's name (default: that of the file).") var name: String?
        @Option(help: "What it comes from, in words (default: the names of the files).") var origin: String?
        @Flag(help: "Keep no small picture of the sources in the file.") var noThumbnail = false
        @Flag(help: "Replace a style file that is there already.") var overwrite = false
        @Option(help: "Threads of the network (default: every core).") var threads: Int?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard !pictures.isEmpty || video != nil else {
                throw ValidationError("Name at least one picture, or a video with --video.")
            }
            guard to == nil || model == nil else { throw ValidationError("--to names an embedded model, --model a file: give one of them.") }
            guard output.lowercased().hasSuffix(".style"), !output.hasSuffix("/.style"), output.count > 6 else {
                throw ValidationError("Style files end in .style: write -o NAME.style.")
            }
            guard video != nil || (start == nil && duration == nil && frames == nil) else {
                throw ValidationError("--start, --duration and --frames are about a video: name it with --video.")
            }
            if let frames, !(1...1000).contains(frames) { throw ValidationError("--frames is a number from 1 to 1000.") }
            if let duration, duration.seconds <= 0 { throw ValidationError("--duration must be longer than nothing.") }
            if let threads, !(1...256).contains(threads) { throw ValidationError("--threads is a number from 1 to 256.") }
            for (option, text) in [("--name", name), ("--origin", origin)] {
                guard let text else { continue }
                guard !text.isEmpty, text.count <= 1000, text == Terminal.printable(text) else {
                    throw ValidationError("\(option) is a line of text, at most 1000 characters.")
                }
            }
        }

        func run() async throws {
            let request = request
            let report = try await Signals.cancelling { try await StyleMaker(request).run() }
            for notice in report.notices { Terminal.note("solstice: \(notice)") }
            let description = StyleDescription(report.style, path: output, size: report.size, model: model ?? (to ?? .night).rawValue)
            Terminal.print(json ? JSONLine.encode(description) : line(report))
        }

        private var request: StyleRequest {
            var request = StyleRequest(pictures: pictures, output: output)
            request.model = model.map(ConvertRequest.Model.file) ?? .embedded(to ?? .night)
            if let video {
                var part = StyleRequest.Video(path: video)
                (part.start, part.duration) = (start?.seconds, duration?.seconds)
                if let frames { part.frames = frames }
                request.video = part
            }
            (request.name, request.origin, request.threads) = (name, origin, threads)
            (request.keepsThumbnail, request.overwrite) = (!noThumbnail, overwrite)
            return request
        }

        private func line(_ report: StyleReport) -> String {
            var parts: [String] = []
            if report.pictures > 0 { parts.append(report.pictures == 1 ? "1 picture" : "\(report.pictures) pictures") }
            if report.frames > 0 { parts.append(report.frames == 1 ? "1 frame" : "\(report.frames) frames") }
            let model = Terminal.printable(model ?? (to ?? .night).rawValue)
            return "\(Terminal.printable(output)): a style for \(model) of \(parts.joined(separator: " and ")), \(report.size) bytes"
        }
    }
}

extension StyleCommand {
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Describe a style file: what it came from, and for which model it is.",
            discussion: "On a terminal that shows colours, the thumbnail is drawn too (not where NO_COLOR is set).")

        @Argument(help: "The style file, or 'night' or 'winter' for an embedded one.", completion: .file(extensions: ["style"]))
        var file: String
        @Flag(help: "Print JSON.") var json = false
        @Option(help: "Write the thumbnail to this PNG file.", completion: .file(extensions: ["png"])) var thumbnail: String?
        @Flag(help: "Replace a PNG file that is there already.") var overwrite = false

        func validate() throws {
            if let thumbnail, !thumbnail.lowercased().hasSuffix(".png") {
                throw ValidationError("--thumbnail writes PNG: name a file that ends in .png.")
            }
            guard thumbnail != nil || !overwrite else { throw ValidationError("--overwrite is about --thumbnail.") }
        }

        func run() throws {
            let isEmbedded = EmbeddedModels.Name(rawValue: file) != nil && !isFile(file)
            let path = isEmbedded ? try EmbeddedModels.locate(EmbeddedModels.Name(rawValue: file) ?? .night).stylePath : file
            let entry = StyleShelf.entry(at: path)
            let style = try entry.contents.get()
            var shelf = StyleShelf()
            shelf.noteModels(in: parentDirectory(of: path))
            if let thumbnail { try write(style, to: thumbnail, path: path) }
            let description = StyleDescription(
                style, path: file, size: entry.size, model: shelf.modelName(digest: style.modelDigest))
            Terminal.print(json ? JSONLine.encode(description) : description.description)
            if !json, let picture = style.thumbnail, HalfBlocks.areShown {
                Terminal.print(HalfBlocks.text(picture, columns: 48))
            }
        }

        private func write(_ style: StyleFile, to target: String, path: String) throws {
            guard let picture = style.thumbnail?.picture else {
                throw TSITError(.unsupported, "\(file) has no thumbnail", remedy: "leave out --thumbnail")
            }
            let output = try PictureFile(path: target, source: nil, kept: [path], overwrite: overwrite)
            do {
                try output.write(picture)
                try output.publish()
            } catch {
                output.abandon()
                throw error
            }
        }
    }
}

extension StyleCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List style files: the embedded ones, a model's own, and those in folders.")

        @Argument(help: "Folders to look in (default: the current one).", completion: .directory) var folders: [String] = []
        @Option(help: "Also the styles beside this model file.", completion: .file(extensions: ["safetensors"])) var model: String?
        @Flag(help: "Print JSON, one object a line.") var json = false

        func run() throws {
            var shelf = StyleShelf()
            var places = folders.isEmpty ? ["."] : folders
            if let model {
                shelf.noteModel(try ModelFile(contentsOfFile: model))
                places.insert(parentDirectory(of: model), at: 0)
            }
            for place in places { shelf.noteModels(in: place) }
            var entries = shelf.embedded.map { (entry: $0, isEmbedded: true) }
            for place in places {
                entries += try (isFile(place) ? [StyleShelf.entry(at: place)] : shelf.styles(in: place)).map { ($0, false) }
            }
            var seen: Set<String> = []
            let rows = entries.filter { seen.insert(URL(fileURLWithPath: $0.entry.path).resolvingSymlinksInPath().path).inserted }
                .map { StyleRow($0.entry, isEmbedded: $0.isEmbedded, shelf) }
            Terminal.print(json ? rows.map(JSONLine.encode).joined(separator: "\n") : StyleRow.table(rows))
        }
    }
}
