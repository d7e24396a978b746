package import Basics
package import Casework
import Foundation
import Workers

/// Reads a policy file; faults are reported with the lines of `policy check`.
package enum PolicyText {
    /// The bytes of the file, at most `PolicyFile.bytesMax + 1`.
    package static func bytes(of path: String) throws(UserError) -> [UInt8] {
        do {
            let handle = try FileHandle(forReadingFrom: URL(filePath: path))
            return [UInt8](try handle.read(upToCount: PolicyFile.bytesMax + 1) ?? Data())
        } catch {
            throw UserError("the policy \(path) cannot be read: check the path, and that you may read the file")
        }
    }

    /// The text of a policy without faults.
    /// - Throws: `UserError` with all faults.
    package static func read(_ path: String) throws(UserError) -> String {
        let bytes = try bytes(of: path)
        let reading = PolicyFile.check(bytes)
        if reading.policy != nil { return String(decoding: bytes, as: UTF8.self) }
        let lines = reading.faults.map { "  \($0)" }.joined(separator: "\n")
        throw UserError("the policy \(URL(filePath: path).lastPathComponent) cannot be used:\n" + lines)
    }

    package static func rulebook(_ path: String) throws -> Rulebook {
        try Rulebook(try PolicyFile.read(try read(path), named: URL(filePath: path).lastPathComponent))
    }
}
