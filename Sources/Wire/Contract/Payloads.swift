public import Basics
public import Casework
import Foundation

/// The data of `report.accepted`: the report stands in the books.
public struct ReportAccepted: Codable, Hashable, Sendable {
    /// The office's number, or of a sealed pass-through the envelope number.
    public var number: String
    public var state: ReportState
    /// The row of the policy that decided (invariant 9).
    public var rule: String?
    /// Who is competent, where the office is not.
    public var authority: String?
    /// How many announced papers are not here whole; absent where none is missing.
    public var papersPending: Int?

    public init(
        number: String, state: ReportState, rule: String? = nil, authority: String? = nil, papersPending: Int? = nil
    ) {
        self.number = number
        self.state = state
        self.rule = rule
        self.authority = authority
        self.papersPending = papersPending
    }
}

/// The data of `attachment.part`: a piece of a paper that was announced with a report, or the manifest that closes it.
/// What is larger than one message travels so; the report is registered meanwhile.
public struct AttachmentPart: Codable, Hashable, Sendable {
    /// Of the whole paper, as it was announced: lower-case hexadecimal.
    public var sha256: String
    /// Counted from 1, with `content`.
    public var part: Int?
    /// The piece's bytes, in Base64.
    public var content: String?
    /// The closing manifest: how many parts there are.
    public var count: Int?

    public init(sha256: String, part: Int, content: [UInt8]) {
        self.sha256 = sha256
        self.part = part
        self.content = Data(content).base64EncodedString()
    }

    public init(sha256: String, count: Int) {
        self.sha256 = sha256
        self.count = count
    }
}

/// One thing that is wrong with a message, in words for a person.
public struct Problem: Codable, Hashable, Sendable, CustomStringConvertible {
    /// A stable word for programs: `missing_field`, `not_json`, `too_large`, `unknown_word` …
    public var code: String
    /// Where in the message: `data.accused[0].level`; absent where the whole is meant.
    public var path: String?
    public var text: String

    public init(code: String, path: String? = nil, text: String) {
        self.code = code
        self.path = path
        self.text = text
    }

    public var description: String { path.map { "\($0): \(text)" } ?? text }
}

/// The data of `report.rejected`: nothing was registered, and why.
public struct ReportRejected: Codable, Hashable, Sendable {
    public var problems: [Problem]
    public init(problems: [Problem]) { self.problems = problems }
}

/// Data that says nothing: the bare receipt `report.received`, the command `command.replay`.
public struct Nothing: Codable, Hashable, Sendable {
    private enum NoKeys: CodingKey {}
    public init() {}

    /// Fields that nobody knows are tolerated; what is no object is not.
    public init(from decoder: any Decoder) throws { _ = try decoder.container(keyedBy: NoKeys.self) }
    public func encode(to encoder: any Encoder) throws { _ = encoder.container(keyedBy: NoKeys.self) }
}

/// The data of `handoff.dispatched`: what the unit shall act on. Texts are masked; the reporter is not in it.
public struct HandoffDispatched: Codable, Hashable, Sendable {
    public var number: String
    /// The kind of handoff in the policy's words: transfer (移送), send_down (转送), assignment (交办).
    public var kind: String
    public var matterKind: String?
    public var title: String
    public var text: String
    public var region: String?
    public var accused: [Accused]
    public var allegations: [Allegation]
    /// Papers announced with the report; their bytes travel apart.
    public var attachments: [Attachment]
    /// Until when the unit shall sign, and the rule that says so.
    public var signBy: Instant?
    public var resultOwed: Bool
    public var rule: String

    public init(
        number: String, kind: String, matterKind: String?, title: String, text: String, region: String?,
        accused: [Accused], allegations: [Allegation], attachments: [Attachment], signBy: Instant?, resultOwed: Bool,
        rule: String
    ) {
        self.number = number
        self.kind = kind
        self.matterKind = matterKind
        self.title = title
        self.text = text
        self.region = region
        self.accused = accused
        self.allegations = allegations
        self.attachments = attachments
        self.signBy = signBy
        self.resultOwed = resultOwed
        self.rule = rule
    }
}

/// The data of `handoff.signed` (签收): the unit has it, and has it whole.
public struct HandoffSigned: Codable, Hashable, Sendable {
    /// SHA-256 of the exact body of `handoff.dispatched`, lower-case hexadecimal.
    public var digest: String
    /// Who signed at the unit, in the unit's own words.
    public var signedBy: String?

    public init(digest: String, signedBy: String? = nil) {
        self.digest = digest
        self.signedBy = signedBy
    }
}

/// The data of `handoff.returned` (退回): not the unit's own, or without substance.
public struct HandoffReturned: Codable, Hashable, Sendable {
    /// An id of the policy's return reasons.
    public var reason: String
    public var text: String?

    public init(reason: String, text: String? = nil) {
        self.reason = reason
        self.text = text
    }
}

/// The data of `handoff.progress`.
public struct HandoffProgress: Codable, Hashable, Sendable {
    public var text: String
    public init(text: String) { self.text = text }
}

/// The data of `disposition.decided`: one of the policy's dispositions (四类处置).
public struct DispositionDecided: Codable, Hashable, Sendable {
    public var disposition: String
    public var decidedOn: CivilDate?

    public init(disposition: String, decidedOn: CivilDate? = nil) {
        self.disposition = disposition
        self.decidedOn = decidedOn
    }
}

/// The data of `case.filed` (立案) from the handling unit and of `case.notified` (转立案回告) from the case office.
public struct CaseFiled: Codable, Hashable, Sendable {
    public var caseNumber: String
    public var filedOn: CivilDate

    public init(caseNumber: String, filedOn: CivilDate) {
        self.caseNumber = caseNumber
        self.filedOn = filedOn
    }
}

/// The data of `handoff.concluded` (办结).
public struct HandoffConcluded: Codable, Hashable, Sendable {
    /// An id of the policy's outcomes.
    public var outcome: String
    public var summary: String
    /// Whether a real-name reporter was answered (实名答复).
    public var reporterAnswered: Bool?

    public init(outcome: String, summary: String, reporterAnswered: Bool? = nil) {
        self.outcome = outcome
        self.summary = summary
        self.reporterAnswered = reporterAnswered
    }
}

/// The data of `handoff.recalled`: the unit no longer holds it.
public struct HandoffRecalled: Codable, Hashable, Sendable {
    /// `recalled` by a person of the office, or `return_approved`.
    public var cause: String
    public var reason: String

    public init(cause: String, reason: String) {
        self.cause = cause
        self.reason = reason
    }
}

/// The data of `conclusion.accepted` and `conclusion.returned`: what the office says to a conclusion, by which rule.
public struct ConclusionJudged: Codable, Hashable, Sendable {
    public var rule: String
    public var text: String

    public init(rule: String, text: String) {
        self.rule = rule
        self.text = text
    }
}

/// The data of the notices about a clock (签收提醒, 超期预警): what is due when, and why.
public struct ClockNotice: Codable, Hashable, Sendable {
    public var clock: String
    public var startedAt: Instant
    public var dueAt: Instant
    public var step: Int
    public var rule: String
    public var citation: String?

    public init(clock: String, startedAt: Instant, dueAt: Instant, step: Int, rule: String, citation: String?) {
        self.clock = clock
        self.startedAt = startedAt
        self.dueAt = dueAt
        self.step = step
        self.rule = rule
        self.citation = citation
    }
}

/// The data of `message.refused`: nothing was changed, and why.
public struct MessageRefused: Codable, Hashable, Sendable {
    /// The type that was refused, as it was written; absent where it could not be read, or does not look like one.
    public var refusedType: String?
    public var problems: [Problem]

    public init(refusedType: String?, problems: [Problem]) {
        self.refusedType = refusedType
        self.problems = problems
    }
}

/// The data of `command.recall`: a person takes a handoff back.
public struct CommandRecall: Codable, Hashable, Sendable {
    public var reason: String
    public init(reason: String) { self.reason = reason }
}

/// The data of `command.discard`: a dead letter that needs nothing more, and why.
public struct CommandDiscard: Codable, Hashable, Sendable {
    public var reason: String
    public init(reason: String) { self.reason = reason }
}

/// The data of `command.taken`: the command is done, and stands in the ledger.
public struct CommandTaken: Codable, Hashable, Sendable {
    public var text: String
    public init(text: String) { self.text = text }
}

/// The data of the office's own messages: ids and sizes only, never content (invariant 6).
public struct InternalReference: Codable, Hashable, Sendable {
    public var report: ReportID
    public var handoff: HandoffID?
    /// Of a report's contents as they would be handed on, at most: whoever loads them knows beforehand.
    public var bytes: Int?

    public init(report: ReportID, handoff: HandoffID? = nil, bytes: Int? = nil) {
        self.report = report
        self.handoff = handoff
        self.bytes = bytes
    }
}
