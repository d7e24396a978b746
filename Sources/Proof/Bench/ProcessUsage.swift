import Foundation

/// What the kernel says of a process, as /proc has it.
enum ProcessUsage {
    private static let ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))

    /// Processor time, user and system, in seconds: of the process itself, and of those it waited for. `nil` when it is
    /// gone.
    static func cpuSeconds(of processID: pid_t) -> (own: Double, ended: Double)? {
        guard let text = text(of: processID, "stat"), let bracket = text.lastIndex(of: ")") else { return nil }
        // The name before the bracket may hold blanks; proc(5) counts on from the state as field 3.
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        guard fields.count > 14 else { return nil }
        let ticks = fields[11...14].map { Double($0) ?? 0 }
        return ((ticks[0] + ticks[1]) / ticksPerSecond, (ticks[2] + ticks[3]) / ticksPerSecond)
    }

    /// With all children that live and have ended: of a database server every backend there was.
    static func cpuSecondsWithChildren(of processID: pid_t) -> Double? {
        guard let parent = cpuSeconds(of: processID) else { return nil }
        let children = text(of: processID, "task/\(processID)/children") ?? ""
        return children.split(separator: " ").compactMap { pid_t($0).flatMap { cpuSeconds(of: $0)?.own } }
            .reduce(parent.own + parent.ended, +)
    }

    /// Memory that is the process's own and of no file, in MiB.
    static func anonymousMiB(of processID: pid_t) -> Double? {
        guard
            let line = text(of: processID, "status")?.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") })
        else { return nil }
        return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Double($0) }.map {
            $0 / 1024
        }
    }

    static func name(of processID: pid_t) -> String? {
        text(of: processID, "comm")?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    static func parent(of processID: pid_t) -> pid_t? {
        guard let text = text(of: processID, "stat"), let bracket = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: bracket)...].split(separator: " ").dropFirst().first.flatMap { pid_t($0) }
    }

    private static func text(of processID: pid_t, _ file: String) -> String? {
        // The kernel tells no size of these files, so they are read to their end.
        guard let handle = FileHandle(forReadingAtPath: "/proc/\(processID)/\(file)") else { return nil }
        defer { try? handle.close() }
        return (try? handle.readToEnd()).flatMap { $0.map { String(decoding: $0, as: UTF8.self) } }
    }
}

/// Processor seconds by who used them: `intake`, `broker`, `database`, `bench` …
struct CPUTimes: Sendable {
    var seconds: [String: Double] = [:]

    func since(_ earlier: CPUTimes) -> CPUTimes {
        CPUTimes(seconds: seconds.reduce(into: [:]) { $0[$1.key] = max(0, $1.value - (earlier.seconds[$1.key] ?? 0)) })
    }
}
