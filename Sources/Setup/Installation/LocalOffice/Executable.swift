import Foundation

/// The files of the two commands, which stand beside each other.
package enum Executable {
    package static var bihuan: String { named("bihuan") }
    package static var lab: String { named("bihuan-lab") }

    /// The running program's file, if that is the one; what the kernel calls it where it is gone, as after a new build.
    private static func named(_ name: String) -> String {
        let link = "/proc/self/exe"
        let own = URL(filePath: (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? link)
        guard own.lastPathComponent.split(separator: " ").first.map(String.init) == name else {
            return own.deletingLastPathComponent().appending(path: name).path
        }
        return FileManager.default.isExecutableFile(atPath: own.path) ? own.path : link
    }
}
