// Starts the pair of servers that all tests share, runs a command with their addresses in its environment, and stops
// them:
//
//     TestServers DIRECTORY OFFICES COMMAND [ARGUMENT …]
//
// OFFICES is how many virtual hosts, each with the queues of a small office, wait for tests that need one.

import BrokerTopology
import Contract
import Foundation
import Installation
import LocalServers
import TestOffice

let arguments = CommandLine.arguments
guard arguments.count >= 4, let offices = Int(arguments[2]) else {
    FileHandle.standardError.write(Data("usage: TestServers DIRECTORY OFFICES COMMAND [ARGUMENT …]\n".utf8))
    exit(2)
}

/// One definitions file for many virtual hosts: the lists of each, joined; each user once.
func definitions() throws -> Data {
    let small = (1...max(1, offices)).map { SmallOffice.definitions(virtualHost: TestServers.virtualHost($0)) }
    var joined: [String: [Any]] = [:]
    var users: Set<String> = []
    for office in small + [sampleOffice()] {
        for (key, value) in try JSONSerialization.jsonObject(with: office.json()) as? [String: [[String: Any]]] ?? [:] {
            joined[key, default: []] += value.filter {
                key != "users" || users.insert($0["name"] as? String ?? "").inserted
            }
        }
    }
    // Tests of the client itself use the default virtual host.
    joined["vhosts", default: []].append(["name": "/"])
    joined["permissions", default: []].append([
        "user": "admin", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*",
    ])
    return try JSONSerialization.data(withJSONObject: joined)
}

/// The demo's office, for tests of its submitter and units.
func sampleOffice() -> Definitions {
    let sample = SampleOffice.standard
    let parties =
        sample.units.map { Party.unit($0.id) } + sample.sources.map { .source($0.id) }
        + sample.persons.map { .person($0.id) }
    return Definitions(
        virtualHost: "sample", units: sample.units.map(\.id), sources: sample.sources.map(\.id),
        persons: sample.persons.map(\.id), users: parties.map { BrokerUser(party: $0, password: TestServers.password) },
        administrator: (name: "admin", password: TestServers.password))
}

do {
    let servers = try LocalServers.start(
        in: URL(fileURLWithPath: arguments[1], isDirectory: true), definitions: try definitions())
    defer { servers.stop() }
    try SmallOffice.makeTemplate(
        superuser: servers.superuserURL,
        owner: servers.databaseURL(user: "bihuan_owner", password: TestServers.password, database: TestServers.template)
    )
    let command = Process()
    command.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    command.arguments = Array(arguments[3...])
    command.environment = ProcessInfo.processInfo.environment.merging([
        TestServers.databaseVariable: servers.superuserURL,
        TestServers.brokerVariable: servers.amqpURL(user: "admin", password: TestServers.password, virtualHost: "/"),
        TestServers.officesVariable: String(offices),
        "TEST_BIHUAN_OFFICE_AMQP_URL": servers.amqpURL(
            user: "admin", password: TestServers.password, virtualHost: "sample"),
    ]) { _, new in new }
    try command.run()
    command.waitUntilExit()
    servers.stop()
    exit(command.terminationStatus)
} catch {
    FileHandle.standardError.write(Data("the test servers did not start: \(error)\n".utf8))
    exit(1)
}
