package import Basics
package import Foundation
import Terminal

/// The directory that private servers and an office fill. It must be new, empty, or marked as filled before.
///
/// Otherwise a mistyped path would put twenty folders and a database into somebody's home or a system folder.
package enum OwnDirectory {
    static let marker = ".bihuan"

    /// Creates the directory if it is missing, and marks it.
    /// - Parameter mayFill: called with a sentence if the path looks like a mistake; false refuses.
    package static func claim(_ directory: URL, mayFill: (String) -> Bool) throws(UserError) {
        let path = directory.standardizedFileURL.path
        let mark = directory.appending(path: marker)
        let files = FileManager.default
        if files.fileExists(atPath: mark.path) { return }
        if let doubt = try doubt(path), !mayFill(doubt) {
            throw UserError("\(doubt): nothing was put there; choose a new or empty directory")
        }
        do {
            // Servers of root run as their own users, which must be able to pass through.
            try files.createDirectory(
                at: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: geteuid() == 0 ? 0o711 : 0o700])
            try Data("Made and filled by bihuan.\n".utf8).write(to: mark)
        } catch {
            throw UserError("the directory \(path) cannot be made or written: \(String(cString: strerror(errno)))")
        }
    }

    /// Asks on a terminal; elsewhere the answer is no.
    package static let askOnTerminal: @Sendable (String) -> Bool = { doubt in
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return false }
        Output.note("\(doubt).")
        Output.write("Put it there all the same? [y/N] ", to: STDERR_FILENO)
        return ["y", "yes"].contains(readLine()?.trimmingCharacters(in: .whitespaces).lowercased())
    }

    /// Why the path looks like a mistake; nil if it does not.
    private static func doubt(_ path: String) throws(UserError) -> String? {
        if path == "/" { throw UserError("the root of the file system is no directory for this: choose another") }
        guard let status = FileStatus(path) else {
            let parents = sequence(first: URL(filePath: path)) { $0.path == "/" ? nil : $0.deletingLastPathComponent() }
            let nearest = parents.first { FileManager.default.fileExists(atPath: $0.path) }
            return nearest?.path == "/" ? "\(path) does not exist, nor does any folder above it" : nil
        }
        guard status.isDirectory else { throw UserError("\(path) is no directory: choose another") }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw UserError("the directory \(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        if !names.allSatisfy({ $0 == "lost+found" }) {
            return "\(path) is not empty, and was not filled by bihuan before"
        }
        return path == NSHomeDirectory() ? "\(path) is your home" : nil
    }
}
