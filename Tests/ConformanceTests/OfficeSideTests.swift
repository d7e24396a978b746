import AMQP
import Basics
import Casework
import Contract
import Crypto
import Foundation
import Testing
import TestOffice

@testable import Conformance

/// The judge alone: messages in, faults and answers out.
@Suite("The office's side of a check")
struct OfficeSideTests {
    static let now = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
    static let unit = Party.unit(UnitProcess.unit)
    static let rulebook = Result { try shippedRulebook() }

    /// An office that has handed off one case to the unit, and the unit's messages.
    struct Scene {
        var office: OfficeSide
        let handoff: String
        let digest: String

        init(_ conduct: Conduct = .judges) throws {
            office = OfficeSide(unit: UnitProcess.unit, run: "00000001", rulebook: try rulebook.get())
            handoff = office.announce(.plain, express: false, conduct: conduct, of: "signs", at: now)
            digest = Array(SHA256.hash(data: office.dispatch(handoff)[0].body)).hexadecimal
        }

        func act<Data: Codable & Sendable>(
            _ type: MessageType, _ data: Data, id: String? = nil, subject: String? = nil,
            change: (inout Utterance) -> Void = { _ in }
        ) -> Utterance {
            let subject = subject ?? handoff
            let event = CloudEvent(
                id: id ?? type.short, source: unit, type: type, subject: subject, time: now, data: data)
            var utterance = Utterance(
                routingKey: type.routingKey(from: unit),
                properties: Properties(
                    contentType: MediaType.cloudEvents, type: type.rawValue, correlationID: subject,
                    userID: unit.description), body: Wire.encode(event))
            change(&utterance)
            return utterance
        }

        func signature(id: String? = nil, change: (inout Utterance) -> Void = { _ in }) -> Utterance {
            act(.handoffSigned, HandoffSigned(digest: digest), id: id, change: change)
        }
        var conclusion: Utterance { conclusion() }
        func conclusion(id: String? = nil) -> Utterance {
            act(.handoffConcluded, HandoffConcluded(outcome: "substantiated", summary: "查实"), id: id)
        }
        var disposition: Utterance {
            act(.dispositionDecided, DispositionDecided(disposition: "preliminary_verification"))
        }
        var progress: Utterance { act(.handoffProgress, HandoffProgress(text: "p")) }
        var giveBack: Utterance { act(.handoffReturned, HandoffReturned(reason: "not_competent", text: "不属本单位管辖")) }

        /// The short types of the office's answers to all of them. Every answer fits the published schemas.
        mutating func hear(_ utterances: Utterance..., sourceLocation: SourceLocation = #_sourceLocation) -> [String] {
            hear(utterances, sourceLocation)
        }

        mutating func expect(
            _ answers: [String], to utterances: Utterance..., sourceLocation: SourceLocation = #_sourceLocation
        ) {
            #expect(hear(utterances, sourceLocation) == answers, sourceLocation: sourceLocation)
        }

        private mutating func hear(_ utterances: [Utterance], _ sourceLocation: SourceLocation) -> [String] {
            utterances.flatMap { office.hear($0, at: now) }.map { sending in
                #expect(SchemaJudge.shared.problems(in: sending.body) == [], sourceLocation: sourceLocation)
                return MessageType(rawValue: sending.type)?.short ?? sending.type
            }
        }

        var faults: [String] { office.faults.map { "\($0.scenario): \($0.text)" } }
    }

    @Test("a right message is answered as the office answers it, and no fault is found")
    func findsNoFaultInRightMessages() throws {
        var concluded = try Scene()
        concluded.expect(
            ["conclusion.accepted"], to: concluded.signature(), concluded.progress, concluded.disposition,
            concluded.conclusion)
        var returned = try Scene()
        returned.expect(["handoff.recalled"], to: returned.signature(), returned.giveBack)
        var sentBack = try Scene(.sendsBackOnce)
        sentBack.expect(
            ["conclusion.returned", "conclusion.accepted"],
            to: sentBack.signature(), sentBack.disposition, sentBack.conclusion(id: "1"), sentBack.conclusion(id: "2"))
        var reordered = try Scene()
        reordered.expect(
            ["conclusion.accepted"], to: reordered.disposition, reordered.conclusion, reordered.signature())
        for scene in [concluded, returned, sentBack, reordered] {
            var office = scene.office
            office.finish()
            #expect(office.faults == [])
        }
    }

    @Test("a resend with the same bytes gets the same answer, and no fault is found")
    func answersResendAlike() throws {
        var scene = try Scene()
        _ = scene.hear(scene.signature(), scene.signature())
        let first = scene.office.hear(scene.conclusion, at: Self.now)
        let second = scene.office.hear(scene.conclusion, at: Self.now.adding(seconds: 5))
        #expect(first == second)
        #expect(scene.faults == [])
    }

    /// What a unit says after it got one handoff; the scenario that fails; words of the reason; what the office
    /// answers.
    struct Wrong: Sendable {
        let name: String
        let scenario: String
        let words: String
        let answers: [String]
        let says: @Sendable (Scene) -> [Utterance]

        init(
            _ name: String, _ scenario: String, _ words: String, _ answers: String...,
            says: @escaping @Sendable (Scene) -> [Utterance]
        ) {
            (self.name, self.scenario, self.words, self.answers, self.says) = (name, scenario, words, answers, says)
        }
    }

    static let wrongs: [Wrong] = [
        Wrong("another digest", "signs", "hash the bytes as they came", "message.refused") {
            [$0.act(.handoffSigned, HandoffSigned(digest: String(repeating: "0", count: 64)))]
        },
        Wrong("no digest at all", "signs", "64 hexadecimal digits", "message.refused") {
            [$0.act(.handoffSigned, HandoffSigned(digest: "yes"))]
        },
        Wrong("signed twice as two acts", "delivered-twice", "again under another id (2)", "message.refused") {
            [$0.signature(id: "1"), $0.signature(id: "2")]
        },
        Wrong("one id for two acts", "ids", "two messages with the id 1 differ", "message.refused") {
            [$0.signature(id: "1"), $0.conclusion(id: "1")]
        },
        Wrong(
            "concluded twice", "order", "handoff.concluded came while the handoff was closed", "conclusion.accepted",
            "message.refused"
        ) {
            [$0.signature(), $0.disposition, $0.conclusion(id: "1"), $0.conclusion(id: "2")]
        },
        Wrong("no user", "form", "user-id is missing", "message.refused") {
            [$0.signature { $0.properties.userID = nil }]
        },
        Wrong("another's name", "form", "published by unit.d1", "message.refused") {
            [$0.signature { $0.properties.userID = "unit.d1" }]
        },
        Wrong("another key", "form", "must be unit.c01.handoff.signed", "message.refused") {
            [$0.signature { $0.routingKey = "unit.c01.signed" }]
        },
        Wrong("no type", "form", "property type must be bihuan.handoff.signed.v1") {
            [$0.signature { $0.properties.type = nil }]
        },
        Wrong("another media type", "form", "content-type must be") {
            [$0.signature { $0.properties.contentType = "application/json" }]
        },
        Wrong("not persistent", "form", "delivery-mode must be 2") {
            [$0.signature { $0.properties.deliveryMode = .transient }]
        },
        Wrong("no correlation", "form", "correlation-id must be the subject") {
            [$0.signature { $0.properties.correlationID = nil }]
        },
        Wrong("no JSON", "form", "not UTF-8") { [$0.signature { $0.body = [0xFF] }] },
        Wrong("a field missing", "form", "data.digest: this field is missing", "message.refused") {
            [$0.act(.handoffSigned, HandoffProgress(text: "p"))]
        },
        Wrong("a signature by nobody", "form", "data.signedBy: must not be empty", "message.refused") {
            [$0.act(.handoffSigned, HandoffSigned(digest: $0.digest, signedBy: ""))]
        },
        Wrong(
            "a signature by 201 characters", "form", "data.signedBy: has 603 bytes; the limit is 600", "message.refused"
        ) {
            [$0.act(.handoffSigned, HandoffSigned(digest: $0.digest, signedBy: String(repeating: "周", count: 201)))]
        },
        Wrong("a case without number", "form", "data.caseNumber: must not be empty", "message.refused") {
            [$0.signature(), $0.act(.caseFiled, CaseFiled(caseNumber: "", filedOn: CivilDate(daysSinceEpoch: 20_000)))]
        },
        Wrong(
            "a made-up outcome", "words", "data.outcome: the policy does not know this word; it knows substantiated",
            "message.refused"
        ) {
            [
                $0.signature(), $0.disposition,
                $0.act(.handoffConcluded, HandoffConcluded(outcome: "banana", summary: "查实")),
            ]
        },
        Wrong(
            "a made-up disposition", "words",
            "data.disposition: the policy does not know this word; it knows talk_inquiry", "message.refused"
        ) {
            [$0.signature(), $0.act(.dispositionDecided, DispositionDecided(disposition: "forgiven"))]
        },
        Wrong(
            "a made-up reason to return", "words",
            "data.reason: the policy does not know this word; it knows not_competent", "message.refused"
        ) {
            [$0.signature(), $0.act(.handoffReturned, HandoffReturned(reason: "tired", text: "不想办理"))]
        },
        Wrong("what the office says", "form", "sent by the office", "message.refused") {
            [$0.act(.handoffDispatched, HandoffProgress(text: "p"))]
        },
        Wrong("a stranger", "uninvited", "never handed to this unit", "message.refused") {
            [$0.act(.handoffProgress, HandoffProgress(text: "p"), subject: "01a20511-f9f9-7975-ae53-dcaf5d9cdb69")]
        },
    ]

    @Test("a fault is reported under the scenario it belongs to", arguments: wrongs.indices)
    func reportsFaultsUnderTheirScenario(row: Int) throws {
        let wrong = Self.wrongs[row]
        var scene = try Scene()
        let answered = wrong.says(scene).flatMap { scene.hear($0) }
        #expect(answered == wrong.answers, "\(wrong.name)")
        let faults = scene.office.faults
        #expect(faults.map(\.scenario) == [wrong.scenario], "\(wrong.name)")
        #expect(faults.first?.text.contains(wrong.words) == true, "\(wrong.name): \(faults)")
    }

    @Test("an act whose signature never came is reported at the end")
    func reportsMissingSignatureAtTheEnd() throws {
        var scene = try Scene()
        scene.expect([], to: scene.conclusion)
        scene.office.finish()
        #expect(scene.faults == ["order: handoff.concluded came, and handoff.signed before it never did"])
    }

    @Test("an act that crosses the recall is no fault; one after its acknowledgement is; a resend is not")
    func judgesActsAroundRecall() throws {
        var scene = try Scene()
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

    /// What a unit says that is no fault, and that the policy does not take; what the policy says to it, and the
    /// answer.
    static let objections: [(name: String, words: String, answer: String, says: @Sendable (Scene) -> [Utterance])] = [
        ("no disposition", "cn-discipline@1/conclusion-no-disposition", "conclusion.returned", { [$0.conclusion] }),
        (
            "no summary", "cn-discipline@1/conclusion-no-summary", "conclusion.returned",
            { [$0.disposition, $0.act(.handoffConcluded, HandoffConcluded(outcome: "substantiated", summary: " "))] }
        ),
        (
            "a return without words", "cn-discipline@1/return-refused", "message.refused",
            { [$0.act(.handoffReturned, HandoffReturned(reason: "not_competent"))] }
        ),
    ]

    @Test(
        "an act that the policy refuses is answered as the office does, and leaves the handoff unanswered",
        arguments: objections.indices)
    func refusesByPolicy(row: Int) throws {
        let row = Self.objections[row]
        var scene = try Scene()
        _ = scene.hear(scene.signature())
        #expect(row.says(scene).flatMap { scene.hear($0) } == [row.answer], "\(row.name)")
        #expect(!scene.office.isFulfilled(.answer, of: scene.handoff))
        #expect(scene.office.handoffs[scene.handoff]?.objection?.contains(row.words) == true, "\(row.name)")
        #expect(scene.faults == [])
        // Made whole, it is taken.
        scene.expect(
            ["conclusion.accepted"],
            to: scene.act(.dispositionDecided, DispositionDecided(disposition: "closed"), id: "d2"),
            scene.conclusion(id: "c2"))
    }

    @Test("a few acts after refusals are allowed, and more of them are a loop")
    func reportsRefusalLoops() throws {
        var scene = try Scene(.refusesAll)
        _ = scene.hear(scene.signature())
        for number in 1...5 { scene.expect(["message.refused"], to: scene.conclusion(id: "\(number)")) }
        #expect(scene.faults == [])
        _ = scene.hear(scene.conclusion(id: "6"))
        #expect(scene.faults.count == 1)
    }

    @Test("a planned type of the contract is answered, and is no fault")
    func answersPlannedTypes() throws {
        var scene = try Scene()
        let later = scene.act(.handoffProgress, HandoffProgress(text: "p")) {
            $0.body = Array(
                String(decoding: $0.body, as: UTF8.self).replacing(
                    "handoff.progress.v1", with: "extension.requested.v1"
                ).utf8)
        }
        scene.expect(["message.refused"], to: later)
        #expect(scene.faults == [])
    }

    @Test("an act about an earlier run is answered, and is no fault")
    func answersActsOfEarlierRun() throws {
        var scene = try Scene()
        let earlier = Letters(unit: UnitProcess.unit, run: "00000000").newHandoffID(at: Self.now)
        scene.expect(["message.refused"], to: scene.act(.handoffProgress, HandoffProgress(text: "p"), subject: earlier))
        #expect(scene.faults == [])
    }

    @Test("every message of the office fits the published schemas, and hides what no unit can know")
    func sendsOnlyMessagesThatFitSchemas() throws {
        let letters = Letters(unit: UnitProcess.unit, run: "00000001")
        let id = letters.newHandoffID(at: Self.now)
        #expect(HandoffID(id) != nil)
        for style in [Style.plain, .chinese, .large, .unknownFields] {
            let sending = letters.dispatch(id, style, kind: "transfer", express: false, at: Self.now)
            #expect(SchemaJudge.shared.problems(in: sending.body) == [], "\(style)")
            let event = try JSONDecoder().decode(CloudEvent<HandoffDispatched>.self, from: Data(sending.body))
            #expect(event.type == .handoffDispatched && event.subject == id && event.specversion == "1.0")
        }
        #expect(letters.dispatch(id, .large, kind: "transfer", express: false, at: Self.now).body.count > 200_000)
        for sending in letters.unknownTypes(at: Self.now) {
            #expect(MessageType(rawValue: sending.type) == nil)
            let problems = SchemaJudge.shared.problems(in: sending.body)
            #expect(problems.count == 1 && problems[0].hasPrefix("type: the contract has no message"))
        }
        var scene = try Scene()
        for sending in scene.office.recall(scene.handoff, at: Self.now) {
            #expect(SchemaJudge.shared.problems(in: sending.body) == [])
        }
    }
}
