public import Basics
public import Casework

/// `command.review_read`: the person wants to read a report that needs review.
extension MessageType {
    public static let commandReviewRead = MessageType("bihuan.command.review_read.v1")
    public static let reviewContents = MessageType("bihuan.review.contents.v1")
}

/// The data of `review.contents`: a report that needs review, masked as a unit would get it.
public struct ReviewContents: Codable, Hashable, Sendable {
    /// A handoff that the report had.
    public struct Earlier: Codable, Hashable, Sendable {
        public var handoff: HandoffID
        public var unit: UnitID
        public var kind: String
        public var state: HandoffState
        /// Why it ended: the code of a return, `recalled`, `undeliverable`.
        public var ended: String?
    }

    public var number: String
    /// Why a person must decide.
    public var reason: String?
    public var sourceKind: String
    public var matterKind: String?
    public var realName: Bool
    public var receivedAt: Instant
    public var title: String
    public var text: String
    public var region: String?
    public var accused: [Accused]
    public var allegations: [Allegation]
    public var attachments: [Attachment]
    public var handoffs: [Earlier]
    /// Units that the barrier keeps from it; at most 50 are named.
    public var barred: [UnitID]
}

extension ReviewContents {
    public init(of file: CaseFile, content: Submission) {
        self.init(
            number: file.report.displayNumber, reason: file.report.reason, sourceKind: file.report.sourceKind,
            matterKind: file.report.matterKind, realName: file.report.realName, receivedAt: file.report.receivedAt,
            title: content.title, text: content.text, region: content.region, accused: content.accused,
            allegations: content.allegations, attachments: content.attachments,
            handoffs: file.handoffs.sorted { $0.attempt < $1.attempt }.map {
                Earlier(handoff: $0.id, unit: $0.unit, kind: $0.kind, state: $0.state, ended: $0.endedBecause)
            },
            barred: file.barred.sorted().prefix(50).map(\.self))
    }
}

extension MessageDefinition {
    static let commandReviewRead = MessageDefinition(
        .commandReviewRead, from: .person, about: .report, to: [.routing], example: Nothing()
    ) { _ in .reviewCommand(.read) }

    static let reviewContents = MessageDefinition(
        .reviewContents, from: .routing, about: .answered, sentTo: [.personReply],
        example: ReviewContents(
            number: "2026-00000001", reason: "recalled", sourceKind: "web", matterKind: "accusation", realName: false,
            receivedAt: Example.moment, title: "反映某局工程问题", text: "某局在工程招标中……", region: "420100",
            accused: [
                Accused(
                    name: "张某", organ: "某局", position: "局长", level: "county", region: "420100",
                    unit: UnitID(unchecked: "d2"))
            ],
            allegations: [Allegation(category: "integrity", act: "违规干预工程招标")],
            attachments: [Attachment(name: "照片.jpg", mediaType: "image/jpeg", bytes: 1_024, sha256: Example.sha256)],
            handoffs: [
                .init(
                    handoff: Example.handoff, unit: UnitID(unchecked: "d1"), kind: "transfer", state: .recalled,
                    ended: "recalled")
            ], barred: [UnitID(unchecked: "d2")]))
}
