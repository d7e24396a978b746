import Foundation
import Testing

/// A text that was looked at once and must stay as it is. With `TEST_BIHUAN_WRITE_GOLDEN=1` in the environment the
/// files are written again, and the difference is to be read before it is committed.
enum Golden {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")
    static let isUpdating = ProcessInfo.processInfo.environment["TEST_BIHUAN_WRITE_GOLDEN"] == "1"

    static func check(_ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try check(text, at: folder.appending(path: name), sourceLocation: sourceLocation)
    }

    static func check(_ text: String, at file: URL, sourceLocation: SourceLocation = #_sourceLocation) throws {
        if isUpdating {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        let expected = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        #expect(
            text == expected,
            "\(file.lastPathComponent) differs: run the tests with TEST_BIHUAN_WRITE_GOLDEN=1 and read the difference",
            sourceLocation: sourceLocation)
    }
}
