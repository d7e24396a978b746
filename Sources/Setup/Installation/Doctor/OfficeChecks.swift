import AuditStore
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import Observability
import PostgreSQL
import Terminal
import Workers

// The office at work: whether workers are there, and whether something waits too long.

extension DoctorCheck {
    static let office = [
        DoctorCheck("office.workers", "at least one lane of each worker lives", needs: [.database]) { patient in
            let counts = try patient.ask(CountLaneLeases())
            let there = Set(counts.filter { $0.count > 0 }.map(\.worker))
            return Worker.allCases.filter { !there.contains($0.rawValue) }.map { worker in
                .wrong(
                    "no lane of \(worker.rawValue) lives",
                    do: "start it: systemctl enable --now bihuan-\(worker.rawValue)@1; if it runs, see its log")
            }
        },
        DoctorCheck("office.leases", "a lane has leased the queue of every party", needs: [.database]) { patient in
            let held = Set(try patient.ask(ReadHeldQueues()))
            let parties = try patient.parties().users
            return Worker.allCases.filter(\.readsParties).compactMap { worker in
                let unread = parties.compactMap(worker.queue(of:)).filter { !held.contains($0) }
                return unread.isEmpty
                    ? nil
                    : .wrong(
                        "no lane of \(worker.rawValue) has leased \(names(unread))",
                        do: "start \(worker.rawValue); if it runs, see its log and broker.topology")
            }
        },
        DoctorCheck("office.outbox", "what is to be sent is sent", needs: [.database]) { patient in
            let waits = try waits(patient)
            return found(
                .outboxOld, waits.outboxAge, "\(waits.outbox) messages wait in the outbox, the oldest",
                "see broker.alarms and broker.topology, and the workers' logs; a full queue of a party waits for it")
        },
        DoctorCheck("office.deferred", "early messages meet their state", needs: [.database]) { patient in
            let waits = try waits(patient)
            return found(
                .deferredOld, waits.deferredAge, "\(waits.deferred) messages are ahead of their state, the oldest",
                "see the logs of feedback; docs/architecture.md, \"Early and repeated messages\"")
        },
        DoctorCheck("office.clocks", "clocks take their steps in time", needs: [.database]) { patient in
            let waits = try waits(patient)
            var findings = found(
                .sweepLate, waits.stepAge, "steps of clocks are late, the first",
                "start deadlines; if it runs, see its log")
            if waits.clocksSetAside > 0 {
                let reasons = try patient.ask(ReadSetAsideClocks())
                findings.append(
                    .wrong(
                        "\(waits.clocksSetAside) clocks are set aside after a fault: nobody watches these days "
                            + "(\(reasons.map { "\($0.count)× \($0.reason)" }.joined(separator: "; ")))",
                        do: "correct the fault, which the log of deadlines names; each is tried again every hour"))
            }
            return findings
        },
        DoctorCheck("office.deadletters", "no dead letter waits for a decision", needs: [.database]) { patient in
            let reasons = try patient.ask(CountDeadLetters())
            let count = reasons.reduce(0) { $0 + $1.count }
            guard count > 0 else { return [] }
            return [
                .risky(
                    "\(count) dead letters are open: "
                        + reasons.map { "\($0.count)× \($0.reason)" }.joined(separator: ", "),
                    do: "look at them with `bihuan dead list`, then replay or discard each")
            ]
        },
        DoctorCheck("office.poison", "few messages become dead letters", needs: [.database]) { patient in
            let wall = Instant.wall()
            return try [("hour", 3_600.0), ("day", 86_400)].compactMap { name, seconds in
                let since = Instant(microsecondsSinceEpoch: wall.microsecondsSinceEpoch - Int64(seconds * 1e6))
                let (dead, decided) = try patient.askOne(CountArrivals(since: since))
                // A few in a quiet hour are no rate.
                guard dead >= 5, Double(dead) > 0.01 * Double(dead + decided) else { return nil }
                return .risky(
                    "of \(dead + decided) messages of the last \(name) \(dead) became dead letters",
                    do: "`bihuan dead list` shows who sends them; one party's program is often the cause")
            }
        },
        DoctorCheck("office.handoffs", "every open handoff has a running clock or a stated reason", needs: [.database])
        {
            patient in
            let (count, some) = try patient.askOne(ReadUnwatchedHandoffs())
            guard count > 0 else { return [] }
            return [
                .wrong(
                    "\(count) open handoffs have neither, such as \(some.joined(separator: ", "))",
                    do: "somebody changed rows past the program: compare with `bihuan ledger verify`, restore the "
                        + "clocks from a backup")
            ]
        },
        DoctorCheck("office.checkpoint", "the ledger was signed within two days", needs: [.database]) { patient in
            let waits = try waits(patient)
            let advice = "run `bihuan ledger checkpoint`; systemctl enable --now bihuan-checkpoint.timer does it daily"
            let readers = try patient.ask(ReadChangeReaders())
            if let age = waits.checkpointAge {
                // Nothing is new: then the last one covers everything.
                if readers.first(where: { $0.name == "checkpoint" })?.unread == 0 { return [] }
                return found(.checkpointOld, age, "entries wait for a signature; the last checkpoint is from", advice)
            }
            guard let active = try patient.ask(ReadActivePolicy()).first else { return [] }
            let age = try patient.configuration().now.seconds(since: active.activatedAt)
            return age > Trouble.Kind.checkpointOld.bound
                ? [.risky("no checkpoint was ever made", do: advice)]
                : [.note("no checkpoint was made yet")]
        },
    ]

    private static func waits(_ patient: Patient) throws -> ReadWaits.Row {
        try patient.askOne(ReadWaits(now: try patient.configuration().now, wall: .wall()))
    }

    /// A finding if an age is above the bound that monitors use.
    private static func found(_ kind: Trouble.Kind, _ age: Double, _ text: String, _ advice: String) -> [Finding] {
        guard age > kind.bound else { return [] }
        let told = "\(text) \(Int(age)) s ago"
        return [kind.severity == .critical ? .wrong(told, do: advice) : .risky(told, do: advice)]
    }
}

extension Instant {
    fileprivate func seconds(since earlier: Instant) -> Double {
        Double(microsecondsSinceEpoch - earlier.microsecondsSinceEpoch) / 1e6
    }
}
