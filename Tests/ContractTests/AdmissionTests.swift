import Casework
import Contract
import Foundation
import Testing

@Suite("Admission")
struct AdmissionTests {
    /// One message: who the broker vouches for, under which key, which `source` it names, and its type. `nil` =
    /// admitted.
    static let table: [(user: String?, key: String, source: String, type: MessageType, problem: String?)] = [
        // Each in its own name
        ("source.web", "source.web.report.submitted", "source.web", .reportSubmitted, nil),
        ("source.web", "source.web.attachment.part", "source.web", .attachmentPart, nil),
        ("unit.d1", "unit.d1.handoff.signed", "unit.d1", .handoffSigned, nil),
        ("unit.d1", "unit.d1.handoff.returned", "unit.d1", .handoffReturned, nil),
        ("unit.d1", "unit.d1.handoff.progress", "unit.d1", .handoffProgress, nil),
        ("unit.d1", "unit.d1.disposition.decided", "unit.d1", .dispositionDecided, nil),
        ("unit.d1", "unit.d1.case.filed", "unit.d1", .caseFiled, nil),
        ("unit.d1", "unit.d1.case.notified", "unit.d1", .caseNotified, nil),
        ("unit.d1", "unit.d1.handoff.concluded", "unit.d1", .handoffConcluded, nil),
        ("person.li", "person.li.feedback.recall", "person.li", .commandRecall, nil),
        // About a dead letter, to the worker that made it
        ("person.li", "person.li.intake.replay", "person.li", .commandReplay, nil),
        ("person.li", "person.li.routing.replay", "person.li", .commandReplay, nil),
        ("person.li", "person.li.deadlines.discard", "person.li", .commandDiscard, nil),
        ("person.li", "person.li.feedback.discard", "person.li", .commandDiscard, nil),
        // The office itself, whose keys are names of queues
        ("office.intake", "bihuan.routing", "office.intake", .reportRegistered, nil),
        ("office.feedback", "bihuan.routing.express", "office.feedback", .handoffCameBack, nil),
        // Nobody vouches
        (nil, "unit.d1.handoff.signed", "unit.d1", .handoffSigned, "no_user_id"),
        // In another's name
        ("unit.d1", "unit.d1.handoff.signed", "unit.d10", .handoffSigned, "wrong_source"),
        ("unit.d1", "unit.d10.handoff.signed", "unit.d10", .handoffSigned, "wrong_source"),
        ("unit.d1", "unit.d10.handoff.signed", "unit.d1", .handoffSigned, "wrong_routing_key"),
        ("unit.d1", "source.d1.handoff.signed", "source.d1", .handoffSigned, "wrong_source"),
        ("unit.d1", "unit.d1.handoff.signed", "office.feedback", .handoffSigned, "wrong_source"),
        ("source.web", "source.letter.report.submitted", "source.letter", .reportSubmitted, "wrong_source"),
        ("person.li", "person.wang.feedback.recall", "person.wang", .commandRecall, "wrong_source"),
        ("office.intake", "bihuan.routing", "office.feedback", .reportRegistered, "wrong_source"),
        // Under another key
        ("unit.d1", "unit.d1.handoff.concluded", "unit.d1", .handoffSigned, "wrong_routing_key"),
        ("unit.d1", "unit.d1.handoff.signed.v1", "unit.d1", .handoffSigned, "wrong_routing_key"),
        ("unit.d1", "unit.d1", "unit.d1", .handoffSigned, "wrong_routing_key"),
        ("unit.d1", "", "unit.d1", .handoffSigned, "wrong_routing_key"),
        ("person.li", "person.li.command.recall", "person.li", .commandRecall, "wrong_routing_key"),
        ("person.li", "person.li.routing.recall", "person.li", .commandRecall, "wrong_routing_key"),
        ("person.li", "person.li.feedback.discard", "person.li", .commandReplay, "wrong_routing_key"),
        ("person.li", "person.li.kitchen.replay", "person.li", .commandReplay, "wrong_routing_key"),
        // Types that they may not send
        ("unit.d1", "unit.d1.report.submitted", "unit.d1", .reportSubmitted, "wrong_sender"),
        ("source.web", "source.web.handoff.signed", "source.web", .handoffSigned, "wrong_sender"),
        ("person.li", "person.li.handoff.signed", "person.li", .handoffSigned, "wrong_sender"),
        ("unit.d1", "unit.d1.feedback.recall", "unit.d1", .commandRecall, "wrong_sender"),
        ("source.web", "source.web.feedback.recall", "source.web", .commandRecall, "wrong_sender"),
        ("unit.d1", "unit.d1.attachment.part", "unit.d1", .attachmentPart, "wrong_sender"),
        ("unit.d1", "unit.d1.feedback.replay", "unit.d1", .commandReplay, "wrong_sender"),
        ("unit.d1", "unit.d1.report.registered", "unit.d1", .reportRegistered, "wrong_sender"),
        ("unit.d1", "unit.d1.handoff.came_back", "unit.d1", .handoffCameBack, "wrong_sender"),
    ]

    @Test("key, source and vouched user name one party, and that party may send the message", arguments: table)
    func admitsOneConsistentParty(
        user: String?, key: String, source: String, type: MessageType, problem: String?
    ) throws {
        let party = try user.map { try #require(Party($0)) }
        let found = Admission.problem(sender: party, routingKey: key, envelope: try Self.envelope(type, source: source))
        #expect(found?.code == problem)
        if problem != nil { #expect(found?.text.isEmpty == false) }
    }

    /// Each type comes from one kind of outsider only.
    @Test(
        "every type that the office reads has one kind of sender, and no other kind is admitted",
        arguments: Examples.readByOffice.sorted { $0.rawValue < $1.rawValue })
    func oneKindOfSender(type: MessageType) throws {
        let outsiders = ["unit.x", "source.x", "person.x"].compactMap { Party($0) }
        let admitted = try outsiders.filter {
            let envelope = try Self.envelope(type, source: $0.description)
            let (sender, keys) = ($0, type.routingKeys(from: $0))
            return keys.allSatisfy { Admission.problem(sender: sender, routingKey: $0, envelope: envelope) == nil }
        }
        let kinds = admitted.map { String($0.description.prefix { $0 != "." }) }
        let sender = try Examples.sender(of: type)
        #expect(kinds == (sender.isOffice ? [] : [String(sender.description.prefix { $0 != "." })]))
    }

    @Test("a report's subject is its own id")
    func reportIsItsOwnSubject() throws {
        let web = try #require(Party("source.web"))
        let envelope = try Self.envelope(.reportSubmitted, source: "source.web", subject: "another")
        let problem = Admission.problem(sender: web, routingKey: "source.web.report.submitted", envelope: envelope)
        #expect(problem?.path == "subject")
    }

    static let names: [(String, Bool)] = [
        ("unit.d1", true), ("source.web", true), ("person.li", true), ("office.intake", true),
        ("office.feedback", true), ("unit.a-1", true),
        ("unit.", false), ("unit", false), ("", false), (".d1", false), ("Unit.d1", false), ("unit.D1", false),
        ("unit.d1.x", false),
        ("office.x", false), ("office.", false), ("unit.d 1", false), ("unit.*", false), ("boss.d1", false),
        ("unit.d1\n", false),
    ]

    @Test("a party has one name", arguments: names)
    func namesEachPartyOnce(name: String, valid: Bool) { #expect(Party(name)?.description == (valid ? name : nil)) }

    static let owners: [(String, String?)] = [
        ("unit.d1.handoff.signed", "unit.d1"), ("unit.d1", "unit.d1"), ("person.li.feedback.recall", "person.li"),
        ("unit..x", nil), ("unit", nil),
        ("", nil), ("unit.D1.x", nil), ("bihuan.routing", nil),
    ]

    @Test("the first two words of a routing key name its owner", arguments: owners)
    func readsOwnerFromRoutingKey(key: String, name: String?) { #expect(Party(ownerOf: key)?.description == name) }

    private static func envelope(_ type: MessageType, source: String, subject: String = "a-1") throws -> Envelope {
        let json =
            #"""
            {"specversion":"1.0","id":"a-1","source":"\#(source)","type":"\#(type.rawValue)",\#
            "subject":"\#(subject)","time":"2026-03-02T08:00:00Z"}
            """#
        return try JSONDecoder().decode(Envelope.self, from: Data(json.utf8))
    }
}
