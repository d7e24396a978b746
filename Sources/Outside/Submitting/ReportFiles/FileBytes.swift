import Foundation

/// Why nothing of a file is submitted, in one sentence for its owner: what the file is, and what to do. It contains
/// nothing from the file.
public struct FileRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    public let reason: String

    package init(_ reason: String) { self.reason = reason }

    public var description: String { reason }
}

/// The bytes of a file, to be read as often as needed. Input that can be read only once, such as standard input or a
/// pipe, is first copied to an unnamed file, which no one else can open and which disappears with the process.
final class FileBytes: Sendable {
    static let chunkBytes = 1 << 18

    private let descriptor: Int32
    /// Bytes used instead of a file.
    private let given: [UInt8]
    let count: Int

    /// - Parameter path: a file's path, or `-` for standard input.
    init(path: String) throws(FileRefusal) {
        let opened = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else {
            throw FileRefusal(
                errno == ENOENT
                    ? "there is no file \(path)"
                    : "the file \(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        given = []
        var status = stat()
        guard fstat(opened, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
            close(opened)
            throw FileRefusal("the file \(path) cannot be read: it is a directory")
        }
        if status.st_mode & S_IFMT == S_IFREG {
            (descriptor, count) = (opened, Int(status.st_size))
        } else {
            defer { close(opened) }
            (descriptor, count) = try FileBytes.copied(from: opened)
        }
    }

    /// Bytes in memory, treated like a file.
    init(_ bytes: [UInt8]) { (descriptor, given, count) = (-1, bytes, bytes.count) }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// The bytes from an offset on, at most a chunk; empty at the end.
    func read(from offset: Int, atMost countMax: Int = FileBytes.chunkBytes) -> [UInt8] {
        if descriptor < 0 { return Array(given[min(offset, count)..<min(offset + countMax, count)]) }
        return [UInt8](unsafeUninitializedCapacity: countMax) { buffer, filled in
            repeat {
                filled = pread(descriptor, buffer.baseAddress, countMax, off_t(offset))
            } while filled < 0 && errno == EINTR
            filled = max(filled, 0)
        }
    }

    private static func copied(from source: Int32) throws(FileRefusal) -> (Int32, Int) {
        let copy = try nameless()
        var buffer = [UInt8](repeating: 0, count: chunkBytes)
        var total = 0
        while true {
            let count = Foundation.read(source, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw FileRefusal("the input cannot be read to its end: \(String(cString: strerror(errno)))")
            }
            if count == 0 { return (copy, total) }
            try write(Array(buffer.prefix(count)), to: copy)
            total += count
        }
    }

    private static func nameless() throws(FileRefusal) -> Int32 {
        let folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-XXXXXX").path
        var template = Array(folder.utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw FileRefusal("no temporary file can be made: \(String(cString: strerror(errno)))")
        }
        unlink(template)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return descriptor
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) throws(FileRefusal) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileRefusal("the temporary copy cannot be written: is the disk full?") }
            rest = rest.dropFirst(count)
        }
    }
}
