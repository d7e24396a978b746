public import AMQP
public import Basics
public import CaseStore
import Casework
public import Contract
public import PostgreSQL

/// The settings of a worker; the same for all its lanes.
public struct LaneSettings: Sendable {
    /// Host, port and virtual host; user and password of this worker.
    public var broker: AMQP.ConnectionSettings
    public var database: PostgreSQL.ConnectionSettings
    /// The logins that replace both; without it they stay as they are.
    public var logins: Logins?
    public var clock: BusinessClock
    public var vault: Vault
    /// At least the keys that the worker needs (`Worker.boxes`); a lane uses no other.
    public var boxes: BoxKeys
    public var digestKey: DigestKey
    /// The sealing key for superiors without their own key.
    public var sealedMailKey: SealingKey
    /// The maximum number of messages decided in one transaction.
    public var batchSizeMax = 200
    /// Seconds of wall time after which the rows of a dead lane are sent by others. A lane renews its lease every
    /// quarter of this time.
    public var leaseSeconds = 20.0
    /// A batch is closed once its bodies have this many bytes together. It is also the limit of bytes that are
    /// read ahead, and of contents that are loaded for a batch.
    public var batchBytesMax = 4 << 20
    /// The maximum bytes of deferred messages tried in one transaction.
    public var deferredBytesMax = 2 << 20
    /// The limits of a message, and of what one party may have waiting.
    public var limits = Limits.standard
    /// The number of lanes, and so of threads, of one process.
    public var lanes = 2
    /// Seconds of wall time that a message stays deferred before it is refused.
    public var earlyMessageHoldSeconds = 60.0
    /// For tests: a message with this id stops the worker.
    public var trapMessageID: String?
    /// For tests of an interrupted lane: called at each `LanePoint` of a batch; if it throws, the batch ends.
    public var interrupt: (@Sendable (LanePoint) throws -> Void)?

    public init(
        broker: AMQP.ConnectionSettings, database: PostgreSQL.ConnectionSettings, clock: BusinessClock,
        vault: Vault, boxes: BoxKeys, digestKey: DigestKey, sealedMailKey: SealingKey
    ) {
        self.broker = broker
        self.database = database
        self.clock = clock
        self.vault = vault
        self.boxes = boxes
        self.digestKey = digestKey
        self.sealedMailKey = sealedMailKey
    }

    var brokerNow: AMQP.ConnectionSettings { logins?.broker ?? broker }
    var databaseNow: PostgreSQL.ConnectionSettings { logins?.database ?? database }

    /// How long the lane waits for confirms. While a confirm is overdue by this, it takes no new batch.
    static let confirmTimeoutSeconds = 2.0
    /// How often a server may refuse the user before a process that has just started ends.
    static let refusalsMax = 3
    /// The fewest messages that each queue of a party may have unacknowledged.
    static let prefetchMin = 8
    /// How often a lane compares its queues of parties with its share.
    static let shareIntervalSeconds = 1.0
    /// The same while it has less than its share: nobody reads a queue that another lane has just given up.
    static let shareIntervalWhileLackingSeconds = 0.1
    /// How long a queue that does not exist is left out.
    static let missingSeconds = 10.0
    /// A message with at least this delivery count is processed alone.
    static let suspiciousDeliveryCount = 2
    /// The maximum number of deferred messages refused in one transaction.
    static let givenUpMax = 100
    /// How long a case whose sweep failed, or a row whose outcome cannot be written, is left out.
    static let asideSeconds = 60.0
    /// Attempts at a message that is processed alone, before it becomes a dead letter.
    static let attemptsMax = 3
    /// How long an idle lane sleeps; a delivery wakes it at once.
    static let idleSeconds = 0.25
    /// The longest time that a busy lane lets messages gather.
    static let gatherSecondsMax = 0.02
    static let relayIntervalSeconds = 1.0
    /// A row that has waited longer than this goes through the barrier again before it is sent.
    static let admittedSeconds = 1.0
    /// The maximum number of outbox rows read back at once; `batchBytesMax` limits their bytes.
    static let relayedRowsMax = 500
    /// The maximum number of parked queues tried at once, each over its own connection.
    static let trialsMax = 8
    /// How often a lane looks for data that is no longer kept.
    static let janitorIntervalSeconds = 10.0
    /// The type of a marker, by which a lane learns how far it has read a queue (see `Listening`). Not part of the
    /// contract.
    static let markerType = "bihuan.marker"
    static let directoryIntervalSeconds = 5.0
    /// How often a lane checks which policy is active.
    static let policyIntervalSeconds = 3.0
    static let drainSeconds = 3.0
    /// How long a lane that ends waits for deliveries that are on their way.
    static let underWaySeconds = 0.1
}

/// The points at which a test can interrupt a batch.
public enum LanePoint: String, CaseIterable, Sendable {
    /// Everything is written, nothing is committed.
    case beforeCommit
    /// The transaction is committed, but the lane has not learned it; nothing is sent.
    case afterCommit
    /// The messages are published; the batch is not acknowledged.
    case afterPublish
}
