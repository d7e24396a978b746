import BrokerTopology
import Contract

/// One key of bihuan.yaml, as listed in docs/configuration.md. Any other key is reported as a mistake.
package struct ConfigurationKey: Sendable {
    package enum Kind: String, Sendable {
        case text, number, seconds, path, time, base64
        case wholeNumber = "whole number"
    }

    package let name: String
    package let kind: Kind
    /// Whether nothing starts without it.
    package let isRequired: Bool
    package let `default`: String?
    package let isSecret: Bool
    package let meaning: String

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
    package var environmentVariable: String { Self.environmentVariable(of: name) }

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

    /// The groups of keys whose last part the installation chooses: passwords of broker users and of database roles.
    package static let groups = ["users", "roles"]

    static func isInGroup(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && groups.contains(String(parts[0])) && !parts[1].isEmpty
    }

    /// The name of the file with a key's value in a folder of secrets: `users-office-intake`.
    package static func secretFile(of name: String) -> String { name.replacing(".", with: "-") }

    /// Whether a key's value is a password or a URL that may contain one.
    package static func isSecret(_ name: String) -> Bool {
        isInGroup(name) || all.contains { $0.isSecret && $0.name == name }
    }

    /// Whether this value of a key is one that others must not read: an address without a password is none.
    static func isSecret(_ name: String, _ value: String) -> Bool {
        isInGroup(name) || (isSecret(name) && SecretOption.holdsPassword(value))
    }

    static let officeName = ConfigurationKey("office.name", .text, default: "Bihuan", "What the office is called.")
    static let amqpURL = ConfigurationKey(
        "amqp.url", .text, default: "amqp://127.0.0.1/bihuan",
        """
        The broker's hosts and the office's virtual host; `amqps` for TLS. With several hosts each \
        connection takes a random one that answers.
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
        """
        A libpq URL; with several hosts the first that answers and accepts writes is used. Without a user each worker \
        logs in as its own role, and commands as `bihuan_operator`, with the passwords under `roles`.
        """)
    static let databaseOwnerURL = ConfigurationKey(
        "database.ownerUrl", .text, secret: true,
        """
        A libpq URL of the owner role; needed by `migrate`, `policy activate` and `ledger checkpoint` only. By default \
        `database.url` with the role `bihuan_owner`, if `roles.owner` is given.
        """)
    static let secretsDirectory = ConfigurationKey(
        "secrets.directory", .path, default: "secrets",
        """
        A folder with one file for each secret, named by its key with `-` for `.`: `users-office-intake`. A service \
        manager's credentials come before it.
        """)
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
        "log.level", .text, default: "info",
        "trace, debug, info, notice, warning, error or critical. A worker reads it again on SIGHUP.")
    static let logFormat = ConfigurationKey(
        "log.format", .text, default: "text", "`text`: lines for people; `json`: one JSON object a line.")
    static let monitorHost = ConfigurationKey(
        "monitor.host", .text, default: "127.0.0.1",
        "The address on which a worker answers monitors. There is no access control: keep it on a private network.")
    static let monitorPort = ConfigurationKey(
        "monitor.port", .wholeNumber,
        """
        The port for `/metrics`, `/healthz`, `/readyz` and the page; 0 for any free one, which the log names. By \
        default 9511 for intake, 9521 for routing, 9531 for deadlines, 9541 for feedback.
        """)
    static let monitorManagementURL = ConfigurationKey(
        "monitor.managementUrl", .text,
        """
        The broker's management interface, such as http://127.0.0.1:15672: then the rates of queues are shown too. \
        It is asked as the user `operator`.
        """)
    static let monitorSampleSeconds = ConfigurationKey(
        "monitor.sampleSeconds", .seconds, default: "10",
        "How often one of the deadline workers reads the depth of all queues and the office's state, 1 to 3600.")

    /// All keys but those of `groups`.
    package static let all: [ConfigurationKey] = [
        officeName, amqpURL, inboundBytesMax, databaseURL, databaseOwnerURL, secretsDirectory, vaultPublicKey,
        keysDirectory,
        digestKeyFile, sealedMailPublicKey, checkpointKeyFile, clockWallOrigin, clockBusinessOrigin, clockRate,
        laneBatchSizeMax, laneCount,
        laneEarlyMessageHoldSeconds, logLevel, logFormat, monitorHost, monitorPort, monitorManagementURL,
        monitorSampleSeconds,
    ]
}
