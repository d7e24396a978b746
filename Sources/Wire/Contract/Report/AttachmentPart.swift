import Foundation

extension MessageType {
    public static let attachmentPart = MessageType("bihuan.attachment.part.v1")
}

/// The data of `attachment.part`: a part of an attachment that was announced with a report, or the manifest that
/// closes it. Attachments too large for one message are sent this way; the report is registered meanwhile.
public struct AttachmentPart: Codable, Hashable, Sendable {
    /// The digest of the whole attachment, as announced: lower-case hexadecimal.
    public var sha256: String
    /// The number of the part, from 1; with `content`.
    public var part: Int?
    /// The part's bytes, in Base64.
    public var content: String?
    /// The number of parts; only in the closing manifest.
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

extension MessageDefinition {
    static let attachmentPart = MessageDefinition(
        .attachmentPart, from: .source, about: .submission, to: [.intake],
        // Sealed, to the superior to which its report was passed up.
        andSentTo: [.unitInbox],
        example: AttachmentPart(sha256: Example.sha256, part: 1, content: Array("一页账".utf8)),
        wholeNumbers: [["part"], ["count"]],
        problem: { data, _ in data.problem }
    ) { .submitted(.part($0)) }
}

extension Problem {
    public static let neitherPartNorManifest = Problem(
        code: "bad_value", path: "data",
        text: "either part and content, of one piece, or count, of the manifest that closes the attachment")
}

extension AttachmentPart {
    fileprivate var problem: Problem? {
        switch (part, content, count) {
        case (.some, .some, nil), (nil, nil, .some): nil
        default: .neitherPartNorManifest
        }
    }
}
