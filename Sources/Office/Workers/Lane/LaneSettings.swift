public import AMQP
public import Basics
public import CaseStore
import Casework
public import Contract
public import PostgreSQL

/// What a worker needs to run; the same for all its lanes.
public struct LaneSettings: Sendable {
    /// Host, port, virtual host; user and password of this worker.
    public var broker: AMQP.ConnectionSettings
    public var database: PostgreSQL.ConnectionSettings
    public var clock: BusinessClock
    public var vault: Vault
    public var digestKey: DigestKey
    /// For superiors without a key of their own.
    public var sealedMailKey: SealingKey
    /// Messages decided in one transaction, at most.
    public var batchSizeMax = 200
    /// Wall seconds after which the rows of a lane that shows no life any more are sent by others. It renews every
    /// quarter of that.
    public var leaseSeconds = 20.0
    /// A batch is closed once its bodies have so many bytes together; no more are read ahead of it, and no more
    /// contents are loaded for it.
    public var batchBytesMax = 4 << 20
    /// Bytes of held messages tried in one transaction.
    public var deferredBytesMax = 2 << 20
    /// What a message may hold, and what one party may keep waiting.
    public var limits = Limits.standard
    /// Threads of one process.
    public var lanes = 2
    /// Wall seconds that a message ahead of its state is kept before it is refused.
    public var earlyMessageHoldSeconds = 60.0
    /// For tests of what happens when a message stops the worker: a message with this id does.
    public var trapMessageID: String?
    /// For tests of what happens when a lane is cut off: called at each point of carrying a batch; what it throws ends
    /// the batch.
    public var interrupt: (@Sendable (LanePoint) throws -> Void)?

    public init(
        broker: AMQP.ConnectionSettings, database: PostgreSQL.ConnectionSettings, clock: BusinessClock,
        vault: Vault, digestKey: DigestKey, sealedMailKey: SealingKey
    ) {
        self.broker = broker
        self.database = database
        self.clock = clock
        self.vault = vault
        self.digestKey = digestKey
        self.sealedMailKey = sealedMailKey
    }

    /// No batch is taken, and confirms are not waited for, longer than this.
    static let confirmTimeoutSeconds = 2.0
    /// A message delivered this often is taken alone.
    static let suspiciousDeliveryCount = 2
    /// Held messages given up in one transaction.
    static let givenUpMax = 100
    /// How long what failed for itself is left aside, when no message brought it.
    static let asideSeconds = 60.0
    /// Attempts at a message taken alone, before it is a dead letter.
    static let attemptsMax = 3
    /// How long an idle lane sleeps; deliveries wake it at once.
    static let idleSeconds = 0.25
    static let relayIntervalSeconds = 1.0
    /// A row that has waited for longer goes through the barrier again before it is sent.
    static let admittedSeconds = 1.0
    /// Rows of the outbox that are read back at once; `batchBytesMax` bounds their bytes.
    static let relayedRowsMax = 500
    /// Parked queues that are tried at once, each over a connection of its own.
    static let trialsMax = 8
    /// How often it is looked for what is no longer kept.
    static let janitorIntervalSeconds = 10.0
    /// Of a message by which a lane learns how far it has heard a queue; no part of the contract.
    static let markerType = "bihuan.marker"
    static let directoryIntervalSeconds = 5.0
    /// How long a lane goes by the policy that it knows.
    static let policyIntervalSeconds = 3.0
    static let drainSeconds = 3.0
    /// How long a lane that ends waits for deliveries that were under way.
    static let underWaySeconds = 0.1
}

/// The points between which a batch can be cut off.
public enum LanePoint: String, CaseIterable, Sendable {
    /// Everything is written, nothing of it stands.
    case beforeCommit
    /// The effect stands; the lane has not learned it, and nothing is sent.
    case afterCommit
    /// The broker has what was sent; the batch is not acknowledged.
    case afterPublish
}
