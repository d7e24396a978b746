import Basics
import Casework
import Contract
import Foundation

/// What the golden messages speak of, and other forms of a type than its definition's example.
enum Examples {
    static let moment = Instant("2026-03-02T08:00:00Z") ?? Instant(microsecondsSinceEpoch: 0)
    static let handoff = "0195a5f2-6c00-7abc-8def-0123456789ab"
    static let attachment = String(repeating: "0b", count: 32)

    /// Under the names of their golden files: a field that came later makes a new form, and the old one stays readable.
    static let variants: [(name: String, type: MessageType, body: [UInt8])] = [
        (
            "attachment.part.closing", .attachmentPart,
            write(.attachmentPart, form: "-closing", AttachmentPart(sha256: attachment, count: 1))
        ),
        (
            "report.accepted.papers_pending", .reportAccepted,
            write(
                .reportAccepted, form: "-papers-pending",
                ReportAccepted(
                    number: "2026-00000001", state: .registered, rule: "cn-discipline@1/scope-named", papersPending: 1))
        ),
    ]

    /// What the office reads; the others it only sends.
    static let readByOffice = Set(MessageType.allCases.filter { !$0.definition.readers.isEmpty })

    /// Who sends a type in these examples.
    static func sender(of type: MessageType) throws -> Party {
        try JSONDecoder().decode(Envelope.self, from: Data(type.definition.example)).source
    }

    private static func write(_ type: MessageType, form: String, _ data: some Codable & Sendable) -> [UInt8] {
        let isAnswer = type.definition.readers.isEmpty
        return Wire.encode(
            CloudEvent(
                id: "example-\(type.short.replacing(".", with: "-"))\(form)",
                source: isAnswer ? .office(.intake) : .source(SourceID(unchecked: "web")), type: type, subject: "s-1",
                time: moment, inreplyto: isAnswer ? "act-1" : nil, data: data))
    }
}
