import AMQP
import Basics
import CaseStore
import Casework
import Foundation
import Logging
import Observability
import PostgreSQL

/// The handling of failed transactions.
///
/// If no message can be the cause, the lane waits, and keeps its deliveries and connections. A message is blamed
/// only on evidence: it failed several times, and each time a trial with an invented report succeeded
/// (`LaneStore.tryOut`). The batch is divided until one message is left; that message becomes a dead letter in its
/// own transaction, and the others go on.
extension Lane {
    /// Processes messages in a transaction, which is tried until it succeeds.
    /// - Parameters:
    ///   - areRepeats: whether all are repeats of acts that were decided; the same act may be there more than once.
    ///   - before: how often these messages failed together with others while the trial succeeded.
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
                isOver()
                break
            } catch {
                outboxPublisher.putBack(settled)
                if error is UndecidedRepeats { return try divide(firsts, areRepeats: true, before) }
                let fault = fault(error, since: begun)
                if fault.suspects { metrics.failed(.message) }
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
                // The cause may be the outcomes of outbox rows: they are written separately.
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
        // Repeats of an act in the same batch get the verdict of the first.
        if firsts.count < received.count {
            var seen: Set<InboxKey> = []
            try process(received.filter { !seen.insert($0.key).inserted }, areRepeats: true)
        }
    }

    /// Processes the messages in smaller parts, to find the one that fails.
    private func divide(_ received: [InboundMessage], areRepeats: Bool, _ failures: Int) throws {
        for part in received.parted() { try process(part, areRepeats: areRepeats, failures: failures) }
    }

    /// Keeps a message as a dead letter.
    /// - Parameter notKept: the reason of a dead letter that could not be written, if there was one: it is then
    ///   written without any text of the message.
    private func giveUp(
        _ inbound: InboundMessage, _ fault: Fault, _ error: any Error, notKept: DeadLetterReason?
    ) throws {
        let cause = Fault.words(error)
        if let notKept {
            let bare = inbound.bare(notKept.problem)
            // It cannot be written even without text of the message: the installation is at fault, whatever the
            // trial shows.
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

    /// Processes one message that was delivered several times and so may be what stops the worker. Each attempt is
    /// recorded immediately before it is made.
    /// - Parameter isNoted: whether the message was being tried when a worker stopped. Then a trial with an
    ///   invented report comes first: if workers are stopped from outside, that trial is hit as well.
    func processAlone(_ inbound: InboundMessage, isNoted: Bool) throws {
        guard let store else { throw LaneFault.noStore }
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
            // The worker still runs, whatever the error is: this message did not stop it.
            try? store.forgetAttempt(inbound)
            throw error
        }
        try retrying { try store.forgetAttempt(inbound) }
        try consumer?.serve()
        try outboxPublisher.serve()
    }

    /// The messages among these that were delivered several times and were being tried when a worker stopped.
    func attempted(among received: [InboundMessage]) throws -> Set<InboxKey> {
        let suspects = received.filter { $0.arrival.deliveryCount >= LaneSettings.suspiciousDeliveryCount }
        guard let store, !suspects.isEmpty else { return [] }
        return try retrying { try store.withAttempts(suspects) }
    }

    // MARK: Outcomes of outbox rows

    var knownEventIDs: Set<UUID> { outboxPublisher.eventIDs.union(unwritten.all.map(\.eventID)) }

    /// Writes the outcomes of outbox rows in a separate transaction, without messages. A row whose outcome cannot
    /// be written is tried again after `LaneSettings.asideSeconds`.
    func settleLetters() throws {
        var work = [(settled: outboxPublisher.takeSettled(), failures: 0)]
        defer { for rest in work { outboxPublisher.putBack(rest.settled) } }
        while let (settled, failures) = work.first {
            let begun = Effort()
            do {
                if !settled.isEmpty { try transact([], settling: settled) }
                isOver()
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

    /// Takes up the outcomes that could not be written, when it is time to try them again.
    func writeAgain() {
        guard !unwritten.isEmpty, ContinuousClock.now >= writtenAgainAt else { return }
        outboxPublisher.putBack(unwritten)
        unwritten = .init()
    }

    // MARK: Sweeps

    /// Does the desk's sweep, if it is due. An item that fails is left out for a while and stops no other.
    /// If no item is the cause, the sweep is tried again at a later turn, so that messages do not wait for it.
    func runSweep() throws {
        guard let store, ContinuousClock.now >= nextSweep else { return }
        hadSweep = false
        aside = aside.filter { $0.value > .now }
        do {
            try store.ensureOpen()
            let sweep = try store.sweep(listening: listening, except: Array(aside.keys))
            if let sweep { try carry(sweep, store) }
            hadSweep = sweep?.hasMore == true && store.subjectsOfSweep > 0
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
        var work = [(items: sweep.items, failures: 0)]
        while let (items, failures) = work.first {
            work.removeFirst()
            let begun = Effort()
            do {
                try transact([], settling: .init(), sweep: sweep.limited(to: items))
            } catch {
                let fault = fault(error, since: begun)
                guard fault.suspects else { throw error }
                try store.tryOut(like: .reports(items.compactMap(\.subject.reportID)))
                if items.count > 1 {
                    work.insert(contentsOf: items.parted().map { ($0, failures + 1) }, at: 0)
                } else if failures + 1 < fault.failuresNeeded {
                    work.insert((items, failures + 1), at: 0)
                } else if let item = items.first {
                    logger.log(.caseSetAside("\(item.id)", error))
                    aside[item] = .now + .seconds(LaneSettings.asideSeconds)
                    try giveUp(sweep.givingUp(item))
                }
            }
            try consumer?.serve()
            try outboxPublisher.serve()
        }
    }

    /// Notes in the database that an item failed for good. If that fails too, the lane leaves the item out for a while
    /// all the same.
    private func giveUp(_ sweep: Sweep?) throws {
        guard let sweep else { return }
        let begun = Effort()
        do {
            try transact([], settling: .init(), sweep: sweep)
        } catch {
            guard fault(error, since: begun).suspects else { throw error }
        }
    }

    // MARK: Waiting

    /// The database does the work again, if it did not before.
    private func isOver() {
        guard batchWatch.isOn else { return }
        batchWatch.over(logger)
        sign.isOver([.database, .installation])
    }

    private func fault(_ error: any Error, since begun: Effort) -> Fault {
        let now = Effort()
        return Fault(
            error, after: (now.at - begun.at).inSeconds, busySeconds: now.busySeconds - begun.busySeconds,
            statementSeconds: Double(settings.database.statementTimeoutMilliseconds) / 1000)
    }

    /// Whether the trial with an invented report succeeds. If it does not, the lane waits before it returns `false`.
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

    /// Waits before the next attempt. Deliveries are kept and heartbeats served.
    /// - Throws: the error itself if it is a fault of the lane.
    private func wait(_ fault: Fault, _ error: any Error) throws {
        guard fault != .lane else { throw error }
        guard !stop.isStopped else { throw LaneFault(reason: "asked to stop while a fault lasted") }
        sign.waits(for: fault.wait, Fault.words(error))
        metrics.failed(fault.failureKind)
        let end = ContinuousClock.now + .seconds(batchWatch.met(fault, error, logger))
        repeat {
            sign.alive()
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
                isOver()
                return value
            } catch {
                try wait(fault(error, since: begun), error)
            }
        }
    }

    /// Does work that can also be done at a later turn. A fault is logged and does not hold up the lane.
    func attempt(watchedBy watch: ReferenceWritableKeyPath<Lane, FaultWatch>, _ work: () throws -> Void) throws {
        let begun = Effort()
        do {
            try store?.ensureOpen()
            try work()
            self[keyPath: watch].over(logger)
        } catch {
            let fault = fault(error, since: begun)
            guard fault != .lane else { throw error }
            metrics.failed(fault.failureKind)
            _ = self[keyPath: watch].met(fault, error, logger)
            store?.recover(from: fault)
        }
    }
}

extension LaneFault {
    /// Without a database nothing is committed, so nothing may be acknowledged.
    static let noStore = LaneFault(reason: "there is no connection to the database yet")
}

extension Array {
    /// At most eight parts of equal size, in order. One element among many is found in few steps, which matters
    /// because each step may run into a time-out.
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

/// A moment, with the CPU time that this thread has used until then.
private struct Effort {
    let at = ContinuousClock.now
    let busySeconds = CPUTime.ofThread
}
