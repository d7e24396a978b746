import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL

/// The only intake of reports (归口受理, invariant 3): every report is received here, judged by the scope, and given a
/// number once. Only intake hears `report.submitted` (`ReportSubmitted.swift`), and `Cases.register` fails elsewhere.
struct IntakeDesk: Desk {
    let worker = Worker.intake
    let sealing: Sealing
    var limits = Limits.standard

    func targets(of inbound: InboundMessage) -> Targets {
        guard case .message(let message) = inbound.content, case .submitted(.part) = message.body else {
            return Targets()
        }
        return Targets(submission: inbound.submission)
    }

    /// A manifest gives the number of parts that are read and hashed; none of them is larger than a message.
    func bytesToLoad(for inbound: InboundMessage, limits: Limits) -> Int {
        guard case .message(let message) = inbound.content, case .submitted(.part(let part)) = message.body,
            let count = part.count
        else { return 0 }
        return min(max(count, 0), limits.attachmentPartsMax) * limits.messageBytesMax
    }

    func prepare(_ inbound: InboundMessage, in office: OfficeContext) throws -> PreparedReport? {
        guard case .message(let message) = inbound.content, case .submitted(.report(let submission)) = message.body,
            case .source(let id) = inbound.sender, let source = office.directory.sources[id]
        else { return nil }
        return try PreparedReport(submission, from: source, body: inbound.body, sealing: sealing, in: office)
    }

    func load(_ received: [InboundMessage], into unitOfWork: inout UnitOfWork, from database: Database) throws {
        var parts: [AttachmentPartReceived] = []
        var drafts: [Draft] = []
        for inbound in received {
            guard case .message(let message) = inbound.content, case .submitted(let said) = message.body else {
                continue
            }
            switch said {
            case .report: if let draft = try draft(of: inbound, in: unitOfWork.office) { drafts.append(draft) }
            case .part(let part): parts.append(.init(part: part, inbound: inbound))
            }
        }
        if !drafts.isEmpty { try unitOfWork.loadRegistrations(of: drafts, from: database) }
        // After the reports, because a part may belong to one of them.
        if !parts.isEmpty { try unitOfWork.loadAttachments(of: parts, from: database) }
    }

    func decide(_ received: [InboundMessage], on unitOfWork: inout UnitOfWork) throws {
        var parts: [AttachmentPartReceived] = []
        var loaded: [LoadedSubmission] = []
        for inbound in received {
            guard case .message(let message) = inbound.content, case .submitted(let said) = message.body else {
                continue
            }
            switch said {
            case .part(let part): parts.append(.init(part: part, inbound: inbound))
            case .report:
                if let submission = unitOfWork.cases.submissions[inbound.key] {
                    loaded.append(submission)
                } else {
                    try refuse(inbound, in: &unitOfWork)
                }
            }
        }
        for submission in loaded {
            switch submission {
            case .known(let draft, let earlier): unitOfWork.repeatSubmission(earlier, inbound: draft.inbound)
            case .new(let draft, let registration):
                try register(draft, registration, in: &unitOfWork)
                unitOfWork.answers.take(draft.inbound.key)
            }
        }
        try unitOfWork.takeParts(parts, sealing)
    }

    var sweepIntervalSeconds: Double { LaneSettings.janitorIntervalSeconds }

    /// Drops the parts of attachments that were not closed in time, one report at a time.
    func sweep(reading database: Database, at times: SweepTimes, except aside: [SweepItem]) throws -> Sweep? {
        let before = times.now.adding(seconds: -Double(limits.paperPartsKeptSeconds))
        guard
            let attachment = try database.run(
                ReadUnfinishedAttachments(
                    before: before, except: aside.compactMap(\.subject.reportID))
            ).rows.first
        else {
            return nil
        }
        let report = attachment.report
        return Sweep(
            items: [SweepItem(report)], skipsLocked: true, hasMore: true,
            load: { unitOfWork, _, database in
                try unitOfWork.loadUnfinishedAttachments(of: report, before: before, from: database)
            },
            work: { unitOfWork, _ in unitOfWork.dropUnfinishedAttachments() })
    }

    // MARK: Pure steps

    /// The submission with the results of the rules; `nil` if it is refused.
    private func draft(of inbound: InboundMessage, in office: OfficeContext) throws -> Draft? {
        guard case .source(let id) = inbound.sender, let source = office.directory.sources[id] else { return nil }
        guard let report = inbound.prepared else { throw NotLoaded() }
        if case .refused = report.decision { return nil }
        return Draft(inbound: inbound, source: source, report: report)
    }

    private func refuse(_ inbound: InboundMessage, in unitOfWork: inout UnitOfWork) throws {
        guard let report = inbound.prepared else { return try unitOfWork.keepAsDeadLetter(inbound, .unknownSource) }
        switch report.decision {
        case .refused(.because(let problems)): unitOfWork.refuse(inbound, problems)
        case .refused(.unusableKey(let superior)):
            unitOfWork.tellOfKey(of: superior)
            unitOfWork.refuse(inbound, [.superiorKeyUnusable])
        case .sealed, .readable: throw NotLoaded()
        }
    }

    // MARK: Registering

    private func register(
        _ draft: Draft, _ registration: LoadedSubmission.Registration, in unitOfWork: inout UnitOfWork
    ) throws {
        let original = registration.original
        // A source that may learn nothing of the original learns nothing from its repeat either.
        let barred = original.flatMap { registration.barred ?? unitOfWork.cases.files[$0]?.barred } ?? []
        let receiptOnly = draft.report.isReceiptOnly || draft.source.unit.map(barred.contains) ?? false
        let standing = try draft.standing(isRepeat: original != nil, under: unitOfWork.office.rulebook)
        let state = standing.state
        let isSealed = state == .passedUp
        let report = Report(
            id: draft.id,
            number: Report.number(
                year: CivilDate(of: unitOfWork.now).components.year, serial: registration.serial),
            source: draft.source.id, submissionID: draft.inbound.key.eventID, digest: draft.inbound.digest,
            state: state, sourceKind: draft.source.kind, matterKind: isSealed ? nil : standing.matterKind,
            region: draft.readable?.content.region, realName: !isSealed && draft.report.isRealName,
            receivedAt: draft.report.receivedAt ?? unitOfWork.now, registeredAt: unitOfWork.now, verdict: state,
            rule: standing.rule, reason: standing.reason, authority: standing.authority,
            repeatOf: state == .linkedAsRepeat ? original : nil,
            receiptOnly: receiptOnly, custodian: draft.sealed?.custodian, handoffCount: 0,
            attachments: isSealed ? 0 : draft.report.attachmentCount, head: .genesis)
        var file = CaseFile(new: report, barred: unitOfWork.office.directory.subtrees(of: draft.report.barredRoots))
        let commitment = unitOfWork.office.commitment(
            to: draft.inbound.sha256, of: report.id, for: Party.source(draft.source.id))
        file.record(
            .registered(.init(of: report, commitment: commitment)), at: unitOfWork.now, by: unitOfWork.office.name)
        unitOfWork.cases.files[report.id] = file

        if let sealed = draft.sealed {
            if sealed.custodian == nil {
                unitOfWork.answers.report(
                    """
                    no supervisor may watch over a report that is passed up sealed: nobody is told if it waits \
                    too long
                    """
                )
            }
            try sealing.passUp(draft.inbound, report.id, ruling: sealed.ruling, to: sealed.superior, in: &unitOfWork)
        } else if let readable = draft.readable {
            // Registration splits a message: the original bytes go into the vault, only masked text is used further.
            try unitOfWork.cases.register(
                .init(
                    report: file.report, barredRoots: draft.report.barredRoots, content: readable.content,
                    original: readable.original, attachments: readable.attachments),
                by: unitOfWork.office.worker)
        }
        unitOfWork.acknowledgeRegistration(of: report.id, inbound: draft.inbound)
        if state == .registered {
            unitOfWork.notify(
                .routing, .reportRegistered, report: report.id,
                bytes: draft.readable.map { ForwardingSize.bytesMax(of: $0.content) })
        }
        if let finished = unitOfWork.cases.files[report.id], isSealed {
            try unitOfWork.cases.register(
                .init(
                    report: finished.report, barredRoots: draft.report.barredRoots, content: nil, original: nil,
                    attachments: []),
                by: unitOfWork.office.worker)
        }
    }
}

extension UnitOfWork {
    /// Sends the answer to a submission. It is made from the report's row, so it is always the same.
    mutating func acknowledgeRegistration(of id: ReportID, inbound: InboundMessage) {
        guard let report = cases.files[id]?.report else { return }
        acknowledgeRegistration(report, inbound: inbound)
    }

    private mutating func acknowledgeRegistration(_ report: Report, inbound: InboundMessage) {
        guard let sender = inbound.sender else { return }
        guard admits(sender, type: .reportAccepted, about: .reports([report.id])) else {
            return _ = giveReceipt(inbound, about: report)
        }
        send(
            .reportAccepted, to: sender, subject: inbound.subject, inReplyTo: inbound.key.eventID,
            data: ReportAccepted(
                number: report.displayNumber, state: report.verdict, rule: report.rule,
                authority: report.authorityAtRegistration,
                papersPending: report.attachments > 0 ? report.attachments : nil),
            about: .reports([report.id]), eventID: UnitOfWork.replyID(to: inbound.key), at: report.registeredAt)
    }

    /// Answers a repeated submission with the original verdict, and refuses another one under the same id.
    mutating func repeatSubmission(_ earlier: Report, inbound: InboundMessage) {
        if earlier.digest == inbound.digest {
            acknowledgeRegistration(earlier, inbound: inbound)
            answers.take(inbound.key)
        } else {
            refuse(inbound, [.idReused], variant: inbound.digest.hexadecimal)
            // The inbox row of the first was pruned, and this one claimed it.
            answers.refuse(inbound.key, because: [.idReused], reply: nil)
        }
    }
}

extension CivilDate {
    /// The day in the office's time zone: China has one zone, UTC+8.
    init(of instant: Instant) {
        self.init(daysSinceEpoch: Int((Double(instant.microsecondsSinceEpoch) / 1_000_000 + 8 * 3600) / 86_400))
    }
}

extension Problem {
    /// The message may only have come before its sender was registered, so it is kept.
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
