import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import PostgreSQL

extension UnitOfWork {
    // MARK: Deferring

    /// Defers a message that came before the state that it needs, or refuses it if too many are deferred.
    /// - Parameter isRipe: whether it waits only for earlier messages to be tried.
    mutating func putOff(
        _ inbound: InboundMessage, _ message: Message, for handoff: HandoffID, isRipe: Bool = false
    ) throws {
        guard let report = cases.reportOf[handoff] else { return }
        let waiting = cases.deferred.waiting(for: handoff, in: report)
        // Its inbox row was pruned, and it is still deferred.
        if waiting.contains(where: { $0.key == inbound.key }) { return answers.settle(inbound.key, .held) }
        let box = try office.boxes.seal(inbound.body, for: .deferred(inbound.key))
        if let problem = tooManyEarly(waiting.count, inbound.key.sender, adding: box.sealed.count) {
            return refuse(inbound, [problem])
        }
        cases.deferred.add(
            DeferredMessage(
                key: inbound.key, handoffID: handoff, reportID: report, type: message.envelope.type.rawValue, box: box,
                deferredAt: office.wall, isRipe: isRipe))
        answers.settle(inbound.key, .held)
    }

    private func tooManyEarly(_ count: Int, _ sender: String, adding bytes: Int) -> Problem? {
        let all = cases.deferred.amount(of: sender)
        let text: String
        if count >= office.limits.earlyPerHandoffMax {
            text = "\(count) messages of this handoff wait already"
        } else if all.count >= office.limits.earlyPerUnitMax {
            text = "\(all.count) messages of yours wait for signatures already"
        } else if all.bytes + bytes > office.limits.earlyBytesPerUnitMax {
            text =
                """
                messages of yours with \(all.bytes) bytes wait for signatures already; the limit is \
                \(office.limits.earlyBytesPerUnitMax)
                """
        } else {
            return nil
        }
        return Problem(code: "too_many_early", text: "\(text): sign first, then send this again under a new id")
    }

    /// The act's handoff, if ripe acts of the same unit are deferred for it; otherwise `nil`.
    ///
    /// The acts of a unit are applied in the order of their arrival, so this act waits behind them. An act of a
    /// person does not.
    func handoffWithTurns(before act: Act) -> HandoffID? {
        guard case .unit = act.sender, let id = HandoffID(act.message.envelope.subject),
            let report = cases.reportOf[id],
            cases.deferred.waiting(for: id, in: report).contains(where: {
                cases.deferred.isRipe($0) && $0.key.sender == act.key.sender
            })
        else { return nil }
        return id
    }

    // MARK: Reading their bytes

    /// Loads the bytes of the deferred messages of these handoffs, oldest first, each once, up to
    /// `deferredBytesMax` of the office. The first is always loaded.
    mutating func loadDeferred(of handoffs: [HandoffID], from database: Database) throws {
        var (bytes, keys) = (0, [InboxKey]())
        search: for handoff in handoffs {
            guard let report = cases.reportOf[handoff] else { continue }
            for message in cases.deferred.waiting(for: handoff, in: report) where message.box == nil {
                bytes += message.bytes
                guard keys.isEmpty || bytes <= office.deferredBytesMax else { break search }
                keys.append(message.key)
            }
        }
        guard !keys.isEmpty else { return }
        cases.deferred.load(boxes: try database.run(ReadDeferredBoxes(keys: keys)).rows)
    }

    /// Loads the bytes of all ripe messages of a report that may be tried.
    mutating func loadRipe(of report: ReportID, from database: Database) throws {
        var handoffs: [HandoffID] = []
        for message in cases.deferred.stored(of: report) where message.isRipe && !handoffs.contains(message.handoffID) {
            if !awaitsSignature(message.handoffID) { handoffs.append(message.handoffID) }
        }
        try loadDeferred(of: handoffs, from: database)
    }

    // MARK: Trying again

    /// Tries the deferred messages of a handoff again, oldest first, until none can be settled. Does nothing while
    /// the handoff awaits its signature.
    ///
    /// The bytes of stored messages were loaded up to the transaction's limit. The rest are marked ripe, and a
    /// later sweep tries them.
    mutating func retryDeferred(of handoff: HandoffID) throws {
        guard let report = cases.reportOf[handoff], !awaitsSignature(handoff) else { return }
        let acts = openLoaded(cases.deferred.waiting(for: handoff, in: report))
        var moved = true
        while moved {
            moved = false
            for (message, act) in acts where cases.deferred.isWaiting(message) {
                if try retry(message, act) { moved = true }
            }
        }
        // The remaining messages wait for something else, so the next sweep does not try them.
        for (message, _) in acts where cases.deferred.isWaiting(message) { cases.deferred.mark(message, ripe: false) }
    }

    /// The messages with their acts, up to the first whose bytes were not loaded; from there on they are marked ripe.
    private mutating func openLoaded(_ messages: [DeferredMessage]) -> [(DeferredMessage, (act: Act, bytes: [UInt8])?)]
    {
        let loaded = messages.prefix { cases.deferred.box(of: $0) != nil }
        for message in messages.dropFirst(loaded.count) { cases.deferred.mark(message, ripe: true) }
        return loaded.map { ($0, open($0)) }
    }

    /// - Returns: whether the message is settled.
    private mutating func retry(_ message: DeferredMessage, _ act: (act: Act, bytes: [UInt8])?) throws -> Bool {
        guard let act else {
            refuseDeferred(
                message,
                Problem(
                    code: "cannot_be_opened",
                    text: "the office can no longer read this message: send it again under a new id"))
            return true
        }
        let outcome: ActOutcome
        do { outcome = try perform(act.act) } catch {
            // Only this message becomes a dead letter: the other messages and the act that led to this are not to
            // blame.
            try keepDeferredAsDeadLetter(
                message, act.bytes,
                DeadLetterReason(
                    .cannotBeHandled, text: "the office could not handle this message", detail: Fault.words(error)))
            return true
        }
        switch outcome {
        case .early: return false
        case .done:
            cases.deferred.release(message)
            // The verdict is still `held`, unless an answer to the act has set it.
            if [nil, .held].contains(answers.verdict(of: message.key)) { answers.settle(message.key, .taken) }
        case .refused(let problem): refuseDeferred(message, problem)
        }
        return true
    }

    /// Tries all ripe messages of a report.
    mutating func retryRipe(of report: ReportID) throws {
        var handoffs: Set<HandoffID> = []
        for message in cases.deferred.stored(of: report)
        where message.isRipe && handoffs.insert(message.handoffID).inserted {
            // The handoff was sent again meanwhile and awaits its signature again.
            if awaitsSignature(message.handoffID) {
                for other in cases.deferred.stored(of: report) where other.handoffID == message.handoffID {
                    cases.deferred.mark(other, ripe: false)
                }
            }
            try retryDeferred(of: message.handoffID)
        }
    }

    /// Refuses the deferred messages whose signature never came, at most `LaneSettings.givenUpMax` in a
    /// transaction, without reading them. If the handoff no longer awaits its signature, the message is marked
    /// ripe instead: when it is tried, its sender gets the reason.
    /// - Parameter deferredBefore: for each unit, up to which moment its queue was read.
    mutating func giveUpDeferred(of report: ReportID, deferredBefore: [UnitID: Instant]) {
        let overdue = (cases.deferred.stored(of: report)).filter { message in
            guard let unit = cases.files[report]?[handoff: message.handoffID]?.unit, let before = deferredBefore[unit]
            else { return false }
            return message.deferredAt < before && !message.isRipe && cases.deferred.isWaiting(message)
        }
        for message in overdue.prefix(LaneSettings.givenUpMax) {
            guard awaitsSignature(message.handoffID) else {
                cases.deferred.mark(message, ripe: true)
                continue
            }
            refuseDeferred(
                message,
                Problem(
                    code: Refusal.neverSigned.rawValue,
                    text: "the handoff was never signed for; sign it, then send this again under a new id"))
        }
    }

    // MARK: Shared steps

    /// Whether the handoff awaits its signature; `true` also if the handoff is not loaded.
    private func awaitsSignature(_ handoff: HandoffID) -> Bool {
        file(of: handoff)?[handoff: handoff]?.state.awaitsSignature != false
    }

    private mutating func refuseDeferred(_ message: DeferredMessage, _ problem: Problem) {
        cases.deferred.release(message)
        // Its sender was admitted when it was deferred. If it is barred by now, it gets what a stranger gets.
        let (sender, concern) = (Party(message.key.sender), Concern.reports([message.reportID]))
        let isBarred = sender.map { !admits($0, type: .messageRefused, about: concern) } ?? false
        refuse(
            message.key, from: sender, type: message.type, subject: message.handoffID.description,
            inReplyTo: message.key.eventID, problems: [isBarred ? .unknownHandoff : problem],
            about: isBarred ? .noCase : concern)
    }

    /// Keeps a deferred message as a dead letter, as if it had just arrived from the queue.
    private mutating func keepDeferredAsDeadLetter(
        _ message: DeferredMessage, _ bytes: [UInt8], _ deadLetterReason: DeadLetterReason
    ) throws {
        guard let sender = Party(message.key.sender), let type = MessageType(rawValue: message.type) else {
            return refuseDeferred(message, deadLetterReason.problem)
        }
        cases.deferred.release(message)
        let arrival = Arrival(
            body: bytes, routingKey: type.routingKey(from: sender), userID: message.key.sender, type: message.type,
            messageID: nil)
        let queue = Topology.Queue.inbound(from: sender) ?? Topology.Queue.command(office.worker)
        try keepAsDeadLetter(
            InboundMessage(arrival, from: queue, digestKey: office.digestKey),
            deadLetterReason.problem,
            detail: deadLetterReason.detail)
        answers.report(
            """
            a deferred \(message.type) of handoff \(message.handoffID): \
            \(deadLetterReason.detail ?? deadLetterReason.problem.code)
            """
        )
    }

    /// Decrypts and reads a deferred message. Its bytes were readable when it was deferred, and are bound to their
    /// row.
    /// - Returns: `nil` if they are not loaded or cannot be read.
    private func open(_ message: DeferredMessage) -> (act: Act, bytes: [UInt8])? {
        guard let box = cases.deferred.box(of: message) else { return nil }
        do {
            let bytes = try office.boxes.open(box, of: .deferred(message.key))
            let read = try Message(reading: bytes, typeHint: message.type)
            return (Act(key: message.key, message: read, sender: read.envelope.source), bytes)
        } catch {
            return nil
        }
    }
}
