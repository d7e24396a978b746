import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// A person's command about a dead letter, with the locked dead letter and, for a replay, its message.
struct DeadLetterCommand {
    let command: InboundMessage
    let person: Party
    let letter: DeadLetter
    let replayed: InboundMessage?
    /// The bytes of a message of the office itself; `nil` for other dead letters.
    let ownBody: [UInt8]?
    /// Whether the act came again meanwhile under its own id and was decided or is deferred: then it is not
    /// refused any more.
    var isDecided = false
    /// Whether the office's own message is still in the outbox, of any lane: it will be sent by that row, or was
    /// sent and the row will be deleted.
    var isBeingSent = false
}

extension DeadLetterCommand {
    fileprivate var discardedText: String {
        isDecided ? "discarded; the act was decided under its own id, so its sender was told nothing" : "discarded"
    }
}

extension LaneStore {
    /// Locks the dead letters of these commands, and claims the acts that are replayed. Commands that cannot be
    /// done are refused here.
    ///
    /// A replay processes the stored bytes with the same handler and the stored sender: nothing is published again
    /// under another name.
    /// - Parameter confirmed: outbox rows that this transaction deletes before it inserts others.
    func loadDeadLetterCommands(
        _ commands: [InboundMessage], confirmed: [OutboxRow], in unitOfWork: inout UnitOfWork
    ) throws -> [DeadLetterCommand] {
        guard !commands.isEmpty else { return [] }
        let rows = try database.run(LockDeadLetters(ids: commands.compactMap { UUID(uuidString: $0.subject) })).rows
        var open = Dictionary(rows.map { ($0.letter.id, $0) }) { first, _ in first }
        var words: [DeadLetterCommand] = []
        for command in commands {
            guard case .message(let message) = command.content, let person = command.sender,
                unitOfWork.maySettleLetters(person)
            else {
                unitOfWork.refuse(
                    command, [Problem(code: Refusal.notAllowed.rawValue, text: "you may not decide about dead letters")]
                )
                continue
            }
            guard let (letter, state) = UUID(uuidString: command.subject).flatMap({ open[$0] }),
                letter.worker == desk.worker.rawValue
            else {
                unitOfWork.refuse(
                    command,
                    [
                        Problem(
                            code: "unknown_dead_letter", path: "subject", text: "no dead letter with this id waits here"
                        )
                    ])
                continue
            }
            guard state == .open else {
                unitOfWork.refuse(
                    command, [Problem(code: "already_settled", text: "this dead letter was \(state.rawValue) before")])
                continue
            }
            // A second command about it in the same batch finds it settled.
            open[letter.id] = (letter, message.envelope.type == .commandDiscard ? .discarded : .replayed)
            if message.envelope.type == .commandDiscard {
                words.append(
                    DeadLetterCommand(command: command, person: person, letter: letter, replayed: nil, ownBody: nil))
            } else if let word = try replay(letter, command, by: person, in: &unitOfWork) {
                words.append(word)
            }
        }
        words = try markBeingSent(try loadDecided(words), but: Set(confirmed.map(\.eventID)))
        return try claimReplayed(words, in: &unitOfWork)
    }

    private func replay(
        _ letter: DeadLetter, _ command: InboundMessage, by person: Party, in unitOfWork: inout UnitOfWork
    ) throws -> DeadLetterCommand? {
        guard let box = letter.body.box else {
            unitOfWork.refuse(
                command,
                [
                    Problem(
                        code: "not_kept",
                        text: "nothing of this letter was kept, and its sender was told to send it again: discard it")
                ])
            return nil
        }
        let body: [UInt8]
        do {
            body = try unitOfWork.office.boxes.open(box, of: .deadLetter(letter.id))
        } catch {
            unitOfWork.refuse(
                command,
                [
                    Problem(
                        code: "cannot_be_opened",
                        text: "the letter was sealed with key \(box.keyID), which this office has not")
                ])
            return nil
        }
        if letter.addressee != nil {
            return DeadLetterCommand(command: command, person: person, letter: letter, replayed: nil, ownBody: body)
        }
        let arrival = Arrival(
            body: body, routingKey: letter.routingKey, userID: letter.sender, type: letter.type,
            messageID: letter.eventID)
        // An unroutable message is handled as if it had come to the queue for which it was meant.
        let queue =
            InboundMessage.isGivenUp(letter.queue)
            ? letter.sender.flatMap { Party($0) }.flatMap(desk.worker.queue(of:)) ?? Topology.Queue.command(desk.worker)
            : letter.queue
        return DeadLetterCommand(
            command: command, person: person, letter: letter,
            replayed: known(
                InboundMessage(arrival, from: queue, digestKey: unitOfWork.office.digestKey, replayOf: letter.id)),
            ownBody: nil)
    }

    private func loadDecided(_ words: [DeadLetterCommand]) throws -> [DeadLetterCommand] {
        func keys(_ letter: DeadLetter) -> [InboxKey] {
            Set([letter.eventID, letter.inboxID].compactMap(\.self)).map {
                InboxKey(sender: letter.sender ?? "unknown", eventID: $0)
            }
        }
        let asked = words.filter { $0.replayed == nil && $0.ownBody == nil }.flatMap { keys($0.letter) }
        guard !asked.isEmpty else { return words }
        let decided = Set(try database.run(ReadDecidedActs(keys: asked)).rows)
        return words.map { word in
            var word = word
            word.isDecided = keys(word.letter).contains(where: decided.contains)
            return word
        }
    }

    /// Marks the messages of the office that are still in the outbox.
    ///
    /// The outbox takes no second row with the same event id, so a message that is sent again would have no row
    /// that survives this lane, and no trigger would check it. The row does not show whether it was sent: its lane
    /// may be about to send it, or may have its confirm and not have deleted it yet. The row of a dead lane is
    /// sent by a relay in any case. A row for a parked queue waits until the queue takes messages.
    private func markBeingSent(
        _ words: [DeadLetterCommand], but confirmed: Set<UUID>
    ) throws -> [DeadLetterCommand] {
        let own = words.filter { $0.ownBody != nil }.map(\.letter.id).filter { !confirmed.contains($0) }
        guard !own.isEmpty else { return words }
        let standing = Set(try database.run(ReadStandingOutbox(eventIDs: own)).rows)
        return words.map { word in
            var word = word
            word.isBeingSent = standing.contains(word.letter.id)
            return word
        }
    }

    /// Claims the acts that are replayed. An act can be replayed if its inbox row has the verdict `dead` or was
    /// pruned. With any other verdict, the message came again by itself and was decided or deferred: the command is
    /// refused.
    private func claimReplayed(
        _ words: [DeadLetterCommand], in unitOfWork: inout UnitOfWork
    ) throws -> [DeadLetterCommand] {
        let received = words.compactMap(\.replayed)
        guard !received.isEmpty else { return words }
        let claimed = Set(
            try database.run(
                ClaimInbox(
                    keys: received.map(\.key), digests: received.map(\.digest), subjects: received.map(\.subject),
                    receivedAt: unitOfWork.office.wall)
            ).rows)
        let known = try database.run(ReadInbox(keys: received.map(\.key).filter { !claimed.contains($0) })).rows
        let rows = Dictionary(known.map { ($0.key, $0) }) { first, _ in first }
        var seen: Set<InboxKey> = []
        return words.filter { word in
            guard let inbound = word.replayed else { return true }
            let row = rows[inbound.key]
            let isOpen = claimed.contains(inbound.key) || (row?.verdict == .dead && row?.digest == inbound.digest)
            if isOpen, seen.insert(inbound.key).inserted { return true }
            unitOfWork.refuse(
                word.command,
                [
                    Problem(
                        code: "already_decided",
                        text: "this act has a verdict, or waits for one, without this letter: discard the letter")
                ])
            return false
        }
    }
}

extension UnitOfWork {
    fileprivate func maySettleLetters(_ party: Party) -> Bool {
        guard case .person(let id) = party, let person = office.directory.persons[id], person.active else {
            return false
        }
        return !person.roles.isDisjoint(with: PersonRole.maySettleDeadLetters)
    }

    /// Settles the dead letter of a command and answers the person.
    mutating func conclude(_ word: DeadLetterCommand) throws {
        if let body = word.ownBody { return try sendAgain(word, body) }
        guard let inbound = word.replayed else { return try discard(word) }
        let problem = answers.problems[inbound.key]?.first
        switch answers.verdict(of: inbound.key) {
        case .dead:
            try settle(word, .open, problem?.description ?? "dead again", reason: problem?.code)
            refuse(
                word.command,
                [
                    Problem(
                        code: "dead_again",
                        text: "it could not be handled this time either: \(problem?.description ?? "no reason known")")
                ])
        case .refused:
            try taken(word, "replayed: refused to its sender, \(problem?.code ?? "with its reason")", inbound)
        case .held: try taken(word, "replayed: held until its handoff is signed for", inbound)
        case .taken, nil:
            // Its inbox row says `dead`.
            if answers.settlements[inbound.key] == nil { answers.settle(inbound.key, .taken) }
            try taken(word, "replayed: taken", inbound)
        }
    }

    private mutating func taken(_ word: DeadLetterCommand, _ text: String, _ inbound: InboundMessage) throws {
        // A message without a verified sender was identified by its bytes only: that inbox row is settled too.
        if let sender = word.letter.sender, let id = word.letter.inboxID, id != inbound.key.eventID {
            answers.settle(InboxKey(sender: sender, eventID: id), answers.verdict(of: inbound.key) ?? .taken)
        }
        try settle(word, .replayed, text)
    }

    private mutating func discard(_ word: DeadLetterCommand) throws {
        guard case .message(let message) = word.command.content, case .deadLetter(.discard(let data)) = message.body
        else {
            return refuse(word.command, [.wrongWorker])
        }
        let letter = word.letter
        if word.isDecided, let id = letter.inboxID {
            // An inbox row under another id than the act's own is still open.
            let key = InboxKey(sender: letter.sender ?? "unknown", eventID: id)
            if id != letter.eventID { answers.settle(key, .refused) }
        } else if let name = letter.sender, let id = letter.inboxID {
            refuse(
                InboxKey(sender: name, eventID: id), from: Party(name), type: letter.type,
                subject: letter.subject ?? id, inReplyTo: letter.eventID,
                problems: [
                    Problem(
                        code: "discarded",
                        text: "the office could not handle this message and will not try again: \(data.reason)")
                ], about: .noCase)
        }
        try settle(word, .discarded, data.reason)
    }

    /// Sends a message of the office again that is a dead letter. The barrier is checked again.
    private mutating func sendAgain(_ word: DeadLetterCommand, _ body: [UInt8]) throws {
        let letter = word.letter
        guard let type = letter.type.flatMap(MessageType.init(rawValue:)),
            let addressee = letter.addressee.flatMap({ Party($0) }),
            admits(addressee, type: type, about: Concern(stored: letter.reports))
        else {
            return refuse(
                word.command,
                [
                    Problem(
                        code: Refusal.notAllowed.rawValue,
                        text: "this message may not go to its addressee any more: discard it")
                ])
        }
        if letter.reason == UnitOfWork.rejected,
            let handoff = letter.handoffID.flatMap({ id in file(of: id)?[handoff: id] }), handoff.state.isFinal
        {
            return refuse(
                word.command, [Problem(code: Refusal.wrongState.rawValue, text: "its handoff is over: discard it")])
        }
        guard !word.isBeingSent else {
            return refuse(
                word.command,
                [
                    Problem(
                        code: "not_confirmed_yet",
                        text: "this message is still being sent: try again in a moment, if it is not taken")
                ])
        }
        if type == .handoffDispatched, letter.reason != UnitOfWork.rejected, let handoff = letter.handoffID {
            do {
                try move(handoff, .sentAgain, of: word.command.key, by: word.person.description)
            } catch {
                return refuse(
                    word.command,
                    [Problem(code: Refusal.wrongState.rawValue, text: "its handoff is not undeliverable any more")])
            }
        }
        outgoing.send(
            OutboxRow(
                eventID: letter.id, exchange: letter.queue, routingKey: letter.routingKey, type: type.rawValue,
                subject: letter.subject ?? "", addressee: addressee.description, reports: letter.reports,
                handoffID: letter.handoffID, body: body),
            past: cases, in: office)
        try settle(word, .replayed, "sent again")
    }

    /// Settles a dead letter and answers the person. If it stays open, the answer is a refusal, which the caller
    /// sends.
    private mutating func settle(
        _ word: DeadLetterCommand, _ state: DeadLetterState, _ because: String, reason: String? = nil
    ) throws {
        answers.settle(
            DeadLetterSettlement(
                id: word.letter.id, state: state, at: now, by: word.person.description, because: because, reason: reason
            ))
        guard let end = state.end else { return }
        let letter = word.letter
        try cases.record(
            .deadLetterSettled(letter.id, as: end, reason: letter.reason), in: subject(of: letter), at: now,
            by: word.person.description)
        answer(
            word.command.key, to: word.person, .commandTaken, subject: word.command.subject,
            data: CommandTaken(text: state == .discarded ? word.discardedText : because), about: .noCase)
    }

    /// The subject in whose ledger chain the end of a dead letter is recorded: its report, else the unit that sent
    /// it, else the office.
    private func subject(of letter: DeadLetter) -> LedgerSubject {
        let targets = letter.targets(in: office.directory)
        let sender = letter.sender.flatMap { Party($0) }
        // A unit's message about another unit's handoff is not recorded in the chain of the report.
        let handoffs = targets.handoffs.filter { id in
            guard case .unit(let unit) = sender else { return true }
            return file(of: id)?[handoff: id]?.unit == unit
        }
        let submitted = targets.submission.flatMap { submission in
            cases.files.values.first { $0.report.submission == submission }
        }
        let known =
            targets.reports + handoffs.compactMap { cases.reportOf[$0] } + [submitted?.report.id].compactMap(\.self)
        if let report = known.first(where: { cases.files[$0] != nil }) { return .report(report) }
        // A unit that was added after the locks were taken has no chain here; then the office's chain is locked.
        return targets.units.map { .unit($0) }.first { cases.chains[$0] != nil } ?? .office
    }
}

extension DeadLetter {
    /// The subjects in one of whose ledger chains the end of the dead letter may be recorded.
    func targets(in directory: OfficeDirectory) -> Targets {
        let party = sender.flatMap { Party($0) }
        var targets = Targets(
            reports: reports, handoffs: [handoffID, subject.flatMap { HandoffID($0) }].compactMap(\.self))
        if case .source(let source) = party, let subject {
            targets.submission = SubmissionKey(source: source, id: subject)
        }
        if case .unit(let unit) = party, directory.units[unit] != nil {
            targets.units = [unit]
        } else {
            targets.office = true
        }
        return targets
    }
}

extension DeadLetterState {
    /// The end of a dead letter in the ledger; `nil` if it stays open.
    fileprivate var end: LedgerEvent.DeadLetterEnd? {
        switch self {
        case .open: nil
        case .replayed: .replayed
        case .discarded: .discarded
        }
    }
}
