import Casework
import Contract

/// The size of the message by which a report will be forwarded. It is checked at intake, by sizes alone, because
/// later the sender could not be notified.
enum ForwardingSize {
    /// The maximum bytes of a handoff's message without the texts of the report: head, number, rule, names of fields.
    private static let frameBytesMax = 2_048
    /// The maximum bytes of a list entry without its texts: names of fields, the size of an attachment.
    private static let entryBytesMax = 128
    /// The maximum bytes of a sealed message without the ciphertext. A media type has up to 255 bytes, and an
    /// escaped byte takes six.
    private static let sealedFrameBytesMax = 2_560
    /// The bytes of the authentication tag of a ciphertext.
    private static let tagBytes = 16

    /// - Parameter content: the masked report. Masking may have made it longer.
    static func problem(with content: Submission, limits: Limits = .standard) -> Problem? {
        let bytes = bytesMax(of: content)
        guard bytes > limits.messageBytesMax else { return nil }
        return Problem(
            code: "too_large", path: "data.text",
            text:
                """
                as the office would hand it on, the report may take \(bytes) bytes; the limit of a message is \
                \(limits.messageBytesMax). \
                Put part of the text into attachments
                """)
    }

    /// - Parameter bytes: the size of the message as it arrived. It is sealed whole and written in Base64.
    static func problem(withSealed bytes: Int, limits: Limits = .standard) -> Problem? {
        let sealed = (bytes + tagBytes + 2) / 3 * 4 + sealedFrameBytesMax
        guard sealed > limits.messageBytesMax else { return nil }
        return Problem(
            code: "too_large",
            text:
                """
                only a superior may handle this report: sealed whole, it would take \(sealed) bytes, and the \
                limit of a message is \
                \(limits.messageBytesMax). Nothing of it was kept; send less of the text, or all of it to the \
                superior
                """
        )
    }

    /// - Parameter bytes: the size of the message with a part of an attachment. It is sealed whole too.
    static func problem(withSealedPart bytes: Int, limits: Limits = .standard) -> Problem? {
        guard self.problem(withSealed: bytes, limits: limits) != nil else { return nil }
        return Problem(
            code: "too_large", path: "data.content",
            text: "the report went sealed to a superior, and this part would be too large once it is sealed too: "
                + "send the paper in parts of \(sealedPartBytes) bytes at most")
    }

    /// A size of a part, in bytes, that always fits, whatever else its message has.
    private static let sealedPartBytes = 128 << 10

    /// The maximum bytes of the body of `handoff.dispatched`.
    static func bytesMax(of content: Submission) -> Int {
        let entries = content.accused.count + content.allegations.count + content.attachments.count
        var (sum, content) = (Sum(bytes: frameBytesMax + entryBytesMax * entries), content)
        content.visitTexts(&sum)
        return sum.bytes
    }

    private struct Sum: TextVisitor {
        var bytes: Int
        mutating func visit(_ text: inout String, at place: TextPlace, as kind: TextKind) {
            bytes += ForwardingSize.written(text)
        }
        mutating func visit(code: inout String?, at place: TextPlace, as kind: CodeKind) {
            bytes += code.map(ForwardingSize.written) ?? 0
        }
    }

    /// The bytes of a text in JSON, without its quotes.
    private static func written(_ text: String) -> Int {
        text.utf8.reduce(0) { bytes, byte in
            switch byte {
            case 0x22, 0x5C, 0x08, 0x09, 0x0A, 0x0C, 0x0D: bytes + 2
            case ..<0x20: bytes + 6
            default: bytes + 1
            }
        }
    }
}
