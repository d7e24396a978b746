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
    mutating func hold(
        _ inbound: InboundMessage, _ message: Message, for handoff: HandoffID, isRipe: Bool = false
    ) throws {
        guard let report = reportOf[handoff] else { return }
        let waiting = waiting(for: handoff, in: report)
        // The inbox was pruned of it, and it waits still.
        if waiting.contains(where: { $0.key == inbound.key }) { return settle(inbound.key, .held) }
        let box = try vault.seal(inbound.body, context: Vault.context(message: inbound.key.sender, inbound.key.eventID))
        if let problem = tooManyEarly(waiting.count, inbound.key.sender, adding: box.sealed.count) {
            return refuse(inbound, [problem])
        }
        heldOf[inbound.key.sender, default: (0, 0)].count += 1
        heldOf[inbound.key.sender, default: (0, 0)].bytes += box.sealed.count
        newlyHeld.append(
            HeldMessage(
                key: inbound.key, handoffID: handoff, reportID: report, type: message.envelope.type.rawValue, box: box,
                heldAt: wall, isRipe: isRipe))
        settle(inbound.key, .held)
    }

    private func tooManyEarly(_ count: Int, _ sender: String, adding bytes: Int) -> Problem? {
        let all = heldOf[sender] ?? (0, 0)
        let text: String
        if count >= limits.earlyPerHandoffMax {
            text = "\(count) messages of this handoff wait already"
        } else if all.count >= limits.earlyPerUnitMax {
            text = "\(all.count) messages of yours wait for signatures already"
        } else if all.bytes + bytes > limits.earlyBytesPerUnitMax {
            text =
                """
                messages of yours with \(all.bytes) bytes wait for signatures already; the limit is \
                \(limits.earlyBytesPerUnitMax)
                """
        } else {
            return nil
        }
        return Problem(code: "too_many_early", text: "\(text): sign first, then send this again under a new id")
    }

    /// The handoff of which acts wait that came before this one and only had no turn yet. A unit is heard in its order,
    /// so this one waits behind them; a person need not.
    func handoffWithTurns(before act: Act) -> HandoffID? {
        guard case .unit = act.sender, let id = HandoffID(act.message.envelope.subject), let report = reportOf[id],
            waiting(for: id, in: report).contains(where: { isRipe($0) && $0.key.sender == act.key.sender })
        else { return nil }
        return id
    }

    // MARK: Reading their bytes

    /// Reads the bytes of what waits for these handoffs, oldest first, each once and no more than the transaction's
    /// budget; the first always fits.
    mutating func loadDeferred(of handoffs: [HandoffID], from database: Database) throws {
        var (bytes, keys) = (0, [InboxKey]())
        search: for handoff in handoffs {
            guard let report = reportOf[handoff] else { continue }
            for message in waiting(for: handoff, in: report) where message.box == nil {
                bytes += message.bytes
                guard keys.isEmpty || bytes <= heldBytesMax else { break search }
                keys.append(message.key)
            }
        }
        guard !keys.isEmpty else { return }
        for row in try database.run(ReadHeldBoxes(keys: keys)).rows { boxes[row.key] = row.box }
    }

    /// The same for all of a report that is ripe and may be tried.
    mutating func loadRipe(of report: ReportID, from database: Database) throws {
        var handoffs: [HandoffID] = []
        for message in held[report] ?? [] where message.isRipe && !handoffs.contains(message.handoffID) {
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
    mutating func retryHeld(of handoff: HandoffID) throws {
        guard let report = reportOf[handoff], !awaitsSignature(handoff) else { return }
        let acts = openLoaded(waiting(for: handoff, in: report))
        var moved = true
        while moved {
            moved = false
            for (message, act) in acts where isHeld(message) { if try retry(message, act) { moved = true } }
        }
        // What stays waits for something else, and is not the next sweep.
        for (message, _) in acts where isHeld(message) { mark(message, ripe: false) }
    }

    /// Each with what it says, up to the first whose bytes had no room; those from there on are ripe.
    private mutating func openLoaded(_ messages: [HeldMessage]) -> [(HeldMessage, (act: Act, bytes: [UInt8])?)] {
        let loaded = messages.prefix { $0.box != nil || boxes[$0.key] != nil }
        for message in messages.dropFirst(loaded.count) { mark(message, ripe: true) }
        return loaded.map { ($0, open($0, $0.box ?? boxes[$0.key])) }
    }

    /// - Returns: whether it is settled.
    private mutating func retry(_ message: HeldMessage, _ act: (act: Act, bytes: [UInt8])?) throws -> Bool {
        guard let act else {
            refuseHeld(
                message,
                Problem(
                    code: "cannot_be_opened",
                    text: "the office can no longer read this message: send it again under a new id"))
            return true
        }
        let outcome: ActOutcome
        do { outcome = try perform(act.act) } catch {
            // Its neighbours, and the act that let it be tried, are not to blame: it alone ends as a dead letter.
            try buryHeld(
                message, act.bytes,
                DeadLetterReason(
                    .cannotBeHandled, text: "the office could not handle this message", detail: Fault.words(error)))
            return true
        }
        switch outcome {
        case .early: return false
        case .done:
            release(message)
            // Its claim says `held`; an answer, where the act has one, has set it already.
            if settlements[message.key] == nil || settlements[message.key]?.verdict == .held {
                settle(message.key, .taken)
            }
        case .refused(let problem): refuseHeld(message, problem)
        }
        return true
    }

    /// All that is ripe of a report.
    mutating func retryRipe(of report: ReportID) throws {
        var handoffs: Set<HandoffID> = []
        for message in held[report] ?? [] where message.isRipe && handoffs.insert(message.handoffID).inserted {
            // Sent once more meanwhile, it awaits its signature again.
            if awaitsSignature(message.handoffID) {
                for other in held[report] ?? [] where other.handoffID == message.handoffID { mark(other, ripe: false) }
            }
            try retryHeld(of: message.handoffID)
        }
    }

    /// The signature never came: what waited for it is refused, some in each transaction, and need not be read for
    /// that. What waited for a handoff that ended otherwise is tried instead, which tells how it ended.
    mutating func giveUpHeld(of report: ReportID, heldBefore: Instant) {
        let overheld = (held[report] ?? []).filter { $0.heldAt < heldBefore && !$0.isRipe && isHeld($0) }
        for message in overheld.prefix(LaneSettings.givenUpMax) {
            guard awaitsSignature(message.handoffID) else {
                mark(message, ripe: true)
                continue
            }
            refuseHeld(
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

    func waiting(for handoff: HandoffID, in report: ReportID) -> [HeldMessage] {
        ((held[report] ?? []) + newlyHeld).filter { $0.handoffID == handoff && isHeld($0) }
    }

    private func isHeld(_ message: HeldMessage) -> Bool {
        !noLongerHeld.contains(message.key) && !releasedUnwritten.contains(message.key)
    }

    private func isRipe(_ message: HeldMessage) -> Bool { heldMarks[message.key] ?? message.isRipe }

    private mutating func mark(_ message: HeldMessage, ripe: Bool) {
        if let index = newlyHeld.firstIndex(where: { $0.key == message.key }) {
            newlyHeld[index].isRipe = ripe
        } else if message.isRipe != ripe || heldMarks[message.key] != nil {
            heldMarks[message.key] = ripe
        }
    }

    private mutating func release(_ message: HeldMessage) {
        if let index = newlyHeld.firstIndex(where: { $0.key == message.key }) {
            newlyHeld.remove(at: index)
            releasedUnwritten.insert(message.key)
        } else {
            noLongerHeld.insert(message.key)
            heldMarks[message.key] = nil
        }
    }

    private mutating func refuseHeld(_ message: HeldMessage, _ problem: Problem) {
        release(message)
        refuse(
            message.key, from: Party(message.key.sender), type: message.type, subject: message.handoffID.description,
            inReplyTo: message.key.eventID, problems: [problem], reports: [message.reportID])
    }

    /// As if it had just come, and were at fault by itself.
    private mutating func buryHeld(
        _ message: HeldMessage, _ bytes: [UInt8], _ deadLetterReason: DeadLetterReason
    ) throws {
        guard let sender = Party(message.key.sender), let type = MessageType(rawValue: message.type) else {
            return refuseHeld(message, deadLetterReason.problem)
        }
        release(message)
        let arrival = Arrival(
            body: bytes, routingKey: type.routingKey(from: sender), userID: message.key.sender, type: message.type,
            messageID: nil)
        try bury(
            InboundMessage(arrival, from: Topology.Queue.feedback, digestKey: digestKey), deadLetterReason.problem,
            detail: deadLetterReason.detail)
        faults.append(
            """
            a deferred \(message.type) of handoff \(message.handoffID): \
            \(deadLetterReason.detail ?? deadLetterReason.problem.code)
            """
        )
    }

    /// A held message is read again; its bytes were readable when it was held, and are bound to their row. `nil` where
    /// they are not.
    private func open(_ message: HeldMessage, _ box: VaultBox?) -> (act: Act, bytes: [UInt8])? {
        guard let box else { return nil }
        do {
            let bytes = try vault.open(box, context: Vault.context(message: message.key.sender, message.key.eventID))
            let read = try Message(reading: bytes, typeHint: message.type)
            return (Act(key: message.key, message: read, sender: read.envelope.source), bytes)
        } catch {
            return nil
        }
    }
}
