import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// A trial of a worker's own work: everything that this worker may write, into every table that it may write to, with
/// the statements of the lanes, and then rolled back.
///
/// If it cannot be written, a message that fails is not to blame. Intake registers an invented report that is similar
/// to the one in question: the same source, kind and place, and a text of similar length, but none of its words. The
/// other workers may not make reports, so they write about one that is there.
struct DryRun {
    let office: OfficeContext
    /// Taken from the sequence as for every report, to detect a sequence that fell behind.
    let serial: Int64
    let id: ReportID
    /// The report that the other workers write about, locked, with its handoffs and the units that are barred from it.
    let grounds: Grounds?

    struct Grounds {
        let report: Report
        let handoffs: [Handoff]
        let barred: Set<UnitID>
    }

    /// The properties that the invented report copies from the one in question.
    struct Likeness {
        var source: SourceID?
        var matterKind: String?
        var region: String?
        var textCharacters = 2

        init() {}

        init(_ report: Report) {
            (source, matterKind, region) = (report.source, report.matterKind, report.region)
        }

        init(_ submission: Submission, from sender: Party?) {
            if case .source(let id) = sender { source = id }
            (matterKind, region) = (submission.matterKind, submission.region)
            textCharacters = min(500, max(2, submission.text.count))
        }
    }

    private static let digest = [UInt8](repeating: 0, count: 32)

    init(in office: OfficeContext, serial: Int64, on grounds: Grounds? = nil) {
        self.office = office
        self.serial = serial
        self.grounds = grounds
        id = grounds?.report.id ?? ReportID.make(at: office.wall)
    }

    private var directory: OfficeDirectory { office.directory }
    /// The box keys of other workers are not here, and the tables do not ask what is in a box.
    private static let box = SealedBox(keyID: "dry run", sealed: [0])
    private var now: Instant { office.now }
    private var wall: Instant { office.wall }
    private var key: InboxKey { InboxKey(sender: office.name, eventID: "dry-run-\(id)") }

    /// All commands, in the order that foreign keys need.
    func commands(like likeness: Likeness) throws -> [any Command] {
        switch office.worker {
        case .intake: try registration(like: likeness) + letters(about: [id])
        case .routing, .feedback, .deadlines:
            try grounds.map { try work(on: $0) + letters(about: [$0.report.id]) } ?? letters(about: [])
        }
    }

    /// A new report, handed over.
    private func registration(like likeness: Likeness) throws -> [any Command] {
        let content = submission(like: likeness)
        let report = report(like: likeness)
        let unit = directory.units.keys.sorted().first
        let barred = unit.flatMap { self.barred(but: $0) }

        var file = CaseFile(new: report, barred: [])
        file.record(.registered(.init(of: report, commitment: "")), at: now, by: office.name)
        var registered = CaseWrites()
        registered.newReports = [
            .init(
                report: file.report, barredRoots: Set([barred].compactMap(\.self)), content: content,
                original: try office.vault.seal(Array(content.text.utf8), of: id, at: wall),
                attachments: try content.attachments.map { try AttachmentKey($0, of: id, office.digestKey) })
        ]
        registered.entries = file.newEntries.map { (id, $0) }
        var commands = registered.commands + [EnterRepeatKeys(keys: [Array(id.description.utf8)], reports: [id])]
        commands += try attachments(of: content)
        if let unit { commands += try handedOver(file.report, to: unit, attempt: 1) }
        return commands
    }

    /// A unit whose subtree does not contain this one.
    private func barred(but unit: UnitID) -> UnitID? {
        directory.units.keys.sorted().first { !directory.subtrees(of: [$0]).contains(unit) }
    }

    /// What another worker does with a report that is there.
    private func work(on grounds: Grounds) throws -> [any Command] {
        let handoff = grounds.handoffs.first
        let unit = handoff?.unit ?? directory.units.keys.sorted().first { !grounds.barred.contains($0) }
        var file = CaseFile(new: grounds.report, barred: [])
        file.record(.registered(.init(of: grounds.report, commitment: "")), at: now, by: office.name)
        var changed = CaseWrites()
        changed.changedReports = [(file.report, grounds.report.head)]
        changed.entries = file.newEntries.map { (id, $0) }
        var commands = try changed.commands + approval()
        switch office.worker {
        case .routing:
            guard let unit else { break }
            if let other = barred(but: unit) { commands.append(InsertBarredRoots(rows: [(id, other)])) }
            commands += try handedOver(file.report, to: unit, attempt: (grounds.handoffs.map(\.attempt).max() ?? 0) + 1)
        case .feedback:
            guard let handoff else { break }
            commands += try acts(on: handoff)
        case .deadlines:
            let policy = office.rulebook.policy
            commands.append(
                ActivatePolicyVersion(name: policy.name, version: policy.version, at: now, by: "dry run"))
            guard let handoff else { break }
            commands += try steps(of: handoff)
        case .intake: break
        }
        return commands
    }

    /// The queries that read what was written.
    var reading: (LockReports, ReadHandoffs, ReadClocks, ReadDeferredMessages) {
        (
            LockReports(reports: [id]), ReadHandoffs(reports: [id]), ReadClocks(reports: [id]),
            ReadDeferredMessages(reports: [id])
        )
    }

    /// The claim in the inbox, which comes first as for every message.
    var claim: ClaimInbox { ClaimInbox(keys: [key], digests: [Self.digest], subjects: ["dry run"], receivedAt: wall) }

    // MARK: The parts

    private func submission(like likeness: Likeness) -> Submission {
        var shape = Submission(title: "试写", text: String(repeating: "试", count: likeness.textCharacters))
        (shape.matterKind, shape.region) = (likeness.matterKind, likeness.region)
        shape.accused = [Accused(name: "试写", organ: "试写", position: "试写", level: "county", region: shape.region)]
        shape.allegations = [Allegation(category: "corruption", act: "试写")]
        shape.attachments = [Attachment(name: "试写", mediaType: "text/plain", bytes: 6, sha256: Self.digest.hexadecimal)]
        return shape
    }

    private func report(like likeness: Likeness) -> Report {
        let known = likeness.source.flatMap { directory.sources[$0]?.id }
        let source = known ?? directory.sources.keys.sorted().first ?? SourceID(unchecked: "none")
        return Report(
            id: id, number: Report.number(year: CivilDate(of: now).components.year, serial: serial), source: source,
            submissionID: key.eventID, digest: Self.digest, state: .registered,
            sourceKind: directory.sources[source]?.kind ?? "letter", matterKind: likeness.matterKind,
            region: likeness.region, realName: false, receivedAt: now, registeredAt: now, verdict: .registered,
            rule: "dry run", reason: nil, authority: nil, repeatOf: nil, receiptOnly: false, handoffCount: 0,
            attachments: 1,
            head: .genesis)
    }

    private func attachments(of content: Submission) throws -> [any Command] {
        let known = try content.attachments.map { try AttachmentKey($0, of: id, office.digestKey).id }
        let parts = known.map { attachment in
            StoredAttachmentPart(
                key: AttachmentPartKey(reportID: id, attachment: attachment, part: 1), digest: Self.digest,
                box: Self.box)
        }
        let attachments = known.map { (id, attachment: $0) }
        return [
            InsertAttachmentParts(parts: parts), MarkAttachmentsReceived(attachments: attachments, at: now),
            DeleteAttachmentParts(attachments: attachments), WriteSealedAttachments(attachments: [(id, 1, 1)]),
        ]
    }

    /// A handoff that is released and changed, with its clock and notices to persons; routing stores its body.
    private func handedOver(_ registered: Report, to unit: UnitID, attempt: Int) throws -> [any Command] {
        var report = registered
        report.state = .routed
        report.handoffCount += 1
        var handoff = Handoff(
            id: HandoffID.make(at: wall), reportID: id, attempt: attempt, unit: unit, kind: "dry_run", state: .released,
            express: false, rule: "dry run", digest: Self.digest, releasedAt: now, runningClocks: 1)
        var clock = clock(of: handoff)
        var released = CaseWrites()
        released.changedReports = [(report, registered.head)]
        (released.newHandoffs, released.newClocks) = ([handoff], [clock])

        (handoff.runningClocks, handoff.noClockReason) = (0, "dry run")
        clock.end(at: now, because: "dry run")
        var changed = CaseWrites()
        (changed.changedHandoffs, changed.changedClocks) = ([handoff], [clock])
        let body = InsertHandoffBodies(bodies: [
            HandoffBody(handoffID: handoff.id, eventID: UUID.version7(at: wall), box: Self.box)
        ])
        return released.commands + changed.commands + (office.worker == .routing ? [body] : [])
            + [notices(about: handoff)]
    }

    private func clock(of handoff: Handoff) -> Clock {
        Clock(
            id: .make(at: wall), key: .init(of: handoff.id, in: id, duty: "dry run", round: 1),
            owedBy: Debtor.unit(handoff.unit).description, inputs: ClockInputs(rule: "dry run", startedAt: now),
            citation: nil, dueAt: now, nextStep: 0, nextAt: now)
    }

    private func notices(about handoff: Handoff) -> InsertPersonNotices {
        // Somebody of no unit: nobody of a barred one is told.
        let person = directory.persons.values.filter { $0.unit == nil }.map(\.id).sorted().prefix(1)
        return InsertPersonNotices(
            notices: person.map {
                PersonNotice(
                    id: UUID.version7(at: wall), person: $0, reportID: id, handoffID: handoff.id, kind: "dry_run",
                    rule: "dry run", createdAt: now)
            })
    }

    /// What acts of units change: a handoff, its clocks and notes, and messages that are deferred.
    private func acts(on handoff: Handoff) throws -> [any Command] {
        var clock = clock(of: handoff)
        var begun = CaseWrites()
        begun.newClocks = [clock]
        clock.end(at: now, because: "dry run")
        var changed = CaseWrites()
        (changed.changedHandoffs, changed.changedClocks) = ([handoff], [clock])
        let held = DeferredMessage(
            key: key, handoffID: handoff.id, reportID: id, type: "dry run",
            box: Self.box, deferredAt: wall)
        return begun.commands + changed.commands + [
            InsertHandoffNotes(notes: [
                HandoffNote(
                    handoffID: handoff.id, sender: key.sender, eventID: key.eventID, kind: "dry_run", writtenAt: now,
                    body: "试写")
            ]),
            notices(about: handoff), InsertDeferredMessages(messages: [held]), DeleteDeferredMessages(keys: [key]),
        ]
    }

    /// A command that waited for a second person, who decided. No real one of this act is without a handoff.
    private func approval() throws -> [any Command] {
        let persons = directory.persons.keys.sorted()
        guard let first = persons.first, let second = persons.last, first != second else { return [] }
        var approval = Approval(
            id: .make(at: wall), act: .recall, worker: office.worker.rawValue, reportID: id, handoffID: nil,
            command: [0], roles: [], rule: "dry run", askedBy: first, askedAt: now)
        let asked = approval
        try approval.decide(.rejected, by: second, because: "dry run", at: now)
        return [InsertApprovals(approvals: [asked]), UpdateApprovals(approvals: [approval])]
    }

    /// What a sweep changes: clocks and their steps.
    private func steps(of handoff: Handoff) throws -> [any Command] {
        var clock = clock(of: handoff)
        var begun = CaseWrites()
        begun.newClocks = [clock]
        clock.end(at: now, because: "dry run")
        var ended = CaseWrites()
        ended.changedClocks = [clock]
        let step = ClockStepTaken(
            clock: clock.id, step: 1, action: ClockPlan.Step.Action.remind.rawValue, takenAt: now)
        return begun.commands + ended.commands + [InsertClockSteps(steps: [step]), notices(about: handoff)]
    }

    /// An outbox row that was sent and confirmed, a dead letter that was settled, and the act's verdict.
    private func letters(about reports: [ReportID]) throws -> [any Command] {
        let (event, dead) = (UUID.version7(at: wall), UUID.version7(at: wall))
        let row = OutboxRow(
            eventID: event, exchange: Topology.Exchange.notice, routingKey: "dry-run",
            type: MessageType.messageRefused.rawValue, subject: "dry run", addressee: office.name,
            reports: reports, handoffID: nil, body: [0])
        let letter = DeadLetter(
            id: dead, reason: "dry_run", detail: "dry run", type: nil, sender: office.name, eventID: nil, inboxID: nil,
            queue: "dry-run", routingKey: "", worker: office.worker.rawValue,
            body: .kept(Self.box, bytes: 1), answered: false,
            receivedAt: wall)
        return [
            InsertOutbox(rows: [row], worker: office.worker.rawValue, lane: "dry run", createdAt: wall),
            DeleteOutbox(eventIDs: [event]),
            InsertDeadLetters(letters: [letter]), CountUnkeptLetters([office.name: 1], at: wall),
            SettleDeadLetters([
                DeadLetterSettlement(id: dead, state: .discarded, at: now, by: office.name, because: "dry run")
            ]),
            SettleInbox([
                Settlement(key: key, verdict: .refused, replyType: MessageType.messageRefused.rawValue, reply: [0])
            ]),
        ]
    }
}
