import Foundation

/// The resource usage of a process, from /proc.
enum ProcessUsage {
    private static let ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))

    /// Processor time, user and system, in seconds: of the process itself, and of the children it waited for.
    /// `nil` if the process has ended.
    static func cpuSeconds(of processID: pid_t) -> (own: Double, ended: Double)? {
        guard let text = text(of: processID, "stat"), let bracket = text.lastIndex(of: ")") else { return nil }
        // The name before the bracket may contain blanks; in proc(5) the fields after it begin with the state, field 3.
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        guard fields.count > 14 else { return nil }
        let ticks = fields[11...14].map { Double($0) ?? 0 }
        return ((ticks[0] + ticks[1]) / ticksPerSecond, (ticks[2] + ticks[3]) / ticksPerSecond)
    }

    /// Processor seconds with all living and ended children; for a database server, with all backends.
    static func cpuSecondsWithChildren(of processID: pid_t) -> Double? {
        guard let parent = cpuSeconds(of: processID) else { return nil }
        let children = text(of: processID, "task/\(processID)/children") ?? ""
        return children.split(separator: " ").compactMap { pid_t($0).flatMap { cpuSeconds(of: $0)?.own } }
            .reduce(parent.own + parent.ended, +)
    }

    /// The anonymous memory of the process (RssAnon), in MiB.
    static func anonymousMiB(of processID: pid_t) -> Double? {
        guard
            let line = text(of: processID, "status")?.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") })
        else { return nil }
        return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Double($0) }.map {
            $0 / 1024
        }
    }

    /// The open files of the process, and the most it may have.
    static func files(of processID: pid_t) -> (open: Int, max: Int) {
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd"))?.count ?? 0
        let line = text(of: processID, "limits")?.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        return (open, line.flatMap { $0.split(separator: " ").dropFirst(3).first }.flatMap { Int($0) } ?? 0)
    }

    static func name(of processID: pid_t) -> String? {
        text(of: processID, "comm")?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    static func parent(of processID: pid_t) -> pid_t? {
        guard let text = text(of: processID, "stat"), let bracket = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: bracket)...].split(separator: " ").dropFirst().first.flatMap { pid_t($0) }
    }

    private static func text(of processID: pid_t, _ file: String) -> String? {
        // The kernel reports no size for these files, so they are read to their end.
        guard let handle = FileHandle(forReadingAtPath: "/proc/\(processID)/\(file)") else { return nil }
        defer { try? handle.close() }
        return (try? handle.readToEnd()).flatMap { $0.map { String(decoding: $0, as: UTF8.self) } }
    }
}

/// Processor seconds by process: `intake`, `broker`, `database`, `bench` …
struct CPUTimes: Sendable {
    var seconds: [String: Double] = [:]

    func since(_ earlier: CPUTimes) -> CPUTimes {
        CPUTimes(seconds: seconds.reduce(into: [:]) { $0[$1.key] = max(0, $1.value - (earlier.seconds[$1.key] ?? 0)) })
    }
}
