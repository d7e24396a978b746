import AMQP
import Basics
import CaseStore
import Casework
import Foundation
import Logging
import PostgreSQL

/// What a lane does when a transaction fails.
///
/// The lane waits for what is no message's doing, with its deliveries and connections kept. A message is blamed on
/// evidence only: it failed again and again, and each time between the office's own work could be done
/// (`LaneStore.tryOut`). Then the batch is divided until one message stands alone; that one becomes a dead letter, in a
/// transaction of its own, and its neighbours go on.
extension Lane {
    /// Carries messages through the transaction, however often it takes.
    /// - Parameters:
    ///   - areRepeats: of acts that were decided, each perhaps more than once.
    ///   - failures: how often these failed together with others, with evidence against them.
    func process(
        _ received: [InboundMessage], keepingBecause deadLetterReason: DeadLetterReason? = nil,
        areRepeats: Bool = false,
        failures before: Int = 0
    ) throws {
        var keys: Set<InboxKey> = []
        let firsts = areRepeats ? received : try prepare(received.filter { keys.insert($0.key).inserted })
        var (failures, timesStale) = (before, 0)
        while true {
            let begun = Effort()
            let settled = outboxPublisher.takeSettled()
            do {
                try transact(firsts, keepingBecause: deadLetterReason, settling: settled)
                batchWatch.over(logger)
                break
            } catch {
                outboxPublisher.putBack(settled)
                if error is UndecidedRepeats { return try divide(firsts, areRepeats: true, before) }
                let fault = fault(error, since: begun)
                if fault == .stale, timesStale < 2 {
                    timesStale += 1
                    store?.recover(from: fault)
                    continue
                }
                guard fault.suspects else {
                    failures = 0
                    try wait(fault, error)
                    continue
                }
                // It may be what became of earlier rows that cannot be written.
                if !settled.isEmpty {
                    try settleLetters()
                    continue
                }
                guard try officeWorks(like: firsts.first.map { .inbound($0) } ?? .reports([])) else {
                    failures = 0
                    continue
                }
                try hearCommands()
                failures += 1
                if firsts.count > 1 {
                    logger.log(.batchFailed(messages: firsts.count, error))
                    try divide(firsts, areRepeats: areRepeats, failures)
                    break
                }
                if let inbound = firsts.first, failures >= fault.failuresNeeded {
                    try giveUp(inbound, fault, error, notKept: deadLetterReason)
                    break
                }
            }
        }
        // The same act again in one batch meets the first's verdict, however often it came.
        if firsts.count < received.count {
            var seen: Set<InboxKey> = []
            try process(received.filter { !seen.insert($0.key).inserted }, areRepeats: true)
        }
    }

    /// Finds the one message that its neighbours must not suffer for.
    private func divide(_ received: [InboundMessage], areRepeats: Bool, _ failures: Int) throws {
        for part in received.parted() { try process(part, areRepeats: areRepeats, failures: failures) }
    }

    /// - Parameter notKept: the dead letter that failed, if one did: it is made again without a word of the message's
    ///   own.
    private func giveUp(
        _ inbound: InboundMessage, _ fault: Fault, _ error: any Error, notKept: DeadLetterReason?
    ) throws {
        let cause = Fault.words(error)
        if let notKept {
            let bare = inbound.bare(notKept.problem)
            // Even bare it is refused: that is no message's doing, whatever the office's own work shows.
            if bare.key == inbound.key { try wait(.installation, error) }
            return try process([bare], keepingBecause: notKept)
        }
        logger.log(.messageSetAside(from: inbound.queue, error))
        let deadLetterReason =
            fault == .costly
            ? DeadLetterReason(
                .tooCostly, text: "the database stopped the work on this message each time", detail: cause)
            : DeadLetterReason(.cannotBeHandled, text: "the office could not handle this message", detail: cause)
        try process([inbound], keepingBecause: deadLetterReason)
    }

    // MARK: Messages that stop the worker

    /// A message that keeps coming back may be what stops the worker: it is taken alone, and each attempt is noted
    /// immediately before it is made. Of one that was at hand when a worker stopped, the worker first lives through
    /// work of the office's own, so that whoever stops workers from outside strikes that as well.
    func processAlone(_ inbound: InboundMessage, isNoted: Bool) throws {
        guard let store else { return }
        if isNoted { try retrying { try store.tryOut(like: .inbound(inbound)) } }
        let attempts = try retrying { try store.noteAttempt(inbound) }
        do {
            if attempts > LaneSettings.attemptsMax {
                try process(
                    [inbound],
                    keepingBecause: DeadLetterReason(
                        .stopsTheWorker, text: "the worker stopped each time it read this message"))
            } else {
                try process([inbound])
            }
        } catch {
            // Whatever took the message away again, the worker lives: it is not what this message stops.
            try? store.forgetAttempt(inbound)
            throw error
        }
        try retrying { try store.forgetAttempt(inbound) }
        try consumer?.serve()
        try outboxPublisher.serve()
    }

    /// Of messages that came back more than once, those that were being tried when a worker stopped.
    func attempted(among received: [InboundMessage]) throws -> Set<InboxKey> {
        let suspects = received.filter { $0.arrival.deliveryCount >= LaneSettings.suspiciousDeliveryCount }
        guard let store, !suspects.isEmpty else { return [] }
        return try retrying { try store.withAttempts(suspects) }
    }

    // MARK: What became of earlier rows

    var knownEventIDs: Set<UUID> { outboxPublisher.eventIDs.union(unwritten.all.map(\.eventID)) }

    /// Writes what became of earlier rows, apart from any message. A row of which it cannot be written waits.
    func settleLetters() throws {
        var work = [(settled: outboxPublisher.takeSettled(), failures: 0)]
        defer { for rest in work { outboxPublisher.putBack(rest.settled) } }
        while let (settled, failures) = work.first {
            let begun = Effort()
            do {
                if !settled.isEmpty { try transact([], settling: settled) }
                batchWatch.over(logger)
                work.removeFirst()
            } catch {
                let fault = fault(error, since: begun)
                guard fault.suspects else {
                    try wait(fault, error)
                    continue
                }
                guard try officeWorks(like: .reports(settled.all.flatMap(\.reports))) else { continue }
                work.removeFirst()
                if settled.count > 1 {
                    work.insert(contentsOf: settled.parted().map { ($0, failures + 1) }, at: 0)
                } else if failures + 1 < fault.failuresNeeded {
                    work.insert((settled, failures + 1), at: 0)
                } else {
                    logger.log(.outboxRowNotSettled(error))
                    unwritten.add(settled)
                    writtenAgainAt = .now + .seconds(LaneSettings.asideSeconds)
                }
            }
        }
    }

    /// After a while it is tried again.
    func writeAgain() {
        guard !unwritten.isEmpty, ContinuousClock.now >= writtenAgainAt else { return }
        outboxPublisher.putBack(unwritten)
        unwritten = .init()
    }

    // MARK: Sweeps

    /// Does what no message brings. One case that cannot be worked on is left alone for a while, and stops no other;
    /// what is no case's doing is tried again at a later turn, so that messages do not wait for it.
    func runSweep() throws {
        guard let store, ContinuousClock.now >= nextSweep else { return }
        hadSweep = false
        aside = aside.filter { $0.value > .now }
        do {
            try store.ensureOpen()
            let sweep = try store.sweep(listening: listening, except: Array(aside.keys))
            if let sweep { try carry(sweep, store) }
            hadSweep = sweep?.hasMore == true && store.reportsOfSweep > 0
            nextSweep = hadSweep ? .now : .now + .seconds(desk.sweepIntervalSeconds)
            sweepWatch.over(logger)
        } catch {
            let fault = fault(error, since: Effort())
            guard fault != .lane else { throw error }
            nextSweep = .now + .seconds(sweepWatch.met(fault, error, logger))
            store.recover(from: fault)
        }
    }

    private func carry(_ sweep: Sweep, _ store: LaneStore) throws {
        var work = [(reports: sweep.reports, failures: 0)]
        while let (reports, failures) = work.first {
            work.removeFirst()
            let begun = Effort()
            do {
                try transact([], settling: .init(), sweep: sweep.limited(to: reports))
            } catch {
                let fault = fault(error, since: begun)
                guard fault.suspects else { throw error }
                try store.tryOut(like: .reports(reports))
                if reports.count > 1 {
                    work.insert(contentsOf: reports.parted().map { ($0, failures + 1) }, at: 0)
                } else if failures + 1 < fault.failuresNeeded {
                    work.insert((reports, failures + 1), at: 0)
                } else if let report = reports.first {
                    logger.log(.caseSetAside("\(report)", error))
                    aside[report] = .now + .seconds(LaneSettings.asideSeconds)
                }
            }
            try consumer?.serve()
            try outboxPublisher.serve()
        }
    }

    // MARK: Waiting

    private func fault(_ error: any Error, since begun: Effort) -> Fault {
        let now = Effort()
        return Fault(
            error, after: (now.at - begun.at).inSeconds, busySeconds: now.busySeconds - begun.busySeconds,
            statementSeconds: Double(settings.database.statementTimeoutMilliseconds) / 1000)
    }

    /// Whether the office's own work can be done; where it cannot, the lane has waited.
    private func officeWorks(like model: LaneStore.Model) throws -> Bool {
        let begun = Effort()
        do {
            try store?.tryOut(like: model)
            try consumer?.serve()
            try outboxPublisher.serve()
            return true
        } catch {
            try wait(fault(error, since: begun), error)
            return false
        }
    }

    /// Waits for the database, deliveries kept, heartbeats served.
    private func wait(_ fault: Fault, _ error: any Error) throws {
        guard fault != .lane else { throw error }
        guard !stop.isStopped else { throw LaneFault(reason: "asked to stop while a fault lasted") }
        let end = ContinuousClock.now + .seconds(batchWatch.met(fault, error, logger))
        repeat {
            try consumer?.serve(for: max(0, (end - ContinuousClock.now).inSeconds))
        } while ContinuousClock.now < end && !stop.isStopped
        try heedBroker()
        try outboxPublisher.serve()
        store?.recover(from: fault)
    }

    func retrying<T>(_ work: () throws -> T) throws -> T {
        while true {
            let begun = Effort()
            do {
                try store?.ensureOpen()
                let value = try work()
                batchWatch.over(logger)
                return value
            } catch {
                try wait(fault(error, since: begun), error)
            }
        }
    }

    /// Work that is as well done at a later turn: what stands in its way is told and does not hold up the lane.
    func attempt(watchedBy watch: ReferenceWritableKeyPath<Lane, FaultWatch>, _ work: () throws -> Void) throws {
        let begun = Effort()
        do {
            try store?.ensureOpen()
            try work()
            self[keyPath: watch].over(logger)
        } catch {
            let fault = fault(error, since: begun)
            guard fault != .lane else { throw error }
            _ = self[keyPath: watch].met(fault, error, logger)
            store?.recover(from: fault)
        }
    }
}

extension Array {
    /// In at most eight parts of like size, in order: few steps to find one among many, when each step may run into a
    /// time-out.
    fileprivate func parted() -> [[Element]] {
        let size = Swift.max(1, (count + 7) / 8)
        return stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}

extension OutboxPublisher.Settled {
    fileprivate var count: Int { all.count }

    fileprivate func parted() -> [Self] {
        confirmed.parted().map { Self(confirmed: $0) } + unroutable.parted().map { Self(unroutable: $0) }
            + withdrawn.parted().map { Self(withdrawn: $0) }
    }

    fileprivate mutating func add(_ other: Self) {
        confirmed += other.confirmed
        unroutable += other.unroutable
        withdrawn += other.withdrawn
    }
}

/// When something began, and how long this thread had computed until then.
private struct Effort {
    let at = ContinuousClock.now
    let busySeconds: Double

    init() {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        busySeconds = Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
