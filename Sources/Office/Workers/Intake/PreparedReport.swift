import Basics
import CaseStore
import Casework
import Contract

/// The work on a report that is done before its transaction: placeholders, rulings, masking, keys, and the
/// sealed original. It is done once, even if the transaction is tried again. Of all that it depends on, only the policy
/// and the source's kind may change before the transaction; `holds` compares them then.
///
/// Here the identity stays behind (invariant 6): `content` is masked, `vault` is sealed, and the rest are codes and
/// counts. The only bodies that may carry it are those that come in (`report.submitted`, `attachment.part`) and those
/// that go sealed to the key of a superior (`Sealing`); `command.register` and `identity.disclosed` do not exist yet.
/// `Vault.seal` takes the originals, here. `BoxKeys.seal` takes what else the office keeps of bodies: parts of papers
/// (`Attachments`), early acts (`DeferredMessages`), dead letters (`DeadLetterReasons`, `SettledRows`), and the masked
/// bodies of handoffs (`HandoffBodies`). What `Mask` does with each kind of text is in `Masking.swift`.
struct PreparedReport: Sendable {
    let id: ReportID
    let matterKind: String?
    let isRealName: Bool
    let receivedAt: Instant?
    /// The number of papers announced, each counted once.
    let attachmentCount: Int
    private let policy: String
    private let sourceKind: String
    let decision: Decision

    enum Decision: Sendable {
        /// Only a superior may handle it: its content is not stored.
        case sealed(SealingRuling)
        case readable(Readable)
    }

    struct Readable: Sendable {
        /// The masked submission.
        let content: Submission
        let ruling: ScopeRuling
        /// `nil` if no report can be a repeat of it.
        let repeatKey: [UInt8]?
        /// The original bytes, sealed.
        let original: Original
        let attachments: [AttachmentKey]
    }

    init(_ submission: Submission, sourceKind: String, body: [UInt8], _ office: OfficeContext) throws {
        let (id, rulebook) = (ReportID.make(at: office.wall), office.rulebook)
        self.id = id
        policy = PreparedReport.name(of: rulebook)
        self.sourceKind = sourceKind
        let stated = submission.stated(without: rulebook.placeholders)
        (matterKind, isRealName, receivedAt) = (stated.matterKind, stated.isRealName, stated.receivedAt)
        attachmentCount = Set(stated.attachments.map { $0.sha256.lowercased() }).count
        let facts = ReportFacts(submission: stated, sourceKind: sourceKind)
        if let ruling = rulebook.sealing(of: facts) {
            decision = .sealed(ruling)
            return
        }
        let ruling = rulebook.scope(of: facts)
        // All text that leaves the vault is masked (invariant 6).
        let content = Mask(reporters: stated.reporters).apply(to: stated)
        decision = .readable(
            Readable(
                content: content, ruling: ruling,
                repeatKey: PreparedReport.repeatKey(stated, ruling, secret: office.digestKey.repeatSecret),
                original: try office.vault.seal(body, of: id, at: office.wall),
                attachments: try content.attachments.map { try AttachmentKey($0, of: id, office.digestKey) }))
    }

    /// Whether the result would be the same under this policy and from a source of this kind.
    func holds(under rulebook: Rulebook, sourceKind: String) -> Bool {
        self.sourceKind == sourceKind && policy == PreparedReport.name(of: rulebook)
    }

    private static func name(of rulebook: Rulebook) -> String { "\(rulebook.policy.name)@\(rulebook.policy.version)" }

    /// The scope is decided before repeats: only an accepted report can be a repeat.
    private static func repeatKey(_ submission: Submission, _ ruling: ScopeRuling, secret: [UInt8]) -> [UInt8]? {
        guard case .accept = ruling.decision else { return nil }
        let keys = RepeatKeys(submission: submission, secret: secret)
        return (keys.reporterKey ?? keys.accusedKey).map { $0 + keys.textDigest }
    }
}
