import ArgumentParser
import Basics
import Foundation
import Installation
import LocalServers
import Terminal

/// Private servers that hold nothing of an office, to try `bihuan setup` on.
struct Servers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run private servers without an office, until Ctrl-C or the end of standard input.",
        discussion: """
            Prints one JSON object when both answer: the database URL of a superuser, the broker's port, and its \
            management interface with the user admin. For trying `bihuan setup`.
            """)

    @Option(help: ArgumentHelp("The directory of the servers, which is made.", valueName: "dir"))
    var data: String

    struct Answer: Encodable {
        let database: String
        let amqpPort: Int
        let databasePort: Int
        let management: String
        let managementPassword: String
    }

    func run() async throws {
        try await plainly {
            let stop = await CallToStop.signal(withOutput: true, untilInputEnds: true)
            let directory = URL(filePath: data, directoryHint: .isDirectory).absoluteURL.standardizedFileURL
            try OwnDirectory.claim(directory, mayFill: OwnDirectory.askOnTerminal)
            let servers = try await onThread {
                let port = try Loopback.freePorts(1)[0]
                var options = LocalServers.Options()
                options.rabbitmqPlugins = ["rabbitmq_management"]
                options.rabbitmqSettings = ["management.tcp.ip": "127.0.0.1", "management.tcp.port": "\(port)"]
                let servers = try LocalServers.start(in: directory, definitions: nil, options: options)
                do {
                    let password = randomPassword()
                    _ = try servers.rabbitmqctl(["add_user", "admin", password])
                    _ = try servers.rabbitmqctl(["set_user_tags", "admin", "administrator"])
                    let answer = Answer(
                        database: servers.superuserURL, amqpPort: servers.rabbitmqPort,
                        databasePort: servers.postgresqlPort, management: "http://127.0.0.1:\(port)",
                        managementPassword: password)
                    Output.json(String(decoding: try JSONEncoder().encode(answer), as: UTF8.self))
                    return servers
                } catch {
                    servers.stop()
                    throw error
                }
            }
            await stop.wait()
            try await onThread { servers.stop() }
        }
    }
}
