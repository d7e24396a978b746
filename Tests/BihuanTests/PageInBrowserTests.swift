import AMQP
import BrokerTopology
import Contract
import Foundation
import LocalServers
import TestOffice
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

/// The page as a browser draws it. The pictures stay in a folder that a failure names.
@Suite(
    "The page in a browser", .serialized, .enabled(if: Chromium.obstacle == nil, "\(Chromium.obstacle ?? "")"))
struct PageInBrowserTests {
    /// A wall screen and a phone, in both languages and both colour schemes.
    private static let screens: [Screen] = [(1920, 1080), (390, 844)].flatMap { width, height in
        ["zh", "en"].flatMap { language in
            [false, true].map { Screen(width: width, height: height, language: language, isDark: $0) }
        }
    }

    struct Screen {
        let width: Int
        let height: Int
        let language: String
        let isDark: Bool
        var name: String { "\(width)x\(height)-\(language)-\(isDark ? "dark" : "light")" }
        var measure: String { language == "zh" ? "待受理" : "Wait for intake" }
    }

    /// What is seen of the queues that intake reads.
    private struct Seen {
        let depth: Int
        /// The heights of the plot's points: less is higher.
        let heights: [Double]
        let plot: Data
        let length: Int
        let problems: [String]
    }

    @Test("a queue that grows is seen to grow on a wall and on a phone, in both languages, and all is legible")
    func seesQueueGrow() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-page-\(UUID().uuidString.prefix(8))")
        let pictures = FileManager.default.temporaryDirectory.appending(path: directory.lastPathComponent + "-pictures")
        try FileManager.default.createDirectory(at: pictures, withIntermediateDirectories: true)
        var options = LocalOffice.Options(directory: directory)
        options.executable = Program.bihuan
        options.workerInstallation = { _ in ["--data", directory.path, "--set", "monitor.sampleSeconds=1"] }
        options.report = { _ in }
        let office = try await LocalOffice.start(options)
        let browser = try Chromium()
        defer {
            browser.close()
            office.workers.signal(SIGCONT, to: .intake)
            office.stop()
            try? FileManager.default.removeItem(at: directory)
        }
        let source = try ReportSource(office)
        defer { source.close() }
        try source.submit(30)
        try await eventually("the city's handoffs wait") { try source.depth(of: "unit.c01.inbox") == 30 }
        let before = try look(office, browser, at: Self.screens, into: pictures, "before")
        for (name, seen) in before { #expect(seen.depth == 0, "\(name)") }

        // The process stands still; the broker gives its messages back when it hears nothing more.
        office.workers.signal(SIGSTOP, to: .intake)
        for step in 1...3 {
            try source.submit(400)
            try await eventually("they wait", within: 90) { try source.depth(of: "source.web.submit") == 400 * step }
            // Samples within ten seconds are one point: when the next one begins, this one stays.
            var points = Int.max
            try await eventually("the page has a point of it", within: 40) {
                let seen = try look(office, browser, at: [Self.screens[2]], into: pictures, "between")
                guard let view = seen.values.first, view.depth == 400 * step else { return false }
                points = min(points, view.heights.count)
                return view.heights.count > points
            }
        }
        let after = try look(office, browser, at: Self.screens, into: pictures, "after")
        for screen in Self.screens {
            let (first, last) = (try #require(before[screen.name]), try #require(after[screen.name]))
            let place = "\(screen.name): see \(pictures.path)"
            #expect(first.depth == 0 && last.depth == 1_200, "\(place)")
            #expect(first.plot != last.plot, "the plot is drawn as before, \(place)")
            #expect(last.heights == last.heights.sorted(by: >) && Set(last.heights).count > 2, "\(place)")
            // A wall screen is not scrolled.
            #expect(screen.width < 600 || last.length <= screen.height, "\(last.length) long, \(place)")
            #expect(first.problems == [], "\(place)")
            #expect(last.problems == [], "\(place)")
        }
        // They stay where something was wrong, or somebody wants to look.
        if ProcessInfo.processInfo.environment["TEST_BIHUAN_PICTURES"] == nil, wellSeen(before, after) {
            try? FileManager.default.removeItem(at: pictures)
        } else {
            print("pictures of the page: \(pictures.path)")
        }
    }

    private func wellSeen(_ views: [String: Seen]...) -> Bool {
        views.allSatisfy { $0.values.allSatisfy { $0.problems.isEmpty } }
    }

    private func look(
        _ office: LocalOffice, _ browser: Chromium, at screens: [Screen], into pictures: URL, _ moment: String
    ) throws -> [String: Seen] {
        var views: [String: Seen] = [:]
        for screen in screens {
            try browser.open(
                "\(office.monitorURL)/?lang=\(screen.language)", width: screen.width, height: screen.height,
                isDark: screen.isDark)
            try browser.picture().write(to: pictures.appending(path: "\(screen.name)-\(moment).png"))
            views[screen.name] = try see(browser, screen)
        }
        return views
    }

    private func see(_ browser: Chromium, _ screen: Screen) throws -> Seen {
        let found = try #require(
            try browser.evaluate(
                """
                (() => {
                    const figure = [...document.querySelectorAll('figure')].find(
                        f => f.querySelector('figcaption span').textContent === '\(screen.measure)');
                    if (!figure) return null;
                    const r = figure.querySelector('svg').getBoundingClientRect();
                    return {
                        depth: figure.querySelector('b').textContent,
                        points: [...figure.querySelectorAll('polyline')].map(p => p.getAttribute('points')).join(' '),
                        x: r.x, y: r.y, width: r.width, height: r.height
                    };
                })()
                """) as? [String: Any], "there is no plot of \(screen.measure) on \(screen.name)")
        func number(_ name: String) -> Double { (found[name] as? NSNumber)?.doubleValue ?? 0 }
        let points = (found["points"] as? String ?? "").split(separator: " ").compactMap { point in
            point.split(separator: ",").last.flatMap { Double($0) }
        }
        let plot = try browser.picture(of: (number("x"), number("y"), number("width"), number("height")))
        return Seen(
            depth: (found["depth"] as? String).flatMap { Int($0.replacing(",", with: "")) } ?? -1, heights: points,
            plot: plot, length: try browser.evaluate("document.documentElement.offsetHeight") as? Int ?? 0,
            problems: try browser.evaluate(Legibility.script) as? [String] ?? ["the script gave nothing"])
    }
}

/// A source with many reports.
private final class ReportSource {
    private let connection: AMQP.Connection
    private let publisher: Publisher
    private let survey: AMQP.Connection
    private let channel: ChannelNumber

    init(_ office: LocalOffice) throws {
        // Nobody answers heartbeats while the browser draws.
        func opened(_ settings: AMQP.ConnectionSettings) throws -> AMQP.Connection {
            var settings = settings
            settings.heartbeatSeconds = 0
            return try AMQP.Connection(settings)
        }
        connection = try opened(try office.configuration.brokerSettings(for: .source(SourceID(unchecked: "web"))))
        publisher = try Publisher(on: connection)
        survey = try opened(try office.configuration.operatorBrokerSettings())
        channel = try survey.openChannel()
    }

    func close() {
        connection.close()
        survey.close()
    }

    func submit(_ count: Int) throws {
        for _ in 1...count {
            let id = UUID().uuidString
            let body = """
                {"specversion":"1.0","id":"\(id)","source":"source.web","type":"bihuan.report.submitted.v1",\
                "subject":"\(id)","time":"2026-03-02T08:00:00Z","data":{"matterKind":"accusation",\
                "title":"举报张三贪污","text":"反映甲市某镇副镇长张三虚报冒领，贪污公款，卷宗\(id)。","region":"p-c01",\
                "accused":[{"name":"张三","organ":"某镇政府","position":"副镇长","level":"township","region":"p-c01"}],\
                "allegations":[{"category":"corruption","act":"贪污危房改造资金"}]}}
                """
            _ = try publisher.publish(
                Array(body.utf8), to: ExchangeName(rawValue: Topology.Exchange.intake),
                key: RoutingKey(rawValue: "source.web.report.submitted"), properties: Properties(userID: "source.web"),
                token: 0, deadline: 10)
        }
        #expect(try publisher.settle(within: 30).allSatisfy { $0.outcome == .confirmed })
    }

    func depth(of queue: String) throws -> Int {
        try survey.declareQueue(QueueName(rawValue: queue), passive: true, on: channel).messageCount
    }
}
