import Foundation

/// What the file system says of a path.
package struct FileStatus: Sendable {
    /// The permission bits, such as `0o600`.
    package let mode: UInt32
    package let owner: UInt32
    package let isRegular: Bool
    package let isDirectory: Bool

    /// `nil` if there is nothing at this path. A link is followed.
    package init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        mode = status.st_mode & 0o7777
        owner = status.st_uid
        isRegular = status.st_mode & S_IFMT == S_IFREG
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
    }
}
