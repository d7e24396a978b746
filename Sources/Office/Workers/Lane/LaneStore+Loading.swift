import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

extension LaneStore {
    /// Locks the subjects (reports, then units, each in the order of their ids, then the office) and reads the cases.
    func load(
        _ received: [InboundMessage], _ settled: OutboxPublisher.Settled, _ sweep: Sweep?,
        _ commands: [DeadLetterCommand], into unitOfWork: inout UnitOfWork
    ) throws {
        var reports = Set(sweep?.reports ?? [])
        var acts: [(handoff: HandoffID, key: InboxKey)] = []
        var senders: Set<String> = []
        let targets = received.map(desk.targets)
        for (inbound, targets) in zip(received, targets) {
            acts += targets.handoffs.map { ($0, inbound.key) }
            if let sender = targets.deferredOf { senders.insert(sender) }
        }
        let all = targets + commands.map { $0.letter.targets(in: directory) }
        for targets in all { reports.formUnion(targets.reports) }
        let submissions = all.compactMap(\.submission)
        if !submissions.isEmpty {
            let known = ReadSubmissions(
                sources: submissions.map(\.source.rawValue), submissionIDs: submissions.map(\.id))
            reports.formUnion(try database.run(known).rows.map(\.id))
        }
        let approvals = received.compactMap(\.approval)
        let decidedOn = approvals.isEmpty ? [] : try database.run(ReadApprovals(ids: approvals)).rows.map(\.subject)
        reports.formUnion(decidedOn.compactMap(\.reportID))
        let office = all.contains(where: \.office) || sweep?.office == true || decidedOn.contains(.office)
        for row in settled.confirmed + settled.unroutable where row.movesHandoff { reports.formUnion(row.reports) }
        for row in settled.withdrawn { reports.formUnion(row.reports) }

        let handoffs = Set(all.flatMap(\.handoffs))
        let skipsLocked = sweep?.skipsLocked == true && received.isEmpty
        let locked = try lock(reports, handoffs, skipsLocked: skipsLocked)
        try lockChains(
            of: Set(all.flatMap(\.units)).union(sweep?.units ?? []), office: office, skipsLocked: skipsLocked,
            into: &unitOfWork)
        let ids = locked.map(\.id)
        if received.contains(where: \.isCommand) {
            unitOfWork.cases.load(
                try database.run(ReadApprovals(ids: approvals, openOf: ids, openOfOffice: office)).rows)
        }
        guard !ids.isEmpty else { return }
        let (handoffRows, clocks, barred, deferred, applied, counted, amounts) = try database.pipeline(
            ReadHandoffs(reports: ids), ReadClocks(reports: ids), ReadBarredUnits(reports: ids),
            ReadDeferredMessages(reports: ids),
            ReadAppliedActs(handoffs: acts.map(\.handoff), keys: acts.map(\.key)),
            // Only if acts may add notes.
            CountHandoffNotes(reports: acts.isEmpty && sweep == nil ? [] : ids),
            CountDeferredMessages(senders: senders.sorted()))
        let handoffsOf = Dictionary(grouping: handoffRows.rows, by: \.reportID)
        let clocksOf = Dictionary(grouping: clocks.rows, by: \.key.reportID)
        let barredOf = Dictionary(grouping: barred.rows, by: \.0)
        unitOfWork.cases.deferred.load(deferred.rows, amounts: amounts.rows)
        unitOfWork.cases.notes.load(
            appliedActs: Set(applied.rows),
            amounts: Dictionary(counted.rows.map { ($0.handoff, ($0.count, $0.bytes)) }) { first, _ in first })
        for report in locked {
            unitOfWork.cases.files[report.id] = CaseFile(
                loaded: report, barred: Set((barredOf[report.id] ?? []).map(\.1)),
                handoffs: handoffsOf[report.id] ?? [], clocks: clocksOf[report.id] ?? [])
        }
        for handoff in handoffRows.rows { unitOfWork.cases.reportOf[handoff.id] = handoff.reportID }
        // Which persons are notified of a withdrawn row depends on who is accused.
        switch max(
            sweep?.needs ?? (settled.withdrawn.isEmpty ? .nothing : .names),
            // Whether a person may act on a case depends on all that it says.
            received.lazy.map { $0.isCommand ? .contents : self.desk.needs(of: $0) }.max() ?? .nothing)
        {
        case .nothing: break
        case .names: try loadNames(of: locked, into: &unitOfWork)
        case .contents: try loadContents(of: locked, into: &unitOfWork)
        }
    }

    private func lock(_ reports: Set<ReportID>, _ handoffs: Set<HandoffID>, skipsLocked: Bool) throws -> [Report] {
        if reports.isEmpty, handoffs.isEmpty { return [] }
        return skipsLocked
            ? try database.run(LockFreeReports(reports: reports.sorted())).rows
            : try database.run(LockReports(reports: reports.sorted(), handoffs: Array(handoffs))).rows
    }

    private func lockChains(
        of units: Set<UnitID>, office: Bool, skipsLocked: Bool, into unitOfWork: inout UnitOfWork
    ) throws {
        if !units.isEmpty {
            let ids = units.sorted()
            unitOfWork.cases.load(
                skipsLocked
                    ? try database.run(LockFreeUnitChains(units: ids)).rows
                    : try database.run(LockUnitChains(units: ids)).rows)
        }
        if office {
            unitOfWork.cases.load(
                skipsLocked
                    ? try database.run(LockFreeOfficeChain()).rows : try database.run(LockOfficeChain()).rows)
        }
    }

    /// Loads the accused, and no other content of the reports.
    private func loadNames(of reports: [Report], into unitOfWork: inout UnitOfWork) throws {
        let accused = Dictionary(grouping: try database.run(ReadAccused(reports: reports.map(\.id))).rows, by: \.0)
        for report in reports {
            unitOfWork.cases.contents[report.id] = Submission(
                title: "", text: "", accused: (accused[report.id] ?? []).map(\.1))
        }
    }

    private func loadContents(of reports: [Report], into unitOfWork: inout UnitOfWork) throws {
        let ids = reports.map(\.id)
        let (texts, accused, allegations, attachments) = try database.pipeline(
            ReadReportTexts(reports: ids), ReadAccused(reports: ids), ReadAllegations(reports: ids),
            ReadAttachments(reports: ids))
        let textOf = Dictionary(texts.rows.map { ($0.reportID, $0) }) { first, _ in first }
        let accusedOf = Dictionary(grouping: accused.rows, by: \.0)
        let allegationsOf = Dictionary(grouping: allegations.rows, by: \.0)
        let attachmentsOf = Dictionary(grouping: attachments.rows, by: \.reportID)
        for report in reports {
            unitOfWork.cases.contents[report.id] = Submission(
                receivedAt: report.receivedAt, matterKind: report.matterKind, title: textOf[report.id]?.title ?? "",
                text: textOf[report.id]?.body ?? "", region: report.region,
                accused: (accusedOf[report.id] ?? []).map(\.1), allegations: (allegationsOf[report.id] ?? []).map(\.1),
                attachments: try (attachmentsOf[report.id] ?? []).map { try $0.attachment(settings.digestKey) })
        }
    }

    /// Loads the number of open dead letters of each sender of these messages.
    func countDeadLetters(of received: [InboundMessage], in unitOfWork: inout UnitOfWork) throws {
        let senders = Set(received.map { $0.senderName ?? "" })
        guard !senders.isEmpty else { return }
        let count = CountOpenDeadLetters(
            senders: senders.sorted(), countMax: unitOfWork.office.limits.deadLettersPerSenderMax)
        unitOfWork.answers.load(openDeadLetters: try database.run(count).rows)
    }
}
