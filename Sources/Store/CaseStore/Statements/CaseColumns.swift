import Basics
package import Casework
package import PostgreSQL

// MARK: Columns of each table, in one list

extension Report {
    static let columns = Columns<Report>(
        of: "report",
        [
            .uuid("id", \.id, .key), .int8("number", \.number), .name("source", \.source),
            .text("source_id", \.submissionID), .bytea("digest", \.digest), .word("state", \.state, .changing),
            .text("source_kind", \.sourceKind), .text("matter_kind", \.matterKind, .changing),
            .text("region", \.region), .bool("real_name", \.realName), .instant("received_at", \.receivedAt),
            .instant("registered_at", \.registeredAt), .word("verdict", \.verdict), .text("rule", \.rule),
            .text("reason", \.reason, .changing), .text("authority", \.authority, .changing),
            .uuid("repeat_of", \.repeatOf), .bool("receipt_only", \.receiptOnly), .name("custodian", \.custodian),
            .int4("handoff_count", \.handoffCount, .changing), .int4("papers", \.attachments),
            .bytea("head", \.head.hash, .changing), .int4("entry_count", \.head.count, .changing),
            .instant("head_at", \.head.at, .changing),
        ])

    package init(_ row: inout RowReader) throws(PostgreSQLError) {
        self.init(
            id: try row.id(), number: try row.int8(), source: try row.name(), submissionID: try row.text(),
            digest: try row.bytea(), state: try row.word(), sourceKind: try row.text(), matterKind: try row.textOrNil(),
            region: try row.textOrNil(), realName: try row.bool(), receivedAt: try row.instant(),
            registeredAt: try row.instant(), verdict: try row.word(), rule: try row.text(), reason: try row.textOrNil(),
            authority: try row.textOrNil(), repeatOf: try row.idOrNil(), receiptOnly: try row.bool(),
            custodian: try row.nameOrNil(), handoffCount: try row.int(), attachments: try row.int(),
            head: try LedgerHead(&row))
    }
}

extension LedgerHead {
    package init(_ row: inout RowReader) throws(PostgreSQLError) {
        let hash = try row.bytea()
        self.init(hash: hash, count: try row.int(), at: try row.instantOrNil())
    }
}

extension Handoff {
    static let columns = Columns<Handoff>(
        of: "handoff",
        [
            .uuid("id", \.id, .key), .uuid("report_id", \.reportID), .int4("attempt", \.attempt), .name("unit", \.unit),
            .text("kind", \.kind), .word("state", \.state, .changing), .bool("express", \.express),
            .text("rule", \.rule), .bytea("digest", \.digest), .instant("released_at", \.releasedAt, .changing),
            .instant("dispatched_at", \.dispatchedAt, .later), .instant("signed_at", \.signedAt, .later),
            .text("signed_by", \.signedBy, .later), .text("disposition", \.disposition, .later),
            .text("case_number", \.caseNumber, .later), .date("case_filed_on", \.caseFiledOn, .later),
            .instant("case_notified_at", \.caseNotifiedAt, .later), .text("outcome", \.outcome, .later),
            .instant("concluded_at", \.concludedAt, .later), .int4("times_sent_back", \.timesSentBack, .later),
            .instant("ended_at", \.endedAt, .later), .text("ended_because", \.endedBecause, .later),
            .int4("running_clocks", \.runningClocks, .changing),
            .text("no_clock_reason", \.noClockReason, .changing),
        ])

    init(_ row: inout RowReader) throws(PostgreSQLError) {
        self.init(
            id: try row.id(), reportID: try row.id(), attempt: try row.int(), unit: try row.name(),
            kind: try row.text(), state: try row.word(), express: try row.bool(), rule: try row.text(),
            digest: try row.bytea(), releasedAt: try row.instantOrNil(), dispatchedAt: try row.instantOrNil(),
            signedAt: try row.instantOrNil(), signedBy: try row.textOrNil(), disposition: try row.textOrNil(),
            caseNumber: try row.textOrNil(),
            caseFiledOn: try row.dateOrNil().map { CivilDate(daysSinceEpoch: $0.daysSinceEpoch) },
            caseNotifiedAt: try row.instantOrNil(), outcome: try row.textOrNil(), concludedAt: try row.instantOrNil(),
            timesSentBack: try row.int(), endedAt: try row.instantOrNil(), endedBecause: try row.textOrNil(),
            runningClocks: try row.int(), noClockReason: try row.textOrNil())
    }
}

extension Clock {
    static let columns = Columns<Clock>(
        of: "clock",
        [
            .uuid("handoff_id", \.key.handoffID, .key), .text("kind", \.key.kind, .key),
            .int4("round", \.key.round, .key), .uuid("report_id", \.reportID), .name("owed_by", \.owedBy),
            .instant("started_at", \.startedAt), .instant("due_at", \.dueAt), .text("rule", \.rule),
            .text("citation", \.citation), .text("ladder", { Ladder.write($0.steps) }),
            .int4("next_step", \.nextStep, .changing), .instant("next_at", \.nextAt, .changing),
            .instant("stopped_at", \.stoppedAt, .changing), .text("stopped_by", \.stoppedBy, .changing),
        ])

    init(_ row: inout RowReader) throws(PostgreSQLError) {
        let (key, report): (Clock.Key, ReportID) = (
            .init(handoffID: try row.id(), kind: try row.text(), round: try row.int()), try row.id()
        )
        let (owedBy, startedAt, dueAt): (UnitID, Instant, Instant) = (
            try row.name(), try row.instant(), try row.instant()
        )
        let (rule, citation, steps) = (try row.text(), try row.textOrNil(), Ladder.read(try row.text()) ?? [])
        let (nextStep, nextAt) = (try row.int(), try row.instantOrNil())
        let (stoppedAt, stoppedBy) = (try row.instantOrNil(), try row.textOrNil())
        func clock(isAtOdds: Bool) -> Clock {
            Clock(
                key: key, reportID: report, owedBy: owedBy, startedAt: startedAt, dueAt: dueAt, rule: rule,
                citation: citation, steps: steps, nextStep: nextStep, stoppedAt: stoppedAt, stoppedBy: stoppedBy,
                isAtOdds: isAtOdds)
        }
        self = clock(isAtOdds: clock(isAtOdds: false).nextAt != nextAt)
    }
}

let reportTextColumns = Columns<(ReportID, Submission)>(
    of: "report_text", [.uuid("report_id", \.0), .text("title", \.1.title), .text("body", \.1.text)])

let accusedColumns = Columns<(ReportID, Int, Accused)>(
    of: "accused",
    [
        .uuid("report_id", \.0), .int4("ordinal", \.1), .text("name", \.2.name), .text("organ", \.2.organ),
        .text("position", \.2.position), .text("level", \.2.level), .text("region", \.2.region),
        .name("unit", \.2.unit),
    ])

let allegationColumns = Columns<(ReportID, Int, Allegation)>(
    of: "allegation",
    [.uuid("report_id", \.0), .int4("ordinal", \.1), .text("category", \.2.category), .text("act", \.2.act)])

let attachmentColumns = Columns<(ReportID, Int, Attachment, AttachmentKey)>(
    of: "attachment",
    [
        .uuid("report_id", \.0), .int4("ordinal", \.1), .text("name", \.2.name), .text("media_type", \.2.mediaType),
        .int8("bytes", { Int64($0.2.bytes) }), .bytea("paper", \.3.id), .bytea("sha256", \.3.sealedSHA256),
    ])

let ledgerEntryColumns = Columns<(chain: ReportID, entry: LedgerEntry)>(
    of: "ledger_entry",
    [
        .uuid("chain", \.chain), .int4("sequence", \.entry.sequence), .bytea("bytes", \.entry.bytes),
        .bytea("hash", \.entry.hash),
    ])
