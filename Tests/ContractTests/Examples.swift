import Basics
import Casework
import Contract
import Foundation

/// One message of every type, as the golden files keep it, and how each type is read and written again.
enum Examples {
    static let moment = Instant("2026-03-02T08:00:00Z") ?? Instant(microsecondsSinceEpoch: 0)
    static let handoff = "0195a5f2-6c00-7abc-8def-0123456789ab"
    static let report = "0195a5f2-6c00-7abc-8def-00000000000a"
    static let deadLetter = "0195a5f2-6c00-7abc-8def-00000000000d"
    static let paper = String(repeating: "0b", count: 32)

    /// The golden bytes of a type, made anew.
    static func body(_ type: MessageType) -> [UInt8] {
        switch type {
        case .reportSubmitted: write(type, subject: "example-report-submitted", submission)
        case .attachmentPart:
            write(type, subject: "s-1", AttachmentPart(sha256: paper, part: 1, content: Array("一页账".utf8)))
        case .reportAccepted:
            write(
                type, subject: "s-1",
                ReportAccepted(
                    number: "2026-00000001", state: .notAccepted, rule: "cn-discipline@1/scope-web",
                    authority: "housing"))
        case .reportRejected: write(type, subject: "s-1", ReportRejected(problems: problems))
        case .reportReceived: write(type, subject: "s-1", Nothing())
        case .handoffSigned: write(type, HandoffSigned(digest: String(repeating: "0a", count: 32), signedBy: "周内勤"))
        case .handoffReturned: write(type, HandoffReturned(reason: "not_competent", text: "不属本单位管辖。"))
        case .handoffProgress: write(type, HandoffProgress(text: "已谈话两人。"))
        case .dispositionDecided:
            write(type, DispositionDecided(disposition: "preliminary_verification", decidedOn: CivilDate("2026-03-20")))
        case .caseFiled, .caseNotified:
            write(type, CaseFiled(caseNumber: "立〔2026〕1号", filedOn: CivilDate(daysSinceEpoch: 20_545)))
        case .handoffConcluded:
            write(type, HandoffConcluded(outcome: "substantiated", summary: "查实，已处理。", reporterAnswered: true))
        case .handoffDispatched: write(type, dispatched)
        case .handoffRecalled: write(type, HandoffRecalled(cause: "return_approved", reason: "同意退回，另行分流"))
        case .conclusionAccepted, .conclusionReturned:
            write(type, ConclusionJudged(rule: "cn-discipline@1/conclusion-accepted", text: "同意办结"))
        case .noticeSignDue, .noticeDueSoon, .noticeOverdue, .noticeEscalated: write(type, notice)
        case .messageRefused: write(type, MessageRefused(refusedType: "bihuan.handoff.signed.v9", problems: problems))
        case .commandRecall: write(type, CommandRecall(reason: "交办单位有误"))
        case .commandReplay: write(type, subject: deadLetter, Nothing())
        case .commandDiscard: write(type, subject: deadLetter, CommandDiscard(reason: "来文单位已重新发送"))
        case .commandTaken: write(type, CommandTaken(text: "recalled; the report needs review"))
        case .reportRegistered, .handoffCameBack: write(type, reference(type))
        }
    }

    /// Other forms of a type, under the names of their golden files: a field that came later makes a new form, and the
    /// old one stays readable.
    static let variants: [(name: String, type: MessageType, body: [UInt8])] = [
        (
            "attachment.part.closing", .attachmentPart,
            write(.attachmentPart, form: "-closing", subject: "s-1", AttachmentPart(sha256: paper, count: 1))
        ),
        (
            "report.accepted.papers_pending", .reportAccepted,
            write(
                .reportAccepted, form: "-papers-pending", subject: "s-1",
                ReportAccepted(
                    number: "2026-00000001", state: .registered, rule: "cn-discipline@1/scope-named", papersPending: 1))
        ),
    ]

    /// Reads a body as its type and writes it again.
    static func rewritten(_ body: [UInt8], as type: MessageType) throws -> [UInt8] {
        switch type {
        case .reportSubmitted: try rewritten(body, Submission.self)
        case .attachmentPart: try rewritten(body, AttachmentPart.self)
        case .reportAccepted: try rewritten(body, ReportAccepted.self)
        case .reportRejected: try rewritten(body, ReportRejected.self)
        case .reportReceived: try rewritten(body, Nothing.self)
        case .handoffSigned: try rewritten(body, HandoffSigned.self)
        case .handoffReturned: try rewritten(body, HandoffReturned.self)
        case .handoffProgress: try rewritten(body, HandoffProgress.self)
        case .dispositionDecided: try rewritten(body, DispositionDecided.self)
        case .caseFiled, .caseNotified: try rewritten(body, CaseFiled.self)
        case .handoffConcluded: try rewritten(body, HandoffConcluded.self)
        case .handoffDispatched: try rewritten(body, HandoffDispatched.self)
        case .handoffRecalled: try rewritten(body, HandoffRecalled.self)
        case .conclusionAccepted, .conclusionReturned: try rewritten(body, ConclusionJudged.self)
        case .noticeSignDue, .noticeDueSoon, .noticeOverdue, .noticeEscalated: try rewritten(body, ClockNotice.self)
        case .messageRefused: try rewritten(body, MessageRefused.self)
        case .commandRecall: try rewritten(body, CommandRecall.self)
        case .commandReplay: try rewritten(body, Nothing.self)
        case .commandDiscard: try rewritten(body, CommandDiscard.self)
        case .commandTaken: try rewritten(body, CommandTaken.self)
        case .reportRegistered, .handoffCameBack: try rewritten(body, InternalReference.self)
        }
    }

    static func rewritten<Payload: Codable & Sendable>(_ body: [UInt8], _ payload: Payload.Type) throws -> [UInt8] {
        Wire.encode(try JSONDecoder().decode(CloudEvent<Payload>.self, from: Data(body)))
    }

    /// What the office reads; the others it only sends.
    static let readByOffice: Set<MessageType> = [
        .reportSubmitted, .attachmentPart, .handoffSigned, .handoffReturned, .handoffProgress, .dispositionDecided,
        .caseFiled,
        .caseNotified, .handoffConcluded, .commandRecall, .commandReplay, .commandDiscard, .reportRegistered,
        .handoffCameBack,
    ]

    /// Who sends a type in these examples.
    static func sender(of type: MessageType) -> Party {
        switch type {
        case .reportSubmitted, .attachmentPart: .source(SourceID(unchecked: "web"))
        case .handoffSigned, .handoffReturned, .handoffProgress, .dispositionDecided, .caseFiled, .handoffConcluded:
            .unit(UnitID(unchecked: "d1"))
        case .caseNotified: .unit(UnitID(unchecked: "case-office"))
        case .commandRecall, .commandReplay, .commandDiscard: .person(PersonID(unchecked: "li"))
        case .reportAccepted, .reportRejected, .reportReceived, .reportRegistered: .office(.intake)
        case .handoffDispatched: .office(.routing)
        case .noticeSignDue, .noticeDueSoon, .noticeOverdue, .noticeEscalated: .office(.deadlines)
        case .handoffRecalled, .conclusionAccepted, .conclusionReturned, .messageRefused, .commandTaken,
            .handoffCameBack:
            .office(.feedback)
        }
    }

    // MARK: -

    private static func write<Payload: Codable & Sendable>(
        _ type: MessageType, form: String = "", subject: String = handoff, _ data: Payload
    ) -> [UInt8] {
        let sender = sender(of: type)
        var answered: String?
        if case .office = sender { answered = "act-1" }
        return Wire.encode(
            CloudEvent(
                id: "example-\(type.short.replacing(".", with: "-"))\(form)", source: sender, type: type,
                subject: subject, time: moment, inreplyto: answered, data: data))
    }

    /// Every field is given.
    private static var submission: Submission {
        Submission(
            receivedAt: Instant("2026-03-01T16:00:00.250Z"), matterKind: "accusation", title: "举报张三贪污",
            text: "反映张三虚报冒领。\n“引号”与\\反斜杠/斜杠", region: "p-c01",
            reporters: [
                Reporter(
                    name: "王五", organ: "某村", phone: "13800000000", email: "w@example.com",
                    idNumber: "110101199001010000", address: "某路1号", consent: .handler)
            ],
            accused: [
                Accused(
                    name: "张三", organ: "某镇政府", position: "副镇长", level: "township", region: "p-c01",
                    unit: UnitID(unchecked: "c01"))
            ],
            allegations: [Allegation(category: "corruption", act: "贪污危房改造资金")],
            attachments: [Attachment(name: "账页.jpg", mediaType: "image/jpeg", bytes: 123_456, sha256: paper)])
    }

    private static var dispatched: HandoffDispatched {
        HandoffDispatched(
            number: "2026-00000001", kind: "transfer", matterKind: "accusation", title: "举报张三贪污", text: "反映张三虚报冒领。",
            region: "p-c01", accused: submission.accused, allegations: submission.allegations,
            attachments: submission.attachments, signBy: Instant("2026-03-04T08:00:00Z"), resultOwed: true,
            rule: "cn-discipline@1/route-city")
    }

    private static var notice: ClockNotice {
        ClockNotice(
            clock: "sign", startedAt: moment, dueAt: moment.adding(seconds: 172_800), step: 1,
            rule: "cn-discipline@1/clock-sign", citation: "默认值")
    }

    private static var problems: [Problem] {
        [
            Problem(code: "unknown_word", path: "data.accused[0].level", text: "the policy does not know \"x\""),
            Problem(code: "not_json", text: "no JSON"),
        ]
    }

    private static func reference(_ type: MessageType) -> InternalReference {
        InternalReference(
            report: ReportID(report) ?? ReportID(UUID()), handoff: HandoffID(handoff),
            bytes: type == .reportRegistered ? 1_234 : nil)
    }
}
