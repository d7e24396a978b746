package import Basics
import Foundation

/// Writes lines to a file or to standard output, with a buffer.
package struct LineWriter: ~Copyable {
    private let handle: FileHandle
    private let isStandardOutput: Bool
    private let name: String
    private var buffer = Data()

    /// - Parameter path: the file to create or overwrite; `nil` for standard output.
    package init(path: String?) throws(UserError) {
        name = path ?? "standard output"
        isStandardOutput = path == nil
        guard let path else {
            handle = .standardOutput
            return
        }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw UserError("the file \(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    package mutating func write(_ line: String) throws(UserError) {
        buffer.append(contentsOf: line.utf8)
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count >= 1 << 18 { try flush() }
    }

    package mutating func finish() throws(UserError) {
        try flush()
        if !isStandardOutput, fsync(handle.fileDescriptor) != 0 {
            throw UserError("\(name) cannot be written: is the disk full?")
        }
    }

    private mutating func flush() throws(UserError) {
        do { try handle.write(contentsOf: buffer) } catch {
            throw UserError("\(name) cannot be written: is the disk full, or its reader gone?")
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
