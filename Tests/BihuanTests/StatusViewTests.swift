import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Logging
import PostgreSQL
import TestOffice
import Testing
import Text

@testable import AMQP
@testable import Installation
@testable import Observability
@testable import Terminal
@testable import bihuan

/// Offices that were invented, as status shows them.
enum InventedOffice {
    static let now = Instant("2026-04-20T08:00:00Z")!

    /// Something of everything is wrong.
    static var ill: OfficeView {
        var view = OfficeView(officeName: "中共某省纪委监委机关信访室")
        view.database = database
        view.queues = queues
        (view.databaseAt, view.queuesAt) = (1_776_672_000, 1_776_672_000)
        return view
    }

    /// Nothing is wrong.
    static var well: OfficeView {
        var view = OfficeView(officeName: "某市纪委监委")
        var state = OfficeView.Database()
        state.reports = [.init("registered", 3), .init("closed", 40)]
        state.lanes = Worker.allCases.map { .init($0.rawValue, 2) }
        view.database = state
        view.queues = [queue("bihuan.routing", "office", 0, 2), queue("source.web.submit", "submit", 0, 1)]
        return view
    }

    private static var database: OfficeView.Database {
        var state = OfficeView.Database()
        state.reports = ReportState.allCases.map { .init($0.rawValue, 12) }
        state.handoffs = HandoffState.allCases.map { .init($0.rawValue, 7) }
        state.unsigned = [
            .init(unit: "c01", count: 3, age: 40), .init(unit: "c02-d11", count: 114, age: 9 * 86_400),
            .init(unit: "d1", count: 0, age: 0), .init(unit: "superior", count: 1, age: 4 * 86_400),
        ]
        (state.outbox, state.outboxAge, state.deferred, state.deferredAge) = (37, 754, 2, 30)
        (state.deadLetters, state.deadLetterAge) = ([.init("not_json", 3), .init("unknown_source", 1)], 90_000)
        (state.clocks, state.overdueClocks, state.nextStep) = (88, 5, 1_776_672_000 + 7_200)
        state.lanes = [.init("intake", 4), .init("routing", 0), .init("deadlines", 1), .init("feedback", 4)]
        state.readers = [
            .init(
                name: "checkpoint", unread: 12, held: 3, holder: "another program",
                session: "session 4711 'psql' in the database bihuan")
        ]
        state.duties = [
            .init(
                duty: "duty-monthly-summary", name: "月汇总", period: "2026-03", debtor: "office", open: 1, overdue: 1,
                lastDay: "2026-04-10"),
            .init(
                duty: "duty-quarterly-return", name: "办结反馈", period: "2026-Q1", debtor: nil, open: 12, overdue: 2,
                lastDay: "2026-04-15"),
        ]
        state.sealedUnsigned = 1
        return state
    }

    private static func queue(
        _ name: String, _ kind: String, _ messages: Int?, _ consumers: Int, _ state: OfficeView.Queue.State = .up
    ) -> OfficeView.Queue {
        .init(
            name: name, kind: kind, state: state, messages: messages, consumers: consumers,
            wantsConsumer: ["office", "submit", "acts"].contains(kind))
    }

    private static let queues = [
        queue("bihuan.routing", "office", 1_204, 0), queue("bihuan.routing.express", "office", nil, 0, .down),
        queue("bihuan.command.feedback", "office", 0, 4), queue("bihuan.dead", "office", nil, 0, .missing),
        queue("source.web.submit", "submit", 87, 1), queue("unit.c01.acts", "acts", 5, 0),
        queue("unit.c01.inbox", "inbox", 290, 0), queue("source.web.notice", "notice", 3, 0),
    ]
}

@Suite("The office on one page")
struct StatusViewTests {
    private func page(_ view: OfficeView, width: Int?, asksQueues: Bool = true) -> [PageLine] {
        StatusPage(view: view, asksQueues: asksQueues, now: InventedOffice.now, width: width).lines
    }

    @Test(
        "no line is wider than the terminal, also in Chinese, and the page is as it was looked at",
        arguments: [
            40, 80, 200,
        ])
    func fitsEveryWidth(_ width: Int) throws {
        let lines = page(InventedOffice.ill, width: width)
        for line in lines { #expect(displayWidth(line.text) <= width, "\(line.text)") }
        try Golden.check(lines.map { $0.text + "\n" }.joined(), "status-\(width).txt")
    }

    @Test("what is wrong comes first, the worst before the rest, with words, amounts, ages and the name of its alert")
    func showsTroublesFirst() {
        let lines = page(InventedOffice.ill, width: nil)
        let troubles = lines.dropFirst().prefix { !$0.text.isEmpty }
        #expect(
            troubles.map(\.text) == [
                "!! 1 queue down: bihuan.routing.express; 1 queue missing on the broker: bihuan.dead [BihuanQueueDown]",
                "!! no worker reads 2 queues: bihuan.routing, unit.c01.acts [BihuanQueueWithoutConsumer]",
                "!! no lane runs of routing [BihuanWorkerMissing]",
                "!! a message to be sent has waited for 12m, longer than 60s [BihuanOutboxOld]",
                "!  up to 1204 messages wait in a queue, more than 1000 in bihuan.routing [BihuanQueueLong]",
                "!  4 dead letters open: not_json, unknown_source [BihuanDeadLetters]",
                "!  not signed for 9d, longer than 3d, by c02-d11, superior [BihuanHandoffUnsigned]",
                "!  5 clocks past the due date [BihuanClocksOverdue]",
                "!  an open transaction (another program) hides 3 transactions from readers [BihuanChangeLogHeld]",
            ])
        #expect(troubles.prefix(4).allSatisfy { $0.look == .critical })
        #expect(troubles.dropFirst(4).allSatisfy { $0.look == .warning })
    }

    @Test("at 40 columns a trouble goes over several lines, and nothing of it is lost")
    func wrapsTroubles() {
        for trouble in InventedOffice.ill.troubles {
            let text = trouble.lines(in: InventedOffice.ill, width: 40).map { $0.text.dropFirst(3) }.joined(
                separator: " ")
            #expect(text == "\(trouble.words(in: InventedOffice.ill)) [\(trouble.kind.rawValue)]")
        }
    }

    @Test("every kind of trouble has words")
    func hasWordsForEveryTrouble() {
        for kind in Trouble.Kind.allCases {
            let words = Trouble(kind: kind, subjects: ["某单位"], value: 100_000).words(in: InventedOffice.ill)
            #expect(words.count > 10 && !words.contains("[") && !words.contains("\n"), "\(kind)")
        }
    }

    @Test("colours appear on a terminal only, and the marks are there without them")
    func coloursAreNeverTheOnlySign() throws {
        let lines = page(InventedOffice.ill, width: 80)
        let plain = lines.map { Style(isColoured: false).text($0) }
        let coloured = lines.map { Style(isColoured: true).text($0) }
        #expect(!plain.joined().contains("\u{1B}"))
        #expect(coloured[1].hasPrefix("\u{1B}[1;31m!! ") && coloured[1].hasSuffix("\u{1B}[0m"))
        #expect(coloured.map { $0.replacing(/\u{1B}\[[0-9;]*m/, with: "") } == plain)
        for look in [Look.critical, .warning] {
            #expect(lines.filter { $0.look == look }.contains { $0.text.hasPrefix("!") })
        }
    }

    @Test("an office without trouble says so, and what nobody asked for is no trouble")
    func saysThatNothingIsWrong() {
        let lines = page(InventedOffice.well, width: 80)
        #expect(lines[0].text == "某市纪委监委  2026-04-20 08:00:00Z" && lines[1] == PageLine("ok: nothing is wrong", .good))
        var view = InventedOffice.well
        view.queues = nil
        #expect(page(view, width: 80)[1].text.hasPrefix("!! the queues cannot be read"))
        #expect(page(view, width: 80, asksQueues: false)[1].text == "ok: nothing is wrong")
        #expect(view.failures(user: "operator", advice: "") == [])
    }

    @Test("a name from outside moves no cursor")
    func keepsTerminalUnharmed() {
        var view = InventedOffice.ill
        view.officeName = "某办\u{1B}[2J\u{202E}"
        view.problems = ["no\u{9B}2J"]
        view.database?.readers = [.init(name: "x\u{1B}c", unread: 1, held: 0, holder: "")]
        for width in [40, nil] {
            for line in page(view, width: width) {
                #expect(!line.text.unicodeScalars.contains { $0.value < 32 || (0x7F...0x9F).contains($0.value) })
            }
        }
    }

    @Test("bars are scaled in eighths of a cell, and what is more than nothing is seen")
    func drawsBars() {
        #expect(Bar.text(0, of: 10, width: 4).isEmpty && Bar.text(3, of: 0, width: 4).isEmpty)
        #expect(Bar.text(1, of: 1_000_000, width: 4) == "▏")
        #expect(Bar.text(5, of: 10, width: 4) == "██" && Bar.text(9, of: 8, width: 4) == "████")
        #expect(Bar.text(1, of: 16, width: 4) == "▎")
    }

    @Test("a text is broken at spaces, and a word only if it is wider than a line")
    func wrapsText() {
        #expect(wrapped("one two three", to: 7) == ["one two", "three"])
        #expect(wrapped("纪委 监委机关", to: 6) == ["纪委", "监委机", "关"] || wrapped("纪委 监委机关", to: 8).count == 2)
        #expect(wrapped("a bbbbbbbbbb", to: 4) == ["a bb", "bbbb", "bbbb"])
        #expect(wrapped("", to: 4) == [""])
    }

    @Test("a frame fills the screen from its corner, scrolls nothing, and says how much has no room")
    func drawsFrames() {
        let lines = (1...5).map { PageLine("line \($0)") }
        let style = Style(isColoured: false)
        #expect(
            LiveScreen.frame(lines, height: 5, style)
                == "\u{1B}[H" + (1...5).map { "line \($0)\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
        let cut = LiveScreen.frame(lines, height: 3, style)
        #expect(cut.contains("line 2") && cut.contains("… 3 more lines") && !cut.contains("line 3"))
        #expect(cut.count(where: { $0 == "\r\n" }) == 2)
    }

    @Test("the JSON object is the view with its troubles, and can be read again")
    func encodesView() throws {
        let text = try StatusObject(view: InventedOffice.ill, asksQueues: true).text()
        #expect(!text.contains("\n"))
        #expect(try JSONDecoder().decode(OfficeView.self, from: Data(text.utf8)) == InventedOffice.ill)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let troubles = try #require(object["troubles"] as? [[String: Any]])
        #expect(troubles.count == InventedOffice.ill.troubles.count)
        #expect(
            troubles[0]["alert"] as? String == "BihuanQueueDown" && troubles[0]["severity"] as? String == "critical")
        #expect((troubles[0]["text"] as? String)?.contains("bihuan.dead") == true)
    }
}

@Suite(
    "The office on one page, from real servers",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct StatusLookTests {
    @Test("queues without a consumer are first, and a session that was ended is opened again at the next look")
    func showsRealOffice() throws {
        let servers = try #require(TestServers.announced)
        let pooled = try PooledOffice(of: servers)
        defer { pooled.giveBack() }
        let name = "bihuan_status_\(UInt64.random(in: 0 ... .max))"
        let superuser = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: servers.databaseURL))
        try superuser.execute("CREATE DATABASE \(name) TEMPLATE \(TestServers.template)")
        defer {
            try? superuser.execute("DROP DATABASE \(name) WITH (FORCE)")
            superuser.close()
        }
        let broker = try servers.broker(user: "admin", virtualHost: pooled.virtualHost)
        let file = URL(filePath: "/nowhere")
        let key = try #require(SealingKey(rawRepresentation: Array(repeating: 9, count: 32)))
        let configuration = OfficeConfiguration(
            officeName: "测试办", broker: broker,
            database: .init(url: servers.databaseURL(user: "bihuan_operator", database: name)), users: [:],
            vaultKey: key, keysDirectory: file, digestKeyFile: file, sealedMailKey: key, checkpointKeyFile: file,
            clock: .real, lane: .init(), logLevel: .info)
        let look = StatusLook(configuration, broker: broker)
        defer { look.close() }
        look.read()
        let lines = look.page(width: 200).lines.map(\.text)
        #expect(lines[0].hasPrefix("测试办  20"))
        #expect(lines[1].hasPrefix("!! no worker reads ") && lines[1].contains("bihuan.routing"), "\(lines[1])")
        #expect(lines.contains { $0.contains("no lane runs of intake, routing, deadlines, feedback") })
        #expect(look.failures == [], "an unread queue is not a failure")
        let object = try JSONDecoder().decode(OfficeView.self, from: Data(try look.json().utf8))
        #expect(object == look.view && object.database?.duties == [] && object.database?.sealedUnsigned == 0)

        try superuser.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = '\(name)' AND application_name = 'bihuan status'
            """)
        look.read()
        #expect(
            look.failures.count == 1 && look.page(width: 80).lines[1].text.hasPrefix("!! the database cannot be read"))
        #expect(look.view.queues != nil, "the other is still shown")
        look.read()
        #expect(look.failures == [] && look.view.database != nil)
    }
}
