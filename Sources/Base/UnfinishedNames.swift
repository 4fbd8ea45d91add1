/// The names that programs give to files that they have not written to the end.
public enum UnfinishedNames {
    /// What such names end in, in lower case.
    public static let endings = [
        ".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".opdownload", ".filepart", ".swp", ".aria2", ".!qb", ".!ut",
    ]
}
