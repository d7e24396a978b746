import Basics
import Foundation

/// The folder of `secrets.directory`: one file for each secret, readable by its owner only.
struct SecretsFolder: Sendable {
    let folder: URL

    init(_ folder: URL) { self.folder = folder }

    func write(_ secret: String, as key: String) throws(UserError) {
        try makePrivateDirectory(folder)
        try writePrivately(secret + "\n", to: folder.appending(path: ConfigurationKey.secretFile(of: key)))
    }

    /// Makes an empty file, which means no password, unless there is one.
    func leaveEmpty(_ key: String) throws(UserError) {
        let file = folder.appending(path: ConfigurationKey.secretFile(of: key))
        if !FileManager.default.fileExists(atPath: file.path) { try write("", as: key) }
    }

    /// A lock that lasts as long as its value: two setups at once would make two passwords for one user.
    func lock() throws(UserError) -> Lock {
        try makePrivateDirectory(folder)
        let path = folder.appending(path: ".lock").path
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw UserError("\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
        let lock = Lock(descriptor: descriptor)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw UserError("another `bihuan setup` runs here: wait for its end", mayPass: true)
        }
        return lock
    }

    final class Lock: Sendable {
        private let descriptor: Int32
        init(descriptor: Int32) { self.descriptor = descriptor }
        deinit { close(descriptor) }
    }
}
