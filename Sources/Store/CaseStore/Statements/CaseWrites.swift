public import Basics
public import Casework
public import PostgreSQL

/// All that is written of cases in one transaction, in bulk: one statement per table, whatever the number of cases.
public struct CaseWrites: Sendable {
    /// New reports with what was submitted, masked, and the original bytes, sealed.
    public struct NewReport: Sendable {
        public var report: Report
        /// Units that the accused belong to.
        public let barredRoots: Set<UnitID>
        /// `nil` of a sealed pass-through: nothing of it is entered.
        public let content: Submission?
        public let vault: VaultBox?
        /// One for each of the content's attachments.
        public let papers: [PaperKey]

        public init(
            report: Report, barredRoots: Set<UnitID>, content: Submission?, vault: VaultBox?, papers: [PaperKey]
        ) {
            self.report = report
            self.barredRoots = barredRoots
            self.content = content
            self.vault = vault
            self.papers = papers
        }
    }

    public var newReports: [NewReport] = []
    public var changedReports: [(report: Report, loadedHead: LedgerHead)] = []
    public var newHandoffs: [Handoff] = []
    public var changedHandoffs: [Handoff] = []
    public var newClocks: [Clock] = []
    public var changedClocks: [Clock] = []
    public var entries: [(chain: ReportID, entry: LedgerEntry)] = []
    /// Units that reports were found to speak of after they were registered.
    public var newRoots: [(report: ReportID, unit: UnitID)] = []

    public init() {}

    /// Collects what changed in a file; `content` stands apart, because a file holds no text.
    public mutating func collect(_ file: CaseFile) {
        if let loaded = file.loadedHead, file.reportChanged { changedReports.append((file.report, loaded)) }
        for handoff in file.handoffs {
            if file.newHandoffs.contains(handoff.id) {
                newHandoffs.append(handoff)
            } else if file.changedHandoffs.contains(handoff.id) {
                changedHandoffs.append(handoff)
            }
        }
        for clock in file.clocks {
            if file.newClocks.contains(clock.key) {
                newClocks.append(clock)
            } else if file.changedClocks.contains(clock.key) {
                changedClocks.append(clock)
            }
        }
        newRoots += file.newRoots.sorted().map { (file.report.id, $0) }
        entries += file.newEntries.map { (file.report.id, $0) }
    }

    /// The statements in the order that foreign keys want.
    public var commands: [any Command] {
        var commands: [any Command] = []
        if !newReports.isEmpty {
            let contents = newReports.compactMap { new in new.content.map { (new.report.id, $0) } }
            commands.append(InsertReports(reports: newReports.map(\.report)))
            commands.append(InsertReportTexts(contents: contents))
            commands.append(InsertVault(boxes: newReports.compactMap { new in new.vault.map { (new.report.id, $0) } }))
            let accused = contents.flatMap { (id, content) in
                content.accused.enumerated().map { (id, $0.offset, $0.element) }
            }
            if !accused.isEmpty { commands.append(InsertAccused(rows: accused)) }
            let allegations = contents.flatMap { (id, content) in
                content.allegations.enumerated().map { (id, $0.offset, $0.element) }
            }
            if !allegations.isEmpty { commands.append(InsertAllegations(rows: allegations)) }
            let papers = newReports.flatMap { new in
                zip(new.content?.attachments ?? [], new.papers).enumerated().map {
                    (new.report.id, $0.offset, $0.element.0, $0.element.1)
                }
            }
            if !papers.isEmpty { commands.append(InsertAttachments(rows: papers)) }
        }
        // Before anything that the barrier must judge.
        let roots = newReports.flatMap { new in new.barredRoots.sorted().map { (new.report.id, $0) } } + newRoots
        if !roots.isEmpty { commands.append(InsertBarredRoots(rows: roots)) }
        if !changedReports.isEmpty { commands.append(UpdateReports(reports: changedReports)) }
        if !newHandoffs.isEmpty { commands.append(InsertHandoffs(handoffs: newHandoffs)) }
        if !changedHandoffs.isEmpty { commands.append(UpdateHandoffs(handoffs: changedHandoffs)) }
        if !newClocks.isEmpty { commands.append(InsertClocks(clocks: newClocks)) }
        if !changedClocks.isEmpty { commands.append(UpdateClocks(clocks: changedClocks)) }
        if !entries.isEmpty { commands.append(InsertLedgerEntries(entries: entries)) }
        return commands
    }
}

struct InsertReports: Command {
    var reports: [Report]

    static let sql = """
        INSERT INTO report (id, number, source, source_id, digest, state, source_kind, matter_kind, region, real_name,
            received_at, registered_at, verdict, rule, reason, authority, repeat_of, receipt_only, custodian,
                handoff_count, papers, head,
            entry_count, head_at)
        SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[],
            $8::text[],
            $9::text[], $10::bool[], $11::timestamptz[], $12::timestamptz[], $13::text[], $14::text[], $15::text[],
                $16::text[],
            $17::uuid[], $18::bool[], $19::text[], $20::int[], $21::int[], $22::bytea[], $23::int[], $24::timestamptz[])
        """

    var parameters: [Parameter] {
        [
            .ids(reports.map(\.id)), .int8s(reports.map(\.number)), .texts(reports.map(\.source.rawValue)),
            .texts(reports.map(\.submissionID)), .byteas(reports.map(\.digest)), .texts(reports.map(\.state.rawValue)),
            .texts(reports.map(\.sourceKind)), .texts(reports.map(\.matterKind)), .texts(reports.map(\.region)),
            .bools(reports.map(\.realName)), .instants(reports.map(\.receivedAt)),
            .instants(reports.map(\.registeredAt)), .texts(reports.map(\.verdict.rawValue)),
            .texts(reports.map(\.rule)),
            .texts(reports.map(\.reason)), .texts(reports.map(\.authority)), .ids(orNil: reports.map(\.repeatOf)),
            .bools(reports.map(\.receiptOnly)), .texts(reports.map(\.custodian?.rawValue)),
            .integers(reports.map(\.handoffCount)),
            .integers(reports.map(\.papers)),
            .byteas(reports.map(\.head.hash)), .integers(reports.map(\.head.count)), .instants(reports.map(\.head.at)),
        ]
    }
}

struct InsertReportTexts: Command {
    var contents: [(ReportID, Submission)]
    static let sql = """
        INSERT INTO report_text (report_id, title, body) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
        """
    var parameters: [Parameter] {
        [.ids(contents.map(\.0)), .texts(contents.map(\.1.title)), .texts(contents.map(\.1.text))]
    }
}

struct InsertVault: Command {
    var boxes: [(ReportID, VaultBox)]
    static let sql = """
        INSERT INTO vault (report_id, key_id, sealed) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])
        """
    var parameters: [Parameter] {
        [.ids(boxes.map(\.0)), .texts(boxes.map(\.1.keyID)), .byteas(boxes.map(\.1.sealed))]
    }
}

struct InsertAccused: Command {
    var rows: [(ReportID, Int, Accused)]
    static let sql = """
        INSERT INTO accused (report_id, ordinal, name, organ, position, level, region, unit)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::text[])
        """
    var parameters: [Parameter] {
        [
            .ids(rows.map(\.0)), .integers(rows.map(\.1)), .texts(rows.map(\.2.name)), .texts(rows.map(\.2.organ)),
            .texts(rows.map(\.2.position)), .texts(rows.map(\.2.level)), .texts(rows.map(\.2.region)),
            .texts(rows.map(\.2.unit?.rawValue)),
        ]
    }
}

struct InsertAllegations: Command {
    var rows: [(ReportID, Int, Allegation)]
    static let sql = """
        INSERT INTO allegation (report_id, ordinal, category, act)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[])
        """
    var parameters: [Parameter] {
        [.ids(rows.map(\.0)), .integers(rows.map(\.1)), .texts(rows.map(\.2.category)), .texts(rows.map(\.2.act))]
    }
}

struct InsertAttachments: Command {
    var rows: [(ReportID, Int, Attachment, PaperKey)]
    static let sql = """
        INSERT INTO attachment (report_id, ordinal, name, media_type, bytes, paper, sha256)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::bytea[])
        """
    var parameters: [Parameter] {
        [
            .ids(rows.map(\.0)), .integers(rows.map(\.1)), .texts(rows.map(\.2.name)), .texts(rows.map(\.2.mediaType)),
            .int8s(rows.map { Int64($0.2.bytes) }), .byteas(rows.map(\.3.id)), .byteas(rows.map(\.3.sealedSHA256)),
        ]
    }
}

struct InsertBarredRoots: Command {
    var rows: [(ReportID, UnitID)]
    static let sql =
        "INSERT INTO barred_root (report_id, unit) SELECT * FROM unnest($1::uuid[], $2::text[]) ON CONFLICT DO NOTHING"
    var parameters: [Parameter] { [.ids(rows.map(\.0)), .texts(rows.map(\.1.rawValue))] }
}

/// Moves reports on. The head advances by compare-and-set: a report whose chain grew meanwhile is not written, and the
/// caller sees a count that is too small.
struct UpdateReports: Command {
    var reports: [(report: Report, loadedHead: LedgerHead)]

    static let sql = """
        UPDATE report SET state = new.state, matter_kind = new.matter_kind, reason = new.reason, authority =
            new.authority,
            handoff_count = new.handoff_count, head = new.head, entry_count = new.entry_count, head_at = new.head_at
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bytea[], $8::int[],
            $9::timestamptz[],
            $10::bytea[])
            AS new (id, state, matter_kind, reason, authority, handoff_count, head, entry_count, head_at, loaded_head)
        WHERE report.id = new.id AND report.head = new.loaded_head
        """

    var parameters: [Parameter] {
        let rows = reports.map(\.report)
        return [
            .ids(rows.map(\.id)), .texts(rows.map(\.state.rawValue)), .texts(rows.map(\.matterKind)),
            .texts(rows.map(\.reason)), .texts(rows.map(\.authority)), .integers(rows.map(\.handoffCount)),
            .byteas(rows.map(\.head.hash)), .integers(rows.map(\.head.count)), .instants(rows.map(\.head.at)),
            .byteas(reports.map(\.loadedHead.hash)),
        ]
    }
}

struct InsertHandoffs: Command {
    var handoffs: [Handoff]

    static let sql = """
        INSERT INTO handoff (id, report_id, attempt, unit, kind, state, express, rule, digest, released_at,
            running_clocks,
            no_clock_reason)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::bool[],
            $8::text[],
            $9::bytea[], $10::timestamptz[], $11::int[], $12::text[])
        """

    var parameters: [Parameter] {
        [
            .ids(handoffs.map(\.id)), .ids(handoffs.map(\.reportID)), .integers(handoffs.map(\.attempt)),
            .texts(handoffs.map(\.unit.rawValue)), .texts(handoffs.map(\.kind)), .texts(handoffs.map(\.state.rawValue)),
            .bools(handoffs.map(\.express)), .texts(handoffs.map(\.rule)), .byteas(handoffs.map(\.digest)),
            .instants(handoffs.map(\.releasedAt)), .integers(handoffs.map(\.runningClocks)),
            .texts(handoffs.map(\.noClockReason)),
        ]
    }
}

struct UpdateHandoffs: Command {
    var handoffs: [Handoff]

    static let sql = """
        UPDATE handoff SET state = new.state, released_at = new.released_at, dispatched_at = new.dispatched_at,
            signed_at = new.signed_at, signed_by = new.signed_by, disposition = new.disposition,
            case_number = new.case_number, case_filed_on = DATE '1970-01-01' + new.case_filed_on,
            case_notified_at = new.case_notified_at, outcome = new.outcome, concluded_at = new.concluded_at,
            times_sent_back = new.times_sent_back, ended_at = new.ended_at, ended_because = new.ended_because,
            running_clocks = new.running_clocks, no_clock_reason = new.no_clock_reason
        FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::text[],
            $7::text[],
            $8::text[], $9::int[], $10::timestamptz[], $11::text[], $12::timestamptz[], $13::int[], $14::timestamptz[],
            $15::text[], $16::int[], $17::text[])
            AS new (id, state, released_at, dispatched_at, signed_at, signed_by, disposition, case_number,
                case_filed_on,
            case_notified_at, outcome, concluded_at, times_sent_back, ended_at, ended_because, running_clocks,
                no_clock_reason)
        WHERE handoff.id = new.id
        """

    var parameters: [Parameter] {
        [
            .ids(handoffs.map(\.id)), .texts(handoffs.map(\.state.rawValue)), .instants(handoffs.map(\.releasedAt)),
            .instants(handoffs.map(\.dispatchedAt)), .instants(handoffs.map(\.signedAt)),
            .texts(handoffs.map(\.signedBy)), .texts(handoffs.map(\.disposition)), .texts(handoffs.map(\.caseNumber)),
            .int4s(handoffs.map { $0.caseFiledOn.map { Int32(clamping: $0.daysSinceEpoch) } }),
            .instants(handoffs.map(\.caseNotifiedAt)), .texts(handoffs.map(\.outcome)),
            .instants(handoffs.map(\.concludedAt)), .integers(handoffs.map(\.timesSentBack)),
            .instants(handoffs.map(\.endedAt)), .texts(handoffs.map(\.endedBecause)),
            .integers(handoffs.map(\.runningClocks)), .texts(handoffs.map(\.noClockReason)),
        ]
    }
}

struct InsertClocks: Command {
    var clocks: [Clock]

    static let sql = """
        INSERT INTO clock (handoff_id, kind, round, report_id, owed_by, started_at, due_at, rule, citation, ladder,
            next_step,
            next_at, stopped_at, stopped_by)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::uuid[], $5::text[], $6::timestamptz[],
            $7::timestamptz[],
            $8::text[], $9::text[], $10::text[], $11::int[], $12::timestamptz[], $13::timestamptz[], $14::text[])
        """

    var parameters: [Parameter] {
        [
            .ids(clocks.map(\.key.handoffID)), .texts(clocks.map(\.key.kind)), .integers(clocks.map(\.key.round)),
            .ids(clocks.map(\.reportID)), .texts(clocks.map(\.owedBy.rawValue)), .instants(clocks.map(\.startedAt)),
            .instants(clocks.map(\.dueAt)), .texts(clocks.map(\.rule)), .texts(clocks.map(\.citation)),
            .texts(clocks.map { Ladder.write($0.steps) }), .integers(clocks.map(\.nextStep)),
            .instants(clocks.map(\.nextAt)), .instants(clocks.map(\.stoppedAt)), .texts(clocks.map(\.stoppedBy)),
        ]
    }
}

struct UpdateClocks: Command {
    var clocks: [Clock]

    static let sql = """
        UPDATE clock SET next_step = new.next_step, next_at = new.next_at, stopped_at = new.stopped_at, stopped_by =
            new.stopped_by
        FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::text[])
            AS new (handoff_id, kind, round, next_step, next_at, stopped_at, stopped_by)
        WHERE clock.handoff_id = new.handoff_id AND clock.kind = new.kind AND clock.round = new.round
        """

    var parameters: [Parameter] {
        [
            .ids(clocks.map(\.key.handoffID)), .texts(clocks.map(\.key.kind)), .integers(clocks.map(\.key.round)),
            .integers(clocks.map(\.nextStep)), .instants(clocks.map(\.nextAt)), .instants(clocks.map(\.stoppedAt)),
            .texts(clocks.map(\.stoppedBy)),
        ]
    }
}

struct InsertLedgerEntries: Command {
    var entries: [(chain: ReportID, entry: LedgerEntry)]

    static let sql = """
        INSERT INTO ledger_entry (chain, sequence, bytes, hash)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::bytea[], $4::bytea[])
        """

    var parameters: [Parameter] {
        [
            .ids(entries.map(\.chain)), .integers(entries.map(\.entry.sequence)), .byteas(entries.map(\.entry.bytes)),
            .byteas(entries.map(\.entry.hash)),
        ]
    }
}
