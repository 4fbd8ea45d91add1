internal import Imaging

/// Labels as PyTorch implementations hold them, turned back into ids without loss.
struct OneHotLabels {
    let image: LabelImage
    /// Layout `[height][width]`; nil where the set has no channel for them.
    let edges: [Bool]?

    /// - Parameter values: layout `[channels][height][width]`, as many channels as `set` has.
    /// - Throws: `TSITError` `.damagedFile` naming the first pixel that does not have a single 1 among zeros, or an edge that
    ///   is neither 0 nor 1.
    init(_ values: [Float], set: LabelSet, width: Int, height: Int, path: String) throws(TSITError) {
        let count = width * height
        precondition(values.count == set.channelCount * count)
        guard count > 0 else { throw TSITError(.damagedFile, "\(path) has no pixels") }
        func bad(_ pixel: Int, _ what: String) -> TSITError {
            TSITError(.damagedFile, "\(path): pixel (\(pixel % width), \(pixel / width)) \(what)")
        }
        var classes = [UInt8](repeating: 0, count: count)
        var ones = [Int](repeating: 0, count: count)
        for channel in 0..<set.classCount + (set.hasDontCare ? 1 : 0) {
            let id = channel < set.classCount ? UInt8(channel) : LabelSet.dontCare
            for pixel in 0..<count {
                let value = values[channel * count + pixel]
                guard value == 0 || value == 1 else { throw bad(pixel, "is not one-hot: \(value) in channel \(channel)") }
                if value == 1 {
                    classes[pixel] = id
                    ones[pixel] += 1
                }
            }
        }
        if let pixel = ones.firstIndex(where: { $0 != 1 }) { throw bad(pixel, "has \(ones[pixel]) classes") }
        if let channel = set.edgeChannel {
            let marks = values[channel * count..<(channel + 1) * count]
            if let bad = marks.firstIndex(where: { $0 != 0 && $0 != 1 }) {
                throw TSITError(.damagedFile, "\(path): an instance edge of \(marks[bad])")
            }
            edges = marks.map { $0 == 1 }
        } else {
            edges = nil
        }
        image = LabelImage(width: width, height: height, classes: classes)
    }
}
