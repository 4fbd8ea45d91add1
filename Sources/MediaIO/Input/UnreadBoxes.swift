/// Finds the boxes of an MP4 or MOV file that have content which libav does not read.
enum UnreadBoxes {
    static func find(inFile path: String) -> [UnreadBox] { [] }
}
