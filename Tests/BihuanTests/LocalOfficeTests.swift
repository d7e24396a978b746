import TestOffice
import AMQP
import CaseStore
import Casework
import Contract
import Foundation
import LocalServers
import Observability
import PostgreSQL
import Testing
@testable import AuditStore
@testable import Basics
@testable import BrokerTopology
@testable import Installation

@testable import bihuan

/// One office for the whole story, since its servers take seconds to start.
@Suite("A whole office on this machine", .serialized)
struct LocalOfficeTests {
    @Test("an office starts, works, shows its places, survives kills and restarts, and proves its ledger")
    func worksSurvivesKillsAndProvesItsLedger() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-office-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: directory) }
        var office = try await start(directory)
        do {
            try await secondStartSaysSo(directory)
            try await submits(to: office)
            try await deadLettersAreSettled(office)
            try await killedWorkerComesBack(office)
            try statusShowsWhatIsThere(office)
            try statusIsWatched(office)
            try reportIsTraced(office)
            try ledgerIsProved(office)
            try policyIsActivated(office)
            let before = office.configuration
            office.stop()
            let away = try bihuan(["status", "--data", directory.path])
            #expect(
                away.status == 1 && away.errors.contains("the database does not answer")
                    && away.errors.contains("the broker does not answer"))

            office = try await start(directory)
            #expect(office.configuration.users == before.users)
            #expect(office.configuration.database.url == before.database.url)
            #expect(try reports(office) == 20, "the database is kept")
            try tamperedLedgerIsNamed(office)
        } catch {
            office.stop()
            throw error
        }
        office.stop()
        #expect(office.workers.running.isEmpty && office.servers.rabbitmqProcessID == nil)
    }

    // MARK: The story

    private func secondStartSaysSo(_ directory: URL) async throws {
        let result = try bihuan(["up", "--data", directory.path])
        #expect(result.status == 1)
        #expect(result.errors.contains("are already running, pid \(getpid())"), "\(result.errors)")
        let mode = try FileManager.default.attributesOfItem(atPath: directory.appending(path: "bihuan.yaml").path)[
            .posixPermissions]
        #expect(mode as? Int == 0o600)
    }

    private func submits(to office: LocalOffice) async throws {
        let good = (0..<20).map { "{\"id\":\"r-\($0)\",\"title\":\"反映\",\"text\":\"某某第\($0)次贪污公款，请查处。\"}" }
        let file = office.directory.appending(path: "reports.jsonl")
        try Data((good + ["no report", "{\"text\":\"\"}"]).joined(separator: "\n").utf8).write(to: file)
        for _ in 1...2 {
            let result = try bihuan(["submit", "--data", office.directory.path, "--file", file.path])
            #expect(result.status == 1)
            #expect(result.output.hasPrefix("20 submitted, 2 not"))
            #expect(!result.output.contains("unanswered"), "\(result.output)")
            #expect(
                result.errors.contains("line 21: the line cannot be read as JSON")
                    && result.errors.contains("line 22: the text is empty"))
        }
        try await eventually("20 reports, submitted twice, are registered once") { try reports(office) == 20 }
        try saysWhatBecameOfEach(office, file)
        let status = try bihuan(["status", "--data", office.directory.path])
        #expect(status.status == 0 && status.output.contains("bihuan.routing"))
    }

    /// What the policy would refuse is reported before sending; what only the office knows, after; a wrong broker in
    /// time.
    private func saysWhatBecameOfEach(_ office: LocalOffice, _ file: URL) throws {
        let rows = """
            id,text,matterKind,receivedAt,accused.name,accused.unit,reporter.name
            c-1,某镇干部贪污公款。,praise,,,,
            c-2,某镇干部贪污公款。,,2999-01-01T00:00:00Z,,,
            c-3,某镇干部贪污公款。,,,张三,nowhere,匿名
            r-0,某镇干部贪污公款。,,,,,
            """
        try Data(rows.utf8).write(to: file)
        let result = try bihuan(["submit", "--json", "--data", office.directory.path, "--file", file.path])
        #expect(result.status == 1 && result.errors.contains("reading CSV (,) in UTF-8"), "\(result.errors)")
        let lines = try result.output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        func line(_ number: Int) -> [String: Any] { lines.first { $0["line"] as? Int == number } ?? [:] }
        #expect(line(2)["outcome"] as? String == "not_sent" && "\(line(2)["problems"] ?? "")".contains("it knows "))
        #expect(line(3)["outcome"] as? String == "not_sent" && "\(line(3)["problems"] ?? "")".contains("in the future"))
        #expect(line(4)["outcome"] as? String == "rejected" && "\(line(4)["problems"] ?? "")".contains("unknown_unit"))
        #expect(
            line(5)["outcome"] as? String == "rejected" && "\(line(5)["problems"] ?? "")".contains("id_reused"),
            "\(line(5))")
        let summary = lines.last?["summary"] as? [String: Any]
        #expect(summary?["submitted"] as? Int == 2 && summary?["anonymous"] as? Int == 1)
        let url = office.directory.appending(path: "url")
        try writePrivately("amqp://source.web:x@127.0.0.1:1/\n", to: url)
        let late = try bihuan(["submit", "--url-file", url.path, "--timeout", "0.5", "--file", file.path])
        #expect(late.status == 3 && late.errors.contains("no broker at 127.0.0.1:1"), "\(late.errors)")
        #expect(
            try bihuan(["submit", "--encoding", "latin", "--data", office.directory.path, "--file", file.path]).status
                == 64)
        try Data([0x50, 0x4B, 0x03, 0x04]).write(to: file)
        let workbook = try bihuan(["submit", "--data", office.directory.path, "--file", file.path])
        #expect(workbook.status == 1 && workbook.errors.contains("save it as CSV"))
    }

    private func killedWorkerComesBack(_ office: LocalOffice) async throws {
        try await eventually("four workers run") { office.workers.running.count == 4 }
        let before = Set(office.workers.running.map(\.processID))
        #expect(office.workers.killRandom() != nil)
        try await eventually("another process took its place") {
            let now = Set(office.workers.running.map(\.processID))
            return now.count == 4 && now != before
        }
        #expect(office.workers.restartCount == 1)
    }

    /// A body that is no report ends as a dead letter without content: no replay promises what it cannot do.
    private func deadLettersAreSettled(_ office: LocalOffice) async throws {
        let web = Party.source(SourceID(unchecked: "web"))
        let broker = try AMQP.Connection(try office.configuration.brokerSettings(for: web))
        defer { broker.close() }
        let publisher = try Publisher(on: broker)
        try publishNoReports(3, publisher, from: web)
        let data = ["--data", office.directory.path]
        try await eventually("three dead letters lie there") {
            try bihuan(["dead", "list"] + data).output.contains("3 dead letters")
        }
        let list = try bihuan(
            ["dead", "list", "--json", "--sender", "source.web", "--reason", "not_json", "--newer-than", "1h"] + data)
        let lines = list.output.split(separator: "\n")
        #expect(list.status == 0 && lines.count == 3 && !list.output.contains("no report"))
        let deadLetter = try #require(try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
        let id = try #require(deadLetter["id"] as? String)
        #expect(try bihuan(["dead", "list", "--older-than", "1h"] + data).output.contains("0 dead letters"))
        try deadLettersComeInPages(data, of: lines.map(String.init))
        let page = try bihuan(["dead", "show", id] + data)
        #expect(page.status == 0 && page.output.contains("answered     yes, its sender was told"))
        let unknown = try bihuan(["dead", "show", "00000000-0000-0000-0000-000000000000"] + data)
        #expect(unknown.status == 1 && unknown.errors.contains("no dead letter has the id"))

        try deadLettersAreDecided(id, data)
        try await deadLettersAreChosenByType(publisher, from: web, data)
        try await floodIsNotAnsweredByAFlood(office, publisher, from: web, data)
        try await hostileWordsAreShown(office, publisher, from: web, data)
    }

    private func publishNoReports(_ count: Int, _ publisher: Publisher, from web: Party) throws {
        for number in 1...count {
            _ = try publisher.publish(
                Array("no report \(number)".utf8), to: ExchangeName(rawValue: Topology.Exchange.intake),
                key: RoutingKey(rawValue: MessageType.reportSubmitted.routingKey(from: web)),
                properties: Properties(userID: web.description), token: Int64(number), deadline: 5)
        }
        _ = try publisher.settle(within: 5)
    }

    /// Replays three dead letters in vain, and discards them.
    private func deadLettersAreDecided(_ id: String, _ data: [String]) throws {
        let aim = ["--reason", "not_json", "--as", "operator"] + data
        let dry = try bihuan(["dead", "replay", "--dry-run"] + aim)
        #expect(dry.status == 0 && dry.output.contains("3 would be replayed"))
        let begun = ContinuousClock.now
        let replay = try bihuan(["dead", "replay", "--rate", "4"] + aim)
        #expect(
            ContinuousClock.now - begun >= .milliseconds(500),
            "the third comes two quarters of a second after the first")
        #expect(
            replay.status == 1 && replay.output == "3 not settled\n"
                && replay.errors.contains("nothing of this letter was kept"))
        #expect(try bihuan(["dead", "list"] + data).output.contains("not kept"))
        #expect(
            try bihuan(["dead", "replay", id, "--as", "clerk"] + data).errors.contains(
                "you may not decide about dead letters"))
        let one = try bihuan(["dead", "discard", id, "--because", "不是举报", "--as", "operator"] + data)
        #expect(one.status == 0 && one.output == "1 discarded\n", "\(one.errors)")
        // As on a terminal, which `script` makes.
        let words = ([Program.bihuan, "dead", "discard", "--because", "不是举报"] + aim).map { "'\($0)'" }.joined(
            separator: " ")
        let rest = try Program.run("/usr/bin/script", ["-qec", words, "/dev/null"])
        #expect(rest.status == 0 && rest.output.hasSuffix("2 discarded\r\n"), "\(rest.errors)")
        #expect(rest.output.contains("of 2 decided"), "\(rest.output)")
        #expect(try bihuan(["dead", "list", "--state", "discarded"] + data).output.contains("3 dead letters"))
        // The same command once more gets the verdict it had.
        #expect(
            try bihuan(["dead", "replay", id, "--as", "operator"] + data).errors.contains(
                "nothing of this letter was kept"))
    }

    /// The sender reads none of its answers, one for each dead letter.
    private func floodIsNotAnsweredByAFlood(
        _ office: LocalOffice, _ publisher: Publisher, from web: Party, _ data: [String]
    ) async throws {
        for number in 1...130 {
            _ = try publisher.publish(
                Array("flood \(number)".utf8), to: ExchangeName(rawValue: Topology.Exchange.intake),
                key: RoutingKey(rawValue: MessageType.reportSubmitted.routingKey(from: web)),
                properties: Properties(userID: web.description), token: Int64(100 + number), deadline: 5)
        }
        _ = try publisher.settle(within: 5)
        try await eventually("130 dead letters lie there") {
            try bihuan(["dead", "list", "--limit", "1"] + data).output.contains("\n129 more: ")
        }
        let broker = try AMQP.Connection(try office.configuration.operatorBrokerSettings())
        defer { broker.close() }
        let channel = try broker.openChannel()
        let queue = QueueName(rawValue: "source.web.notice")
        func unread() throws -> Int { try broker.declareQueue(queue, passive: true, on: channel).messageCount }
        try await eventually("their answers lie there too") { try unread() >= 130 }
        let before = try unread()
        let discard = [
            "dead", "discard", "--reason", "not_json", "--because", "不是举报", "--as", "operator", "--rate", "10000",
            "--timeout", "2",
        ]
        let first = try bihuan(discard + data)
        #expect(
            first.status == 1 && first.output.hasPrefix("100 discarded\n30 left: source.web has not read "),
            "\(first.output)\(first.errors)")
        #expect(first.errors.contains("run it again when source.web reads its queue"))
        #expect(try unread() <= before + 100)
        try broker.purgeQueue(queue, on: channel)
        let second = try bihuan(discard + data)
        #expect(second.status == 0 && second.output == "30 discarded\n", "\(second.output)\(second.errors)")
    }

    /// Words of a sender, of a file and of a map, made for a terminal; `bihuan` looks at what is printed.
    private func hostileWordsAreShown(
        _ office: LocalOffice, _ publisher: Publisher, from web: Party, _ data: [String]
    ) async throws {
        let words = "\u{1B}]0;owned\u{7}\u{1B}[2J\u{9B}31m\u{202E}\r\u{2028}王芳"
        _ = try publisher.publish(
            Array("hostile".utf8), to: ExchangeName(rawValue: Topology.Exchange.intake),
            key: RoutingKey(rawValue: MessageType.reportSubmitted.routingKey(from: web)),
            properties: Properties(messageID: words, type: words, userID: web.description), token: 900, deadline: 5)
        _ = try publisher.settle(within: 5)
        try await eventually("it lies there") {
            try bihuan(["dead", "list"] + data).output.contains("\n1 dead letter")
        }
        let list = try bihuan(["dead", "list", "--json"] + data)
        let deadLetter = try #require(try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [String: Any])
        let page = try bihuan(["dead", "show", try #require(deadLetter["id"] as? String)] + data)
        #expect(
            page.status == 0
                && (deadLetter["type"] as? String != words || page.output.contains(#"\u{1B}]0;owned\u{7}"#)),
            "\(page.output)")
        #expect(
            try bihuan(["dead", "discard", "--all", "--because", "不是举报", "--as", "operator"] + data).output
                == "1 discarded\n")

        let file = office.directory.appending(path: "hostile.jsonl")
        let json = try String(
            decoding: JSONEncoder().encode(["id": words, "text": words, words: words, "matterKind": words]),
            as: UTF8.self)
        try Data("\(json)\n\(words)\n".utf8).write(to: file)
        #expect(try bihuan(["submit", "--file", file.path] + data).status == 1)
        #expect(try bihuan(["submit", "--file", file.path, "--map", file.path] + data).status == 1)
        #expect(try bihuan(["ledger", "verify", "--file", file.path]).status == 1)
        let settings = office.directory.appending(path: "hostile.yaml")
        try writePrivately("\"\\e]0;x\\a\": {\"\\e[2J\": 1}\nlog: {level: \"\\e[2J\\u202e\"}\n", to: settings)
        for command in [["status"], ["topology", "show"], ["dead", "list"], ["migrate"], ["ledger", "export"]] {
            #expect(try bihuan(command + ["--config", settings.path]).status == 1)
        }
    }

    private func deadLettersComeInPages(_ data: [String], of all: [String]) throws {
        let first = try bihuan(["dead", "list", "--limit", "2"] + data)
        let shown = first.output.split(separator: "\n").map(String.init)
        let last = try #require(shown.dropFirst(2).first?.prefix(36))
        #expect(
            first.status == 0 && shown.count == 5 && shown[3] == "2 dead letters"
                && shown[4] == "1 more: go on with --after \(last)")
        let rest = try bihuan(["dead", "list", "--limit", "2", "--after", String(last)] + data)
        #expect(rest.status == 0 && rest.output.hasSuffix("\n1 dead letter\n"), "\(rest.output)\(rest.errors)")
        let json = try bihuan(["dead", "list", "--json", "--limit", "1"] + data)
        #expect(json.output == all[0] + "\n" && json.errors.hasPrefix("2 more: go on with --after "))
        #expect(
            try bihuan(["dead", "list", "--after", "00000000-0000-0000-0000-000000000000"] + data).errors.contains(
                "no dead letter has the id"))
    }

    /// Nobody vouches for its sender, so it is kept; its type is readable.
    private func deadLettersAreChosenByType(_ publisher: Publisher, from web: Party, _ data: [String]) async throws {
        let type = MessageType.reportSubmitted.rawValue
        _ = try publisher.publish(
            Array("{\"specversion\":\"1.0\",\"id\":\"x-1\",\"type\":\"\(type)\",\"subject\":\"x-1\"}".utf8),
            to: ExchangeName(rawValue: Topology.Exchange.intake),
            key: RoutingKey(rawValue: MessageType.reportSubmitted.routingKey(from: web)), properties: Properties(),
            token: 4, deadline: 5)
        _ = try publisher.settle(within: 5)
        try await eventually("a fourth dead letter lies there") {
            try bihuan(["dead", "list"] + data).output.contains("1 dead letter")
        }
        for (chosen, count) in [
            ("report.submitted", "1 dead letter\n"), (type, "1 dead letter\n"), ("handoff.signed", "0 dead letters\n"),
        ] {
            let list = try bihuan(["dead", "list", "--type", chosen] + data)
            #expect(list.status == 0 && list.output.hasSuffix(count), "\(list.output)")
        }
        let discard = ["dead", "discard", "--because", "不是举报", "--as", "operator", "--type"]
        #expect(try bihuan(discard + ["handoff.signed"] + data).output == "no dead letter is meant by this\n")
        #expect(try bihuan(discard + ["report.submitted"] + data).output == "1 discarded\n")
    }

    /// Each of the two is shown without the other, and the fault of the other is reported.
    private func statusShowsWhatIsThere(_ office: LocalOffice) throws {
        let data = ["--data", office.directory.path]
        func yaml(_ change: (inout OfficeConfiguration) -> Void) throws -> String {
            var seen = office.configuration
            change(&seen)
            let file = office.directory.appending(path: "seen.yaml")
            try writePrivately(seen.yaml(folder: office.directory), to: file)
            return file.path
        }
        let whole = try bihuan(["status"] + data)
        #expect(
            whole.status == 0 && whole.output.contains("Reports\n") && whole.output.contains("bihuan.routing"),
            "\(whole.errors)")
        let noBroker = try bihuan(["status", "--config", try yaml { $0.broker.port = 1 }])
        #expect(
            noBroker.status == 1 && noBroker.output.contains("Reports\n") && !noBroker.output.contains("bihuan.routing")
        )
        #expect(noBroker.errors.contains("the broker does not answer"), "\(noBroker.errors)")
        let noDatabase = try bihuan([
            "status", "--config", try yaml { $0.database.url.replace("127.0.0.1:", with: "127.0.0.1:1") },
        ])
        #expect(
            noDatabase.status == 1 && !noDatabase.output.contains("Reports\n")
                && noDatabase.output.contains("bihuan.routing"))
        #expect(noDatabase.errors.contains("the database does not answer"), "\(noDatabase.errors)")

        let wrong = try bihuan(["status", "--config", try yaml { $0.database.passwords[.operator] = "N0t-it" }])
        #expect(
            wrong.errors.contains("the database refuses the user or the password (SQLSTATE 28P01)"), "\(wrong.errors)")
        #expect(wrong.output.contains("bihuan.routing") && !wrong.errors.contains("N0t-it"))
        let refused = try bihuan(["status", "--config", try yaml { $0.users["operator"] = "other" }])
        #expect(
            refused.errors.contains("the broker refuses the user or the password (ACCESS_REFUSED)")
                && refused.output.contains("Reports\n"))
        let nowhere = try bihuan(["dead", "list", "--config", try yaml { $0.database.url += "x" }])
        #expect(nowhere.status == 1 && nowhere.errors.contains("has no such database"), "\(nowhere.errors)")
    }

    /// On a terminal in place, on its other screen, until Ctrl-C; elsewhere one view after the other.
    private func statusIsWatched(_ office: LocalOffice) throws {
        let data = office.directory.path
        let once = try bihuan(["status", "--json", "--data", data])
        let view = try JSONDecoder().decode(OfficeView.self, from: Data(once.output.utf8))
        #expect(once.status == 0 && view.queues?.isEmpty == false && view.database?.reports.isEmpty == false)
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/script")
        let command = "stty cols 60 rows 12; exec '\(Program.bihuan)' status --watch 0.2 --data '\(data)'"
        process.arguments = ["-qefc", command, "/dev/null"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var seen = ""
        func read(until isEnough: () -> Bool) {
            while !isEnough(), case let bytes = output.fileHandleForReading.availableData, !bytes.isEmpty {
                seen += String(decoding: bytes, as: UTF8.self)
            }
        }
        // The screen is cleared once, and then drawn three times.
        read { seen.components(separatedBy: "\u{1B}[H").count > 4 }
        try input.fileHandleForWriting.write(contentsOf: Data([3]))
        read { false }
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(seen)")
        #expect(seen.hasPrefix("\u{1B}[?1049h\u{1B}[?25l") && seen.contains("Flow (messages that wait)"), "\(seen)")
        #expect(seen.contains("more lines") && seen.contains("\u{1B}[?25h\u{1B}[?1049l"), "\(seen)")

        let words = "'\(Program.bihuan)' status --watch 0.2 --json --data '\(data)' | head -n 2"
        let lines = try Program.run("/bin/sh", ["-c", words]).output.split(separator: "\n")
        #expect(lines.count == 2)
        for line in lines { _ = try JSONDecoder().decode(OfficeView.self, from: Data(line.utf8)) }
    }

    private func reportIsTraced(_ office: LocalOffice) throws {
        let data = ["--data", office.directory.path]
        let traced = try bihuan(["trace", "2026-00000001"] + data)
        #expect(
            traced.status == 0 && traced.output.contains("source.web.submit →") && !traced.output.contains("某某"),
            "\(traced.output)\(traced.errors)")
        let json = try bihuan(["trace", "2026-00000001", "--json"] + data)
        #expect(json.output.hasPrefix("{") && json.output.contains("\"kind\":\"step\""))
        let unknown = try bihuan(["trace", "2026-99999999"] + data)
        #expect(
            unknown.status == 1 && unknown.errors.contains("there is no report or handoff 2026-99999999: a report's"))
        #expect(try bihuan(["trace", "nonsense"] + data).status == 64)
        #expect(try bihuan(["outbox"] + data).status == 0)
        #expect(try bihuan(["deferred"] + data).output == "no message waits for its state\n")
    }

    private func ledgerIsProved(_ office: LocalOffice) throws {
        let data = ["--data", office.directory.path]
        #expect(try bihuan(["ledger", "verify"] + data).output.contains("the ledger is whole"))
        #expect(!(try bihuan(["status"] + data)).output.contains("What is new"))
        let first = try bihuan(["ledger", "checkpoint"] + data)
        #expect(first.output.hasPrefix("bihuan ledger checkpoint v1\nnumber 1\n"), "\(first.errors)")
        #expect(first.errors.contains(/chains looked at: \d+, all that there are\n/), "\(first.errors)")
        let second = try bihuan(["ledger", "checkpoint"] + data)
        #expect(second.output == "nothing has come since the last checkpoint\n")
        #expect(second.errors == "chains looked at: 0\n")
        #expect(
            try bihuan(["status"] + data).output.contains(
                /What is new \(transactions of the ledger that a reader has not read\)\n +checkpoint +0\n/))
        let export = office.directory.appending(path: "export.jsonl").path
        #expect(try bihuan(["ledger", "export", "--output", export] + data).status == 0)
        let ours = try bihuan(["ledger", "verify", "--file", export])
        #expect(ours.status == 0 && ours.output.contains("1 checkpoints\nsigned with "))
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../docs/contract/examples/verify-ledger.py"
        ).standardizedFileURL
        let theirs = try Program.run("/usr/bin/env", ["python3", script.path, export])
        #expect(theirs.output == ours.output, "the script and the command say the same")

        // The key to pin; and with its salt a source finds the report that it sent.
        let key = try #require(
            try bihuan(["ledger", "key"] + data).output.firstMatch(
                of: /public key ([0-9a-f]{64})\nkey id     [0-9a-f]{16}\n/)?.1)
        #expect(try bihuan(["ledger", "verify", "--file", export, "--key", String(key)]).status == 0)
        let salt = try bihuan(["ledger", "salt", "--report", "2026-00000001", "--party", "source.web"] + data)
        #expect(
            salt.output.contains(/report [0-9a-f-]{36}\nparty  source.web\nsalt   [0-9a-f]{64}\n/),
            "\(salt.output)\(salt.errors)")
        #expect(
            try bihuan(["ledger", "salt", "--report", "2026-99999999", "--party", "source.web"] + data).errors.contains(
                "there is no report"))

        // One hexadecimal digit of the signature, then of an entry's hash.
        for key in ["\"signature\":\"", "\"hash\":\""] {
            var text = try String(contentsOfFile: export, encoding: .utf8)
            let at = try #require(text.range(of: key)).upperBound
            text.replaceSubrange(at...at, with: text[at] == "0" ? "1" : "0")
            let tampered = office.directory.appending(path: "tampered.jsonl").path
            try Data(text.utf8).write(to: URL(filePath: tampered))
            let ours = try bihuan(["ledger", "verify", "--file", tampered])
            let theirs = try Program.run("/usr/bin/env", ["python3", script.path, tampered])
            #expect(ours.status == 1 && theirs.status == 1)
            #expect(ours.errors == "Error: " + theirs.errors)
        }
    }

    private func policyIsActivated(_ office: LocalOffice) throws {
        let data = ["--data", office.directory.path]
        #expect(try bihuan(["policy", "show"] + data).output.hasPrefix("cn-discipline@1, activated at "))
        let file = office.directory.appending(path: "policy.yaml")
        let shipped = try String(contentsOf: file, encoding: .utf8)
        try Data((shipped + "\n# another text\n").utf8).write(to: file)
        let refused = try bihuan(["policy", "activate", file.path] + data)
        #expect(
            refused.status == 1 && refused.errors.contains("was entered before with another text"), "\(refused.errors)")
        try Data(shipped.replacing("\nversion: 1\n", with: "\nversion: 2\n").utf8).write(to: file)
        let taken = try bihuan(["policy", "activate", file.path] + data)
        #expect(taken.status == 0 && taken.output.hasPrefix("cn-discipline@2 decides from now on"), "\(taken.errors)")
        #expect(try bihuan(["policy", "show"] + data).output.hasPrefix("cn-discipline@2, activated at "))
        #expect(try bihuan(["policy", "show", "--text"] + data).output.contains("version: 2"))
    }

    private func tamperedLedgerIsNamed(_ office: LocalOffice) throws {
        var superuser = try #require(URLComponents(string: office.servers.superuserURL))
        superuser.path = "/bihuan"
        let connection = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: try #require(superuser.string)))
        defer { connection.close() }
        #expect(throws: PostgreSQLError.self) {
            try connection.execute("UPDATE ledger_entry SET bytes = bytes || '\\x20'::bytea")
        }
        try connection.execute(
            """
            ALTER TABLE ledger_entry DISABLE TRIGGER ledger_only_grows;
            UPDATE ledger_entry SET bytes = bytes || '\\x20'::bytea WHERE chain = (SELECT id FROM report WHERE \
            source_id = 'r-7') AND sequence = 1
            """)
        let report = try #require(try connection.run(FindReport(sourceID: "r-7")).rows.first)
        let result = try bihuan(["ledger", "verify", "--data", office.directory.path])
        #expect(result.status == 1)
        #expect(
            result.errors.contains("the ledger is NOT whole: report \(report), entry 1: the hash does not fit"),
            "\(result.errors)")
    }

    // MARK: Helpers

    /// No output is a terminal's control sequence, whatever was submitted.
    private func bihuan(_ arguments: [String]) throws -> Program.Result {
        let result = try Program.run(Program.bihuan, arguments)
        expectHarmless(result)
        return result
    }

    private func start(_ directory: URL) async throws -> LocalOffice {
        var options = LocalOffice.Options(directory: directory)
        options.executable = Program.bihuan
        options.report = { _ in }
        return try await LocalOffice.start(options)
    }

    private func reports(_ office: LocalOffice) throws -> Int {
        let connection = try PostgreSQL.Connection(office.configuration.databaseSettings("test"))
        defer { connection.close() }
        return try connection.run(CountReports()).rows.reduce(0) { $0 + $1.count }
    }
}

private struct FindReport: Statement {
    static let sql = "SELECT id FROM report WHERE source_id = $1"
    let sourceID: String
    var parameters: [Parameter] { [.text(sourceID)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ReportID { ReportID(try row.uuid()) }
}
