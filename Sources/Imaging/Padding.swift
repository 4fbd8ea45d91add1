extension PlanarImage {
    /// This picture with each side padded up to the next multiple of `multiple` (and to `minimumWidth` x
    /// `minimumHeight` at least), itself where nothing is to be done.
    ///
    /// The picture stays in the upper left corner; the padding is its reflection, the edge sample not repeated, back and
    /// forth where the padding is wider than the picture (PyTorch's and NumPy's 'reflect').
    public func reflectPadded(toMultipleOf multiple: Int, minimumWidth: Int = 1, minimumHeight: Int = 1) -> PlanarImage {
        let paddedWidth = Self.paddedSize(width, toMultipleOf: multiple, minimum: minimumWidth)
        let paddedHeight = Self.paddedSize(height, toMultipleOf: multiple, minimum: minimumHeight)
        guard paddedWidth != width || paddedHeight != height else { return self }
        let target = PlanarImage(width: paddedWidth, height: paddedHeight, pool: pool)
        let columns = (width..<paddedWidth).map { reflected($0, size: width) }
        for plane in 0..<Self.planeCount {
            withPlane(plane) { from in
                target.withPlane(plane) { to in
                    for y in 0..<paddedHeight {
                        let source = from[(reflected(y, size: height) * rowStride)...]
                        let row = to[(y * target.rowStride)...]
                        for x in 0..<width { to[row.startIndex + x] = from[source.startIndex + x] }
                        for (x, column) in columns.enumerated() {
                            to[row.startIndex + width + x] = from[source.startIndex + column]
                        }
                    }
                }
            }
        }
        return target
    }

    /// The upper left `width` x `height` samples; itself where that is all. Both are at most the picture's.
    public func cropped(width: Int, height: Int) -> PlanarImage {
        precondition(width <= self.width && height <= self.height, "a crop lies inside the picture")
        guard width != self.width || height != self.height else { return self }
        let target = PlanarImage(width: width, height: height, pool: pool)
        for plane in 0..<Self.planeCount {
            withPlane(plane) { from in
                target.withPlane(plane) { to in
                    for y in 0..<height {
                        for x in 0..<width { to[y * target.rowStride + x] = from[y * rowStride + x] }
                    }
                }
            }
        }
        return target
    }

    /// The size that a side of `size` samples is padded to by `reflectPadded`.
    public static func paddedSize(_ size: Int, toMultipleOf multiple: Int, minimum: Int = 1) -> Int {
        let least = max(size, minimum)
        return (least + multiple - 1) / multiple * multiple
    }
}

/// Where sample `index` of a row comes from that is continued by its reflection, the edge sample not repeated.
func reflected(_ index: Int, size: Int) -> Int {
    guard size > 1 else { return 0 }
    let period = 2 * (size - 1)
    let phase = index % period
    return phase < size ? phase : period - phase
}
