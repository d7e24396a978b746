import Foundation

/// A bound on the memory of a process and all that it starts: beyond it the kernel ends the process. Needs root.
struct MemoryLimit {
    private let folder: String

    /// `nil` where this machine, or this account, sets none.
    init?(bytesMax: Int) {
        let name = "bihuan-test-\(UUID().uuidString.prefix(8))"
        for (root, file) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let folder = "\(root)/\(name)"
            guard mkdir(folder, 0o755) == 0 else { continue }
            if (try? Data("\(bytesMax)".utf8).write(to: URL(filePath: "\(folder)/\(file)"))) != nil {
                self.folder = folder
                return
            }
            rmdir(folder)
        }
        return nil
    }

    /// The command that runs a program within the limit. The process id stays the program's.
    func words(running program: String) -> [String] {
        ["/bin/sh", "-c", "echo $$ > \(folder)/cgroup.procs && exec \"$0\"", program]
    }

    /// Once nothing runs within any more.
    func remove() { rmdir(folder) }
}
