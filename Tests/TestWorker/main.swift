// One worker as a process of its own, for tests of what happens when it is stopped by force. Everything it needs comes
// from its environment, as `WorkerProcess` of the tests writes it.

import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import Logging
import PostgreSQL
import Synchronization
import Workers

func required(_ name: String) -> String {
    guard let value = ProcessInfo.processInfo.environment[name] else {
        FileHandle.standardError.write(Data("\(name) is missing\n".utf8))
        exit(2)
    }
    return value
}

func bytes(_ name: String) -> [UInt8] { [UInt8](Data(base64Encoded: required(name)) ?? Data()) }

guard let worker = Worker(rawValue: required("TEST_WORKER")),
    let mailKey = SealingKey(rawRepresentation: bytes("TEST_MAIL_KEY")),
    let vaultKey = SealingKey(rawRepresentation: bytes("TEST_VAULT_KEY"))
else {
    FileHandle.standardError.write(Data("the environment names no worker or no key\n".utf8))
    exit(2)
}
var settings = LaneSettings(
    broker: try AMQP.ConnectionSettings(url: required("TEST_BROKER_URL")),
    database: PostgreSQL.ConnectionSettings(url: required("TEST_DATABASE_URL")), clock: .real,
    vault: Vault(recipient: vaultKey),
    boxes: try BoxKeys(
        Dictionary(uniqueKeysWithValues: worker.boxes.map { ($0, bytes("TEST_BOX_KEY_\($0)")) })),
    digestKey: try DigestKey(keyBytes: bytes("TEST_DIGEST_KEY")),
    sealedMailKey: mailKey)
settings.batchSizeMax = 50
settings.lanes = 1
settings.trapMessageID = ProcessInfo.processInfo.environment["TEST_TRAP"]
if let point = ProcessInfo.processInfo.environment["TEST_KILL_AT"].flatMap(LanePoint.init(rawValue:)) {
    settings.interrupt = { reached in
        // The way a power cut ends a process: nothing is closed, written or said.
        if reached == point { kill(getpid(), SIGKILL) }
    }
}
if let point = ProcessInfo.processInfo.environment["TEST_STOP_AT"].flatMap(LanePoint.init(rawValue:)) {
    let hasStopped = Atomic<Bool>(false)
    settings.interrupt = { reached in
        if reached == point, !hasStopped.exchange(true, ordering: .relaxed) {
            // Of this thread: a signal to the process may reach another first, and this one would go on for a moment.
            raise(SIGSTOP)
        }
    }
}
if let seconds = ProcessInfo.processInfo.environment["TEST_LEASE_SECONDS"].flatMap(Double.init) {
    settings.leaseSeconds = seconds
}
var logger = Logger(label: "test worker")
logger.logLevel = .critical
try await WorkerService(worker, settings: settings, logger: logger).run()
