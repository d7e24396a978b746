import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

extension LaneStore {
    /// Locks the reports, in the order of their ids, and reads what stands in their cases.
    func load(
        _ parcels: [Parcel], _ settled: LaneOutlet.Settled, _ errand: Errand?, alsoReports: [ReportID], into docket: inout Docket
    ) throws {
        var reports = Set((errand?.reports ?? []) + alsoReports)
        var submissions: [(source: SourceID, id: String)] = []
        var acts: [(handoff: HandoffID, key: InboxKey)] = []
        for parcel in parcels {
            let targets = desk.targets(of: parcel)
            reports.formUnion(targets.reports)
            acts += targets.handoffs.map { ($0, parcel.key) }
            if let submission = targets.submission { submissions.append(submission) }
        }
        if !submissions.isEmpty {
            let known = ReadSubmissions(sources: submissions.map(\.source.rawValue), submissionIDs: submissions.map(\.id))
            reports.formUnion(try database.run(known).rows.map(\.id))
        }
        for row in settled.confirmed + settled.unroutable where row.movesHandoff { reports.formUnion(row.reports) }
        for row in settled.withdrawn { reports.formUnion(row.reports) }
        guard !reports.isEmpty || !acts.isEmpty else { return }

        let locked = errand?.skipsLocked == true && parcels.isEmpty
            ? try database.run(LockFreeReports(reports: reports.sorted())).rows
            : try database.run(LockReports(reports: reports.sorted(), handoffs: Array(Set(acts.map(\.handoff))))).rows
        let ids = locked.map(\.id)
        guard !ids.isEmpty else { return }
        let (handoffRows, clocks, barred, held, noted, counted) = try database.pipeline(
            ReadHandoffs(reports: ids), ReadClocks(reports: ids), ReadBarredUnits(reports: ids), ReadHeldMessages(reports: ids),
            ReadNotedActs(handoffs: acts.map(\.handoff), keys: acts.map(\.key)),
            // Only where acts may add to them.
            CountHandoffNotes(reports: acts.isEmpty && errand == nil ? [] : ids))
        let handoffsOf = Dictionary(grouping: handoffRows.rows, by: \.reportID)
        let clocksOf = Dictionary(grouping: clocks.rows, by: \.reportID)
        let barredOf = Dictionary(grouping: barred.rows, by: \.0)
        docket.held = Dictionary(grouping: held.rows, by: \.reportID)
        docket.noted = Set(noted.rows)
        for row in counted.rows { docket.notesOf[row.handoff] = (row.count, row.bytes) }
        for report in locked {
            docket.files[report.id] = CaseFile(
                loaded: report, barred: Set((barredOf[report.id] ?? []).map(\.1)), handoffs: handoffsOf[report.id] ?? [],
                clocks: clocksOf[report.id] ?? [])
        }
        for handoff in handoffRows.rows { docket.reportOf[handoff.id] = handoff.reportID }
        // Whom of the staff to tell of what was withdrawn, hangs on who is accused.
        switch max(errand?.needs ?? (settled.withdrawn.isEmpty ? .nothing : .names), parcels.lazy.map(desk.needs).max() ?? .nothing) {
        case .nothing: break
        case .names: try loadNames(of: locked, into: &docket)
        case .contents: try loadContents(of: locked, into: &docket)
        }
    }

    /// The accused, and of all that a report says no more.
    private func loadNames(of reports: [Report], into docket: inout Docket) throws {
        let accused = Dictionary(grouping: try database.run(ReadAccused(reports: reports.map(\.id))).rows, by: \.0)
        for report in reports {
            docket.contents[report.id] = Submission(title: "", text: "", accused: (accused[report.id] ?? []).map(\.1))
        }
    }

    private func loadContents(of reports: [Report], into docket: inout Docket) throws {
        let ids = reports.map(\.id)
        let (texts, accused, allegations, papers) = try database.pipeline(
            ReadReportTexts(reports: ids), ReadAccused(reports: ids), ReadAllegations(reports: ids), ReadAttachments(reports: ids))
        let textOf = Dictionary(texts.rows.map { ($0.reportID, $0) }) { first, _ in first }
        let accusedOf = Dictionary(grouping: accused.rows, by: \.0)
        let allegationsOf = Dictionary(grouping: allegations.rows, by: \.0)
        let papersOf = Dictionary(grouping: papers.rows, by: \.reportID)
        for report in reports {
            docket.contents[report.id] = Submission(
                receivedAt: report.receivedAt, matterKind: report.matterKind, title: textOf[report.id]?.title ?? "",
                text: textOf[report.id]?.body ?? "", region: report.region,
                accused: (accusedOf[report.id] ?? []).map(\.1), allegations: (allegationsOf[report.id] ?? []).map(\.1),
                attachments: try (papersOf[report.id] ?? []).map { try $0.attachment(settings.digestKey) })
        }
    }

    /// How many dead letters of their senders are open.
    func countDeadLetters(of parcels: [Parcel], in docket: inout Docket) throws {
        let senders = Set(parcels.map { $0.senderName ?? "" })
        guard !senders.isEmpty else { return }
        let count = CountOpenDeadLetters(senders: senders.sorted(), countMax: docket.limits.deadLettersPerSenderMax)
        for row in try database.run(count).rows { docket.openLettersOf[row.sender] = row.count }
    }
}
