import Foundation

/// A key that is missing, malformed, or not the one that a value was sealed with.
public struct KeyFailure: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// A file with one key of 32 bytes: 64 hexadecimal digits on its first line.
enum KeyFile {
    static func bytes(in file: URL, of name: String) throws(KeyFailure) -> [UInt8] {
        let text: String
        do {
            text = try String(contentsOf: file, encoding: .utf8)
        } catch {
            throw KeyFailure(description: "the \(name) key file cannot be read: \(file.path)")
        }
        let digits = Array(text.split(whereSeparator: \.isNewline).first ?? "")
        let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
        guard digits.count == 64, bytes.count == 32 else {
            throw KeyFailure(description: "the \(name) key file must hold 64 hexadecimal digits: \(file.path)")
        }
        return bytes
    }
}
