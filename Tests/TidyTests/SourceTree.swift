import Foundation
import Testing

/// The project's own files, as text.
enum SourceTree {
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    struct File: Sendable {
        /// From the project's root: `Sources/Rules/Casework/Ledger.swift`.
        let path: String
        let text: String

        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
        /// The folder within `Sources`, and the one within that.
        var floor: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
        var room: String { path.split(separator: "/").dropFirst(2).first.map(String.init) ?? "" }
        /// Every two words that follow each other, such as `struct Vault`.
        var pairsOfWords: Set<String> {
            let words = text.utf8.split { byte in
                !(0x30...0x39).contains(byte) && !(0x41...0x5A).contains(byte) && !(0x61...0x7A).contains(byte)
                    && byte != 0x5F
            }
            return Set(zip(words, words.dropFirst()).map { "\(Substring($0)) \(Substring($1))" })
        }
        /// The lines without comments and what stands in them.
        var code: [(number: Int, text: Substring)] {
            lines.enumerated().map { number, line in
                (number + 1, line.withoutComment)
            }
        }
    }

    /// All files below a folder with one of the endings, in the order of their paths.
    static func files(in folder: String, _ endings: String...) throws -> [File] {
        let base = root.appending(path: folder)
        let paths = try #require(FileManager.default.enumerator(atPath: base.path), "no folder \(folder)")
            .compactMap { $0 as? String }.filter { path in endings.contains { path.hasSuffix(".\($0)") } }
        return try paths.sorted().filter { !$0.split(separator: "/").contains(".build") }.map {
            File(
                path: folder.isEmpty ? $0 : "\(folder)/\($0)",
                text: try String(contentsOf: base.appending(path: $0), encoding: .utf8))
        }
    }

    static func read(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }
}

/// Compares a rule's findings with its exceptions. The list only shrinks: an exception that is not needed fails too.
func expectOnly(
    _ exceptions: Set<String>, in found: some Sequence<String>, _ rule: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let found = Set(found)
    #expect(found.subtracting(exceptions).sorted() == [], "\(rule)", sourceLocation: sourceLocation)
    #expect(
        exceptions.subtracting(found).sorted() == [], "exceptions that are not needed any more: \(rule)",
        sourceLocation: sourceLocation)
}

extension Substring {
    /// Up to two slashes at the beginning or after a blank; those of an address follow a colon.
    fileprivate var withoutComment: Substring {
        var bytes = utf8[...]
        while let slash = bytes.firstIndex(of: UInt8(ascii: "/")) {
            let next = utf8.index(after: slash)
            let isAlone = slash == startIndex || utf8[utf8.index(before: slash)] == UInt8(ascii: " ")
            if isAlone, next < endIndex, utf8[next] == UInt8(ascii: "/") { return self[..<slash] }
            bytes = utf8[next...]
        }
        return self
    }
}
