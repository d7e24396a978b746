import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// The one door (归口受理): every report comes in here, is judged by the scope, and gets a number, once.
struct IntakeDesk: Desk {
    let worker = Worker.intake
    let sealing: Sealing
    var limits = Limits.standard

    func targets(of inbound: InboundMessage) -> Targets {
        guard case .message(let message) = inbound.content, case .submitted(.part) = message.body,
            case .source(let source) = message.envelope.source
        else { return Targets() }
        return Targets(submission: (source, message.envelope.subject))
    }

    /// The manifest that closes a paper says how many parts are read and digested; none is longer than a message.
    func bytesToLoad(for inbound: InboundMessage, limits: Limits) -> Int {
        guard case .message(let message) = inbound.content, case .submitted(.part(let part)) = message.body,
            let count = part.count
        else { return 0 }
        return min(max(count, 0), limits.attachmentPartsMax) * limits.messageBytesMax
    }

    func prepare(_ inbound: InboundMessage, with tools: PreparationTools) throws -> PreparedReport? {
        guard case .message(let message) = inbound.content, case .submitted(.report(let submission)) = message.body,
            case .source(let id) = inbound.sender, let source = tools.directory.sources[id],
            SubmissionCheck.problems(
                in: submission, rulebook: tools.rulebook, directory: tools.directory, now: tools.now
            ).isEmpty
        else { return nil }
        return try PreparedReport(submission, sourceKind: source.kind, body: inbound.body, tools)
    }

    func decide(_ received: [InboundMessage], on unitOfWork: inout UnitOfWork, reading database: Database) throws {
        var drafts: [Draft] = []
        var pieces: [(AttachmentPart, InboundMessage)] = []
        for inbound in received {
            guard case .message(let message) = inbound.content, case .submitted(let said) = message.body else {
                continue
            }
            switch said {
            case .report(let submission):
                if let draft = try self.draft(submission, inbound, &unitOfWork) { drafts.append(draft) }
            case .part(let part): pieces.append((part, inbound))
            }
        }
        try register(drafts, in: &unitOfWork, reading: database)
        // After the reports, one of which a piece may belong to.
        if !pieces.isEmpty { try unitOfWork.takePieces(pieces, sealing, reading: database) }
    }

    var sweepIntervalSeconds: Double { LaneSettings.janitorIntervalSeconds }

    /// Parts of papers that nobody closed in time, one paper after the other.
    func sweep(reading database: Database, at times: SweepTimes, except aside: [ReportID]) throws -> Sweep? {
        let before = times.now.adding(seconds: -Double(limits.paperPartsKeptSeconds))
        guard let paper = try database.run(ReadUnfinishedPapers(before: before, except: aside)).rows.first else {
            return nil
        }
        return Sweep(reports: [paper.report], skipsLocked: true, hasMore: true) { unitOfWork, database in
            try unitOfWork.dropUnfinishedPapers(of: paper.report, before: before, reading: database)
        }
    }

    private func register(_ drafts: [Draft], in unitOfWork: inout UnitOfWork, reading database: Database) throws {
        guard !drafts.isEmpty else { return }
        let known = try enter(drafts, reading: database)
        try unitOfWork.lookUp(Array(known.submissions.values), reading: database)
        var serials = known.serials.makeIterator()
        for draft in drafts {
            if let earlier = known.submissions[draft.inbound.key.eventID.joined(draft.source.id)] {
                unitOfWork.repeatSubmission(earlier, inbound: draft.inbound)
            } else if let serial = serials.next() {
                let first = draft.readable?.repeatKey.flatMap { known.firstSaid[$0] }
                let original = first == draft.id ? nil : first
                // Who may learn nothing of a report learns it from no repeat of it either.
                let barred = original.flatMap { known.barredFrom[$0] ?? unitOfWork.files[$0]?.barred } ?? []
                try register(
                    draft, serial: serial, repeatOf: original,
                    receiptOnly: draft.isReceiptOnly || draft.source.unit.map(barred.contains) ?? false, in: &unitOfWork
                )
            }
        }
    }

    // MARK: What is pure

    /// A report that will be registered, with what the rules say of it.
    private struct Draft {
        let inbound: InboundMessage
        let source: SourceRow
        let report: PreparedReport
        /// Of what is sealed none is entered.
        let barredRoots: Set<UnitID>
        /// The source's own unit is barred. Known also of a sealed report, of which no barred unit is entered.
        let isReceiptOnly: Bool
        /// To whom it goes sealed, and the one of the staff who watches over that.
        let superior: UnitRow?
        let custodian: PersonID?

        var id: ReportID { report.id }
        var readable: PreparedReport.Readable? {
            guard case .readable(let readable) = report.decision else { return nil }
            return readable
        }
    }

    private func draft(
        _ submission: Submission, _ inbound: InboundMessage, _ unitOfWork: inout UnitOfWork
    ) throws -> Draft? {
        guard case .source(let sourceID) = inbound.sender, let source = unitOfWork.directory.sources[sourceID] else {
            try unitOfWork.bury(inbound, .unknownSource)
            return nil
        }
        let problems = SubmissionCheck.problems(
            in: submission, rulebook: unitOfWork.rulebook, directory: unitOfWork.directory, now: unitOfWork.now)
        guard problems.isEmpty else {
            unitOfWork.refuse(inbound, problems)
            return nil
        }
        // Anew for a letter that is replayed, and where the policy or the source changed meanwhile.
        let report =
            if let prepared = inbound.prepared, prepared.holds(under: unitOfWork.rulebook, sourceKind: source.kind) {
                prepared
            } else {
                try PreparedReport(submission, sourceKind: source.kind, body: inbound.body, unitOfWork.tools)
            }
        // Asked of the directory as it is now, never of what was known before the transaction.
        let roots = Barrier.finding(
            on: submission.accused, among: unitOfWork.directory.unitNames, kinds: unitOfWork.rulebook.ownKind
        ).roots
        let barred = unitOfWork.directory.subtrees(of: roots)
        let isReceiptOnly = source.unit.map(barred.contains) ?? false
        switch report.decision {
        case .readable(let readable):
            if let problem = ForwardingSize.problem(with: readable.content) {
                unitOfWork.refuse(inbound, [problem])
                return nil
            }
            return Draft(
                inbound: inbound, source: source, report: report, barredRoots: roots, isReceiptOnly: isReceiptOnly,
                superior: nil, custodian: nil)
        case .sealed(let ruling):
            guard
                let superior = unitOfWork.directory.units.values.filter({
                    $0.kind == ruling.unitKind && $0.active && !barred.contains($0.id)
                })
                .min(by: { $0.id < $1.id })
            else {
                unitOfWork.refuse(inbound, [.noSuperior])
                return nil
            }
            guard sealing.canSeal(to: superior) else {
                unitOfWork.tellOfKey(of: superior)
                unitOfWork.refuse(inbound, [.superiorKeyUnusable])
                return nil
            }
            if let problem = ForwardingSize.problem(withSealed: inbound.body.count) {
                unitOfWork.refuse(inbound, [problem])
                return nil
            }
            let custodian = unitOfWork.directory.custodian(of: submission, barred: barred)
            if custodian == nil {
                unitOfWork.faults.append(
                    """
                    no supervisor may watch over a report that is passed up sealed: nobody is told if it waits \
                    too long
                    """
                )
            }
            return Draft(
                inbound: inbound, source: source, report: report, barredRoots: [], isReceiptOnly: isReceiptOnly,
                superior: superior, custodian: custodian)
        }
    }

    // MARK: What the database knows

    private struct Known {
        var serials: [Int64]
        /// Which report said first what a key stands for.
        var firstSaid: [[UInt8]: ReportID]
        /// Reports already registered under these ids, after their inbox row was pruned.
        var submissions: [String: Report]
        /// The units that earlier reports, which are repeated, may not reach.
        var barredFrom: [ReportID: Set<UnitID>]
    }

    private func enter(_ drafts: [Draft], reading database: Database) throws -> Known {
        let said = drafts.compactMap { draft in draft.readable?.repeatKey.map { (key: $0, id: draft.id) } }
        let submissions = try database.run(
            ReadSubmissions(sources: drafts.map(\.source.id.rawValue), submissionIDs: drafts.map(\.inbound.key.eventID))
        ).rows
        let known = Set(submissions.map { $0.submissionID.joined($0.source) })
        let fresh = drafts.filter { !known.contains($0.inbound.key.eventID.joined($0.source.id)) }
        let freshIDs = Set(fresh.map(\.id))
        let entered = said.filter { freshIDs.contains($0.id) }
        let (serials, _, first) = try database.pipeline(
            TakeReportNumbers(count: fresh.count),
            EnterRepeatKeys(keys: entered.map(\.key), reports: entered.map(\.id)),
            ReadRepeatKeys(keys: entered.map(\.key)))
        let earlier = Set(first.rows.map(\.report)).subtracting(freshIDs).sorted()
        let barred = earlier.isEmpty ? [] : try database.run(ReadBarredUnits(reports: earlier)).rows
        return Known(
            serials: serials.rows,
            firstSaid: Dictionary(first.rows.map { ($0.key, $0.report) }) { first, _ in first },
            submissions: Dictionary(submissions.map { ($0.submissionID.joined($0.source), $0) }) { first, _ in first },
            barredFrom: Dictionary(grouping: barred, by: \.0).mapValues { Set($0.map(\.1)) })
    }

    // MARK: Registering

    private func register(
        _ draft: Draft, serial: Int64, repeatOf original: ReportID?, receiptOnly: Bool, in unitOfWork: inout UnitOfWork
    ) throws {
        var state = ReportState.registered
        var rule: String
        var reason: String?
        var authority: String?
        let stated = draft.report.stated
        var matterKind = stated.matterKind
        switch draft.report.decision {
        case .sealed(let ruling):
            try state.apply(.passedUp)
            rule = ruling.rule.description
        case .readable(let readable):
            rule = readable.ruling.rule.description
            switch readable.ruling.decision {
            case .accept(let kind):
                matterKind = kind
                if original != nil {
                    try state.apply(.linkedAsRepeat)
                    rule = unitOfWork.rulebook.repeatRule(stated.isRealName ? .reporter : .accused).description
                }
            case .notAccepted(let competent, _):
                try state.apply(.declined)
                authority = competent
            case .needsReview(let why):
                try state.apply(.sentToReview)
                reason = why
            }
        }
        let isSealed = state == .passedUp
        let report = Report(
            id: draft.id, number: Report.number(year: CivilDate(of: unitOfWork.now).components.year, serial: serial),
            source: draft.source.id, submissionID: draft.inbound.key.eventID, digest: draft.inbound.digest,
            state: state, sourceKind: draft.source.kind, matterKind: isSealed ? nil : matterKind,
            region: draft.readable?.content.region, realName: !isSealed && stated.isRealName,
            receivedAt: stated.receivedAt ?? unitOfWork.now, registeredAt: unitOfWork.now, verdict: state, rule: rule,
            reason: reason, authority: authority, repeatOf: state == .linkedAsRepeat ? original : nil,
            receiptOnly: receiptOnly, custodian: draft.custodian, handoffCount: 0,
            papers: isSealed ? 0 : Set(stated.attachments.map { $0.sha256.lowercased() }).count, head: .genesis)
        var file = CaseFile(new: report, barred: unitOfWork.directory.subtrees(of: draft.barredRoots))
        let commitment = unitOfWork.commitment(
            to: draft.inbound.sha256, of: report.id, for: Party.source(draft.source.id))
        file.record(
            .registered(.init(of: report, commitment: commitment)), at: unitOfWork.now, by: unitOfWork.officeName)
        unitOfWork.files[report.id] = file

        if case .sealed(let ruling) = draft.report.decision, let superior = draft.superior {
            try sealing.passUp(draft.inbound, report.id, ruling: ruling, to: superior, in: &unitOfWork)
        } else if let readable = draft.readable {
            // Registration splits a message: the original bytes go into the vault, masked text goes on.
            unitOfWork.newReports.append(
                .init(
                    report: file.report, barredRoots: draft.barredRoots, content: readable.content,
                    vault: readable.vault, papers: readable.papers))
        }
        unitOfWork.acknowledgeRegistration(of: report.id, inbound: draft.inbound)
        if state == .registered {
            unitOfWork.tell(
                .routing, .reportRegistered, report: report.id,
                bytes: draft.readable.map { ForwardingSize.bytesMax(of: $0.content) })
        }
        if let finished = unitOfWork.files[report.id], isSealed {
            unitOfWork.newReports.append(
                .init(report: finished.report, barredRoots: draft.barredRoots, content: nil, vault: nil, papers: []))
        }
    }
}

extension UnitOfWork {
    fileprivate var tools: PreparationTools {
        PreparationTools(
            directory: directory, rulebook: rulebook, vault: vault, digestKey: digestKey, now: now, wall: wall)
    }

    /// The answer to a submission, made from the report's own row: the same whenever it is asked for.
    mutating func acknowledgeRegistration(of id: ReportID, inbound: InboundMessage) {
        guard let report = files[id]?.report else { return }
        acknowledgeRegistration(report, inbound: inbound)
    }

    private mutating func acknowledgeRegistration(_ report: Report, inbound: InboundMessage) {
        guard let sender = inbound.sender else { return }
        guard admits(sender, type: .reportAccepted, reports: [report.id]) else {
            return _ = giveReceipt(inbound, about: report)
        }
        send(
            .reportAccepted, to: sender, subject: inbound.subject, inReplyTo: inbound.key.eventID,
            data: ReportAccepted(
                number: report.displayNumber, state: report.verdict, rule: report.rule, authority: report.authority,
                papersPending: report.papers > 0 ? report.papers : nil),
            reports: [report.id], eventID: UnitOfWork.replyID(to: inbound.key), at: report.registeredAt)
    }

    /// The same submission once more: the original verdict; another one under the same id: refused.
    mutating func repeatSubmission(_ earlier: Report, inbound: InboundMessage) {
        if earlier.digest == inbound.digest {
            acknowledgeRegistration(earlier, inbound: inbound)
        } else {
            refuse(inbound, [.idReused], variant: inbound.digest.hexadecimal)
        }
    }
}

extension String {
    fileprivate func joined(_ source: SourceID) -> String { "\(source.rawValue)|\(self)" }
}

extension CivilDate {
    /// The day in the office's own zone: China has one, eight hours ahead of UTC.
    init(of instant: Instant) {
        self.init(daysSinceEpoch: Int((Double(instant.microsecondsSinceEpoch) / 1_000_000 + 8 * 3600) / 86_400))
    }
}

extension Problem {
    /// It may only have been quicker than its registration: kept, not dropped.
    static let unknownSource = Problem(
        code: "unknown_source",
        text: "this sender is not registered with the office; what it sent is kept, and can be sent again once it is")
    static let wrongWorker = Problem(
        code: "wrong_queue", text: "this type of message is not read here; see the routing keys of the contract")
    static let noSuperior = Problem(
        code: "no_superior",
        text: "only a superior may handle this, and none is registered here; nothing of it was kept, send it there")
    static let superiorKeyUnusable = Problem(
        code: "superior_key_unusable",
        text:
            """
            only a superior may handle this, and it cannot be sealed to the superior's key; nothing of it was \
            kept, send it there
            """
    )
    static let idReused = Problem(
        code: Refusal.idReused.rawValue, path: "id",
        text: "this id was used before for another message; the first one stands")
}
