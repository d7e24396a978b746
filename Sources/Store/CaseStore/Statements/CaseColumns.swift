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
    package static let columns = Columns<Clock>(
        of: "clock",
        [
            .uuid("id", \.id, .key), .text("subject", { $0.key.subject.kind.rawValue }),
            .uuid("report_id", \.key.reportID), .uuid("handoff_id", \.key.handoffID), .name("unit", \.key.unit),
            .text("duty", \.key.duty), .text("period", \.key.period), .text("owed_by", \.owedBy),
            .text("rule", \.inputs.rule), .text("citation", \.citation), .instant("started_at", \.inputs.startedAt),
            .text("calendar", \.inputs.calendar), .texts("pauses", \.inputs.pauses),
            .texts("extensions", \.inputs.extensions), .instant("due_at", \.dueAt),
            .int4("next_step", \.nextStep, .changing), .instant("next_at", \.nextAt, .changing),
            .text("set_aside", \.setAside, .changing), .instant("ended_at", \.endedAt, .changing),
            .text("ended_because", \.endedBecause, .changing), .text("ended_by", \.endedBy, .changing),
        ])

    package init(_ row: inout RowReader) throws(PostgreSQLError) {
        let (id, _) = (try row.id(ClockID.self), try row.text())
        let key = Key(
            try row.idOrNil(), try row.idOrNil(), try row.nameOrNil(), duty: try row.text(), period: try row.text())
        let (owedBy, rule, citation) = (try row.text(), try row.text(), try row.textOrNil())
        let inputs = ClockInputs(
            rule: rule, startedAt: try row.instant(), calendar: try row.textOrNil(), pauses: try row.texts(),
            extensions: try row.texts())
        self.init(
            id: id, key: key, owedBy: owedBy, inputs: inputs, citation: citation, dueAt: try row.instant(),
            nextStep: try row.int(), nextAt: try row.instantOrNil(), setAside: try row.textOrNil(),
            endedAt: try row.instantOrNil(), endedBecause: try row.textOrNil(), endedBy: try row.textOrNil())
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
