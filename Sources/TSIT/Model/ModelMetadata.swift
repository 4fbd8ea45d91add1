/// A model's configuration as the text pairs of a safetensors header, and the limits that it must keep.
enum ModelMetadata {
    static let format = "solstice.model.1"
    static let digestKey = "digest"

    /// Widest network that is taken; the published ones have 64.
    static let greatestNgf = 1024
    /// Greatest number of content channels; ADE20K has 151.
    static let mostChannels = 4096

    static func pairs(of configuration: ModelConfiguration) -> [String: String] {
        var pairs = [
            "format": format,
            "name": configuration.name,
            "ngf": String(configuration.ngf),
            "task": configuration.task.rawValue,
            "input_channels": String(configuration.inputChannels),
            "native_size": "\(configuration.nativeWidth)x\(configuration.nativeHeight)",
            "normalization": configuration.normalization.rawValue,
            "storage": configuration.storage.rawValue,
            "provenance": configuration.provenance,
        ]
        pairs["labels"] = configuration.labels?.name
        pairs["detail_residual"] = configuration.detailResidual.map { "\($0)" }
        return pairs
    }

    /// The configuration that a model file's header gives.
    ///
    /// - Throws: `TSITError` `.damagedFile` where the file is no model of ours or a value is missing,
    ///   `.badConfiguration` where a value is out of range, `.unsupported` where the format is a later one.
    static func configuration(from pairs: [String: String], path: String) throws(TSITError) -> ModelConfiguration {
        try checkFormat(pairs["format"], expected: format, kind: "model", path: path)
        func text(_ key: String) throws(TSITError) -> String {
            guard let value = pairs[key] else { throw missing(key, path) }
            return value
        }
        func value<Value>(_ key: String, _ parse: (String) -> Value?) throws(TSITError) -> Value {
            let given = try text(key)
            guard let value = parse(given) else {
                throw TSITError(
                    .badConfiguration, "\(quoted(path)) has an invalid \(key) in its metadata: \(quoted(given))",
                    remedy: "import the checkpoint again")
            }
            return value
        }
        let size = try value("native_size", parsedSize)
        let task: ModelConfiguration.Task = try value("task") { .init(rawValue: $0) }
        // Files of SIS models that do not say it have the set that their number of channels tells.
        let labels = task == .sis && pairs["labels"] != nil ? try value("labels") { LabelSet(parsing: $0) } : nil
        let residual: Float? = pairs["detail_residual"] == nil
            ? nil : try value("detail_residual") { Float($0).flatMap { (0...1).contains($0) ? $0 : nil } }
        let configuration = ModelConfiguration(
            ngf: try value("ngf") { Int($0) }, task: task,
            inputChannels: try value("input_channels") { Int($0) }, labels: labels, nativeWidth: size.width, nativeHeight: size.height,
            normalization: try value("normalization") { .init(rawValue: $0) },
            storage: try value("storage") { .init(rawValue: $0) }, detailResidual: residual, provenance: try text("provenance"),
            name: try text("name"))
        try check(configuration, path: path)
        return configuration
    }

    /// Whether a header's `format` is the one that is read here.
    static func checkFormat(_ found: String?, expected: String, kind: String, path: String) throws(TSITError) {
        guard found != expected else { return }
        if let found, found.hasPrefix("solstice.\(kind).") {
            throw TSITError(
                .unsupported, "\(quoted(path)) has the format \(quoted(found)), this version reads \(expected)",
                remedy: "update solstice")
        }
        let isOther = found?.hasPrefix("solstice.") == true
        throw TSITError(
            .damagedFile, "\(quoted(path)) is a safetensors file, but not a solstice \(kind)",
            remedy: kind == "model" && !isOther
                ? "import the PyTorch checkpoint with `solstice model import`" : "give a \(kind) file",
            cause: found.map { "its format is \(quoted($0))" } ?? "its metadata is missing")
    }

    /// Limits that keep every later product of sizes far from overflow.
    static func check(_ configuration: ModelConfiguration, path: String) throws(TSITError) {
        func bad(_ what: String) -> TSITError { TSITError(.badConfiguration, "\(quoted(path)) has \(what)") }
        guard (1...greatestNgf).contains(configuration.ngf) else { throw bad("a base width of \(configuration.ngf)") }
        guard (1...mostChannels).contains(configuration.inputChannels) else {
            throw bad("\(configuration.inputChannels) input channels")
        }
        if configuration.task != .sis, configuration.inputChannels != 3 {
            throw bad("\(configuration.inputChannels) input channels, which the task \(configuration.task) has not")
        }
        if let labels = configuration.labels, labels.channelCount != configuration.inputChannels {
            throw TSITError(
                .badConfiguration,
                "\(quoted(path)) has \(configuration.inputChannels) input channels, the label set \(labels.name) has "
                    + "\(labels.channelCount)",
                remedy: "give the set that the model was made for, as COUNT[+other][+edges]")
        }
        if let labels = configuration.labels, labels.classCount > LabelSet.mostClasses {
            throw bad("\(labels.classCount) classes, more than labels of 8 bits can name")
        }
        try checkNativeSize(width: configuration.nativeWidth, height: configuration.nativeHeight)
    }

    /// - Throws: `TSITError` `.badSize` unless both sides are multiples of 128 and one exceeds 128.
    static func checkNativeSize(width: Int, height: Int) throws(TSITError) {
        let sides = [width, height]
        guard sides.allSatisfy({ $0 >= 128 && $0 <= 16384 && $0 % 128 == 0 }), sides.max() != 128 else {
            throw TSITError(
                .badSize, "the network cannot have the native size \(width)x\(height)",
                remedy: "give multiples of 128, at least 256x128 or 128x256")
        }
    }

    /// `512x256` as a width and a height.
    static func parsedSize(_ text: String) -> (width: Int, height: Int)? {
        let parts = text.split(separator: "x", omittingEmptySubsequences: false)
        guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]) else { return nil }
        return (width, height)
    }

    private static func missing(_ key: String, _ path: String) -> TSITError {
        TSITError(
            .damagedFile, "\(quoted(path)) lacks \(key) in its metadata", remedy: "import the checkpoint again")
    }
}
