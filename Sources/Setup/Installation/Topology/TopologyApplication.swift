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
        /// Whether to delete the queues of an earlier version, once the workers have read them to their end.
        package var finishes = false
        /// The file for passwords of new users; passwords already in it are used.
        package var passwordFile: PasswordFile?
        /// Passwords that these users get, whatever theirs is.
        package var wantedPasswords: [String: String] = [:]
        /// Whether new users whose password is not known get none: they show a certificate.
        package var takesCertificates = false
        /// Passwords for new users only, for example from bihuan.yaml.
        package var knownPasswords: [String: String] = [:]

        package init(
            prunes: Bool = false, withMessages: Bool = false, finishes: Bool = false,
            passwordFile: PasswordFile? = nil, knownPasswords: [String: String] = [:]
        ) {
            self.prunes = prunes
            self.withMessages = withMessages
            self.finishes = finishes
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
        /// Whether a queue of an earlier version is left that was to be deleted.
        package var isUnfinished = false
        /// The error that ended it early; what was done before it is in `done`.
        package var failure: (any Error)?
    }

    private let topology: OfficeTopology
    private let access: any BrokerAccess
    private var options: Options
    /// It does not change while this runs, and asking takes seconds.
    private var messageBytesMax: Int?

    package init(_ topology: OfficeTopology, through access: any BrokerAccess, _ options: Options) {
        self.topology = topology
        self.access = access
        self.options = options
    }

    private var virtualHost: String { topology.definitions.virtualHost }
    private var given: [String: String] {
        options.wantedPasswords.merging(options.passwordFile?.passwords ?? [:]) { _, file in file }
    }

    package mutating func run() throws -> Outcome {
        var outcome = Outcome()
        messageBytesMax = try access.messageBytesMax()
        let first = try difference()
        let last: TopologyDifference
        do {
            last = try change(first, &outcome)
        } catch {
            // Nobody should have to guess what was changed before the error.
            guard let now = try? difference(), now.lines != first.lines || !outcome.done.isEmpty else { throw error }
            (last, outcome.failure) = (now, error)
        }
        outcome.notes = last.notes
        outcome.left = last.lines
        outcome.done = first.lines.filter { !last.lines.contains($0) } + outcome.done
        return outcome
    }

    /// Makes the changes. Returns the differences that are left.
    private mutating func change(
        _ first: TopologyDifference, _ outcome: inout Outcome
    ) throws -> TopologyDifference {
        let passwords = try passwords(of: first.newUsers, &outcome)
        let additions = try additions(of: first)
        if !additions.isEmpty { try access.add(filled(additions, passwords)) }
        for limit in first.surplusLimits { try access.remove(limit, in: virtualHost, wanted: topology.file()) }
        if options.prunes { try prune(first, &outcome) }
        var last = first.isEmpty ? first : try difference()
        if try unbindRetired(last, &outcome) { last = try difference() }
        if options.finishes, try finish(last, &outcome) { last = try difference() }
        return last
    }

    private func difference() throws -> TopologyDifference {
        TopologyDifference(
            wanted: topology.file(), found: try access.definitions(), virtualHost: virtualHost,
            messageBytesMax: messageBytesMax, passwords: given)
    }

    // MARK: Steps

    private mutating func passwords(of users: [String], _ outcome: inout Outcome) throws -> [String: String] {
        let known = options.knownPasswords.merging(given) { _, given in given }
        let unknown = users.filter { known[$0] == nil }
        if unknown.isEmpty || options.takesCertificates { return known }
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

    private func depth(of queue: String) throws -> QueueDepth {
        try access.depth(of: queue, in: virtualHost) ?? QueueDepth(messages: 0, consumers: 0)
    }

    /// What is missing, except the ways into the queues of parties while a queue that all once shared is still bound
    /// and read: the workers who read it may know no other, and the new queues would fill until they refuse messages.
    private func additions(of difference: TopologyDifference) throws -> DefinitionsFile {
        var additions = difference.additions
        for queue in Set(difference.retiredBindings.map(\.destination)) where try depth(of: queue).consumers > 0 {
            additions.bindings.removeAll { difference.replaces(queue, $0) }
        }
        return additions
    }

    /// Removes the bindings of queues of an earlier version, after all others are there. Until then a message goes
    /// into both queues, and the office decides it once. Returns whether any was removed.
    private func unbindRetired(_ difference: TopologyDifference, _ outcome: inout Outcome) throws -> Bool {
        var hasRemoved = false
        for queue in Set(difference.retiredBindings.map(\.destination)).sorted() {
            let consumers = try depth(of: queue).consumers
            if consumers > 0 {
                outcome.reasons.append(
                    """
                    queue \(queue) is still in use: it is of an earlier version and has \(consumers) consumers. Stop \
                    the workers, apply again, then start them
                    """)
            } else if difference.additions.bindings.contains(where: { difference.replaces(queue, $0) }) {
                outcome.reasons.append("queue \(queue) is still in use: bindings that replace its own are missing")
            } else {
                for binding in difference.retiredBindings where binding.destination == queue {
                    try access.remove(.binding(binding), in: virtualHost, wanted: topology.file())
                }
                hasRemoved = true
            }
        }
        return hasRemoved
    }

    /// Deletes the queues of an earlier version that are at their end. Returns whether any was deleted.
    private func finish(_ difference: TopologyDifference, _ outcome: inout Outcome) throws -> Bool {
        for queue in difference.retiredQueues {
            if difference.retiredBindings.contains(where: { $0.destination == queue }) {
                outcome.isUnfinished = true
                continue
            }
            var depth = try depth(of: queue)
            if depth.isEmpty, access.figuresLateSeconds > 0 {
                Thread.sleep(forTimeInterval: access.figuresLateSeconds)
                depth = try self.depth(of: queue)
            }
            if depth.isEmpty {
                try access.remove(.queue(queue), in: virtualHost, wanted: topology.file())
                outcome.done.append(TopologyDifference.Line(mark: .unwanted, text: "queue \(queue)"))
            } else {
                outcome.isUnfinished = true
                outcome.reasons.append(
                    """
                    queue \(queue) was kept: it holds \(depth.messages) messages and has \(depth.consumers) \
                    consumers. The workers read it to its end: finish later
                    """)
            }
        }
        return !outcome.done.isEmpty
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
                // The office's own worker reads what parties send; it goes on without a queue that is deleted.
                let isOurs = Topology.Queue.inboundKind(of: queue) != nil
                if depth.messages > 0 || depth.consumers > 0 && !isOurs {
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

extension TopologyDifference {
    /// Whether a binding gives messages that now go into a queue of an earlier version their new way.
    fileprivate func replaces(_ retired: String, _ binding: DefinitionsFile.Binding) -> Bool {
        Topology.Queue.inboundKind(of: binding.destination) != nil
            && retiredBindings.contains { $0.destination == retired && $0.source == binding.source }
    }
}
