package import ArgumentParser
import CProcess
import Foundation

extension AsyncParsableCommand {
    /// Runs the command that the arguments name, and ends the process. All errors are printed here. Runs on the
    /// main actor, so that no other thread opens a file before `Output.closeGaps()`.
    @MainActor
    package static func runAndExit() async -> Never {
        Output.closeGaps()
        // It holds passwords, keys and reports.
        _ = process_hide_memory()
        Foundation.exit(Output.endStatus(await status()))
    }

    private static func status() async -> Int32 {
        do {
            var command = try parseAsRoot()
            if var waiting = command as? any AsyncParsableCommand {
                try await waiting.run()
            } else {
                try command.run()
            }
            return 0
        } catch {
            let (text, status) = (fullMessage(for: error, columns: nil), exitCode(for: error).rawValue)
            if !text.isEmpty { status == 0 ? Output.line(text) : Output.note(text) }
            return status
        }
    }
}
