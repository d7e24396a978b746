import Basics
import Casework
import Contract
import Crypto
import Foundation
import Workers

/// Bodies of messages.
enum Messages {
    private static let rulebook: Rulebook? = (try? PolicyFile.read(Seeds.shippedPolicy, named: "shipped")).flatMap {
        try? Rulebook($0)
    }
    private static let secret = [UInt8](repeating: 7, count: 32)
    /// The key of the golden sealed message.
    private static let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: (0..<32).map { UInt8($0) })

    static func read(_ bytes: [UInt8]) throws(WrongAnswer) {
        let message: Message
        do throws(Unreadable) {
            message = try Message(reading: bytes, typeHint: nil)
        } catch {
            try checkRefusal(error.problems)
            // A hint that is wrong must change nothing.
            let hint = MessageType.allCases[bytes.count % MessageType.allCases.count]
            let hinted = try? Message(reading: bytes, typeHint: hint.rawValue)
            return try WrongAnswer.unless(hinted == nil, "readable only with the hint \(hint.rawValue)")
        }
        let hinted = try? Message(reading: bytes, typeHint: message.envelope.type.rawValue)
        try WrongAnswer.unless(hinted?.envelope == message.envelope, "the right hint gives another head")
        let time = message.envelope.time
        try WrongAnswer.unless(Instant(time.description) == time, "a time that cannot be read again: \(time)")
        if case .submitted(.report(let submission)) = message.body { try take(submission, of: message.envelope) }
    }

    /// What intake does with a report before it writes anything.
    private static func take(_ submission: Submission, of head: Envelope) throws(WrongAnswer) {
        let event = CloudEvent(
            id: head.id, source: head.source, type: head.type, subject: head.subject, time: head.time, data: submission)
        let again = try? Message(reading: Wire.encode(event), typeHint: nil, limits: roomy)
        guard case .submitted(.report(let same)) = again?.body, same == submission else {
            throw WrongAnswer("a report that is not the same when it is written and read again")
        }
        let masked = Mask(reporters: submission.reporters).apply(to: submission)
        try WrongAnswer.unless(masked.reporters.isEmpty, "a masked report names its reporters")
        _ = RepeatKeys(submission: submission, secret: secret)
        guard let rulebook else { throw WrongAnswer("the shipped policy cannot be read") }
        let facts = ReportFacts(submission: submission, sourceKind: "web")
        try WrongAnswer.unless(!rulebook.scope(of: facts).rule.row.isEmpty, "a decision without a rule")
        _ = rulebook.sealing(of: facts)
        _ = rulebook.unknownVocabulary(in: submission)
    }

    /// Escapes may make the second writing longer than the first.
    private static let roomy: Limits = {
        var limits = Limits()
        limits.messageBytesMax *= 6
        return limits
    }()

    private static func checkRefusal(_ problems: [Problem]) throws(WrongAnswer) {
        try WrongAnswer.unless(!problems.isEmpty, "refused without a reason")
        for problem in problems {
            try WrongAnswer.unless(
                !problem.text.isEmpty && problem.text.utf8.count <= 300, "a reason of \(problem.text.utf8.count) bytes")
            try WrongAnswer.unless((problem.path ?? "").utf8.count <= 300, "a long path")
        }
    }

    /// Sealed data as a unit would read it.
    static func open(_ bytes: [UInt8]) throws(WrongAnswer) {
        guard let key, let event = try? JSONDecoder().decode(CloudEvent<SealedData>.self, from: Data(bytes)) else {
            return
        }
        // What opens was sealed to this key, and the corpus holds one such message only.
        guard let opened = try? event.data.open(with: key, id: event.id, type: event.type, subject: event.subject)
        else { return }
        let original = try? JSONDecoder().decode(CloudEvent<SealedData>.self, from: Data(Seeds.sealedMessage))
        let isOriginal =
            event.data.ciphertext == original?.data.ciphertext && event.data.enc == original?.data.enc
            && event.id == original?.id
            && event.type == original?.type && event.subject == original?.subject
        try WrongAnswer.unless(
            isOriginal || sameBytes(event.data, original?.data), "forged data of \(opened.count) bytes was opened")
    }

    /// Base64 may be spelled in more than one way.
    private static func sameBytes(_ one: SealedData, _ other: SealedData?) -> Bool {
        Data(base64Encoded: one.ciphertext) == other.flatMap { Data(base64Encoded: $0.ciphertext) }
            && Data(base64Encoded: one.enc) == other.flatMap { Data(base64Encoded: $0.enc) }
    }
}
