public import Basics
import Casework
public import PostgreSQL

/// An act that was taken, as the inbox keeps it.
public struct TakenAct: Sendable {
    public let key: InboxKey
    public let digest: [UInt8]
    public let subject: String
    public let receivedAt: Instant

    public init(key: InboxKey, digest: [UInt8], subject: String, receivedAt: Instant) {
        self.key = key
        self.digest = digest
        self.subject = subject
        self.receivedAt = receivedAt
    }
}

extension Connection {
    /// Enters whole cases by COPY, hundreds of thousands of them in little time: how a ledger is filled that only its
    /// size matters of. Within one transaction; run by the owner role or a superuser, since no worker writes a case at
    /// one stroke.
    /// - Parameters:
    ///   - writes: new reports with all that happened to them since; nothing that changes what is there.
    ///   - repeatKeys: one for each report that has one.
    public func copy(
        _ writes: CaseWrites, notes: [HandoffNote], acts: [TakenAct], repeatKeys: [(key: [UInt8], report: ReportID)]
    ) throws {
        precondition(writes.changedReports.isEmpty && writes.changedHandoffs.isEmpty && writes.changedClocks.isEmpty)
        try transaction { connection in
            try connection.copyIn(writes.newReports.map { CopiedReport(report: $0.report) })
            try connection.copyIn(
                writes.newReports.compactMap { new in new.content.map { CopiedText(id: new.report.id, content: $0) } })
            try connection.copyIn(
                writes.newReports.compactMap { new in new.vault.map { CopiedVault(id: new.report.id, box: $0) } })
            try connection.copyIn(
                writes.newReports.flatMap { new in
                    (new.content?.accused ?? []).enumerated().map {
                        CopiedAccused(id: new.report.id, ordinal: $0.offset, accused: $0.element)
                    }
                })
            try connection.copyIn(
                writes.newReports.flatMap { new in
                    (new.content?.allegations ?? []).enumerated().map {
                        CopiedAllegation(id: new.report.id, ordinal: $0.offset, allegation: $0.element)
                    }
                })
            try connection.copyIn(
                writes.newReports.flatMap { new in
                    new.barredRoots.sorted().map { CopiedBarredRoot(id: new.report.id, unit: $0) }
                })
            try connection.copyIn(repeatKeys.map { CopiedRepeatKey(key: $0.key, id: $0.report) })
            try connection.copyIn(writes.newHandoffs.map(CopiedHandoff.init))
            try connection.copyIn(notes.map(CopiedNote.init))
            try connection.copyIn(writes.newClocks.map(CopiedClock.init))
            try connection.copyIn(writes.entries.map { CopiedEntry(chain: $0.chain, entry: $0.entry) })
            try connection.copyIn(acts.map(CopiedAct.init))
        }
    }
}

private struct CopiedReport: CopyRow {
    let report: Report
    static let table = "report"
    static let columns = [
        "id", "number", "source", "source_id", "digest", "state", "source_kind", "matter_kind", "region", "real_name",
        "received_at",
        "registered_at", "verdict", "rule", "reason", "authority", "repeat_of", "receipt_only", "handoff_count",
        "papers", "head",
        "entry_count", "head_at",
    ]
    var parameters: [Parameter] {
        [
            .uuid(report.id.uuid), .int8(report.number), .text(report.source.rawValue), .text(report.submissionID),
            .bytea(report.digest),
            .text(report.state.rawValue), .text(report.sourceKind), .text(report.matterKind), .text(report.region),
            .bool(report.realName),
            .instant(report.receivedAt), .instant(report.registeredAt), .text(report.verdict.rawValue),
            .text(report.rule),
            .text(report.reason), .text(report.authority), .uuid(report.repeatOf?.uuid), .bool(report.receiptOnly),
            .int4(Int32(clamping: report.handoffCount)), .int4(Int32(clamping: report.attachments)),
            .bytea(report.head.hash), .int4(Int32(clamping: report.head.count)), .instant(report.head.at),
        ]
    }
}

private struct CopiedText: CopyRow {
    let id: ReportID
    let content: Submission
    static let table = "report_text"
    static let columns = ["report_id", "title", "body"]
    var parameters: [Parameter] { [.uuid(id.uuid), .text(content.title), .text(content.text)] }
}

private struct CopiedVault: CopyRow {
    let id: ReportID
    let box: VaultBox
    static let table = "vault"
    static let columns = ["report_id", "key_id", "sealed"]
    var parameters: [Parameter] { [.uuid(id.uuid), .text(box.keyID), .bytea(box.sealed)] }
}

private struct CopiedAccused: CopyRow {
    let id: ReportID
    let ordinal: Int
    let accused: Accused
    static let table = "accused"
    static let columns = ["report_id", "ordinal", "name", "organ", "position", "level", "region", "unit"]
    var parameters: [Parameter] {
        [
            .uuid(id.uuid), .int4(Int32(clamping: ordinal)), .text(accused.name), .text(accused.organ),
            .text(accused.position),
            .text(accused.level), .text(accused.region), .text(accused.unit?.rawValue),
        ]
    }
}

private struct CopiedAllegation: CopyRow {
    let id: ReportID
    let ordinal: Int
    let allegation: Allegation
    static let table = "allegation"
    static let columns = ["report_id", "ordinal", "category", "act"]
    var parameters: [Parameter] {
        [.uuid(id.uuid), .int4(Int32(clamping: ordinal)), .text(allegation.category), .text(allegation.act)]
    }
}

private struct CopiedBarredRoot: CopyRow {
    let id: ReportID
    let unit: UnitID
    static let table = "barred_root"
    static let columns = ["report_id", "unit"]
    var parameters: [Parameter] { [.uuid(id.uuid), .text(unit.rawValue)] }
}

private struct CopiedRepeatKey: CopyRow {
    let key: [UInt8]
    let id: ReportID
    static let table = "repeat_key"
    static let columns = ["key", "report_id"]
    var parameters: [Parameter] { [.bytea(key), .uuid(id.uuid)] }
}

private struct CopiedHandoff: CopyRow {
    let handoff: Handoff
    static let table = "handoff"
    static let columns = [
        "id", "report_id", "attempt", "unit", "kind", "state", "express", "rule", "digest", "released_at",
        "dispatched_at", "signed_at",
        "signed_by", "disposition", "case_number", "case_notified_at", "outcome", "concluded_at", "times_sent_back",
        "ended_at",
        "ended_because", "running_clocks", "no_clock_reason",
    ]
    var parameters: [Parameter] {
        [
            .uuid(handoff.id.uuid), .uuid(handoff.reportID.uuid), .int4(Int32(clamping: handoff.attempt)),
            .text(handoff.unit.rawValue),
            .text(handoff.kind), .text(handoff.state.rawValue), .bool(handoff.express), .text(handoff.rule),
            .bytea(handoff.digest),
            .instant(handoff.releasedAt), .instant(handoff.dispatchedAt), .instant(handoff.signedAt),
            .text(handoff.signedBy),
            .text(handoff.disposition), .text(handoff.caseNumber), .instant(handoff.caseNotifiedAt),
            .text(handoff.outcome),
            .instant(handoff.concludedAt), .int4(Int32(clamping: handoff.timesSentBack)), .instant(handoff.endedAt),
            .text(handoff.endedBecause), .int4(Int32(clamping: handoff.runningClocks)), .text(handoff.noClockReason),
        ]
    }
}

private struct CopiedNote: CopyRow {
    let note: HandoffNote
    static let table = "handoff_note"
    static let columns = ["handoff_id", "sender", "event_id", "kind", "written_at", "body"]
    var parameters: [Parameter] {
        [
            .uuid(note.handoffID.uuid), .text(note.sender), .text(note.eventID), .text(note.kind),
            .instant(note.writtenAt), .text(note.body),
        ]
    }
}

private struct CopiedClock: CopyRow {
    let clock: Clock
    static let table = "clock"
    static let columns = [
        "handoff_id", "kind", "round", "report_id", "owed_by", "started_at", "due_at", "rule", "citation", "ladder",
        "next_step", "next_at",
        "stopped_at", "stopped_by",
    ]
    var parameters: [Parameter] {
        [
            .uuid(clock.key.handoffID.uuid), .text(clock.key.kind), .int4(Int32(clamping: clock.key.round)),
            .uuid(clock.reportID.uuid),
            .text(clock.owedBy.rawValue), .instant(clock.startedAt), .instant(clock.dueAt), .text(clock.rule),
            .text(clock.citation),
            .text(Ladder.write(clock.steps)), .int4(Int32(clamping: clock.nextStep)), .instant(clock.nextAt),
            .instant(clock.stoppedAt),
            .text(clock.stoppedBy),
        ]
    }
}

private struct CopiedEntry: CopyRow {
    let chain: ReportID
    let entry: LedgerEntry
    static let table = "ledger_entry"
    static let columns = ["chain", "sequence", "bytes", "hash"]
    var parameters: [Parameter] {
        [.uuid(chain.uuid), .int4(Int32(clamping: entry.sequence)), .bytea(entry.bytes), .bytea(entry.hash)]
    }
}

private struct CopiedAct: CopyRow {
    let act: TakenAct
    static let table = "inbox"
    static let columns = ["sender", "event_id", "digest", "verdict", "subject", "received_at"]
    var parameters: [Parameter] {
        [
            .text(act.key.sender), .text(act.key.eventID), .bytea(act.digest), .text(Verdict.taken.rawValue),
            .text(act.subject),
            .instant(act.receivedAt),
        ]
    }
}
