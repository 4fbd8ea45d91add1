internal import Foundation

/// Where the program keeps what must outlive it: the job database, and work that is under way.
public enum StateFolder {
    /// The state folder of a process with this environment: `$STATE_DIRECTORY`, which systemd sets (systemd.exec(5)), else
    /// `$XDG_STATE_HOME/solstice`, else `~/.local/state/solstice` (XDG Base Directory Specification 0.8).
    public static func standard(environment: [String: String]) -> String {
        // Several are separated by colons; a service of ours has one.
        if let given = environment["STATE_DIRECTORY"]?.split(separator: ":").first { return String(given) }
        // The specification has relative paths ignored.
        if let base = environment["XDG_STATE_HOME"], base.hasPrefix("/") { return base + "/solstice" }
        return (environment["HOME"] ?? NSHomeDirectory()) + "/.local/state/solstice"
    }

    /// The folder that holds a job database: the standard one, or else that of a system service, `/var/lib/solstice`. The standard one
    /// where there is none.
    public static func found(environment: [String: String], ofService service: String = "/var/lib/solstice") -> String {
        let folder = standard(environment: environment)
        return [folder, service].first { FileManager.default.fileExists(atPath: database(in: $0)) } ?? folder
    }

    /// Path of the job database in a state folder.
    public static func database(in folder: String) -> String { folder + "/" + JobStore.fileName }
}
