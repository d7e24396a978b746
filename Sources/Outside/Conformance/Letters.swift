import Basics
import BrokerTopology
import Casework
import Contract
import Crypto
import Foundation

/// The messages that the office sends to the unit under test. Their content is invented, and the title says so.
struct Letters: Sendable {
    let unit: UnitID
    let run: String

    private static let mark = "c0f0"

    // MARK: Ids

    /// A UUID of version 7 whose last digits identify the check and this run.
    func newHandoffID(at now: Instant) -> String {
        String(HandoffID.make(at: now).description.dropLast(12)) + Self.mark + run
    }

    func isOfEarlierRun(_ subject: String) -> Bool { Self.isOfSomeCheck(subject) && !subject.hasSuffix(run) }

    static func isOfSomeCheck(_ subject: String) -> Bool {
        HandoffID(subject) != nil && subject.dropLast(8).hasSuffix(mark)
    }

    /// The id of an answer is derived from the act it answers, so that a resend is identical.
    private func answerID(_ kind: String, _ act: String) -> String {
        "\(kind)-" + Array(SHA256.hash(data: Array("\(run)|\(act)".utf8)).prefix(16)).hexadecimal
    }

    // MARK: Handoffs

    func dispatch(_ id: String, _ style: Style, kind: String, express: Bool, at now: Instant) -> Sending {
        let data = HandoffDispatched(
            number: number(of: id, at: now), kind: kind, matterKind: "accusation",
            title: "对接检验用件，内容均系虚构", text: text(style), region: "p-c01",
            accused: [Accused(name: "张三", organ: "某镇政府", position: "副镇长", level: "township", region: "p-c01")],
            allegations: [Allegation(category: "corruption", act: "贪污危房改造资金")], attachments: [],
            signBy: now.adding(seconds: 86_400), resultOwed: true, rule: "conformance@1/handoff")
        let event = CloudEvent(
            id: "dispatch-\(id)", source: .office(.routing), type: .handoffDispatched, subject: id, time: now,
            data: data)
        var body = Wire.encode(event)
        if style == .unknownFields { body = withUnknownFields(body) }
        if style == .chinese { body = oddlySpaced(body) }
        return Sending(
            sender: .routing, queue: Topology.Queue.handoff(to: unit, express: express),
            exchange: Topology.Exchange.handoff, type: event.type.rawValue, subject: id, body: body)
    }

    /// A number in the form of the office's numbers. The title says that it belongs to no office.
    private func number(of id: String, at now: Instant) -> String {
        let serial = SHA256.hash(data: Array(id.utf8)).prefix(4).reduce(0) { $0 << 8 | Int($1) } % 100_000_000
        return "\(now.description.prefix(4))-" + String(format: "%08d", serial)
    }

    private func text(_ style: Style) -> String {
        let plain = "反映某镇副镇长张三在危房改造资金中虚报冒领。"
        return switch style {
        case .plain, .unknownFields: plain
        // Rare characters beyond the first plane, a combining sequence, line separators, and characters that JSON
        // escapes.
        case .chinese: plain + "𠮷野家、㐂、龘、é（e\u{301}）、👩‍👩‍👧、全角ＡＢＣ　空格\u{2028}换行\n\t“引号”\"与反斜杠\\与斜杠/，编号＜１２＞<&>。"
        case .large: String(repeating: plain, count: 200_000 / plain.utf8.count)
        }
    }

    /// Adds fields that a later version of the contract may have: a CloudEvents extension attribute, and any field in
    /// the data.
    private func withUnknownFields(_ body: [UInt8]) -> [UInt8] {
        var text = String(decoding: body, as: UTF8.self)
        text.replace(
            #"{"data":{"#,
            with:
                #"""
                {"extensionoflater":"of a later \#
                version","data":{"fieldOfLater":{"a":["b",true],"deep":[1,2.5,null]},
                """#,
            maxReplacements: 1)
        return Array(text.utf8)
    }

    /// Adds blanks and escapes that are lost if a reader encodes the JSON again.
    private func oddlySpaced(_ body: [UInt8]) -> [UInt8] {
        var text = String(decoding: body, as: UTF8.self)
        text.replace(#""specversion":"1.0""#, with: "\n  \"specversion\" : \"\\u0031.0\" ", maxReplacements: 1)
        return Array((text + "\n").utf8)
    }

    // MARK: Later messages

    func recall(
        _ id: String, queue: String, cause: String, reason: String, inReplyTo act: String?, at now: Instant
    ) -> Sending {
        let event = CloudEvent(
            id: act.map { answerID("recall", $0) } ?? "recall-\(id)", source: .office(.feedback),
            type: .handoffRecalled, subject: id, time: now, inreplyto: act,
            data: HandoffRecalled(cause: cause, reason: reason))
        return Sending(
            sender: .feedback, queue: queue, exchange: Topology.Exchange.handoff, type: event.type.rawValue,
            subject: id, body: Wire.encode(event))
    }

    func judgement(
        _ id: String, accepted: Bool, _ data: ConclusionJudged, inReplyTo act: String, at now: Instant
    ) -> Sending {
        notice(
            accepted ? .conclusionAccepted : .conclusionReturned, id: answerID("judged", act), subject: id,
            inReplyTo: act, data, at: now)
    }

    func refusal(of act: String, type: String?, _ subject: String, _ problems: [Problem], at now: Instant) -> Sending {
        notice(
            .messageRefused, id: answerID("refused", act), subject: subject, inReplyTo: act,
            MessageRefused(refusedType: MessageType.repeatable(type), problems: problems), at: now)
    }

    private func notice<Data: Codable & Sendable>(
        _ type: MessageType, id: String, subject: String, inReplyTo act: String, _ data: Data, at now: Instant
    ) -> Sending {
        let event = CloudEvent(
            id: id, source: .office(.feedback), type: type, subject: subject, time: now, inreplyto: act, data: data)
        return Sending(
            sender: .feedback, queue: Topology.Queue.notice(unit), exchange: Topology.Exchange.notice,
            type: type.rawValue, subject: subject, body: Wire.encode(event))
    }

    // MARK: Unknown types

    /// An unknown type, a later version of a known type, and a handoff of that version, in all queues of the unit.
    func unknownTypes(at now: Instant) -> [Sending] {
        let kinds = [
            ("bihuan.handoff.reclassified.v1", Topology.Queue.inbox(unit)),
            ("bihuan.handoff.dispatched.v2", Topology.Queue.express(unit)),
            ("bihuan.notice.weather.v1", Topology.Queue.notice(unit)),
        ]
        return kinds.map { type, queue in
            let id = newHandoffID(at: now)
            let body = """
                {"specversion":"1.0","id":"later-\(id)","source":"office.routing","type":"\(type)","subject":"\(id)",\
                "time":"\(now)","data":{"later":{"than":["this"]}}}
                """
            let isNotice = queue == Topology.Queue.notice(unit)
            return Sending(
                sender: isNotice ? .feedback : .routing, queue: queue,
                exchange: isNotice ? Topology.Exchange.notice : Topology.Exchange.handoff, type: type, subject: id,
                body: Array(body.utf8))
        }
    }
}
