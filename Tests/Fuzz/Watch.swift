import Basics
import Foundation

/// Runs a trial in a process of its own, watches it and reports its outcome.
struct Watch {
    let reader: Reader
    let seed: UInt64
    let indices: Range<Int>

    /// A reader that waits for something takes no processor time, and hangs as well.
    private static let waitSecondsMax = 120.0

    /// Whether every input was read or refused as it should.
    func run() throws -> Bool {
        let folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-fuzz-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        guard let board = Blackboard(path: folder.appending(path: "blackboard").path) else {
            throw CocoaError(.fileWriteUnknown)
        }

        let trial = Process()
        trial.executableURL = URL(
            fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        trial.arguments =
            ["--trial", folder.appending(path: "blackboard").path, reader.rawValue] + [
                String(seed), String(indices.lowerBound), String(indices.upperBound),
            ]
        // A crash needs no explanation here: `--replay` repeats it with its input.
        trial.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { _, mine in
            mine
        }
        let ended = DispatchSemaphore(value: 0)
        trial.terminationHandler = { _ in ended.signal() }
        let start = Date()
        try trial.run()
        let hung = watch(trial, board, until: ended)
        let seconds = Date().timeIntervalSince(start)

        if hung == nil, trial.terminationReason == .exit, trial.terminationStatus == 0,
            board[.index] == indices.upperBound
        {
            tellOfSuccess(board, seconds)
            return true
        }
        let why: String
        if let hung {
            why = hung
        } else if !board.remark.isEmpty {
            why = board.remark
        } else if trial.terminationReason == .uncaughtSignal {
            why = "crashed with signal \(trial.terminationStatus)"
        } else {
            why = "ended with status \(trial.terminationStatus)"
        }
        tellOfFailure(board, why)
        return false
    }

    /// Says how it hung, and has ended it then.
    private func watch(_ trial: Process, _ board: Blackboard, until ended: DispatchSemaphore) -> String? {
        var (lastIndex, lastMove) = (-1, Date())
        while ended.wait(timeout: .now() + 0.25) == .timedOut {
            guard let used = CPUTime.ofProcess(trial.processIdentifier) else { continue }
            let (index, started) = (board[.index], Double(board[.startedNanoseconds]) / 1e9)
            if index != lastIndex { (lastIndex, lastMove) = (index, Date()) }
            let spent = used - started
            // Before the first input the corpus is read.
            let isStuck = started > 0 && board[.index] == index && spent > Gauge.secondsMax + 0.5
            guard isStuck || Date().timeIntervalSince(lastMove) > Self.waitSecondsMax else { continue }
            kill(trial.processIdentifier, SIGKILL)
            ended.wait()
            return isStuck ? "hangs: \(Int(spent)) s of processor time, and no end" : "hangs: it waits"
        }
        return nil
    }

    private func tellOfSuccess(_ board: Blackboard, _ seconds: Double) {
        func mebibytes(_ field: Blackboard.Field) -> String {
            String(format: "%.1f MiB", Double(board[field]) / 1_048_576)
        }
        let slowest = String(
            format: "%.1f ms (input %d)", Double(board[.slowestNanoseconds]) / 1e6, board[.slowestIndex])
        tell(
            """
            \(reader.rawValue): \(indices.count) inputs, seed \(seed), \(Int(seconds)) s; slowest \(slowest); \
            largest \(mebibytes(.largestBytes)); \
            resident \(mebibytes(.firstAnonymousBytes)) at first, \(mebibytes(.lastAnonymousBytes)) at last
            """)
    }

    private func tellOfFailure(_ board: Blackboard, _ why: String) {
        let input = board.input
        let file = FileManager.default.currentDirectoryPath + "/fuzz-\(reader.rawValue)-\(seed)-\(board[.index]).input"
        let isKept = FileManager.default.createFile(atPath: file, contents: Data(input))
        let digits: StaticString = "0123456789abcdef"
        let hexadecimal = input.prefix(2_048).flatMap {
            [digits.utf8Start[Int($0 >> 4)], digits.utf8Start[Int($0 & 15)]]
        }
        tell(
            """
            \(reader.rawValue): FAILED: \(why)
              seed \(seed), input \(board[.index]), \(input.count) bytes, \
              \(isKept ? "kept as \(file)" : "not kept: \(file) cannot be written")
              again: Fuzz \(reader.rawValue) --seed \(seed) --first \(board[.index]) --inputs 1
              \(String(decoding: hexadecimal, as: UTF8.self))\(input.count > 2_048 ? "…" : "")
            """)
    }
}
