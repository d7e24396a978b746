import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// A person's word about a dead letter, with the letter, locked; and the letter's message where it goes through the
/// line again.
struct DeadLetterCommand {
    let command: InboundMessage
    let person: Party
    let letter: DeadLetter
    let replayed: InboundMessage?
    /// Of a message of the office's own: its bytes.
    let ownBody: [UInt8]?
    /// The act came again meanwhile and was decided, or waits for it, under its own id: it is refused no more.
    var isDecided = false
    /// The office's own message still stands in the outbox, of whatever lane: it goes by that row, or has gone and is
    /// about to be struck out.
    var isBeingSent = false
}

extension DeadLetterCommand {
    fileprivate var discardedText: String {
        isDecided ? "discarded; the act was decided under its own id, so its sender was told nothing" : "discarded"
    }
}

extension LaneStore {
    /// Locks the letters that these commands are about, and claims the acts that are replayed. What cannot be done is
    /// refused here.
    ///
    /// A replay runs the stored bytes through the same handler with the stored sender: nothing is published again under
    /// another's name.
    /// - Parameter confirmed: rows of the outbox that this transaction deletes before it enters others.
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
            // A second word about it in the same batch finds it settled.
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
            body = try unitOfWork.office.vault.open(box, context: Vault.context(deadLetter: letter.id))
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
        // What came astray is heard as if it had come to the one it was meant for.
        let queue =
            desk.worker.queues.contains(letter.queue) && !InboundMessage.isGivenUp(letter.queue)
            ? letter.queue : desk.worker.queues[0]
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

    /// A row with the same event id keeps a second one out of the outbox: what were sent again would have no row to
    /// outlive this lane, and no trigger would look at it. Nobody can tell from the row whether it has been sent. Its
    /// lane may be about to send it, or may have its confirm and not have deleted it; of a lane that died the relay
    /// sends it in any case; for a parked queue it waits until the queue takes messages.
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

    /// The act's row in the inbox says `dead`, or is pruned: both are open. Where it says more, the message came again
    /// by itself and has its verdict.
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

    /// Writes what became of a letter, and tells the person.
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
            if answers.verdict(of: inbound.key) == nil { answers.settle(inbound.key, .taken) }
            try taken(word, "replayed: taken", inbound)
        }
    }

    private mutating func taken(_ word: DeadLetterCommand, _ text: String, _ inbound: InboundMessage) throws {
        // What nobody had vouched for was known by its bytes alone: that row of the inbox is settled too.
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
            // The row under another id than its own is open still.
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
                ])
        }
        try settle(word, .discarded, data.reason)
    }

    /// A message of the office's own that had no queue. The barrier is asked again.
    private mutating func sendAgain(_ word: DeadLetterCommand, _ body: [UInt8]) throws {
        let letter = word.letter
        guard let type = letter.type.flatMap(MessageType.init(rawValue:)),
            let addressee = letter.addressee.flatMap({ Party($0) }),
            admits(addressee, type: type, reports: letter.reports)
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
        outgoing.sendAgain(
            OutboxRow(
                eventID: letter.id, exchange: letter.queue, routingKey: letter.routingKey, type: type.rawValue,
                subject: letter.subject ?? "", addressee: addressee.description, reports: letter.reports,
                handoffID: letter.handoffID, body: body),
            past: cases, in: office)
        try settle(word, .replayed, "sent again")
    }

    /// Tells the person, unless the letter stays open, which is told as a refusal.
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
            data: CommandTaken(text: state == .discarded ? word.discardedText : because), reports: [])
    }

    /// Whose chain tells what became of a letter: the report it is about, else the unit that sent it, else the office.
    private func subject(of letter: DeadLetter) -> LedgerSubject {
        let targets = letter.targets(in: office.directory)
        let sender = letter.sender.flatMap { Party($0) }
        // A unit's word about another's handoff is no word about its report.
        let handoffs = targets.handoffs.filter { id in
            guard case .unit(let unit) = sender else { return true }
            return file(of: id)?[handoff: id]?.unit == unit
        }
        let submitted = targets.submission.flatMap { submission in
            cases.files.values.first { file in
                file.report.source == submission.source && file.report.submissionID == submission.id
            }
        }
        let known =
            targets.reports + handoffs.compactMap { cases.reportOf[$0] } + [submitted?.report.id].compactMap(\.self)
        if let report = known.first(where: { cases.files[$0] != nil }) { return .report(report) }
        // One that was entered since the locks were taken has no chain here: the office's is locked then.
        return targets.units.map { .unit($0) }.first { cases.chains[$0] != nil } ?? .office
    }
}

extension DeadLetter {
    /// The subjects in one of whose chains it is entered what became of it.
    func targets(in directory: OfficeDirectory) -> Targets {
        let party = sender.flatMap { Party($0) }
        var targets = Targets(
            reports: reports, handoffs: [handoffID, subject.flatMap { HandoffID($0) }].compactMap(\.self))
        if case .source(let source) = party, let subject { targets.submission = (source, subject) }
        if case .unit(let unit) = party, directory.units[unit] != nil {
            targets.units = [unit]
        } else {
            targets.office = true
        }
        return targets
    }
}

extension DeadLetterState {
    /// As the ledger tells it; `nil` of what stays open.
    fileprivate var end: LedgerEvent.DeadLetterEnd? {
        switch self {
        case .open: nil
        case .replayed: .replayed
        case .discarded: .discarded
        }
    }
}
