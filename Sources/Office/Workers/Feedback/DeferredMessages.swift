import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import PostgreSQL

extension UnitOfWork {
    // MARK: Holding

    /// Keeps a message that is ahead of its state, unless too much waits already.
    /// - Parameter isRipe: only those before it are in its way.
    mutating func putOff(
        _ inbound: InboundMessage, _ message: Message, for handoff: HandoffID, isRipe: Bool = false
    ) throws {
        guard let report = cases.reportOf[handoff] else { return }
        let waiting = cases.deferred.waiting(for: handoff, in: report)
        // The inbox was pruned of it, and it waits still.
        if waiting.contains(where: { $0.key == inbound.key }) { return answers.settle(inbound.key, .held) }
        let box = try office.vault.seal(
            inbound.body, context: Vault.context(message: inbound.key.sender, inbound.key.eventID))
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

    /// The handoff of which acts wait that came before this one and only had no turn yet. A unit is heard in its order,
    /// so this one waits behind them; a person need not.
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

    /// Reads the bytes of what waits for these handoffs, oldest first, each once and no more than the transaction's
    /// budget; the first always fits.
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

    /// The same for all of a report that is ripe and may be tried.
    mutating func loadRipe(of report: ReportID, from database: Database) throws {
        var handoffs: [HandoffID] = []
        for message in cases.deferred.stored(of: report) where message.isRipe && !handoffs.contains(message.handoffID) {
            if !awaitsSignature(message.handoffID) { handoffs.append(message.handoffID) }
        }
        try loadDeferred(of: handoffs, from: database)
    }

    // MARK: Trying again

    /// Tries what is held for a handoff again, oldest first, until none moves, once the handoff does not await its
    /// signature.
    ///
    /// Of what is stored, bytes were loaded within the transaction's budget. What had no room is marked ripe, and the
    /// worker's sweep goes on there in the next turn.
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
        // What stays waits for something else, and is not the next sweep.
        for (message, _) in acts where cases.deferred.isWaiting(message) { cases.deferred.mark(message, ripe: false) }
    }

    /// Each with what it says, up to the first whose bytes had no room; those from there on are ripe.
    private mutating func openLoaded(_ messages: [DeferredMessage]) -> [(DeferredMessage, (act: Act, bytes: [UInt8])?)]
    {
        let loaded = messages.prefix { cases.deferred.box(of: $0) != nil }
        for message in messages.dropFirst(loaded.count) { cases.deferred.mark(message, ripe: true) }
        return loaded.map { ($0, open($0)) }
    }

    /// - Returns: whether it is settled.
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
            // Its neighbours, and the act that let it be tried, are not to blame: it alone ends as a dead letter.
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
            // Its claim says `held`; an answer, where the act has one, has set it already.
            if [nil, .held].contains(answers.verdict(of: message.key)) { answers.settle(message.key, .taken) }
        case .refused(let problem): refuseDeferred(message, problem)
        }
        return true
    }

    /// All that is ripe of a report.
    mutating func retryRipe(of report: ReportID) throws {
        var handoffs: Set<HandoffID> = []
        for message in cases.deferred.stored(of: report)
        where message.isRipe && handoffs.insert(message.handoffID).inserted {
            // Sent once more meanwhile, it awaits its signature again.
            if awaitsSignature(message.handoffID) {
                for other in cases.deferred.stored(of: report) where other.handoffID == message.handoffID {
                    cases.deferred.mark(other, ripe: false)
                }
            }
            try retryDeferred(of: message.handoffID)
        }
    }

    /// The signature never came: what waited for it is refused, some in each transaction, and need not be read for
    /// that. What waited for a handoff that ended otherwise is tried instead, which tells how it ended.
    mutating func giveUpDeferred(of report: ReportID, deferredBefore: Instant) {
        let overdue = (cases.deferred.stored(of: report)).filter {
            $0.deferredAt < deferredBefore && !$0.isRipe && cases.deferred.isWaiting($0)
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

    // MARK: What they share

    /// Also where nothing of it is known.
    private func awaitsSignature(_ handoff: HandoffID) -> Bool {
        file(of: handoff)?[handoff: handoff]?.state.awaitsSignature != false
    }

    private mutating func refuseDeferred(_ message: DeferredMessage, _ problem: Problem) {
        cases.deferred.release(message)
        refuse(
            message.key, from: Party(message.key.sender), type: message.type, subject: message.handoffID.description,
            inReplyTo: message.key.eventID, problems: [problem], reports: [message.reportID])
    }

    /// As if it had just come, and were at fault by itself.
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
        try keepAsDeadLetter(
            InboundMessage(arrival, from: Topology.Queue.feedback, digestKey: office.digestKey),
            deadLetterReason.problem,
            detail: deadLetterReason.detail)
        answers.report(
            """
            a deferred \(message.type) of handoff \(message.handoffID): \
            \(deadLetterReason.detail ?? deadLetterReason.problem.code)
            """
        )
    }

    /// A held message is read again; its bytes were readable when it was held, and are bound to their row. `nil` where
    /// they are not.
    private func open(_ message: DeferredMessage) -> (act: Act, bytes: [UInt8])? {
        guard let box = cases.deferred.box(of: message) else { return nil }
        do {
            let bytes = try office.vault.open(
                box, context: Vault.context(message: message.key.sender, message.key.eventID))
            let read = try Message(reading: bytes, typeHint: message.type)
            return (Act(key: message.key, message: read, sender: read.envelope.source), bytes)
        } catch {
            return nil
        }
    }
}
