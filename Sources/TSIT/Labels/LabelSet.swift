/// The classes that a network of semantic image synthesis knows, and the channels that it takes them as: one for each
/// class, one for 'don't care', one for the edges between instances.
public struct LabelSet: Sendable, Equatable {
    /// `cityscapes`, `ade20k`, or for any other set what `init(parsing:)` takes.
    public var name: String
    /// Classes 0..<classCount.
    public var classCount: Int
    /// Class 255 means 'don't care' and has a channel of its own.
    public var hasDontCare: Bool
    /// The last channel is 1 on both sides of an edge between instances.
    public var hasEdges: Bool

    /// The class that means 'don't care'; no set has a class of this number.
    public static let dontCare: UInt8 = 255
    /// Ids have eight bits, and one of them means 'don't care'.
    public static let mostClasses = 255

    /// The 35 classes and the instances of Cityscapes (Cordts et al. 2016).
    public static let cityscapes = LabelSet(name: "cityscapes", classCount: 35, hasDontCare: false, hasEdges: true)
    /// The 150 classes of ADE20K's scene parsing (Zhou et al. 2017), 0 the first of them.
    public static let ade20k = LabelSet(name: "ade20k", classCount: 150, hasDontCare: true, hasEdges: false)

    public init(name: String, classCount: Int, hasDontCare: Bool, hasEdges: Bool) {
        self.name = name
        self.classCount = classCount
        self.hasDontCare = hasDontCare
        self.hasEdges = hasEdges
    }

    /// `cityscapes`, `ade20k` or `COUNT[+other][+edges]`: so many classes, a 'don't care' channel, a channel of edges.
    public init?(parsing text: String) {
        if let known = [Self.cityscapes, .ade20k].first(where: { $0.name == text }) {
            self = known
            return
        }
        let parts = text.split(separator: "+", omittingEmptySubsequences: false)
        guard let count = Int(parts[0]), (1...Self.mostClasses).contains(count), parts[0] == String(count) else { return nil }
        let extras = Array(parts.dropFirst())
        guard [[], ["other"], ["edges"], ["other", "edges"]].contains(extras) else { return nil }
        self.init(
            name: text, classCount: count, hasDontCare: extras.contains("other"), hasEdges: extras.contains("edges"))
    }

    /// The set that a network of `channelCount` content channels was most likely made for: Cityscapes of 36, ADE20K of 151,
    /// else one of as many classes.
    public init(channelCount: Int) {
        let known = [Self.cityscapes, .ade20k].first { $0.channelCount == channelCount }
        self = known ?? LabelSet(name: String(channelCount), classCount: channelCount, hasDontCare: false, hasEdges: false)
    }

    /// Channels of the content: classes, 'don't care', edges, in this order.
    public var channelCount: Int { classCount + (hasDontCare ? 1 : 0) + (hasEdges ? 1 : 0) }

    /// The channel of the edges between instances, the last; nil where the set has none.
    public var edgeChannel: Int? { hasEdges ? channelCount - 1 : nil }

    /// The channel of a class, or nil where the set does not have it.
    public func channel(of id: UInt8) -> Int? {
        if Int(id) < classCount { return Int(id) }
        return id == Self.dontCare && hasDontCare ? classCount : nil
    }
}
