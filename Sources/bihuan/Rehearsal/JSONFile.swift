import ArgumentParser
import Foundation

/// A file that a command writes at its end.
enum JSONFile {
    /// Throws at once where it could not be written: what took long to find out would be lost. Nil is no file.
    static func check(_ path: String?) throws(ValidationError) {
        guard let path else { return }
        let file = URL(filePath: path).absoluteURL
        var isDirectory: ObjCBool = false
        let isThere = FileManager.default.fileExists(atPath: file.path, isDirectory: &isDirectory)
        let mustBeWritable = isThere ? file.path : file.deletingLastPathComponent().path
        if isDirectory.boolValue || access(mustBeWritable, W_OK) != 0 { throw ValidationError("\(path) cannot be written") }
    }
}
