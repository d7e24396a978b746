import ArgumentParser
import Foundation

/// The file that `--json` names.
package enum JSONFile {
    /// Checks before any work starts whether the file can be written.
    package static func check(_ path: String?) throws {
        guard let path else { return }
        let files = FileManager.default
        let file = URL(filePath: path).absoluteURL
        let folder = file.deletingLastPathComponent().path
        var isFolder: ObjCBool = false
        guard files.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            throw ValidationError("--json: there is no folder \(folder)")
        }
        let exists = files.fileExists(atPath: file.path, isDirectory: &isFolder)
        guard
            exists
                ? !isFolder.boolValue && files.isWritableFile(atPath: file.path) : files.isWritableFile(atPath: folder)
        else {
            throw ValidationError("--json: \(file.path) cannot be written")
        }
    }
}
