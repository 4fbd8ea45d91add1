internal import Base
internal import Foundation

/// Where below a watch folder an upload goes, from the path of the request. Nothing that leads elsewhere gets this far: parts
/// are split before they are decoded, and each is a plain name.
struct UploadPath: Equatable {
    let folders: [String]
    let name: String
    static let depth = 16
    /// What the watcher takes for unfinished, and would never pick up.
    private static let unfinished = UnfinishedNames.endings + ["~"]

    /// `text` is the percent-encoded path behind `/files/`. Throws 400 with what is wrong.
    init(encoded text: Substring) throws(Problem) {
        var names: [String] = []
        for part in text.split(separator: "/", omittingEmptySubsequences: false) {
            guard let name = String(part).removingPercentEncoding else { throw Problem.bad("the file's name is not UTF-8") }
            try Self.check(name)
            names.append(name)
        }
        guard names.count <= Self.depth else { throw Problem.bad("the file lies more than \(Self.depth) folders deep") }
        guard let name = names.popLast() else { throw Problem.bad("the file needs a name") }
        if let ending = Self.unfinished.first(where: { name.lowercased().hasSuffix($0) }) {
            throw Problem.bad("names that end in \(ending) are taken for unfinished files", remedy: "give it its final name")
        }
        folders = names
        self.name = name
    }

    private static func check(_ name: String) throws(Problem) {
        guard !name.isEmpty else { throw Problem.bad("the file needs a name") }
        guard name.utf8.count <= 255 else { throw Problem.bad("the file's name has more than 255 bytes") }
        guard name.utf8.first != UInt8(ascii: ".") else { throw Problem.bad("names that begin with a dot are hidden, or lead elsewhere", remedy: "give it another name") }
        guard name.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 && $0 != "/" }) else {
            throw Problem.bad("the file's name holds a slash or control characters", remedy: "give it another name")
        }
    }

    var shown: String { (folders + [name]).joined(separator: "/") }
}
