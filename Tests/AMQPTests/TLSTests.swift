import Basics
import AMQP
import Foundation
import Synchronization
import Testing

extension PrivateBrokerTests {
    @Suite("TLS", .serialized)
    struct TLSTests {
        let broker: PrivateBroker

        init() throws { broker = try .here() }

        private func refusal(_ settings: ConnectionSettings) throws -> AMQPError {
            try #require(throws: AMQPError.self) { try Connection(settings) }
        }

        @Test(
            "the right certificate is accepted, by name and by address, and messages of all sizes pass",
            arguments: ["localhost", "127.0.0.1"])
        func acceptsRightCertificate(host: String) throws {
            var settings = broker.settings(.right)
            settings.host = host
            let connection = try Connection(settings)
            for size in [0, 1, 16_383, 16_384, 16_385, 131_064, 1 << 20] {
                let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 13) }
                #expect(try connection.roundTrip(body).body == body)
            }
            connection.close()
        }

        @Test("a URL can hold every TLS setting")
        func readsAllSettingsFromURL() throws {
            let files =
                """
                cacertfile=\(broker.certificates.authority)&certfile=\(broker.certificates.file("guest.pem"))&\
                keyfile=\(broker.certificates.file("guest.key"))
                """
            let url =
                """
                amqps://guest:guest@localhost:\(broker.port(.demanding))/?\(files)&verify=verify_peer&heartbeat=7&\
                connection_timeout=4000
                """
            #expect(try Connection(ConnectionSettings(url: url)).roundTrip([1]).body == [1])
        }

        @Test("a certificate of another host is refused, and the error says so")
        func refusesCertificateOfAnotherHost() throws {
            let error = try refusal(broker.settings(.elsewhere))
            #expect(error.code == .tlsFailed)
            #expect(error.tlsReason?.lowercased() == "hostname mismatch")
            #expect(error.isConnectionFatal)
            var settings = broker.settings(.elsewhere)
            settings.host = "127.0.0.1"
            #expect(try refusal(settings).tlsReason?.lowercased() == "ip address mismatch")
        }

        @Test("the name on the certificate can be given apart from the host")
        func acceptsSeparateServerName() throws {
            var settings = broker.settings(.elsewhere)
            settings.tls?.serverName = "elsewhere.example"
            #expect(try Connection(settings).roundTrip([2]).body == [2])
            settings.tls?.serverName = "example"
            #expect(try refusal(settings).tlsReason?.lowercased() == "hostname mismatch")
        }

        @Test("an expired certificate is refused, and the error says so")
        func refusesExpiredCertificate() throws {
            let error = try refusal(broker.settings(.expired))
            #expect(error.code == .tlsFailed)
            #expect(error.tlsReason == "certificate has expired")
            #expect("\(error)" == "AMQP: tlsFailed (certificate has expired)")
        }

        @Test(
            "a certificate of an unknown authority is refused and the error says so, with the system's authorities too"
        )
        func refusesUnknownAuthority() throws {
            var settings = broker.settings(.right)
            for file in [broker.certificates.file("stranger.pem"), nil] {
                settings.tls?.authorityFile = file
                let error = try refusal(settings)
                #expect(error.code == .tlsFailed)
                #expect(error.tlsReason == "unable to get local issuer certificate")
            }
        }

        @Test(
            "every certificate is accepted when verification is off, also when the URL turns it off",
            arguments: [PrivateBroker.Door.elsewhere, .expired])
        func acceptsAnyCertificateUnverified(door: PrivateBroker.Door) throws {
            let url = "amqps://guest:guest@localhost:\(broker.port(door))/?verify=verify_none"
            #expect(try Connection(ConnectionSettings(url: url)).roundTrip([3]).body == [3])
        }

        @Test("a broker that wants a client certificate refuses us without one and accepts us with one")
        func presentsClientCertificate() throws {
            var settings = broker.settings(.demanding)
            let error = try refusal(settings)
            #expect(error.code == .tlsFailed)
            #expect(error.tlsReason == "certificate required", "\(error.debugDescription)")
            settings.tls?.certificateFile = broker.certificates.file("guest.pem")
            settings.tls?.keyFile = broker.certificates.file("guest.key")
            #expect(try Connection(settings).roundTrip([4]).body == [4])
        }

        @Test("the certificate alone authenticates us, where the broker allows it")
        func authenticatesByCertificateAlone() throws {
            var settings = broker.settings(.demanding)
            settings.authentication = .external
            settings.user = ""
            settings.password = ""
            settings.tls?.certificateFile = broker.certificates.file("guest.pem")
            settings.tls?.keyFile = broker.certificates.file("guest.key")
            #expect(try Connection(settings).roundTrip([5], Properties(userID: "guest")).properties.userID == "guest")
            settings.tls?.certificateFile = broker.certificates.file("elsewhere.pem")
            settings.tls?.keyFile = broker.certificates.file("elsewhere.key")
            #expect(try refusal(settings).code == .authenticationFailed, "there is no user localhost")
        }

        @Test("TLS older than 1.2 is refused")
        func refusesOutdatedTLS() throws {
            let error = try refusal(broker.settings(.outdated))
            #expect(error.code == .tlsFailed)
            #expect(error.tlsReason?.contains("protocol") == true, "\(error.debugDescription)")
        }

        @Test("a port without TLS, and a peer that accepts and says nothing, fail within the time-out")
        func failsInTimeWithoutTLS() throws {
            var settings = broker.settings(.right)
            settings.port = broker.port
            settings.connectTimeoutSeconds = 3
            #expect(try refusal(settings).code == .tlsFailed)
            let silent = try Listener()
            defer { silent.close() }
            settings.port = silent.port
            settings.connectTimeoutSeconds = 0.5
            #expect(try failure(before: 2) { _ = try Connection(settings) }.code == .timedOut)
            let closed = try Listener()
            closed.close()
            settings.port = closed.port
            #expect(try refusal(settings).code == .connectFailed)
        }

        @Test("a file that is missing, malformed, locked or of another key is refused before anything is sent")
        func refusesUnusableCertificateFiles() throws {
            let certificates = broker.certificates
            let wrong = [
                TLSSettings(authorityFile: certificates.file("none.pem")),
                TLSSettings(authorityFile: certificates.file("right.key")),
                TLSSettings(certificateFile: certificates.file("guest.pem"), keyFile: certificates.file("right.key")),
                TLSSettings(
                    certificateFile: certificates.file("guest.pem"), keyFile: certificates.file("guest.locked.key")),
                TLSSettings(certificateFile: certificates.file("guest.pem")),
            ]
            for tls in wrong {
                var settings = broker.settings(.right)
                settings.tls = tls
                #expect(try refusal(settings).code == .invalidArgument)
            }
        }

        @Test("bytes that OpenSSL has already decrypted are found although the socket has nothing to read")
        func findsBytesAlreadyDecrypted() throws {
            let connection = try Connection(broker.settings(.right))
            let channel = try connection.openChannel()
            let queue = try connection.ownQueue(on: channel)
            let publisher = try Publisher(on: connection)
            for token in 0..<300 as Range<Int64> {
                #expect(
                    try publisher.publish(
                        [UInt8](repeating: 1, count: 40_000), to: .default, key: queue.key, properties: Properties(),
                        token: token, deadline: 10))
            }
            #expect(try publisher.outcomes().count == 300)
            try connection.consume(queue, on: channel)
            for tag in 1...300 as ClosedRange<UInt64> { #expect(try connection.delivery(within: 5).deliveryTag == tag) }
        }

        @Test("connections on several threads do not disturb each other", arguments: [false, true])
        func keepsThreadsApart(isTLS: Bool) throws {
            let settings = isTLS ? broker.settings(.right) : broker.settings()
            let bodies = Mutex<[[UInt8]]>([])
            let threads = (0..<6 as Range<UInt8>).map { number in
                WorkThread(named: "connection \(number)") {
                    for _ in 0..<5 {
                        guard let delivery = try? Connection(settings).roundTrip([number]) else { continue }
                        bodies.withLock { $0.append(delivery.body) }
                    }
                }
            }
            for thread in threads { try #require(thread.join(within: 20)) }
            #expect(
                bodies.withLock(\.self).map { $0[0] }.sorted() == (0..<6).flatMap { Array(repeating: $0, count: 5) })
        }

        @Test("accepted and refused connections leave no memory behind")
        func leavesNoMemoryBehind() throws {
            func pass(_ count: Int) throws {
                for _ in 0..<count {
                    try Connection(broker.settings(.right)).close()
                    _ = try refusal(broker.settings(.expired))
                }
            }
            try pass(20)
            let before = try residentBytes()
            try pass(100)
            let growth = try residentBytes() - before
            #expect(growth < 2 << 20, "\(growth) bytes more")
        }
    }
}
