import AMQP
import Testing

@Suite("connection settings")
struct SettingsTests {
    @Test("a URL gives host, port, virtual host, user and password, each percent-decoded")
    func readsEveryPartOfURL() throws {
        let settings = try ConnectionSettings(url: "amqp://unit.u7:p%40ss%3Aword@broker.example:5673/%2Fdesk%20one")
        #expect(settings.host == "broker.example")
        #expect(settings.port == 5673)
        #expect(settings.virtualHost == "/desk one")
        #expect(settings.user == "unit.u7")
        #expect(settings.password == "p@ss:word")
    }

    @Test(
        "a part that the URL leaves out has the broker's default",
        arguments: ["amqp://h", "amqp://h/", "amqp://guest:guest@h:5672/%2F"])
    func fillsInDefaults(url: String) throws {
        let settings = try ConnectionSettings(url: url)
        #expect(settings.host == "h")
        #expect(settings.port == 5672)
        #expect(settings.virtualHost == "/")
        #expect(settings.user == "guest")
        #expect(settings.password == "guest")
    }

    @Test("a URL can list several hosts, each with its own port or the usual one")
    func readsSeveralHosts() throws {
        let settings = try ConnectionSettings(url: "amqp://u:p@a:5673,b,[::1]:5674/v")
        #expect(settings.endpoints.map(\.description) == ["a:5673", "b:5672", "[::1]:5674"])
        #expect(settings.virtualHost == "v")
        #expect("\(settings)" == "amqp://a:5673,b:5672,[::1]:5674")
    }

    @Test("an amqps URL means TLS on port 5671 with the peer verified; its parameters are RabbitMQ's own")
    func readsTLSParameters() throws {
        let plain = try ConnectionSettings(url: "amqps://h")
        #expect(plain.port == 5671)
        #expect(plain.tls == TLSSettings())
        #expect(plain.tls?.verifiesPeer == true)
        let settings = try ConnectionSettings(
            url:
                "amqps://h/v?cacertfile=/etc/a%20b.pem&certfile=c&keyfile=k&verify=verify_none&server_name_indication=n"
                + "&heartbeat=5&connection_timeout=1500&auth_mechanism=external")
        let tls = TLSSettings(
            authorityFile: "/etc/a b.pem", certificateFile: "c", keyFile: "k", serverName: "n", verifiesPeer: false)
        #expect(settings.tls == tls)
        #expect(settings.heartbeatSeconds == 5)
        #expect(settings.connectTimeoutSeconds == 1.5)
        #expect(settings.authentication == .external)
        #expect(settings.virtualHost == "v")
        #expect(try ConnectionSettings(url: "amqp://h?heartbeat=0").virtualHost == "/")
    }

    @Test(
        "the URL of settings gives the same settings again, except user and password",
        arguments: [
            "amqp://h:5672/%2F", "amqp://a:1,[::1]:2/v%20%3F%25%E7%AB%A0",
            "amqps://h:5671/v?cacertfile=/etc/a%20b%26.pem",
            """
            amqps://h:1/v?certfile=c&keyfile=k&server_name_indication=n&verify=verify_none&\
            auth_mechanism=external&heartbeat=5&connection_timeout=1500
            """,
        ])
    func writesURLWithoutUserAndPassword(_ url: String) throws {
        var settings = try ConnectionSettings(url: url)
        settings.user = "u"
        settings.password = "secret"
        #expect(settings.url == url)
    }

    @Test("an IPv6 address is written in brackets")
    func readsIPv6InBrackets() throws {
        let settings = try ConnectionSettings(url: "amqp://a:b@[::1]:5673")
        #expect(settings.host == "::1")
        #expect(settings.port == 5673)
    }

    @Test(
        "any other URL is refused and not quoted",
        arguments: [
            "https://u:secret@h", "h:5672", "amqp://u:secret@", "amqp://u:secret@h:0", "amqp://u:secret@h:99999",
            "amqp://u:%zz@h",
            "amqp://u:%00@h", "amqp://u:%ff@h", "amqp://u:secret@[::1]x", "amqp://u:secret@a,,b",
            "amqp://u:secret@a,b:0", "amqp://u:secret@h#f",
            "amqp://u:secret@h/v?heartbeet=1", "amqp://u:secret@h?heartbeat=soon", "amqp://u:secret@h?heartbeat=-1",
            "amqp://u:secret@h?heartbeat",
            "amqp://u:secret@h?connection_timeout=0", "amqp://u:secret@h?verify=verify_none",
            "amqp://u:secret@h?cacertfile=f",
            "amqps://u:secret@h?verify=yes", "amqps://u:secret@h?certfile=f", "amqps://u:secret@h?cacertfile=",
            "amqps://u:secret@h?auth_mechanism=other",
            "amqps://u:secret@h?verify=%zz",
        ])
    func refusesOtherURLsWithoutQuotingThem(url: String) throws {
        let error = try #require(throws: AMQPError.self) { try ConnectionSettings(url: url) }
        #expect(error.code == .invalidArgument)
        #expect(!error.debugDescription.contains("secret"))
    }

    @Test("settings never show their password")
    func neverShowsPassword() throws {
        let settings = try ConnectionSettings(url: "amqp://u:secret@h")
        var dumped = ""
        dump(settings, to: &dumped)
        #expect(!("\(settings)" + String(reflecting: settings) + dumped).contains("secret"))
    }

    @Test("waits double up to the maximum and start again after success")
    func doublesWaitsUpToMaximum() {
        var backoff = Backoff(initialSeconds: 0.1, maximumSeconds: 0.4, factor: 2)
        for ceiling in [0.1, 0.2, 0.4, 0.4] {
            #expect((ceiling / 2...ceiling).contains(backoff.next()))
        }
        backoff.reset()
        #expect((0.05...0.1).contains(backoff.next()))
    }
}
