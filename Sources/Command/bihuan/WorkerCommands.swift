import ArgumentParser
import Contract
import Installation

// Each command runs one process of one worker, until SIGTERM or Ctrl-C. Any number may run.

struct IntakeWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "intake", abstract: "Receive and register reports.")
    @OptionGroup var options: WorkerOptions
    func run() async throws { try await options.run(.intake) }
}

struct RoutingWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routing", abstract: "Hand reports to the units that must act.")
    @OptionGroup var options: WorkerOptions
    func run() async throws { try await options.run(.routing) }
}

struct DeadlinesWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deadlines", abstract: "Watch the clocks, remind, warn and escalate.")
    @OptionGroup var options: WorkerOptions
    func run() async throws { try await options.run(.deadlines) }
}

struct FeedbackWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "feedback", abstract: "Handle the answers of units, and close the loop.")
    @OptionGroup var options: WorkerOptions
    func run() async throws { try await options.run(.feedback) }
}
