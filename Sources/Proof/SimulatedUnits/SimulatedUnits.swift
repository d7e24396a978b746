public import AMQP
public import Basics
import BrokerTopology
import Casework
import Contract
import Corpus
public import Crypto
public import Foundation
import PartyClient
import Synchronization

/// A unit's credentials, and the key that opens data sealed for it.
public struct UnitLogin: Sendable {
    public var id: UnitID
    public var password: String
    public var sealingKey: Curve25519.KeyAgreement.PrivateKey?

    public init(id: UnitID, password: String, sealingKey: Curve25519.KeyAgreement.PrivateKey? = nil) {
        self.id = id
        self.password = password
        self.sealingKey = sealingKey
    }
}

/// The counts of all units of a process so far.
public struct UnitCounts: Sendable, Hashable {
    public var deliveries = 0
    public var handoffs = 0
    public var actsConfirmed = 0
    public var sealedOpened = 0
    /// Sealed data that the unit's key could not open.
    public var sealedUnopened = 0
    /// Acts planned for later business time.
    public var planned = 0
    /// Acts that the broker did not accept.
    public var givenUp = 0
}

/// The simulated units of a rehearsal. Each uses only the contract, with its own broker user, and does not read
/// the office's tables.
///
/// Every unit has a thread, a connection and a journal (`unit.<id>.jsonl`). A restarted process continues from the
/// journals. The case office learns of filed cases through this object, as people would by telephone; if units run
/// in several processes, each process hosts the case office.
public final class SimulatedUnits: Sendable {
    private let units: [UnitLogin]
    private let broker: AMQP.ConnectionSettings
    private let clock: BusinessClock
    private let behaviour: UnitBehaviour
    private let journals: URL
    private let caseOffice: UnitID
    private let switchboard = Switchboard()

    /// - Parameters:
    ///   - broker: host, port and virtual host; each unit has its own user and password.
    ///   - journals: an existing folder.
    ///   - caseOffice: the unit that reports filed cases, if it is among `units`.
    public init(
        units: [UnitLogin], broker: AMQP.ConnectionSettings, clock: BusinessClock,
        behaviour: UnitBehaviour = UnitBehaviour(), journals: URL, caseOffice: UnitID = UnitID(unchecked: "case-office")
    ) {
        self.units = units
        self.broker = broker
        self.clock = clock
        self.behaviour = behaviour
        self.journals = journals
        self.caseOffice = caseOffice
    }

    /// The counts of all units together.
    public var counts: UnitCounts { switchboard.counts }

    /// Works until `stop`, then sends due acts for at most five seconds more. A lost broker is waited for.
    /// - Throws: the error that made a unit give up, for example if its journal cannot be written.
    public func run(until stop: StopSignal) throws {
        let threads = units.map { login in
            WorkThread(named: "unit.\(login.id)") { [self] in
                do {
                    var unit = try SimulatedUnit(
                        login, broker: broker, clock: clock, behaviour: behaviour, journals: journals,
                        isCaseOffice: login.id == caseOffice, switchboard: switchboard)
                    try unit.run(until: stop)
                } catch {
                    switchboard.fail(error)
                    stop.stop()
                }
            }
        }
        for thread in threads { thread.join() }
        try switchboard.check()
    }
}

/// The state that the units of one process share: their counts, and the notices for the case office.
final class Switchboard: Sendable {
    private struct State {
        var counts: [UnitID: UnitCounts] = [:]
        var notices: [CaseNotice] = []
        var failure: (any Error)?
    }
    private let state = Mutex(State())

    var counts: UnitCounts {
        state.withLock { state in
            state.counts.values.reduce(into: UnitCounts()) { sum, counts in
                sum.deliveries += counts.deliveries
                sum.handoffs += counts.handoffs
                sum.actsConfirmed += counts.actsConfirmed
                sum.sealedOpened += counts.sealedOpened
                sum.sealedUnopened += counts.sealedUnopened
                sum.planned += counts.planned
                sum.givenUp += counts.givenUp
            }
        }
    }

    func report(_ counts: UnitCounts, of unit: UnitID) { state.withLock { $0.counts[unit] = counts } }

    func tell(_ notices: [CaseNotice]) {
        if !notices.isEmpty { state.withLock { $0.notices += notices } }
    }

    func takeNotices() -> [CaseNotice] {
        state.withLock { state in
            defer { state.notices = [] }
            return state.notices
        }
    }

    func fail(_ error: any Error) { state.withLock { $0.failure = $0.failure ?? error } }

    func check() throws { if let failure = state.withLock({ $0.failure }) { throw failure } }
}

/// One unit, run on its own thread.
private struct SimulatedUnit {
    private let login: UnitLogin
    private let line: PartyLine
    private let journal: Journal
    private let clock: BusinessClock
    private let behaviour: UnitBehaviour
    private let isCaseOffice: Bool
    private let switchboard: Switchboard
    private var desk: UnitDesk
    private var counts = UnitCounts()

    private static let drainSeconds = 5.0

    init(
        _ login: UnitLogin, broker: AMQP.ConnectionSettings, clock: BusinessClock, behaviour: UnitBehaviour,
        journals: URL, isCaseOffice: Bool, switchboard: Switchboard
    ) throws {
        let party = Party.unit(login.id)
        self.login = login
        self.clock = clock
        self.behaviour = behaviour
        self.isCaseOffice = isCaseOffice
        self.switchboard = switchboard
        line = PartyLine(
            party, password: login.password, broker: broker,
            queues: [Topology.Queue.express(login.id), Topology.Queue.inbox(login.id), Topology.Queue.notice(login.id)])
        let file = JournalFolder.file(of: party.description, in: journals)
        var desk = UnitDesk(clock: clock, behaviour: behaviour)
        try JournalReader(file: file).read { desk.hear($0) }
        self.desk = desk
        journal = try Journal(file: file)
        switchboard.tell(desk.filedCases)
    }

    mutating func run(until stop: StopSignal) throws {
        defer { line.close() }
        while !stop.isStopped {
            try takeIn(line.receive(within: waitSeconds))
            act()
            try noteConfirmed(line.exchange(within: 0))
            switchboard.report(counts, of: login.id)
        }
        let deadline = Wall.now + Int64(Self.drainSeconds * 1_000_000)
        while line.outgoing.count > 0, Wall.now < deadline { try noteConfirmed(line.exchange(within: 0.05)) }
        switchboard.report(counts, of: login.id)
    }

    /// The seconds to the next moment when something may be due; short while confirms are pending, since a confirm
    /// does not end the wait.
    private var waitSeconds: Double {
        if line.outgoing.count > 0 { return 0.01 }
        let idle = isCaseOffice ? 0.05 : 0.25
        guard let due = desk.nextDue, clock.rate > 0 else { return idle }
        return min(idle, max(0, due.seconds(since: businessNow) / clock.rate))
    }

    private var businessNow: Instant { clock.instant(atWall: .wall()) }

    /// Writes the deliveries to the journal, hands them to the desk, then acknowledges them, in this order.
    private mutating func takeIn(_ arrivals: [Arrival]) throws {
        if arrivals.isEmpty { return }
        try journal.append(arrivals.map(\.entry))
        for arrival in arrivals {
            desk.hear(arrival.entry)
            if arrival.entry.type == MessageType.handoffDispatched.rawValue { counts.handoffs += 1 }
            openSealed(arrival)
        }
        line.acknowledge(arrivals)
        counts.deliveries += arrivals.count
    }

    private mutating func openSealed(_ arrival: Arrival) {
        guard let sealed = arrival.sealed, let key = login.sealingKey else { return }
        do {
            _ = try sealed.open(
                with: key, id: arrival.entry.id, type: .handoffDispatched, subject: arrival.entry.subject)
            counts.sealedOpened += 1
        } catch {
            counts.sealedUnopened += 1
        }
    }

    private mutating func act() {
        // Enough messages are under way. The rest waits in the desk, so that a burst does not fill the memory with
        // bytes.
        guard line.outgoing.waitingCount < 1024 else { return }
        for due in desk.takeDue(at: businessNow) { line.outgoing.post(desk.posting(of: due, from: login.id)) }
        if isCaseOffice {
            for notice in switchboard.takeNotices() where !desk.hasPublished(notice.actID) {
                line.outgoing.post(notice.posting(from: login.id))
            }
        }
        counts.planned = desk.plannedCount
    }

    /// Sends some confirmed acts a second time with the same bytes, each at most once.
    private func repeatSome(of confirmed: [Posting]) {
        for posting in confirmed where !desk.hasPublished(posting.id) {
            let act = posting.id.dropFirst(posting.subject.count)
            var random = SeededRandom(name: "again|\(behaviour.seed)|\(desk.matter(of: posting.subject))\(act)")
            if random.below(1000) < behaviour.repeatedPerMille { line.outgoing.post(posting) }
        }
    }

    private mutating func noteConfirmed(_ confirmed: [Posting]) throws {
        counts.givenUp = line.outgoing.givenUp.count
        if confirmed.isEmpty { return }
        let entries = confirmed.map(\.published)
        try journal.append(entries)
        repeatSome(of: confirmed)
        for entry in entries { desk.hear(entry) }
        switchboard.tell(confirmed.filter { $0.type == .caseFiled }.compactMap { desk.filedCase(of: $0.subject) })
        counts.actsConfirmed += confirmed.count
    }
}
