import AMQP
import Casework
import Contract
import Crypto
import Foundation
import Testing

@testable import Conformance

/// The judge alone: messages in, faults and answers out.
@Suite("The office's side of a check")
struct OfficeSideTests {
    static let now = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
    static let unit = Party.unit(UnitProcess.unit)

    /// An office that has handed one thing to the unit, and what the unit then says.
    struct Scene {
        var office = OfficeSide(unit: UnitProcess.unit, run: "00000001")
        let handoff: String
        let digest: String

        init(_ conduct: Conduct = .judges) {
            handoff = office.announce(.plain, express: false, conduct: conduct, of: "signs", at: now)
            digest = Array(SHA256.hash(data: office.dispatch(handoff)[0].body)).hexadecimal
        }

        func act<Data: Codable & Sendable>(
            _ type: MessageType, _ data: Data, id: String? = nil, subject: String? = nil, change: (inout Utterance) -> Void = { _ in }
        ) -> Utterance {
            let subject = subject ?? handoff
            let event = CloudEvent(id: id ?? type.short, source: unit, type: type, subject: subject, time: now, data: data)
            var utterance = Utterance(
                routingKey: type.routingKey(from: unit),
                properties: Properties(
                    contentType: MediaType.cloudEvents, type: type.rawValue, correlationID: subject, userID: unit.description),
                body: Wire.encode(event))
            change(&utterance)
            return utterance
        }

        func signature(id: String? = nil, change: (inout Utterance) -> Void = { _ in }) -> Utterance {
            act(.handoffSigned, HandoffSigned(digest: digest), id: id, change: change)
        }
        var conclusion: Utterance { conclusion() }
        func conclusion(id: String? = nil) -> Utterance { act(.handoffConcluded, HandoffConcluded(outcome: "o", summary: "s"), id: id) }
        var progress: Utterance { act(.handoffProgress, HandoffProgress(text: "p")) }
        var giveBack: Utterance { act(.handoffReturned, HandoffReturned(reason: "r")) }

        /// The short types of what the office answers to all of them.
        mutating func hear(_ utterances: Utterance...) -> [String] {
            utterances.flatMap { office.hear($0, at: now) }.map { MessageType(rawValue: $0.type)?.short ?? $0.type }
        }

        mutating func expect(_ answers: [String], to utterances: Utterance..., sourceLocation: SourceLocation = #_sourceLocation) {
            let heard = utterances.flatMap { office.hear($0, at: now) }.map { MessageType(rawValue: $0.type)?.short ?? $0.type }
            #expect(heard == answers, sourceLocation: sourceLocation)
        }

        var faults: [String] { office.faults.map { "\($0.scenario): \($0.text)" } }
    }

    @Test("what is right is answered as the office answers it, and finds no fault")
    func right() {
        var concluded = Scene()
        concluded.expect(["conclusion.accepted"], to: concluded.signature(), concluded.progress, concluded.conclusion)
        var returned = Scene()
        returned.expect(["handoff.recalled"], to: returned.signature(), returned.giveBack)
        var sentBack = Scene(.sendsBackOnce)
        sentBack.expect(
            ["conclusion.returned", "conclusion.accepted"], to: sentBack.signature(), sentBack.conclusion(id: "1"), sentBack.conclusion(id: "2"))
        var reordered = Scene()
        reordered.expect(["conclusion.accepted"], to: reordered.conclusion, reordered.signature())
        for scene in [concluded, returned, sentBack, reordered] {
            var office = scene.office
            office.finish()
            #expect(office.faults == [])
        }
    }

    @Test("a resend with the same bytes gets the same answer and finds no fault")
    func resent() {
        var scene = Scene()
        _ = scene.hear(scene.signature(), scene.signature())
        let first = scene.office.hear(scene.conclusion, at: Self.now)
        let second = scene.office.hear(scene.conclusion, at: Self.now.adding(seconds: 5))
        #expect(first == second)
        #expect(scene.faults == [])
    }

    /// What a unit says after it got one handoff; the scenario that fails; words of the reason; what the office answers.
    struct Wrong: Sendable {
        let name: String
        let scenario: String
        let words: String
        let answers: [String]
        let says: @Sendable (Scene) -> [Utterance]

        init(_ name: String, _ scenario: String, _ words: String, _ answers: String..., says: @escaping @Sendable (Scene) -> [Utterance]) {
            (self.name, self.scenario, self.words, self.answers, self.says) = (name, scenario, words, answers, says)
        }
    }

    static let wrongs: [Wrong] = [
        Wrong("another digest", "signs", "hash the bytes as they came", "message.refused") {
            [$0.act(.handoffSigned, HandoffSigned(digest: String(repeating: "0", count: 64)))]
        },
        Wrong("no digest at all", "signs", "64 hexadecimal digits", "message.refused") { [$0.act(.handoffSigned, HandoffSigned(digest: "yes"))] },
        Wrong("signed twice as two acts", "delivered-twice", "again under another id (2)", "message.refused") {
            [$0.signature(id: "1"), $0.signature(id: "2")]
        },
        Wrong("one id for two acts", "ids", "two messages with the id 1 differ", "message.refused") {
            [$0.signature(id: "1"), $0.conclusion(id: "1")]
        },
        Wrong("concluded twice", "order", "handoff.concluded came while the handoff was closed", "conclusion.accepted", "message.refused") {
            [$0.signature(), $0.conclusion(id: "1"), $0.conclusion(id: "2")]
        },
        Wrong("no user", "form", "user-id is missing", "message.refused") { [$0.signature { $0.properties.userID = nil }] },
        Wrong("another's name", "form", "published by unit.d1", "message.refused") { [$0.signature { $0.properties.userID = "unit.d1" }] },
        Wrong("another key", "form", "must be unit.c01.handoff.signed", "message.refused") { [$0.signature { $0.routingKey = "unit.c01.signed" }] },
        Wrong("no type", "form", "property type must be bihuan.handoff.signed.v1") { [$0.signature { $0.properties.type = nil }] },
        Wrong("another media type", "form", "content-type must be") { [$0.signature { $0.properties.contentType = "application/json" }] },
        Wrong("not persistent", "form", "delivery-mode must be 2") { [$0.signature { $0.properties.deliveryMode = .transient }] },
        Wrong("no correlation", "form", "correlation-id must be the subject") { [$0.signature { $0.properties.correlationID = nil }] },
        Wrong("no JSON", "form", "not UTF-8") { [$0.signature { $0.body = [0xFF] }] },
        Wrong("a field missing", "form", "data.digest: this field is missing", "message.refused") {
            [$0.act(.handoffSigned, HandoffProgress(text: "p"))]
        },
        Wrong("what the office says", "form", "sent by the office", "message.refused") { [$0.act(.handoffDispatched, HandoffProgress(text: "p"))] },
        Wrong("a stranger", "uninvited", "never handed to this unit", "message.refused") {
            [$0.act(.handoffProgress, HandoffProgress(text: "p"), subject: "01a20511-f9f9-7975-ae53-dcaf5d9cdb69")]
        },
    ]

    @Test("what is wrong is said under the scenario it belongs to", arguments: wrongs.indices)
    func wrong(row: Int) {
        let wrong = Self.wrongs[row]
        var scene = Scene()
        let answered = wrong.says(scene).flatMap { scene.hear($0) }
        #expect(answered == wrong.answers, "\(wrong.name)")
        let faults = scene.office.faults
        #expect(faults.map(\.scenario) == [wrong.scenario], "\(wrong.name)")
        #expect(faults.first?.text.contains(wrong.words) == true, "\(wrong.name): \(faults)")
    }

    @Test("what waited for a signature that never came is said at the end")
    func neverSigned() {
        var scene = Scene()
        scene.expect([], to: scene.conclusion)
        scene.office.finish()
        #expect(scene.faults == ["order: handoff.concluded came, and handoff.signed before it never did"])
    }

    @Test("an act that crosses the recall is nobody's fault; one after it was acknowledged is; a resend is not")
    func recall() {
        var scene = Scene()
        _ = scene.hear(scene.signature())
        let recall = scene.office.recall(scene.handoff, at: Self.now)
        #expect(recall.count == 1)
        scene.expect(["message.refused"], to: scene.progress)
        scene.office.recallIsKnown(scene.handoff)
        scene.expect(["message.refused"], to: scene.signature(), scene.progress)
        #expect(scene.faults == [])
        scene.expect(["message.refused"], to: scene.conclusion)
        #expect(scene.faults == ["signs: handoff.concluded came after the recall was acknowledged"])
    }

    @Test("a few acts after refusals are a unit's right; more of them are a loop")
    func loop() {
        var scene = Scene(.refusesAll)
        _ = scene.hear(scene.signature())
        for number in 1...5 { scene.expect(["message.refused"], to: scene.conclusion(id: "\(number)")) }
        #expect(scene.faults == [])
        _ = scene.hear(scene.conclusion(id: "6"))
        #expect(scene.faults.count == 1)
    }

    @Test("a type that the contract describes for later is answered, and is no fault")
    func planned() {
        var scene = Scene()
        let later = scene.act(.handoffProgress, HandoffProgress(text: "p")) {
            $0.body = Array(String(decoding: $0.body, as: UTF8.self).replacing("handoff.progress.v1", with: "extension.requested.v1").utf8)
        }
        scene.expect(["message.refused"], to: later)
        #expect(scene.faults == [])
    }

    @Test("what a unit finishes of an earlier run is answered, and is no fault")
    func earlierRun() {
        var scene = Scene()
        let earlier = Letters(unit: UnitProcess.unit, run: "00000000").newHandoffID(at: Self.now)
        scene.expect(["message.refused"], to: scene.act(.handoffProgress, HandoffProgress(text: "p"), subject: earlier))
        #expect(scene.faults == [])
    }

    @Test("every letter of the office is what the contract says it is")
    func letters() throws {
        let letters = Letters(unit: UnitProcess.unit, run: "00000001")
        let id = letters.newHandoffID(at: Self.now)
        #expect(HandoffID(id) != nil)
        for style in [Style.plain, .chinese, .large, .unknownFields] {
            let sending = letters.dispatch(id, style, express: false, at: Self.now)
            let event = try JSONDecoder().decode(CloudEvent<HandoffDispatched>.self, from: Data(sending.body))
            #expect(event.type == .handoffDispatched && event.subject == id && event.specversion == "1.0")
            #expect(sending.body.count <= Limits.standard.messageBytesMax)
        }
        #expect(letters.dispatch(id, .large, express: false, at: Self.now).body.count > 200_000)
        for sending in letters.unknownTypes(at: Self.now) {
            #expect(MessageType(rawValue: sending.type) == nil)
            #expect(try JSONSerialization.jsonObject(with: Data(sending.body)) is [String: Any])
        }
    }
}
