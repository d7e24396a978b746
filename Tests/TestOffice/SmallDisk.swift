import Foundation

/// A disk of a few megabytes in memory, which a test can fill. Needs root.
public final class SmallDisk {
    public let directory: String
    private var filler: String { directory + "/filler" }

    /// Why none can be had here; nil if one can. Tries it.
    public static let obstacle: String? = {
        do {
            try SmallDisk(megabytes: 1).remove()
            return nil
        } catch {
            return "no disk can be mounted here, which needs root"
        }
    }()

    public struct Impossible: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Parameter place: where it is mounted, an empty directory; by default a new one.
    public init(megabytes: Int, at place: String? = nil) throws {
        if let place {
            directory = place
        } else {
            var template = Array("/tmp/bihuan-disk-XXXXXX".utf8CString)
            guard let made = mkdtemp(&template).map({ String(cString: $0) }) else {
                throw Impossible(description: "no directory can be made in /tmp")
            }
            directory = made
        }
        guard geteuid() == 0, mount("tmpfs", directory, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            throw Impossible(description: "no tmpfs can be mounted: \(String(cString: strerror(errno)))")
        }
    }

    /// Leaves no byte free.
    public func fill() throws {
        let descriptor = open(filler, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard descriptor >= 0 else { throw Impossible(description: "\(filler) cannot be opened") }
        defer { close(descriptor) }
        let block = [UInt8](repeating: 1, count: 4096)
        while write(descriptor, block, block.count) > 0 {}
        guard errno == ENOSPC else { throw Impossible(description: String(cString: strerror(errno))) }
    }

    /// Gives back some of what `fill` took.
    public func free(bytes: Int) throws {
        var status = stat()
        guard stat(filler, &status) == 0, truncate(filler, max(0, status.st_size - off_t(bytes))) == 0 else {
            throw Impossible(description: "\(filler) cannot be made shorter")
        }
    }

    /// Gives everything back.
    public func free() { unlink(filler) }

    public func remove() {
        umount2(directory, Int32(MNT_DETACH))
        rmdir(directory)
    }
}
