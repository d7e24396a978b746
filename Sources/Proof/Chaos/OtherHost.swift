import AMQP
import Basics
import Contract
import Foundation
import Installation
import LocalServers
import Rehearsal

/// A simulated second machine of the office: workers in a network namespace, whose link to the servers can be
/// taken down. Its own kernel then keeps the connections, and the servers get no error; a proxy's kernel would
/// continue to acknowledge.
final class OtherHost: Sendable {
    /// Other lanes wait for their rows and for the queues of parties that they hold.
    static let workers: [Worker] = [.intake, .routing, .feedback]

    private let network: NetworkNamespace
    private let processes: [Sidecar]

    /// - Parameter network: the namespace; the office's servers listen on its host's end.
    init(_ network: NetworkNamespace, of office: LocalOffice, in home: URL) throws {
        self.network = network
        let file = home.appending(path: "other-host.yaml")
        var seen = office.configuration
        seen.broker.host = network.hostAddress
        guard var url = URLComponents(string: seen.database.url) else {
            throw UserError("the database's URL cannot be read")
        }
        url.host = network.hostAddress
        seen.database.url = url.string ?? seen.database.url
        try writePrivately(seen.yaml(folder: home), to: file)
        processes = try Self.workers.map { worker in
            try Sidecar(
                Executable.bihuan,
                [worker.rawValue, "--config", file.path, "--until-input-ends", "--set", "monitor.port=0"],
                log: home.appending(path: "log/other-host-\(worker.rawValue).log"), in: network)
        }
    }

    /// Blocks all traffic to and from it until `last` returns.
    func cutOff(_ last: () -> Void) throws {
        try network.cut()
        last()
        try network.mend()
    }

    func stop() { for process in processes { process.stop() } }
}
