import AMQP
import ArgumentParser
import Basics
import Casework
import Contract
import Crypto
import Foundation
import Installation
import SimulatedUnits
import Terminal

/// The units of a rehearsal, in a separate process: they read no table and use only the contract.
struct SimulateUnits: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer as the sample's units do, for a rehearsal.", shouldDisplay: false)

    @Option(help: ArgumentHelp("The folder for the units' journals.", valueName: "dir"))
    var journals: String

    @Option(help: ArgumentHelp("The seed of what the units decide.", valueName: "n"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("How many of a thousand confirmed acts are sent again.", valueName: "n"))
    var repeatedPerMille = 0

    @OptionGroup var options: WorkerOptions

    func run() async throws {
        try await plainly {
            let configuration = try await options.installation.configuration()
            let prefix = "unit-"
            let keys = KeyFiles(directory: configuration.digestKeyFile.deletingLastPathComponent())
            let units = try configuration.users.sorted { $0.key < $1.key }.compactMap { key, password -> UnitLogin? in
                guard key.hasPrefix(prefix), let id = UnitID(key.dropFirst(prefix.count)) else { return nil }
                let file = keys.sealing(id)
                let sealing =
                    FileManager.default.fileExists(atPath: file.path)
                    ? try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: try KeyFiles.read(file)) : nil
                return UnitLogin(id: id, password: password, sealingKey: sealing)
            }
            var broker = try configuration.operatorBrokerSettings()
            (broker.user, broker.password) = ("", "")
            var behaviour = UnitBehaviour()
            behaviour.seed = seed
            behaviour.repeatedPerMille = repeatedPerMille
            let simulated = SimulatedUnits(
                units: units, broker: broker, clock: configuration.clock, behaviour: behaviour,
                journals: URL(filePath: journals, directoryHint: .isDirectory))
            let stop = await CallToStop.signal(untilInputEnds: options.untilInputEnds)
            try await onThread { try simulated.run(until: stop) }
        }
    }
}
