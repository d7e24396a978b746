/// The definition of a metric. `docs/metrics.md` has the same list; a test compares the two.
///
/// Names follow the conventions of Prometheus: base units, `_total` for counters. Labels hold words of this program
/// and ids of the office's parties only, so their number is bounded.
public struct Metric: Sendable {
    public enum Kind: Hashable, Sendable {
        case counter, gauge
        /// - Parameter buckets: upper bounds, ascending; `+Inf` follows by itself.
        case histogram(buckets: [Double])

        /// The word of the text format.
        public var word: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    public let name: String
    public let kind: Kind
    public let labels: [String]
    public let help: String

    private init(_ name: String, _ kind: Kind, _ help: String) { self.init(name, kind, [], help) }

    private init(_ name: String, _ kind: Kind, _ labels: [String], _ help: String) {
        self.name = name
        self.kind = kind
        self.labels = labels
        self.help = help
    }
}

// MARK: Of one process

extension Metric {
    private static let messages: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]
    private static let seconds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]

    public static let buildInfo = Metric("bihuan_build_info", .gauge, ["version", "worker"], "Always 1.")
    public static let startTime = Metric(
        "process_start_time_seconds", .gauge, "When the process started, in seconds since 1970.")
    public static let cpuSeconds = Metric(
        "process_cpu_seconds_total", .counter, "CPU time of the process, in seconds.")
    public static let residentBytes = Metric(
        "process_resident_memory_bytes", .gauge, "Memory of the process, in bytes.")
    public static let openFiles = Metric("process_open_fds", .gauge, "Open file descriptors of the process.")

    public static let received = Metric(
        "bihuan_messages_received_total", .counter, ["worker", "type"],
        "Messages taken from a queue. Type `unreadable` is a message whose type cannot be read.")
    public static let decided = Metric(
        "bihuan_messages_decided_total", .counter, ["worker", "type", "outcome"],
        """
        Messages whose outcome was committed: `taken`, `refused`, `held` (deferred), `dead`, `repeated`. A type that \
        the contract does not have is `unknown`.
        """)
    public static let published = Metric(
        "bihuan_messages_published_total", .counter, ["worker", "type", "outcome"],
        "Messages sent, by the broker's answer: `confirmed`, `returned` (there is no such queue), `nacked`.")
    public static let withdrawn = Metric(
        "bihuan_messages_withdrawn_total", .counter, ["worker"],
        "Messages that were not sent, because the barrier excluded the addressee meanwhile.")
    public static let batch = Metric(
        "bihuan_batch_messages", .histogram(buckets: messages), ["worker"], "Messages decided in one transaction.")
    public static let stage = Metric(
        "bihuan_stage_seconds", .histogram(buckets: seconds), ["worker", "stage"],
        """
        Time of a batch: `received_to_committed`, from the first message in hand to the end of the transaction; \
        `committed_to_confirmed`, from there to the broker's confirm of a message.
        """)
    public static let transactionFailures = Metric(
        "bihuan_transaction_failures_total", .counter, ["worker", "kind"],
        "Transactions that failed and were tried again: `away`, `installation`, `message`.")
    public static let reconnects = Metric(
        "bihuan_reconnects_total", .counter, ["worker", "server"],
        "Connections made anew after one was lost: to the `broker` or the `database`.")
    public static let blocked = Metric(
        "bihuan_broker_blocked_seconds_total", .counter, ["worker"],
        "Time for which a lane took no messages because the broker did not take or confirm what it sent.")
    public static let lanes = Metric(
        "bihuan_lanes", .gauge, ["worker", "state"],
        "Lanes of the process by what they do: `starting`, `listening`, or `waiting_` with what for.")
    public static let ladderSteps = Metric(
        "bihuan_ladder_steps_total", .counter, ["worker", "step"], "Reminders, warnings and escalations sent.")
    public static let takenAt = Metric(
        "bihuan_queue_taken_timestamp_seconds", .gauge, ["queue"],
        """
        When this process last took a message from the queue of a party, in seconds since 1970. The age of the last \
        message taken is the time since the highest of all processes.
        """)
    public static let queuesHeld = Metric(
        "bihuan_queues_held", .gauge, ["worker"], "Queues of parties that this process reads.")

    /// What every worker process shows of itself.
    public static let ofProcess: [Metric] = [
        buildInfo, startTime, cpuSeconds, residentBytes, openFiles, received, decided, published, withdrawn, batch,
        stage, transactionFailures, reconnects, blocked, lanes, ladderSteps, takenAt, queuesHeld,
    ]
}

// MARK: Of the office

extension Metric {
    public static let sampledAt = Metric(
        "bihuan_sample_timestamp_seconds", .gauge, ["part"],
        "When this process last read the `database` or the `queues` of the office, in seconds since 1970.")
    public static let sampleSeconds = Metric(
        "bihuan_sample_seconds", .gauge, ["part"], "How long that took.")
    public static let queueUp = Metric(
        "bihuan_queue_up", .gauge, ["queue", "kind"],
        "1 if the queue can be used; 0 if it is missing, or has no leader.")
    public static let queueMessages = Metric(
        "bihuan_queue_messages", .gauge, ["queue", "kind"],
        "Ready messages. Not shown for a queue that is down, nor for an empty one that lacks its consumer.")
    public static let queueConsumers = Metric("bihuan_queue_consumers", .gauge, ["queue", "kind"], "Consumers.")
    public static let queueConsumersWanted = Metric(
        "bihuan_queue_consumers_wanted", .gauge, ["queue", "kind"], "1 for a queue that a worker of the office reads.")
    public static let queuePublishRate = Metric(
        "bihuan_queue_publish_rate", .gauge, ["queue", "kind"],
        "Messages a second into the queue, if the management interface is configured.")
    public static let queueDeliverRate = Metric(
        "bihuan_queue_deliver_rate", .gauge, ["queue", "kind"],
        "Messages a second out of the queue, if the management interface is configured.")
    public static let reports = Metric("bihuan_reports", .gauge, ["state"], "Reports by state.")
    public static let handoffs = Metric("bihuan_handoffs", .gauge, ["state"], "Handoffs by state.")
    public static let unsigned = Metric(
        "bihuan_handoffs_unsigned", .gauge, ["unit"], "Handoffs that were released and that the unit has not signed.")
    public static let unsignedAge = Metric(
        "bihuan_handoff_unsigned_age_seconds", .gauge, ["unit"], "The age of the oldest of these, in business time.")
    public static let overdue = Metric(
        "bihuan_clocks_overdue", .gauge, ["subject"],
        "Running clocks past their due date: `handoff`, `duty` or `approval`.")
    public static let clocksSetAside = Metric(
        "bihuan_clocks_set_aside", .gauge, "Clocks that the deadline worker set aside after a fault.")
    public static let sweepAge = Metric(
        "bihuan_clock_step_due_age_seconds", .gauge,
        "For how long the oldest due step of a clock has waited for the deadline worker; 0 if none is due.")
    public static let nextDue = Metric(
        "bihuan_clock_next_step_timestamp_seconds", .gauge,
        "When the next step of a clock is due, in business time, in seconds since 1970.")
    public static let clocks = Metric("bihuan_clocks_running", .gauge, "Running clocks.")
    public static let outbox = Metric(
        "bihuan_outbox_messages", .gauge, "Messages written and not confirmed by the broker yet.")
    public static let outboxAge = Metric("bihuan_outbox_age_seconds", .gauge, "The age of the oldest of these.")
    public static let deferred = Metric(
        "bihuan_deferred_messages", .gauge, "Messages that are ahead of their state, and wait.")
    public static let deferredAge = Metric("bihuan_deferred_age_seconds", .gauge, "The age of the oldest of these.")
    public static let deadLetters = Metric(
        "bihuan_dead_letters", .gauge, ["reason"], "Open dead letters, by reason.")
    public static let deadLetterAge = Metric(
        "bihuan_dead_letter_age_seconds", .gauge, "The age of the oldest open dead letter.")
    public static let unseenNotices = Metric(
        "bihuan_person_notices_unseen", .gauge, "Notices to persons that nobody has seen.")
    public static let changesUnread = Metric(
        "bihuan_change_log_unread", .gauge, ["reader"], "Transactions of the ledger that a reader has not read.")
    public static let changesHeld = Metric(
        "bihuan_change_log_held", .gauge, ["reader", "holder"],
        "Those of them that an older open transaction of this program holds back.")
    public static let checkpointAge = Metric(
        "bihuan_ledger_checkpoint_age_seconds", .gauge,
        "The time since the last checkpoint while the ledger has entries that none covers; else 0.")
    public static let laneLeases = Metric(
        "bihuan_lane_leases", .gauge, ["worker"], "Lanes whose lease runs, in all processes.")
    public static let queuesUnleased = Metric(
        "bihuan_queues_unleased", .gauge, ["worker"], "Queues of parties that no lane holds.")

    /// What one process samples of the whole office.
    public static let ofOffice: [Metric] = [
        sampledAt, sampleSeconds, queueUp, queueMessages, queueConsumers, queueConsumersWanted, queuePublishRate,
        queueDeliverRate, reports, handoffs, unsigned, unsignedAge, overdue, clocksSetAside, sweepAge, nextDue, clocks,
        outbox, outboxAge, deferred, deferredAge, deadLetters, deadLetterAge, unseenNotices, changesUnread,
        changesHeld, checkpointAge, laneLeases, queuesUnleased,
    ]

    public static let all = ofProcess + ofOffice
}
