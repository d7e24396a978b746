import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import PostgreSQL

/// What an office costs that does nothing, by the number of its units.
struct PartiesFigures: Sendable {
    var units = 0
    /// From the start of the feedback worker until every queue of a unit has a consumer.
    var readySeconds = 0.0
    var workerMiB = 0.0
    /// Processor milliseconds a second.
    var idleWorker = 0.0
    var idleBroker = 0.0
    var brokerMiB = 0.0
    var brokerStartSeconds = 0.0
    /// Open files of the broker, and the most it may have.
    var brokerFiles = 0
    var brokerFilesMax = 0
}

extension Bench {
    /// Measures an idle office with the units of the sample, then with a thousand more.
    func parties(_ result: inout BenchResult) throws {
        result.parties.append(try idleOffice(of: sample.units.map(\.id)))
        let more = (1...BenchSettings.partiesMore).map { UnitID(unchecked: "more-\($0)") }
        note("parties: entering \(more.count) units")
        let owner = try office.superuser()
        for unit in more {
            try owner.run(
                EnterUnit(
                    unit: UnitRow(
                        id: unit, name: "单位\(unit)", kind: "department", region: nil, levels: [], parent: nil,
                        active: true, sealingKey: nil),
                    at: Instant(Date())))
        }
        owner.close()
        try office.addQueues(of: more)
        result.parties.append(try idleOffice(of: sample.units.map(\.id) + more))
    }

    private func idleOffice(of units: [UnitID]) throws -> PartiesFigures {
        var figures = PartiesFigures()
        figures.units = units.count
        figures.brokerStartSeconds = try office.restartBroker()
        note("parties: the broker with \(units.count) units has started")
        let began = Monotonic.now
        let process = try start([.feedback])
        defer { process.stop() }
        try waitForConsumers(of: units.map { Topology.Queue.acts($0) })
        figures.readySeconds = Monotonic.seconds(from: began, to: Monotonic.now)
        Monotonic.sleep(seconds: settings.idleSeconds)
        let (before, broker) = (process.cpuTimes, office.cpuTimes())
        Monotonic.sleep(seconds: settings.idleSeconds)
        figures.idleWorker =
            (process.cpuTimes.since(before).seconds["feedback"] ?? 0) * 1_000 / settings.idleSeconds
        figures.idleBroker = (office.cpuTimes().since(broker).seconds["broker"] ?? 0) * 1_000 / settings.idleSeconds
        figures.workerMiB = process.anonymousMiB["feedback"] ?? 0
        if let id = office.brokerProcessID {
            figures.brokerMiB = ProcessUsage.anonymousMiB(of: id) ?? 0
            (figures.brokerFiles, figures.brokerFilesMax) = ProcessUsage.files(of: id)
        }
        return figures
    }
}
