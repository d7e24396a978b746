package import Basics
package import Foundation

/// The passwords of broker users: one line each, `user password`, separated by a blank. Lines beginning with # are
/// comments.
///
/// The file is written before the users are created, so that every password set is known.
package struct PasswordFile {
    package let file: URL
    package private(set) var passwords: [String: String] = [:]
    private var text = ""

    /// Reads the file; a missing file has no passwords.
    package init(_ file: URL) throws(UserError) {
        self.file = file
        guard FileManager.default.fileExists(atPath: file.path) else { return }
        try SecretFile.check(file.path)
        guard let text = try? String(contentsOf: file, encoding: .utf8) else {
            throw UserError("the file \(file.path) cannot be read")
        }
        self.text = text
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }
            if words.isEmpty || line.hasPrefix("#") { continue }
            guard words.count == 2 else {
                throw UserError("line \(index + 1) of \(file.path) is not a user and a password with a blank between")
            }
            guard passwords.updateValue(String(words[1]), forKey: String(words[0])) == nil else {
                throw UserError("line \(index + 1) of \(file.path) names \(words[0]) a second time")
            }
        }
    }

    /// Adds lines and rewrites the file, readable only by its owner. Existing lines stay.
    package mutating func add(_ new: [String: String]) throws(UserError) {
        if new.isEmpty { return }
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        for (user, password) in new.sorted(by: { $0.key < $1.key }) { text += "\(user) \(password)\n" }
        passwords.merge(new) { _, new in new }
        try writePrivately(text, to: file)
    }
}
