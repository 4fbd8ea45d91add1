import Imaging

/// Where the pixels of a coded picture lie in the upright one: the map is affine, so that a step to the next pixel of a
/// line is the same everywhere.
struct UprightWalk: Equatable {
    /// Size of the upright picture.
    let width: Int
    let height: Int
    /// Index in `[height][width]` of the coded picture's first pixel.
    let start: Int
    /// What a step to the right and a step downwards in the coded picture add to it.
    let stepX: Int
    let stepY: Int

    /// - Parameters:
    ///   - width: of the coded picture.
    ///   - height: of the coded picture.
    init(width: Int, height: Int, orientation: Orientation) {
        self.width = orientation.swapsAxes ? height : width
        self.height = orientation.swapsAxes ? width : height
        let uprightWidth = self.width
        func index(_ x: Int, _ y: Int) -> Int {
            let column = orientation.isMirrored ? width - 1 - x : x
            return switch orientation.quarterTurns {
            case 1: column * uprightWidth + height - 1 - y
            case 2: (height - 1 - y) * uprightWidth + width - 1 - column
            case 3: (width - 1 - column) * uprightWidth + y
            default: y * uprightWidth + column
            }
        }
        start = index(0, 0)
        stepX = index(1, 0) - start
        stepY = index(0, 1) - start
    }
}
