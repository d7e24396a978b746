import BrokerTopology
import Contract

/// One key of bihuan.yaml, as listed in docs/configuration.md. Any other key is reported as a mistake.
struct ConfigurationKey: Sendable {
    enum Kind: String, Sendable {
        case text, number, seconds, path, time, base64
        case wholeNumber = "whole number"
    }

    let name: String
    let kind: Kind
    /// Whether nothing starts without it.
    let isRequired: Bool
    let `default`: String?
    let isSecret: Bool
    let meaning: String

    private init(
        _ name: String, _ kind: Kind, required: Bool = false, default: String? = nil, secret: Bool = false,
        _ meaning: String
    ) {
        self.name = name
        self.kind = kind
        isRequired = required
        self.default = `default`
        isSecret = secret
        self.meaning = meaning
    }

    /// The environment variable that overrides the key: `BIHUAN_DATABASE_OWNER_URL` for `database.ownerUrl`.
    var environmentVariable: String { Self.environmentVariable(of: name) }

    static func environmentVariable(of name: String) -> String {
        var variable = "BIHUAN_"
        var before: Character = "_"
        for character in name {
            if character.isUppercase, before.isLowercase { variable += "_" }
            variable += character.isLetter || character.isNumber ? character.uppercased() : "_"
            before = character
        }
        return variable
    }

    /// Whether a key's value is a password or a URL that may contain one.
    static func isSecret(_ name: String) -> Bool {
        name.hasPrefix("users.") || all.contains { $0.isSecret && $0.name == name }
    }

    static let officeName = ConfigurationKey("office.name", .text, default: "Bihuan", "What the office is called.")
    static let amqpURL = ConfigurationKey(
        "amqp.url", .text, default: "amqp://127.0.0.1/bihuan",
        """
        The broker's hosts and the office's virtual host; `amqps` for TLS. With several hosts the first that \
        answers is used.
        """
    )
    static let inboundBytesMax = ConfigurationKey(
        "amqp.inboundBytesMax", .wholeNumber, default: "\(Topology.inboundBytesMax)",
        """
        The most unread bytes in the queue of what one unit or source sends: the broker refuses more. 1048576 (four of \
        the longest messages) to 1099511627776; takes effect with `topology apply`.
        """)
    static let databaseURL = ConfigurationKey(
        "database.url", .text, required: true, secret: true,
        "A libpq URL of the worker role; with several hosts the first that answers and accepts writes is used.")
    static let databaseOwnerURL = ConfigurationKey(
        "database.ownerUrl", .text, secret: true,
        "A libpq URL of the owner role; needed by `migrate`, `policy activate` and `ledger checkpoint` only.")
    static let vaultPublicKey = ConfigurationKey(
        "vault.publicKey", .base64, required: true,
        "The X25519 key to which the originals of reports are sealed. Its private half is kept elsewhere.")
    static let keysDirectory = ConfigurationKey(
        "keys.directory", .path, default: "keys",
        """
        The folder with the keys of boxes, each 64 hexadecimal digits: `attachments.key`, `dead-letters.key`, \
        `deferred.key`, `handoffs.key`. A worker reads only those that it needs.
        """
    )
    static let digestKeyFile = ConfigurationKey(
        "digest.keyFile", .path, default: "digest.key",
        """
        64 hexadecimal digits: the key of all digests in the database, which identify repeats. It is never \
        replaced.
        """
    )
    static let sealedMailPublicKey = ConfigurationKey(
        "sealedMail.publicKey", .base64, required: true,
        """
        The X25519 key to which reports are sealed if their superior unit has no key of its own. Its private half \
        is kept elsewhere.
        """
    )
    static let checkpointKeyFile = ConfigurationKey(
        "checkpoint.keyFile", .path, default: "checkpoint.key",
        "64 hexadecimal digits: the Ed25519 key that `ledger checkpoint` signs with.")
    static let clockWallOrigin = ConfigurationKey(
        "clock.wallOrigin", .time,
        "The wall time at which business time was clock.businessOrigin. For rehearsals only.")
    static let clockBusinessOrigin = ConfigurationKey(
        "clock.businessOrigin", .time, "See clock.wallOrigin; both or neither.")
    static let clockRate = ConfigurationKey(
        "clock.rate", .number, default: "1", "Business seconds per wall second; 1 in production.")
    static let laneBatchSizeMax = ConfigurationKey(
        "lane.batchSizeMax", .wholeNumber, default: "200", "Messages handled in one transaction, 1 to 5000.")
    static let laneCount = ConfigurationKey(
        "lane.lanes", .wholeNumber, default: "2", "Lanes of one worker process, 1 to 64.")
    static let laneEarlyMessageHoldSeconds = ConfigurationKey(
        "lane.earlyMessageHoldSeconds", .seconds, default: "60",
        "How long a message that is ahead of its state is deferred, 0 to 86400.")
    static let logLevel = ConfigurationKey(
        "log.level", .text, default: "info", "trace, debug, info, notice, warning, error or critical.")

    /// All keys but `users.…`, whose names the installation chooses.
    static let all: [ConfigurationKey] = [
        officeName, amqpURL, inboundBytesMax, databaseURL, databaseOwnerURL, vaultPublicKey, keysDirectory,
        digestKeyFile, sealedMailPublicKey, checkpointKeyFile, clockWallOrigin, clockBusinessOrigin, clockRate,
        laneBatchSizeMax, laneCount,
        laneEarlyMessageHoldSeconds, logLevel,
    ]
}
