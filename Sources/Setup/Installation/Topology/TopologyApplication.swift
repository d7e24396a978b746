import Basics
import BrokerTopology
import Contract
import Foundation

/// Changes a broker to the wanted definitions, then compares again to report the result.
package struct TopologyApplication {
    package struct Options {
        /// Whether to remove objects with our names that are not wanted.
        package var prunes = false
        /// Whether to remove also queues that hold messages or have consumers.
        package var withMessages = false
        /// The file for passwords of new users; passwords already in it are used.
        package var passwordFile: PasswordFile?
        /// Passwords for new users only, for example from bihuan.yaml.
        package var knownPasswords: [String: String] = [:]

        package init(
            prunes: Bool = false, withMessages: Bool = false, passwordFile: PasswordFile? = nil,
            knownPasswords: [String: String] = [:]
        ) {
            self.prunes = prunes
            self.withMessages = withMessages
            self.passwordFile = passwordFile
            self.knownPasswords = knownPasswords
        }
    }

    package struct Outcome {
        /// The differences that were removed.
        package var done: [TopologyDifference.Line] = []
        /// The differences that remain.
        package var left: [TopologyDifference.Line] = []
        /// Why differences remain.
        package var reasons: [String] = []
        package var generatedPasswords = 0
        package var notes: [String] = []
    }

    private let topology: OfficeTopology
    private let access: any BrokerAccess
    private var options: Options

    package init(_ topology: OfficeTopology, through access: any BrokerAccess, _ options: Options) {
        self.topology = topology
        self.access = access
        self.options = options
    }

    private var virtualHost: String { topology.definitions.virtualHost }
    private var given: [String: String] { options.passwordFile?.passwords ?? [:] }

    package mutating func run() throws -> Outcome {
        var outcome = Outcome()
        let first = try difference()
        outcome.notes = first.notes
        let passwords = try passwords(of: first.newUsers, &outcome)
        if !first.additions.isEmpty { try access.add(filled(first.additions, passwords)) }
        if options.prunes { try prune(first, &outcome) }
        let last = first.isEmpty ? first : try difference()
        outcome.left = last.lines
        outcome.done = first.lines.filter { !last.lines.contains($0) }
        return outcome
    }

    private func difference() throws -> TopologyDifference {
        TopologyDifference(
            wanted: topology.file(), found: try access.definitions(), virtualHost: virtualHost,
            messageBytesMax: try access.messageBytesMax(), passwords: given)
    }

    // MARK: Steps

    private mutating func passwords(of users: [String], _ outcome: inout Outcome) throws -> [String: String] {
        let known = options.knownPasswords.merging(given) { _, given in given }
        let unknown = users.filter { known[$0] == nil }
        if unknown.isEmpty { return known }
        guard options.passwordFile != nil else {
            throw UserError(
                """
                \(unknown.count) users are new and need a password \
                (\(unknown.prefix(3).joined(separator: ", "))\(unknown.count > 3 ? ", …" : "")): \
                give --passwords FILE, which is made if missing, and to which they are written
                """)
        }
        let new = Dictionary(uniqueKeysWithValues: unknown.map { ($0, randomPassword()) })
        try options.passwordFile?.add(new)
        outcome.generatedPasswords = new.count
        return known.merging(new) { _, new in new }
    }

    private func filled(_ additions: DefinitionsFile, _ passwords: [String: String]) -> DefinitionsFile {
        var additions = additions
        for index in additions.users.indices where additions.users[index].password_hash.isEmpty {
            if let password = passwords[additions.users[index].name] {
                additions.users[index].password_hash = PasswordHash.make(password)
            }
        }
        return additions
    }

    /// Users are removed first, which also closes their connections, then bindings. After that no new message
    /// enters a queue that is removed.
    private func prune(_ difference: TopologyDifference, _ outcome: inout Outcome) throws {
        for removal in difference.removals {
            if case .queue(let queue) = removal, !options.withMessages {
                guard let depth = try access.depth(of: queue, in: virtualHost) else { continue }
                if !depth.isEmpty {
                    outcome.reasons.append(
                        """
                        queue \(queue) was kept: it holds \(depth.messages) messages and has \(depth.consumers) \
                        consumers. \
                        --with-messages removes it all the same, and them with it
                        """)
                    continue
                }
            }
            try access.remove(removal, in: virtualHost, wanted: topology.file())
        }
    }
}
