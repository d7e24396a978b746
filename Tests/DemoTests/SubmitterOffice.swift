import AMQP
import Casework
import Contract
import Foundation
import Testing
@testable import Basics
@testable import BrokerTopology
@testable import Corpus
@testable import Installation
@testable import Submitting

/// A broker that holds the sample office (users, exchanges, queues), that `TestServers` starts; nobody but the
/// tests reads or writes. The URL is an administrator's.
enum SubmitterOffice {
    static let url = ProcessInfo.processInfo.environment["TEST_BIHUAN_OFFICE_AMQP_URL"]
    /// Of every user.
    static let password = "test"
    static let isThere = url != nil
    static let absent: Comment = "TEST_BIHUAN_OFFICE_AMQP_URL names no broker with the sample office"

    static func settings() throws -> ConnectionSettings { try ConnectionSettings(url: #require(url)) }

    static var sourcePasswords: [SourceID: String] {
        Dictionary(uniqueKeysWithValues: SampleOffice.standard.sources.map { ($0.id, password) })
    }

    static func reports(_ count: Int) -> [ReportLine] {
        var corpus = Corpus(seed: 3, receivedAround: Instant(microsecondsSinceEpoch: 1_772_438_400_000_000))
        return (1...count).map { number in
            let sample = corpus.next()
            return ReportLine(number: number, source: sample.source, id: sample.id, submission: sample.submission)
        }
    }

    /// The queues of what the sources submit.
    static let submitQueues = SampleOffice.standard.sources.map { Topology.Queue.submit($0.id) }

    /// Takes `count` messages from these queues, which must come.
    static func take(_ count: Int, from queues: String..., within seconds: Double = 20) throws -> [Delivery] {
        try take(count, from: queues, within: seconds)
    }

    static func take(_ count: Int, from queues: [String], within seconds: Double = 20) throws -> [Delivery] {
        let connection = try Connection(settings())
        defer { connection.close() }
        let channel = try connection.openChannel()
        for queue in queues { try connection.consume(QueueName(rawValue: queue), on: channel) }
        var taken: [Delivery] = []
        while taken.count < count {
            let event = try #require(try connection.nextEvent(within: seconds), "only \(taken.count) of \(count) came")
            guard case .delivery(let delivery) = event else { continue }
            taken.append(delivery)
            try connection.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: channel)
        }
        return taken
    }

    static func purge(_ queues: [String]) throws {
        let connection = try Connection(settings())
        defer { connection.close() }
        let channel = try connection.openChannel()
        for queue in queues { try connection.purgeQueue(QueueName(rawValue: queue), on: channel) }
    }

    static func withFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("demo-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }
}
