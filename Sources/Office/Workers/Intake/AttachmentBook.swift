import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// What a transaction does to attachments (附件): parts that came, attachments that are whole, those whose parts are of
/// no use. Pure: it knows parts by number, digest and size.
struct AttachmentBook: Sendable {
    struct Attachment: Hashable, Sendable {
        let report: ReportID
        /// A keyed digest of its SHA-256: see `AttachmentKey`.
        let id: [UInt8]
    }

    struct Part: Sendable {
        /// Of its bytes, keyed.
        let digest: [UInt8]
        let bytes: Int
    }

    /// What the parts of an attachment are, put together.
    struct Together: Hashable, Sendable {
        let bytes: Int
        let sha256: [UInt8]
    }

    /// Of the reports that are touched.
    var announced: [Attachment: AnnouncedAttachment] = [:]
    /// The parts that are here by number, those of this transaction among them.
    var here: [Attachment: [Int: Part]] = [:]
    /// What lies here when a manifest of this transaction closes it, by the manifest's act.
    var together: [InboxKey: Together] = [:]
    /// Those that nobody closed in time.
    var unfinished: [Attachment] = []
    /// How much was passed up sealed of the attachments of reports that are touched, this transaction's among it.
    var passedUp: [ReportID: (parts: Int, bytes: Int)] = [:]

    private var arrived: [AttachmentPartKey: StoredAttachmentPart] = [:]
    private var whole: Set<Attachment> = []
    private var dropped: Set<Attachment> = []
    /// Those that were closed with fewer parts than came, and how many they have.
    private var trimmed: [Attachment: Int] = [:]
    private var passedUpNow: Set<ReportID> = []

    init() {}

    func isWhole(_ attachment: Attachment) -> Bool {
        whole.contains(attachment) || announced[attachment]?.isWhole == true
    }

    /// How many of a report's are not here whole.
    func pending(of report: ReportID) -> Int { announced.keys.count { $0.report == report && !isWhole($0) } }

    private func bytes(of attachment: Attachment) -> Int {
        (here[attachment] ?? [:]).values.reduce(0) { $0 + $1.bytes }
    }

    // MARK: Parts

    /// Notes that a part came.
    /// - Returns: whether it is to be kept: not one that is here already.
    mutating func keep(_ number: Int, _ part: Part, of attachment: Attachment) throws(Problem) -> Bool {
        guard let announced = announced[attachment] else { throw .unknownAttachment }
        guard part.bytes <= announced.bytes else {
            throw Problem(
                code: "too_large", path: "data.content",
                text: "this part alone is longer than the paper that was announced")
        }
        if isWhole(attachment) { return false }
        if let earlier = here[attachment]?[number] {
            guard earlier.digest == part.digest else {
                throw Problem(
                    code: "part_differs", path: "data.part",
                    text: "part \(number) came before with other bytes; the first one stands")
            }
            return false
        }
        // The last part may make too many of them, which the manifest tells: of wrong parts the sender learns by
        // closing.
        guard bytes(of: attachment) < announced.bytes || part.bytes == 0 else {
            throw Problem(
                code: "too_large", path: "data.content",
                text:
                    """
                    all \(announced.bytes) bytes that were announced are here; if they are wrong, close the \
                    paper, which drops them
                    """
            )
        }
        here[attachment, default: [:]][number] = part
        return true
    }

    /// Enters a part that is kept, sealed.
    mutating func store(_ part: StoredAttachmentPart) { arrived[part.key] = part }

    // MARK: Closing

    /// Judges by number and size whether all parts are here. What is beyond the count is dropped alone.
    /// - Returns: false where they are too many bytes without being all: they cannot be what was announced.
    mutating func hasParts(_ count: Int, of attachment: Attachment) throws(Problem) -> Bool {
        guard let announced = announced[attachment] else { throw .unknownAttachment }
        // What is beyond the count leaves room for what is missing.
        if (here[attachment] ?? [:]).keys.contains(where: { $0 > count }) { trim(attachment, to: count) }
        let missing = Set(1...count).subtracting((here[attachment] ?? [:]).keys).sorted()
        let hasRoom = bytes(of: attachment) < announced.bytes || announced.bytes == 0
        guard missing.isEmpty || !hasRoom else {
            let numbers =
                missing.prefix(20).map(String.init).joined(separator: ", ") + (missing.count > 20 ? " and more" : "")
            throw Problem(
                code: "parts_missing", path: "data.count",
                text: "part \(numbers) did not come; send what is missing, then close again under a new id")
        }
        return missing.isEmpty
    }

    /// Whether what lies here is what was announced: then it is whole, else its parts are dropped together.
    /// - Parameter together: `nil`: parts are missing.
    mutating func close(
        _ attachment: Attachment, sha256: [UInt8], holding together: Together?
    ) throws(Problem) {
        guard let together, together == Together(bytes: announced[attachment]?.bytes ?? -1, sha256: sha256) else {
            drop(attachment)
            throw Problem(
                code: Refusal.wrongDigest.rawValue, path: "data.sha256",
                text:
                    """
                    the parts together are not the paper that was announced; all of them were dropped, send them \
                    again under new ids
                    """
            )
        }
        whole.insert(attachment)
    }

    mutating func drop(_ attachment: Attachment) {
        dropped.insert(attachment)
        here[attachment] = nil
        forget { $0.reportID == attachment.report && $0.attachment == attachment.id }
    }

    private mutating func trim(_ attachment: Attachment, to count: Int) {
        trimmed[attachment] = count
        here[attachment] = here[attachment]?.filter { $0.key <= count }
        forget { $0.reportID == attachment.report && $0.attachment == attachment.id && $0.part > count }
    }

    private mutating func forget(_ isGone: (AttachmentPartKey) -> Bool) { arrived = arrived.filter { !isGone($0.key) } }

    // MARK: Passing up

    /// Counts a part, or a manifest, that is passed up: a source must not fill a superior's queue without end.
    mutating func passUp(_ bytes: Int, of report: ReportID, limits: Limits) throws(Problem) {
        let before = passedUp[report] ?? (0, 0)
        guard before.bytes + bytes <= limits.papersBytesMax,
            before.parts < limits.attachmentsMax * limits.attachmentPartsMax
        else {
            throw Problem(
                code: "too_large", path: "data.content",
                text:
                    """
                    \(before.parts) messages with \(before.bytes) bytes of papers were passed up with this \
                    report; a report has\u{20}
                    """
                        + "\(limits.papersBytesMax) bytes of papers at most")
        }
        passedUp[report] = (before.parts + 1, before.bytes + bytes)
        passedUpNow.insert(report)
    }

    // MARK: Writing

    /// Dropped first: what came after a drop is to stay.
    func commands(at now: Instant) -> [any Command] {
        var commands: [any Command] = []
        if !dropped.isEmpty { commands.append(DeleteAttachmentParts(attachments: dropped.map { ($0.report, $0.id) })) }
        if !trimmed.isEmpty { commands.append(DeleteStrayParts(attachments: trimmed.map { ($0.report, $0.id, $1) })) }
        if !arrived.isEmpty { commands.append(InsertAttachmentParts(parts: arrived.values.sorted { $0.key < $1.key })) }
        let begun = Set(arrived.keys.map { Attachment(report: $0.reportID, id: $0.attachment) }).subtracting(whole)
        if !begun.isEmpty {
            commands.append(MarkAttachmentsBegun(attachments: begun.map { ($0.report, $0.id) }, at: now))
        }
        if !passedUpNow.isEmpty {
            commands.append(
                WriteSealedAttachments(
                    attachments: passedUpNow.sorted().compactMap { id in passedUp[id].map { (id, $0.parts, $0.bytes) } }
                ))
        }
        if !whole.isEmpty {
            commands.append(MarkAttachmentsReceived(attachments: whole.map { ($0.report, $0.id) }, at: now))
        }
        return commands
    }
}

extension Problem {
    static let unknownAttachment = Problem(
        code: "unknown_paper", path: "data.sha256", text: "no paper with this digest is awaited for this report")
}
