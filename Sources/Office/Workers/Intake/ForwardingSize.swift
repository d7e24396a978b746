import Casework
import Contract

/// Whether what a report becomes still fits into one message: told at the door by sizes alone, since later nobody could
/// be told.
enum ForwardingSize {
    /// What a handoff's message holds beside the report's own words, at most: head, number, rule, names of fields.
    private static let frameBytesMax = 2_048
    /// Of each entry of a list: names of fields, a paper's size.
    private static let entryBytesMax = 128
    /// What a sealed message holds beside the ciphertext, at most. A media type has up to 255 bytes, and an escape six
    /// for one.
    private static let sealedFrameBytesMax = 2_560
    /// Of a ciphertext: the authentication tag.
    private static let tagBytes = 16

    /// - Parameter content: as it leaves the vault, masked, which may have made it longer.
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

    /// - Parameter bytes: of the message as it arrived, which is sealed whole and written in Base64.
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

    /// - Parameter bytes: of the message that brought a piece of a paper, which is sealed whole too.
    static func problem(withSealedPart bytes: Int, limits: Limits = .standard) -> Problem? {
        guard self.problem(withSealed: bytes, limits: limits) != nil else { return nil }
        return Problem(
            code: "too_large", path: "data.content",
            text: "the report went sealed to a superior, and this part would be too large once it is sealed too: "
                + "send the paper in parts of \(sealedPartBytes) bytes at most")
    }

    /// Of a piece of a paper: they fit, whatever its message holds beside them.
    private static let sealedPartBytes = 128 << 10

    /// The body of `handoff.dispatched`, at most.
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

    /// Bytes of a text in JSON, its quotes apart.
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
