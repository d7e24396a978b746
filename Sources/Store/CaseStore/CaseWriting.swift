public import PostgreSQL

/// A report's chain grew while the report was being decided: the transaction must be run again. It cannot happen
/// under the report's lock; the compare-and-set is a second check.
public struct StaleCase: Error, Sendable, CustomStringConvertible {
    public let description = "a ledger head had moved"
    public init() {}
}

extension Connection {
    /// Writes cases and the given other commands in one round trip, in the open transaction.
    public func write(_ writes: CaseWrites, with others: [any Command]) throws {
        let commands = writes.commands + others
        guard !commands.isEmpty else { return }
        let written = try pipeline(commands: commands)
        for (command, count) in zip(commands, written) {
            if let update = command as? any HeadUpdate, count != update.headCount { throw StaleCase() }
        }
    }
}
