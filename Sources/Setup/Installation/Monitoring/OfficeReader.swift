package import AMQP
import AuditStore
import Basics
import BrokerTopology
package import CaseStore
import Casework
import Contract
import Foundation
package import Observability
import PostgreSQL
import Terminal

/// Reads the state of an office for monitors and `status`: the database, then the queues, each independently.
package final class OfficeReader {
    /// So many queues are asked at once, with a pause between, so that a broker with thousands is not kept busy.
    private static let slice = 200
    private static let pauseSeconds = 0.02

    private let configuration: OfficeConfiguration
    private let databaseSettings: PostgreSQL.ConnectionSettings
    /// As whom queues are asked.
    private let broker: AMQP.ConnectionSettings?
    private var database: PostgreSQL.Connection?
    private var survey: QueueSurvey?
    private var parties: [Party] = []
    private let isForPersons: Bool
    private var isStopped: () -> Bool

    /// - Parameters:
    ///   - role: as whom to log in to the database.
    ///   - broker: a user; one who may read the queues tells an empty queue from one without a leader. `nil`: queues
    ///     are not asked.
    ///   - isForPersons: reads also what only persons look at.
    package init(
        _ configuration: OfficeConfiguration, as role: DatabaseRole, broker: AMQP.ConnectionSettings?,
        name: String, isForPersons: Bool = false, isStopped: @escaping () -> Bool = { false }
    ) {
        self.configuration = configuration
        self.isForPersons = isForPersons
        databaseSettings = configuration.databaseSettings(name, as: role)
        self.broker = broker.map { settings in
            var settings = settings
            settings.rpcTimeoutSeconds = 3
            // Nobody serves heartbeats between two readings.
            settings.heartbeatSeconds = 0
            settings.connectionName = name
            return settings
        }
        self.isStopped = isStopped
    }

    package func close() {
        database?.close()
        survey?.close()
        (database, survey) = (nil, nil)
    }

    /// Takes the lock of the one process that samples the office, as long as the session lasts.
    package func isTheOne() throws -> Bool {
        if hasLock, database?.isOpen == true { return true }
        hasLock = try open().tryAdvisoryLock(Self.lockKey)
        return hasLock
    }

    private static let lockKey: Int64 = 0x6269_6875_616e_0002
    private var hasLock = false

    package func read() -> OfficeView {
        var view = OfficeView(officeName: configuration.officeName)
        let begun = ContinuousClock.now
        do {
            view.database = try readDatabase()
            view.databaseAt = Double(Wall.now) / 1e6
            view.databaseSeconds = (ContinuousClock.now - begun).inSeconds
        } catch {
            database?.close()
            database = nil
            view.problems.append(UserError(error).description)
        }
        guard broker != nil else { return view }
        let then = ContinuousClock.now
        do {
            view.queues = try readQueues()
            view.queuesAt = Double(Wall.now) / 1e6
            view.queuesSeconds = (ContinuousClock.now - then).inSeconds
        } catch {
            survey?.close()
            survey = nil
            view.problems.append(UserError(error).description)
        }
        // Whatever becomes of the rates, the depths are known.
        do { try addRates(to: &view) } catch { view.problems.append(UserError(error).description) }
        return view
    }

    // MARK: The database

    private func open() throws -> PostgreSQL.Connection {
        if let database, database.isOpen { return database }
        let opened = try PostgreSQL.Connection(databaseSettings)
        database = opened
        return opened
    }

    private func readDatabase() throws -> OfficeView.Database {
        let database = try open()
        let (now, wall) = (configuration.now, Instant.wall())
        var state = OfficeView.Database()
        let (reports, handoffs, waits, unsigned, dead, readers, leases, held) = try database.pipeline(
            CountReports(), CountHandoffs(), ReadWaits(now: now, wall: wall), ReadUnsigned(now: now),
            CountDeadLetters(), ReadChangeReaders(), CountLaneLeases(), ReadHeldQueues())
        let insertions = try database.run(ReadInsertions())
        parties = try OfficeParties(in: database).users
        state.reports = Self.counts(
            ReportState.allCases.map(\.rawValue), reports.rows.map { ($0.state.rawValue, $0.count) })
        state.handoffs = Self.counts(
            HandoffState.allCases.map(\.rawValue), handoffs.rows.map { ($0.state.rawValue, $0.count) })
        state.unsigned = unsigned.rows.map { .init(unit: $0.unit, count: $0.count, age: $0.age) }
        state.deadLetters = dead.rows.map { .init($0.reason, $0.count) }
        state.readers = readers.rows.map {
            .init(
                name: $0.name, unread: $0.unread, held: $0.lag.waiting, holder: Self.label(of: $0.lag.holder),
                session: $0.lag.holder.map { "\($0)" } ?? "", startsAnew: $0.startsAnew)
        }
        state.lanes = Self.counts(Worker.allCases.map(\.rawValue), leases.rows.map { ($0.worker, $0.count) })
        let read = Set(held.rows)
        state.unleased = Worker.allCases.filter(\.readsParties).map { worker in
            .init(worker.rawValue, parties.compactMap(worker.queue(of:)).count { !read.contains($0) })
        }
        state.insertions = insertions.rows.map { .init($0.table, $0.count) }
        if let row = waits.rows.first { state.take(row) }
        if isForPersons { try readForPersons(&state, database, now) }
        // Nothing new: then the last checkpoint covers everything, however old it is.
        if readers.rows.first(where: { $0.name == "checkpoint" })?.unread == 0 { state.checkpointAge = nil }
        return state
    }

    private func readForPersons(
        _ state: inout OfficeView.Database, _ database: PostgreSQL.Connection, _ now: Instant
    ) throws {
        let (duties, sealed) = try database.pipeline(ReadOpenDuties(now: now), CountSealedUnsigned())
        let names = duties.rows.isEmpty ? nil : DutyNames(in: database)
        state.duties = duties.rows.map {
            .init(
                duty: $0.duty, name: names?[$0.duty] ?? "", period: $0.period, debtor: $0.debtor, open: $0.open,
                overdue: $0.overdue, lastDay: names?.lastDay(before: $0.dueAt) ?? "")
        }
        state.sealedUnsigned = sealed.rows.first
    }

    /// Every known name has a row, so that a monitor sees zeros.
    private static func counts(_ names: [String], _ found: [(String, Int)]) -> [OfficeView.Count] {
        let counts = Dictionary(found) { first, _ in first }
        return names.map { .init($0, counts[$0] ?? 0) }
    }

    /// A label: the program without the name of its lane, so that there are few.
    private static func label(of holder: HorizonHolder?) -> String {
        guard let words = holder?.name.split(separator: " "), words.first == "bihuan" else {
            return holder == nil ? "" : "another program"
        }
        let program = words.dropFirst().first?.prefix { $0 != "-" } ?? ""
        return "bihuan \(program)"
    }

    // MARK: The queues

    private func readQueues() throws -> [OfficeView.Queue] {
        guard let broker else { return [] }
        let survey = try self.survey ?? QueueSurvey(broker)
        self.survey = survey
        let ours = Set(Topology.Queue.office + parties.compactMap(Topology.Queue.inbound(from:)))
        var queues: [OfficeView.Queue] = []
        for (index, name) in (Topology.Queue.office + OfficeQueues.of(parties)).enumerated() {
            if index > 0, index.isMultiple(of: Self.slice) { Wall.pause(seconds: Self.pauseSeconds) }
            if isStopped() { return queues }
            let kind = name.hasPrefix("bihuan.") ? "office" : String(name.split(separator: ".").last ?? "")
            let wanted = ours.contains(name)
            switch try survey.state(of: name) {
            case .up(let messages, let consumers):
                // Nobody reads it and it looks empty: only who may read it knows that it is not without a leader.
                let isUnsure = messages == 0 && consumers == 0 && survey.unchecked.last == name
                queues.append(
                    .init(
                        name: name, kind: kind, state: .up, messages: isUnsure ? nil : messages, consumers: consumers,
                        wantsConsumer: wanted))
            case .missing:
                queues.append(
                    .init(name: name, kind: kind, state: .missing, messages: nil, consumers: 0, wantsConsumer: wanted))
            case .down:
                queues.append(
                    .init(name: name, kind: kind, state: .down, messages: nil, consumers: 0, wantsConsumer: wanted))
            }
        }
        survey.forgetUnchecked()
        return queues
    }

    /// Messages a second in and out of each queue, from the management interface if one is configured.
    private func addRates(to view: inout OfficeView) throws {
        guard var queues = view.queues, let text = configuration.monitor.managementURL, let url = URL(string: text),
            let password = configuration.users[OfficeConfiguration.operatorUser]
        else { return }
        let rates = try ManagementAccess(
            url, user: OfficeConfiguration.operatorUser, password: password, broker: configuration.broker,
            patienceSeconds: Self.ratesSecondsMax
        ).rates(in: configuration.broker.virtualHost)
        for index in queues.indices {
            (queues[index].publishRate, queues[index].deliverRate) = rates[queues[index].name] ?? (0, 0)
        }
        view.queues = queues
    }

    /// An interface that does not answer must not make the sample old.
    private static let ratesSecondsMax = 3.0
}

extension OfficeView.Database {
    fileprivate mutating func take(_ row: ReadWaits.Row) {
        (outbox, outboxAge, deferred, deferredAge) = (row.outbox, row.outboxAge, row.deferred, row.deferredAge)
        (deadLetterAge, clocks, overdueClocks, overdueDuties, overdueApprovals) = (
            row.deadLetterAge, row.clocks, row.overdueClocks, row.overdueDuties, row.overdueApprovals
        )
        (clocksSetAside, stepAge, nextStep) = (row.clocksSetAside, row.stepAge, row.nextStep)
        (unseenNotices, checkpointAge) = (row.unseenNotices, row.checkpointAge ?? row.firstReportAge)
    }
}
