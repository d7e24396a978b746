import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// The changes of a transaction to attachments (附件): received parts, complete attachments, and dropped parts.
/// Pure: it knows the number, digest and size of a part, not its bytes.
struct AttachmentBook: Sendable {
    struct Attachment: Hashable, Sendable {
        let report: ReportID
        /// A keyed digest of its SHA-256: see `AttachmentKey`.
        let id: [UInt8]
    }

    struct Part: Sendable {
        /// The keyed digest of its bytes.
        let digest: [UInt8]
        let bytes: Int
    }

    /// The size and digest of all parts of an attachment together.
    struct Together: Hashable, Sendable {
        let bytes: Int
        let sha256: [UInt8]
    }

    /// The announced attachments of this transaction's reports.
    var announced: [Attachment: AnnouncedAttachment] = [:]
    /// The received parts by number, including those of this transaction.
    var here: [Attachment: [Int: Part]] = [:]
    /// The parts together at the time when a manifest of this transaction closes the attachment, by the manifest's
    /// key.
    var together: [InboxKey: Together] = [:]
    /// Attachments that were not closed in time.
    var unfinished: [Attachment] = []
    /// The messages and bytes of attachments that were passed up sealed, by report, including this transaction's.
    var passedUp: [ReportID: (parts: Int, bytes: Int)] = [:]

    private var arrived: [AttachmentPartKey: StoredAttachmentPart] = [:]
    private var whole: Set<Attachment> = []
    private var dropped: Set<Attachment> = []
    /// Attachments that were closed with fewer parts than were received, and their number of parts.
    private var trimmed: [Attachment: Int] = [:]
    private var passedUpNow: Set<ReportID> = []

    init() {}

    func isWhole(_ attachment: Attachment) -> Bool {
        whole.contains(attachment) || announced[attachment]?.isWhole == true
    }

    /// The number of a report's attachments that are not complete.
    func pending(of report: ReportID) -> Int { announced.keys.count { $0.report == report && !isWhole($0) } }

    private func bytes(of attachment: Attachment) -> Int {
        (here[attachment] ?? [:]).values.reduce(0) { $0 + $1.bytes }
    }

    // MARK: Parts

    /// Records a received part.
    /// - Returns: whether the part must be stored: `false` for a repeat, and if the attachment is complete.
    /// - Throws: a `Problem` if the attachment is unknown, the part is too large, or it came before with other bytes.
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
        // The last part may exceed the announced size. The sender learns of wrong parts when the manifest closes
        // the attachment.
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

    /// Adds a sealed part to the parts to be written.
    mutating func store(_ part: StoredAttachmentPart) { arrived[part.key] = part }

    // MARK: Closing

    /// Whether all parts are received, by number and size. Parts beyond the count are dropped.
    /// - Returns: `false` if parts are missing although all announced bytes are received: then the parts are wrong.
    /// - Throws: a `Problem` if the attachment is unknown, or if parts and announced bytes are missing.
    mutating func hasParts(_ count: Int, of attachment: Attachment) throws(Problem) -> Bool {
        guard let announced = announced[attachment] else { throw .unknownAttachment }
        // Parts beyond the count are dropped first, to make room for missing parts.
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

    /// Marks the attachment as complete if its parts are what was announced.
    /// - Parameter together: `nil` if parts are missing.
    /// - Throws: a `Problem` if the parts differ from the announced attachment; then all of them are dropped.
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

    /// Counts a part or a manifest that is passed up. The limit keeps a source from filling a superior's queue.
    /// - Throws: a `Problem` if the report has too many parts or bytes.
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

    /// The commands that write the changes. Deletes come first, so that parts received after a drop stay.
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
