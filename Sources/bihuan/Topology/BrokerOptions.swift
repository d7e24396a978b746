import AMQP
import ArgumentParser
import Contract
import Foundation
import LocalServers

/// Which broker a topology command speaks with, and how.
struct BrokerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("RabbitMQ's management interface, such as http://127.0.0.1:15672, instead of rabbitmqctl.", valueName: "url"))
    var management: String?

    @Option(
        help: ArgumentHelp(
            "The user of the management interface; it needs the tag administrator. Its password is users.NAME of bihuan.yaml.",
            valueName: "name"))
    var managementUser = OfficeConfiguration.operatorUser

    @Option(help: ArgumentHelp("A file with that user's password, instead of bihuan.yaml.", valueName: "file"))
    var managementPasswordFile: String?

    @Option(help: ArgumentHelp("The node that rabbitmqctl asks, such as rabbit@host, instead of the installation's own.", valueName: "name"))
    var node: String?

    func validate() throws {
        if management != nil, node != nil { throw ValidationError("give --management or --node, not both") }
    }

    /// The management interface if it is named; else the node that is named; else the private node of the installation's
    /// directory, if it has one; else this machine's own.
    func access(_ configuration: OfficeConfiguration, directory: URL) throws -> any BrokerAccess {
        if let management {
            guard let url = URL(string: management), ["http", "https"].contains(url.scheme), url.host() != nil else {
                throw UserError("--management takes a URL such as http://127.0.0.1:15672")
            }
            return ManagementAccess(
                url, user: managementUser, password: try managementPassword(configuration),
                broker: .init(host: configuration.broker.host, port: configuration.broker.port, user: "", password: ""))
        }
        if node == nil, let control = try RabbitMQControl.ofPrivateNode(in: directory) { return ControlAccess(control) }
        return ControlAccess(try RabbitMQControl.ofSystemNode(node))
    }

    private func managementPassword(_ configuration: OfficeConfiguration) throws -> String {
        if let managementPasswordFile {
            guard let text = try? String(contentsOfFile: managementPasswordFile, encoding: .utf8) else {
                throw UserError("the file \(managementPasswordFile) cannot be read")
            }
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let key = managementUser.replacing(".", with: "-")
        guard let password = configuration.users[key] else {
            throw UserError("bihuan.yaml has no password for \(managementUser): add users.\(key), or give --management-password-file")
        }
        return password
    }
}

/// Monitors are no party of the office: whoever runs the broker names them.
struct MonitorOptions: ParsableArguments {
    @Option(
        name: .customLong("monitor"), parsing: .singleValue,
        help: ArgumentHelp("A user monitor.NAME that may look at queue depths and nothing else. May be repeated.", valueName: "name"))
    var names: [String] = []

    func validate() throws {
        if let bad = names.first(where: { !BrokerRole.isMonitorName($0) }) {
            throw ValidationError("--monitor takes a name of the letters a-z, digits and hyphens, at most 40, not '\(bad)'")
        }
    }
}
