public import PostgreSQL

/// A chain grew while it was being decided: the transaction must be begun again. It cannot happen under the subject's
/// lock; the compare-and-set is the second pair of eyes.
public struct StaleCase: Error, Sendable, CustomStringConvertible {
    public let description = "a ledger head had moved"
    public init() {}
}

extension Connection {
    /// Writes cases and what goes with them in one round trip, within the transaction that is open.
    public func write(_ writes: CaseWrites, with others: [any Command]) throws {
        let commands = writes.commands + others
        guard !commands.isEmpty else { return }
        let written = try pipeline(commands: commands)
        for (command, count) in zip(commands, written) {
            if let update = command as? any HeadUpdate, count != update.headCount { throw StaleCase() }
        }
    }
}
