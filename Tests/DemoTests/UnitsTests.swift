import TestOffice
import AMQP
import Casework
import Contract
import Crypto
import Foundation
import Testing
@testable import Basics
@testable import BrokerTopology
@testable import PartyClient
@testable import SimulatedUnits
@testable import Submitting

private let unit = UnitID(unchecked: "d1")
private let start = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
private let far = start.adding(seconds: 1_000 * 86_400)

@Suite("A simulated unit")
struct UnitsTests {
    @Test("a unit decides the same for the same handoff, and about as often as its shares say")
    func decidesByShares() {
        let ids = (0..<10_000).map { "h-\($0)" }
        let plans = ids.map { UnitPlan(matter: $0, sealed: false, behaviour: UnitBehaviour()) }
        #expect(plans == ids.map { UnitPlan(matter: $0, sealed: false, behaviour: UnitBehaviour()) })
        #expect((300...500).contains(plans.count { $0.returnReason != nil }))
        #expect((700...900).contains(plans.count { $0.filesCase }))
        #expect((220...380).contains(plans.count { $0.concludesLate }))
        #expect((140...260).contains(plans.count { $0.signsLate }))
        #expect(Set(plans.map(\.disposition)).count == 4)
        let sealed = ids.map { UnitPlan(matter: $0, sealed: true, behaviour: UnitBehaviour()) }
        #expect(!sealed.contains { $0.returnReason != nil || $0.filesCase })
    }

    @Test("a unit acts the same on the same text in every run of a seed, under any id; another seed differs")
    func actsAlikeInEveryRunOfASeed() {
        func acts(seed: UInt64, run: String) -> [[UnitAct]] {
            var behaviour = UnitBehaviour()
            behaviour.seed = seed
            return (0..<200).map { number in
                var desk = UnitDesk(clock: .real, behaviour: behaviour)
                desk.hear(received(.handoffDispatched, "\(run)-\(number)", matter: "text-\(number)"))
                return desk.takeDue(at: far).map(\.act)
            }
        }
        #expect(acts(seed: 7, run: "monday") == acts(seed: 7, run: "tuesday"))
        #expect(acts(seed: 7, run: "monday") != acts(seed: 8, run: "monday"))
    }

    @Test("a unit signs with the body's digest, decides and concludes")
    func signsDecidesAndConcludes() throws {
        var desk = UnitDesk(clock: .real, behaviour: .plain)
        desk.hear(received(.handoffDispatched, "h-1"))
        let due = desk.takeDue(at: far)
        #expect(due.map(\.act) == [.sign, .decide, .conclude(1)])
        let signed = try Message(reading: desk.posting(of: due[0], from: unit).body, typeHint: nil)
        guard case .act(.signed(let data)) = signed.body else { throw Unexpected() }
        #expect(data.digest == "digest of h-1")
        #expect(signed.envelope.id == "h-1-signed")
        #expect(signed.envelope.source == .unit(unit))
        #expect(desk.takeDue(at: far) == [])
    }

    @Test("a unit drops a recalled handoff, also when the recall comes first")
    func dropsRecalledHandoff() {
        var desk = UnitDesk(clock: .real, behaviour: .plain)
        desk.hear(received(.handoffRecalled, "h-1"))
        desk.hear(received(.handoffDispatched, "h-1"))
        desk.hear(received(.handoffDispatched, "h-2"))
        desk.hear(received(.handoffRecalled, "h-2"))
        #expect(desk.takeDue(at: far) == [])
    }

    @Test("a unit acts once on a message that is delivered twice")
    func actsOnceOnRedelivery() {
        var desk = UnitDesk(clock: .real, behaviour: .plain)
        desk.hear(received(.handoffDispatched, "h-1"))
        #expect(desk.takeDue(at: far).count == 3)
        desk.hear(received(.handoffDispatched, "h-1", at: 5))
        #expect(desk.takeDue(at: far) == [])
    }

    @Test("a unit continues when its return is refused, and only once")
    func continuesAfterRefusedReturn() {
        var behaviour = UnitBehaviour.plain
        behaviour.returnedInVainPerMille = 1000
        var desk = UnitDesk(clock: .real, behaviour: behaviour)
        desk.hear(received(.handoffDispatched, "h-1"))
        #expect(desk.takeDue(at: far).map(\.act) == [.sign, .giveBack])
        for _ in 1...2 { desk.hear(received(.messageRefused, "h-1", inreplyto: "h-1-returned")) }
        #expect(desk.takeDue(at: far).map(\.act) == [.decide, .conclude(1)])
    }

    @Test("a unit answers a conclusion that was sent back with a better one")
    func improvesConclusionSentBack() throws {
        var behaviour = UnitBehaviour.plain
        behaviour.concludedPoorlyPerMille = 1000
        let poor = try #require(
            (0...99).map { "h-\($0)" }.first {
                UnitPlan(matter: $0, sealed: false, behaviour: behaviour).flaw == .noDisposition
            })
        var desk = UnitDesk(clock: .real, behaviour: behaviour)
        desk.hear(received(.handoffDispatched, poor))
        #expect(desk.takeDue(at: far).map(\.act) == [.sign, .conclude(1)])
        for _ in 1...2 { desk.hear(received(.conclusionReturned, poor, inreplyto: "\(poor)-concluded-1")) }
        #expect(desk.takeDue(at: start).map(\.act) == [.decide])
        #expect(desk.takeDue(at: far).map(\.act) == [.conclude(2)])
    }

    @Test("a unit concludes late when it planned to, by business time")
    func concludesLateAsPlanned() {
        var behaviour = UnitBehaviour.plain
        behaviour.concludedLatePerMille = 1000
        let clock = BusinessClock(wallOrigin: start, businessOrigin: start, rate: 86_400)
        var desk = UnitDesk(clock: clock, behaviour: behaviour)
        desk.hear(received(.handoffDispatched, "h-1"))
        #expect(desk.takeDue(at: start.adding(seconds: 60)).map(\.act) == [.sign, .decide])
        #expect(desk.nextDue == start.adding(seconds: behaviour.lateConclusionSeconds))
        #expect(desk.takeDue(at: start.adding(seconds: 91 * 86_400)) == [])
        #expect(desk.takeDue(at: start.adding(seconds: 93 * 86_400)).map(\.act) == [.conclude(1)])
    }

    @Test("a restarted unit omits what it published, and sends the rest with the same bytes")
    func resumesAfterRestart() {
        let deliveries = (0..<200).map { received(.handoffDispatched, "h-\($0)") }
        var first = UnitDesk(clock: .real, behaviour: UnitBehaviour())
        for entry in deliveries { first.hear(entry) }
        let all = first.takeDue(at: far).map { first.posting(of: $0, from: unit) }
        let confirmed = all.prefix(all.count / 2).map(\.published)

        var second = UnitDesk(clock: .real, behaviour: UnitBehaviour())
        for entry in deliveries + confirmed { second.hear(entry) }
        let rest = second.takeDue(at: far).map { second.posting(of: $0, from: unit) }
        #expect(
            Dictionary(uniqueKeysWithValues: rest.map { ($0.id, $0.body) })
                == Dictionary(uniqueKeysWithValues: all.dropFirst(all.count / 2).map { ($0.id, $0.body) }))
    }

    private func received(
        _ type: MessageType, _ handoff: String, inreplyto: String? = nil, at offset: Int64 = 0, matter: String? = nil
    ) -> JournalEntry {
        JournalEntry(
            fact: .delivered, at: start.microsecondsSinceEpoch + offset, party: "unit.d1",
            id: "\(type.short)-\(handoff)", type: type.rawValue, subject: handoff, inreplyto: inreplyto,
            digest: "digest of \(handoff)", matter: matter)
    }
}

@Suite("Simulated units, on a broker", .serialized, .enabled(if: SubmitterOffice.isThere, SubmitterOffice.absent))
struct UnitsBrokerTests {
    private static let queues = [
        Topology.Queue.inbox(unit), Topology.Queue.express(unit), Topology.Queue.notice(unit),
        Topology.Queue.acts(unit),
        Topology.Queue.acts(UnitID(unchecked: "case-office")),
    ]

    @Test("handoffs are journalled, signed and concluded, and a restarted process repeats nothing")
    func signsAndConcludesHandoffs() throws {
        try SubmitterOffice.purge(Self.queues)
        try SubmitterOffice.withFolder { folder in
            let handoffs = (1...200).map { _ in HandoffID.make(at: start).description }
            try dispatch(handoffs)
            try run(in: folder, behaviour: .plain) { units in try eventually { units.counts.actsConfirmed == 600 } }
            let entries = try JournalReader(file: JournalFolder.file(of: "unit.d1", in: folder)).entries()
            #expect(Set(entries.filter { $0.fact == .delivered }.map(\.subject)) == Set(handoffs))
            #expect(entries.count { $0.fact == .published } == 600)
            let matters = Set(entries.filter { $0.fact == .delivered }.map(\.matter))
            #expect(matters.count == 1 && matters != [nil], "all have the same text")

            let acts = try SubmitterOffice.take(600, from: Topology.Queue.acts(unit))
            for act in acts {
                let message = try Message(reading: act.body, typeHint: act.properties.type)
                let sender = act.properties.userID.flatMap { Party($0) }
                #expect(
                    Admission.problem(sender: sender, routingKey: act.routingKey, envelope: message.envelope) == nil)
            }

            try dispatch(handoffs.suffix(10))
            try run(in: folder, behaviour: .plain) { units in try eventually { units.counts.handoffs == 10 } }
            let after = try JournalReader(file: JournalFolder.file(of: "unit.d1", in: folder)).entries()
            #expect(after.count { $0.fact == .published } == 600)
            #expect(after.count { $0.fact == .delivered } == 210)
        }
    }

    @Test("a sealed handoff is opened with the unit's key, and filed cases reach the case office")
    func opensSealedHandoffsAndFilesCases() throws {
        let caseOffice = UnitID(unchecked: "case-office")
        try SubmitterOffice.purge(Self.queues)
        try SubmitterOffice.withFolder { folder in
            let key = Curve25519.KeyAgreement.PrivateKey()
            let handoff = HandoffID.make(at: start).description
            let sealed = try SealedData.seal(
                [1, 2, 3], contentType: "text/plain", number: "S2026-00000001", to: SealingKey(key.publicKey),
                id: "e-1", type: .handoffDispatched, subject: handoff)
            try publish(
                CloudEvent(
                    id: "e-1", source: .office(.intake), type: .handoffDispatched, subject: handoff, time: start,
                    datacontenttype: MediaType.sealed, data: sealed))
            try dispatch([HandoffID.make(at: start).description])
            var behaviour = UnitBehaviour.plain
            behaviour.caseFiledPerMille = 1000
            let logins = [
                UnitLogin(id: unit, password: SubmitterOffice.password, sealingKey: key),
                UnitLogin(id: caseOffice, password: SubmitterOffice.password),
            ]
            // Sign, decide, conclude of both; file and notify of the one that is not sealed.
            try run(logins, in: folder, behaviour: behaviour) { units in
                try eventually { units.counts.actsConfirmed == 8 }
            }
            let notified = try JournalReader(file: JournalFolder.file(of: "unit.case-office", in: folder)).entries()
            #expect(notified.map(\.type) == [MessageType.caseNotified.rawValue])
            try SubmitterOffice.purge(Self.queues)
        }
    }

    private func run(
        _ logins: [UnitLogin] = [UnitLogin(id: unit, password: SubmitterOffice.password)], in folder: URL,
        behaviour: UnitBehaviour, _ body: (SimulatedUnits) throws -> Void
    ) throws {
        let units = SimulatedUnits(
            units: logins, broker: try SubmitterOffice.settings(), clock: .real, behaviour: behaviour, journals: folder)
        let stop = StopSignal()
        let failure = Tally()
        let thread = WorkThread(named: "units") {
            do { try units.run(until: stop) } catch { failure.fail(error) }
        }
        defer {
            stop.stop()
            thread.join()
        }
        try body(units)
        try failure.check()
    }

    private func dispatch(_ handoffs: some Sequence<String>) throws {
        for handoff in handoffs {
            let data = HandoffDispatched(
                number: "2026-00000001", kind: "transfer", matterKind: nil, title: "t", text: "t", region: nil,
                accused: [], allegations: [], attachments: [], signBy: nil, resultOwed: true, rule: "p@1/r")
            try publish(
                CloudEvent(
                    id: "e-\(handoff)", source: .office(.routing), type: .handoffDispatched, subject: handoff,
                    time: start, data: data))
        }
    }

    private func publish<Payload>(_ event: CloudEvent<Payload>) throws {
        let office = try Connection(SubmitterOffice.settings())
        defer { office.close() }
        let channel = try office.openChannel()
        try office.enableConfirms(on: channel)
        try office.publish(
            Wire.encode(event), to: ExchangeName(rawValue: Topology.Exchange.handoff),
            key: RoutingKey(rawValue: Topology.Queue.inbox(unit)), properties: Properties(type: event.type.rawValue),
            on: channel)
        guard case .acknowledged = try #require(try office.nextEvent(within: 10)) else { throw Unexpected() }
    }
}

private struct Unexpected: Error {}
