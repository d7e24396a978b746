package import Basics
import Foundation

/// The lines of a file or of standard input, in order and without line ends. The input may have any size.
///
/// A line longer than `bytesMax` is cut to `bytesMax + 1` bytes: the caller refuses it, and memory stays bounded.
package struct LineReader: Sequence, IteratorProtocol {
    private let handle: FileHandle
    private let bytesMax: Int
    private var buffer: ArraySlice<UInt8> = []
    private var isAtEnd = false
    /// Whether the last line was read and had no line end.
    package private(set) var lacksLineEnd = false

    /// - Parameter path: a file's path, or `-` for standard input.
    package init(path: String, bytesMax: Int) throws(UserError) {
        self.bytesMax = bytesMax
        if path == "-" {
            handle = .standardInput
            return
        }
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw UserError("there is no file \(path)")
        }
        guard !isDirectory.boolValue, let opened = FileHandle(forReadingAtPath: path) else {
            throw UserError("the file \(path) cannot be read")
        }
        handle = opened
    }

    /// The size of the file in bytes; `nil` if it is no regular file, for example a pipe.
    package var size: Int? {
        var status = stat()
        guard fstat(handle.fileDescriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }

    package mutating func next() -> [UInt8]? {
        var line: [UInt8] = []
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                append(buffer[..<end], to: &line)
                buffer = buffer[(end + 1)...]
                return line
            }
            append(buffer, to: &line)
            let hadBytes = !buffer.isEmpty || !line.isEmpty
            guard refill() else {
                if hadBytes { lacksLineEnd = true }
                return hadBytes ? line : nil
            }
        }
    }

    private func append(_ bytes: ArraySlice<UInt8>, to line: inout [UInt8]) {
        line.append(contentsOf: bytes.prefix(Swift.max(0, bytesMax + 1 - line.count)))
    }

    private mutating func refill() -> Bool {
        buffer = []
        if isAtEnd { return false }
        guard let bytes = try? handle.read(upToCount: 1 << 18), !bytes.isEmpty else {
            isAtEnd = true
            return false
        }
        buffer = ArraySlice(bytes)
        return true
    }
}
