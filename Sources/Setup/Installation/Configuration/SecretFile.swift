package import Basics
import Foundation

/// A file with a key or a password. Only its owner may read it, and the owner must be this process's user or root.
///
/// PostgreSQL and OpenSSH require the same. A file that is not regular, such as a pipe of the shell, has no
/// lasting mode and is not checked.
package enum SecretFile {
    /// Checks owner and mode; a missing file passes.
    /// - Throws: `UserError` that says what to do.
    package static func check(_ path: String) throws(UserError) {
        if let problem = problem(path) { throw UserError(problem) }
    }

    package static func problem(_ path: String) -> String? {
        // The service manager makes these readable for this service alone, by an access list, which a mode does not
        // show.
        if let folder = ProcessInfo.processInfo.environment["CREDENTIALS_DIRECTORY"], path.hasPrefix(folder + "/") {
            return nil
        }
        guard let status = FileStatus(path), status.isRegular else { return nil }
        let mode = status.mode & 0o777
        if mode & 0o066 != 0 {
            return
                """
                \(path) holds secrets and others may read or write it (mode 0\(String(mode, radix: 8))): chmod \
                600 \(path)
                """
        }
        if status.owner != 0, status.owner != geteuid() {
            return
                """
                \(path) holds secrets and belongs to another user (number \(status.owner)): run this as that \
                user, or chown it
                """
        }
        return nil
    }

    /// The text of a password file, without surrounding blanks and line ends.
    package static func text(_ path: String) throws(UserError) -> String {
        try check(path)
        guard let handle = FileHandle(forReadingAtPath: path), let bytes = try? handle.readToEnd() else {
            throw UserError("the file \(path) cannot be read")
        }
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
