import Foundation

/// The paths of the two commands, which are in the same folder.
package enum Executable {
    package static var bihuan: String { named("bihuan") }
    package static var lab: String { named("bihuan-lab") }

    /// The path of the running program if it has this name, else the path beside it. If the program's file is
    /// gone, as after a new build, the kernel's link `/proc/self/exe`.
    private static func named(_ name: String) -> String {
        let link = "/proc/self/exe"
        let own = URL(filePath: (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? link)
        guard own.lastPathComponent.split(separator: " ").first.map(String.init) == name else {
            return own.deletingLastPathComponent().appending(path: name).path
        }
        return FileManager.default.isExecutableFile(atPath: own.path) ? own.path : link
    }
}
