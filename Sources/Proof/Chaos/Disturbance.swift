import Basics
import Casework
import Contract
import Corpus
import Foundation
import Installation

/// One disturbance of a working office from outside.
package struct Disturbance: Sendable, Hashable {
    package enum Kind: String, CaseIterable, Sendable, Codable {
        /// SIGKILL of a worker that holds work.
        case kill
        /// SIGSTOP of a worker, SIGCONT after a while.
        case pause
        case restartBroker = "restart broker"
        /// SIGKILL of the node, as in a power cut.
        case killBroker = "kill broker"
        /// The broker closes all its connections.
        case closeConnections = "close connections"
        case restartDatabaseFast = "restart database fast"
        case restartDatabaseImmediate = "restart database immediate"
        /// The workers' connections are reset, and new ones too for a while.
        case cutBroker = "cut broker"
        case cutDatabase = "cut database"
        /// Nothing is forwarded, without any error.
        case silenceBroker = "silence broker"
        case silenceDatabase = "silence database"
        /// Little is forwarded, and late.
        case slowBroker = "slow broker"
        case slowDatabase = "slow database"
        /// Earlier reports are sent again.
        case sendAgain = "send again"
        /// The broker blocks every publisher.
        case memoryAlarm = "memory alarm"
        /// The workers may not register a report for a while.
        case revokeRight = "revoke right"
        /// No report can be written: the server reports a full disk.
        case diskFull = "disk full"
        /// Every statement of a worker is cancelled, again and again.
        case cancelStatements = "cancel statements"
        /// One unit's inbox confirms nothing, as a queue without a majority.
        case silentQueue = "silent queue"
        /// SIGSTOP of a worker for three minutes: its sessions live, and its leases end.
        case longPause = "long stop"
        /// A host with workers loses its link to the servers, without any error.
        case hostCutOff = "host cut off"
    }

    let kind: Kind
    /// Seconds after the first report.
    let at: Double
    /// The disturbed worker, if it is one.
    var worker: Worker?
    /// The duration.
    var seconds = 0.0
    /// The unit whose inbox is disturbed, if it is one.
    var unit: UnitID?
    /// The number of reports that are sent again.
    var count = 0
}

/// The disturbances of a run and their times, all derived from the seed. Two threads carry it out; one of them
/// only kills.
package struct DisturbancePlan: Sendable {
    package let kills: [Disturbance]
    let others: [Disturbance]

    /// The disturbances per minute beside the kills; within about two minutes each kind comes once.
    static let othersPerMinute = Double(Disturbance.Kind.allCases.count / 2)
    private static let warmUpSeconds = 2.0

    /// The minutes that a run must have to include a long stop.
    static let longPauseMinutes = 10.0

    /// - Parameters:
    ///   - hasOtherHost: whether there is a host that can be cut off.
    ///   - only: the kinds that come once each, instead of all; a long stop too, however short the run is.
    package init(
        seed: UInt64, minutes: Double, kills count: Int, hasOtherHost: Bool = true, only: [Disturbance.Kind] = []
    ) {
        var random = SeededRandom(name: "chaos|kills|\(seed)")
        let span = max(1, minutes * 60 - Self.warmUpSeconds - 1)
        kills = (0..<count).map { index in
            let at = Self.warmUpSeconds + (Double(index) + Double(random.below(1000)) / 1000) / Double(count) * span
            return Disturbance(kind: .kill, at: at, worker: random.pick(Worker.allCases))
        }
        random = SeededRandom(name: "chaos|others|\(seed)")
        let othersCount = only.isEmpty ? max(3, Int(minutes * Self.othersPerMinute)) : only.count
        var deck = Array(only.reversed())
        let left: Set<Disturbance.Kind> = Set(minutes < Self.longPauseMinutes ? [.longPause] : []).union(
            hasOtherHost ? [] : [.hostCutOff])
        others = (0..<othersCount).map { index in
            // Each kind comes once before any comes again.
            if deck.isEmpty {
                deck = random.pick(.max, of: Disturbance.Kind.allCases.filter { $0 != .kill }).filter {
                    !left.contains($0)
                }
            }
            let at =
                Self.warmUpSeconds + (Double(index) + Double(random.below(500)) / 1000) / Double(othersCount) * span
            return Self.other(deck.removeLast(), at: at, &random)
        }
    }

    private static func other(_ kind: Disturbance.Kind, at: Double, _ random: inout SeededRandom) -> Disturbance {
        var disturbance = Disturbance(kind: kind, at: at)
        switch kind {
        case .pause:
            disturbance.worker = random.pick(Worker.allCases)
            disturbance.seconds = Double(random.number(3...60)) / 10
        case .cutBroker, .cutDatabase: disturbance.seconds = Double(random.number(1...25)) / 10
        case .silenceBroker, .silenceDatabase: disturbance.seconds = Double(random.number(10...90)) / 10
        case .slowBroker, .slowDatabase: disturbance.seconds = Double(random.number(20...60)) / 10
        case .memoryAlarm, .revokeRight, .diskFull, .cancelStatements:
            disturbance.seconds = Double(random.number(10...40)) / 10
        case .silentQueue:
            disturbance.unit = random.pick(SampleOffice.standard.units).id
            disturbance.seconds = Double(random.number(50...150)) / 10
        case .longPause:
            // The other host also runs these workers: they send what this one left.
            disturbance.worker = random.pick(OtherHost.workers)
            disturbance.seconds = 180
        case .hostCutOff: disturbance.seconds = Double(random.number(100...300)) / 10
        case .sendAgain: disturbance.count = random.number(50...250)
        case .kill, .restartBroker, .killBroker, .closeConnections, .restartDatabaseFast, .restartDatabaseImmediate:
            break
        }
        return disturbance
    }

    /// A line for each disturbance, in the order of time.
    package var lines: [String] {
        (kills + others).sorted { ($0.at, $0.kind.rawValue) < ($1.at, $1.kind.rawValue) }.map(\.line)
    }
}

extension Disturbance {
    package var line: String {
        var words = [String(format: "%8.2f s", at), kind.rawValue]
        if let worker { words.append(worker.rawValue) }
        if let unit { words.append(unit.rawValue) }
        if seconds > 0 { words.append(String(format: "for %.1f s", seconds)) }
        if count > 0 { words.append("\(count) reports") }
        return words.joined(separator: "  ")
    }
}
