import Basics
import CaseStore
import Casework
import Contract

/// The work on a report that is done before its transaction: limits and words, placeholders, rulings, the barrier,
/// masking, keys, and the sealed original. It is done once, even if the transaction is tried again, so that no
/// transaction is open while the rules compute. It depends on the message, the policy and the directory; `holds`
/// compares these two with those of the transaction.
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
    /// The units that are barred: those that the report mentions, without the units below them. Empty for a sealed
    /// report: no barred unit is stored for it.
    let barredRoots: Set<UnitID>
    /// Whether the source's own unit is barred. Also correct for a sealed report, although `barredRoots` is empty.
    let isReceiptOnly: Bool
    private let policy: String
    private let directory: OfficeDirectory.Edition
    let decision: Decision

    enum Decision: Sendable {
        case refused(Refusal)
        /// Only a superior may handle it: its content is not stored.
        case sealed(SealedReport)
        case readable(Readable)
    }

    enum Refusal: Sendable {
        case because([Problem])
        /// Only a superior may handle it, and nothing can be sealed to that superior's key.
        case unusableKey(of: UnitRow)
    }

    struct SealedReport: Sendable {
        let ruling: SealingRuling
        /// The unit to which the report is passed up.
        let superior: UnitRow
        let custodian: PersonID?
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

    init(
        _ submission: Submission, from source: SourceRow, body: [UInt8], sealing: Sealing, in office: OfficeContext
    ) throws {
        let (id, rulebook) = (ReportID.make(at: office.wall), office.rulebook)
        self.id = id
        policy = rulebook.policy.versionName
        directory = office.directory.edition
        let stated = submission.stated(without: rulebook.placeholders)
        (matterKind, isRealName, receivedAt) = (stated.matterKind, stated.isRealName, stated.receivedAt)
        attachmentCount = Set(stated.attachments.map { $0.sha256.lowercased() }).count
        let problems = SubmissionCheck.problems(
            in: submission, rulebook: rulebook, directory: office.directory, now: office.now)
        guard problems.isEmpty else {
            (barredRoots, isReceiptOnly, decision) = ([], false, .refused(.because(problems)))
            return
        }
        let roots = Barrier.finding(
            on: submission.accused, among: office.directory.unitNames, kinds: rulebook.ownKind
        ).roots
        let barred = office.directory.subtrees(of: roots)
        isReceiptOnly = source.unit.map(barred.contains) ?? false
        let facts = ReportFacts(submission: stated, sourceKind: source.kind)
        if let ruling = rulebook.sealing(of: facts) {
            barredRoots = []
            decision = Self.sealed(submission, by: ruling, bytes: body.count, sealing, barred: barred, office)
            return
        }
        barredRoots = roots
        let ruling = rulebook.scope(of: facts)
        // All text that leaves the vault is masked (invariant 6).
        let content = Mask(reporters: stated.reporters).apply(to: stated)
        if let problem = ForwardingSize.problem(with: content) {
            decision = .refused(.because([problem]))
            return
        }
        decision = .readable(
            Readable(
                content: content, ruling: ruling,
                repeatKey: PreparedReport.repeatKey(stated, ruling, secret: office.digestKey.repeatSecret),
                original: try office.vault.seal(body, of: id, at: office.wall),
                attachments: try content.attachments.map { try AttachmentKey($0, of: id, office.digestKey) }))
    }

    /// Chooses the superior and the custodian of a report that only a superior may handle.
    private static func sealed(
        _ submission: Submission, by ruling: SealingRuling, bytes: Int, _ sealing: Sealing, barred: Set<UnitID>,
        _ office: OfficeContext
    ) -> Decision {
        let superiors = office.directory.units.values.filter {
            $0.kind == ruling.unitKind && $0.active && !barred.contains($0.id)
        }
        guard let superior = superiors.min(by: { $0.id < $1.id }) else { return .refused(.because([.noSuperior])) }
        guard sealing.canSeal(to: superior) else { return .refused(.unusableKey(of: superior)) }
        if let problem = ForwardingSize.problem(withSealed: bytes) { return .refused(.because([problem])) }
        return .sealed(
            SealedReport(
                ruling: ruling, superior: superior,
                custodian: office.directory.custodian(of: submission, barred: barred)))
    }

    /// Whether the result would be the same under the policy and the directory of this moment.
    func holds(in office: OfficeContext) -> Bool {
        directory == office.directory.edition && policy == office.rulebook.policy.versionName
    }

    /// The scope is decided before repeats: only an accepted report can be a repeat.
    private static func repeatKey(_ submission: Submission, _ ruling: ScopeRuling, secret: [UInt8]) -> [UInt8]? {
        guard case .accept = ruling.decision else { return nil }
        let keys = RepeatKeys(submission: submission, secret: secret)
        return (keys.reporterKey ?? keys.accusedKey).map { $0 + keys.textDigest }
    }
}
