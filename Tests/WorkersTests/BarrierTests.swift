import AMQP
import Basics
import Casework
import Contract
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

@Suite("The barrier", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct BarrierTests {
    @Test(
        """
        a report on someone of a unit reaches neither the unit, nor what stands below it, nor its source beyond a \
        bare receipt
        """
    )
    func subtree() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (subordinate, department) = (try office.source("subordinate"), try office.unit("d1"))
        let id = UUID().uuidString
        let act = subordinate.prepare(.reportSubmitted, id: id, subject: id, Submission.new(unit: "c01", level: "city"))
        try subordinate.publish(act)
        let receipt = try subordinate.heard()
        #expect(receipt.type == MessageType.reportReceived.rawValue)
        #expect(receipt.data.isEmpty)
        #expect(receipt.inReplyTo == id)
        // Not even the trace tells which report it was.
        let report = try office.texts("SELECT replace(id::text, '-', '') FROM report").first ?? "none"
        let trace = receipt.delivery.properties.headers["traceparent"]?.stringValue ?? ""
        #expect(trace.utf8.count == 55 && !trace.contains(report))
        let arrived = try department.receiveHandoff()
        try department.sign(arrived)
        try department.decide(arrived)
        try department.conclude(arrived)
        #expect(try department.heard().type == MessageType.conclusionAccepted.rawValue)
        // A repeat gets the bare receipt again, the same bytes, and nothing else ever came.
        try subordinate.publish(act)
        #expect(try subordinate.heard().delivery.body == receipt.delivery.body)
        try subordinate.submit(.new())
        #expect(try subordinate.heard().type == MessageType.reportAccepted.rawValue)
        #expect(try office.texts("SELECT unit FROM barred_root ORDER BY 1") == ["c01"])

        // A report on nobody of theirs is the first that the city and the county get.
        let (city, county) = (try office.unit("c01"), try office.unit("c01-d01"))
        let harmless = try city.receiveHandoff()
        #expect(harmless.number != arrived.number)
        for unit in [city, county] {
            try unit.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: "打听"))
            #expect(try unit.heard().problem == "unknown_handoff")
        }
        try office.close()
    }

    @Test("a report on someone of the county goes to the city above, not to the county")
    func onlyBelow() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        var submission = Submission.new(unit: "c01-d01")
        submission.accused[0].region = "p-c01-d01"
        submission.region = "p-c01-d01"
        let letter = try office.source()
        let arrived = try office.handOff(submission, from: letter, to: try office.unit("c01"))
        #expect(try office.texts("SELECT unit FROM handoff WHERE id = '\(arrived.handoff)'") == ["c01"])
        var harmless = submission
        harmless.accused[0].unit = nil
        harmless.text += "补充"
        _ = try office.handOff(harmless, from: letter, to: try office.unit("c01-d01"))
        try office.close()
    }

    @Test("an accused whose unit nobody knows is refused rather than let through")
    func unknownUnit() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let letter = try office.source()
        try letter.submit(.new(unit: "c99"))
        let answer = try letter.heard()
        #expect(answer.type == MessageType.reportRejected.rawValue)
        #expect(answer.problem == "unknown_unit")
        #expect(try office.count("SELECT count(*) FROM report") == 0)
        try office.close()
    }

    @Test("the database refuses an outbox row and a handoff that would pass the barrier, whoever writes them")
    func database() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let letter = try office.source()
        _ = try office.handOff(.new(unit: "c01", level: "city"), from: letter, to: try office.unit("d1"))
        try office.settle()
        let worker = try PostgreSQL.Connection(
            ConnectionSettings(url: office.servers.databaseURL(user: "bihuan_worker", database: office.databaseName)))
        defer { worker.close() }
        func constraint(_ sql: String) -> String? {
            do {
                try worker.execute(sql)
                return nil
            } catch {
                return error.constraintName
            }
        }
        func letterTo(_ addressee: String, _ type: String = "bihuan.handoff.dispatched.v1") -> String {
            """
            INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, \
            body, created_at)
            SELECT gen_random_uuid(), 'hand', 'hand', 'x', 'x', '\(type)', 'x', '\(addressee)', ARRAY[id], '', \
            registered_at FROM report
            """
        }
        for addressee in ["unit.c01", "unit.c01-d01", "source.subordinate"] {
            #expect(constraint(letterTo(addressee)) == "outbox_addressee_not_barred", "\(addressee)")
        }
        #expect(constraint(letterTo("source.subordinate", "bihuan.report.received.v1")) == nil)
        #expect(constraint(letterTo("unit.d2")) == nil)
        #expect(constraint("DELETE FROM outbox WHERE lane = 'hand'") == nil)
        for (unit, expected) in [
            ("c01", "handoff_unit_not_barred"), ("c01-d01", "handoff_unit_not_barred"), ("d2", nil),
        ] {
            #expect(
                constraint(
                    """
                    INSERT INTO handoff (id, report_id, attempt, unit, kind, state, express, rule, digest, \
                    running_clocks, no_clock_reason)
                    SELECT gen_random_uuid(), id, 99, '\(unit)', 'transfer', 'released', false, 'hand', '', 0, 'hand' \
                    FROM report
                    """) == expected, "\(unit)")
        }
        try office.close()
    }

    @Test("what escalates is noticed to the supervisors whom the barrier admits, and to nobody else")
    func personNotices() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        let (letter, city) = (try office.source(), try office.unit("c01"))
        for worker in [Worker.intake, .routing, .feedback] { try office.start(worker) }
        let recused = try office.handOff(.new(name: "避嫌人"), from: letter, to: city)
        let other = try office.handOff(from: letter, to: city)
        // Six days later nobody has signed.
        try office.start(
            .deadlines,
            clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 6 * 86_400), rate: 1))
        try office.wait(for: ["3"], "SELECT count(*) FROM person_notice")
        #expect(
            try office.texts("SELECT DISTINCT person FROM person_notice WHERE handoff_id = '\(recused.handoff)'") == [
                "wang"
            ])
        #expect(
            try office.texts("SELECT person FROM person_notice WHERE handoff_id = '\(other.handoff)' ORDER BY 1") == [
                "qian", "wang",
            ])
        var types: [String] = []
        for _ in 1...6 { types.append(try city.heard().type) }
        #expect(
            Set(types) == [
                MessageType.noticeSignDue.rawValue, MessageType.noticeOverdue.rawValue,
                MessageType.noticeEscalated.rawValue,
            ])
        try office.close()
    }

    @Test(
        """
        an accused member of the staff is told nothing however his name is written: blanks, invisible and \
        Traditional characters, titles
        """
    )
    func spellings() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        try office.change("INSERT INTO person (id, name, roles) VALUES ('shen', '沈励行', '{supervisor}')")
        let (letter, city) = (try office.source(), try office.unit("c01"))
        for worker in [Worker.intake, .routing, .feedback] { try office.start(worker) }
        let spellings = ["沈励行", "沈　励行", "沈 励行", "沈励行 ", "沈\u{200B}励行", "沈勵行", "沈励行同志"]
        var handoffs: [String] = []
        for name in spellings { handoffs.append(try office.handOff(.new(name: name), from: letter, to: city).handoff) }
        // Sources write names into other fields too.
        for place in [Accused(name: "某副书记", position: "沈励行（分管）"), Accused(name: "某副书记", organ: "某镇 沈勵行")] {
            var report = Submission.new()
            report.accused[0].position = place.position
            report.accused[0].organ = place.organ
            handoffs.append(try office.handOff(report, from: letter, to: city).handoff)
        }
        let harmless = try office.handOff(from: letter, to: city)
        try office.start(
            .deadlines,
            clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 6 * 86_400), rate: 1))
        // Two others hear of each of the nine, three of the harmless one.
        try office.wait(for: ["21"], "SELECT count(*) FROM person_notice")
        #expect(try office.texts("SELECT handoff_id FROM person_notice WHERE person = 'shen'") == [harmless.handoff])
        try office.close()
    }

    @Test(
        """
        an organ that is no unit's name but may be one bars it; one of this kind that fits none waits for a \
        person; others are routed
        """
    )
    func organs() throws {
        let office = try OfficeUnderTest()
        // Two units of one name, both nearer than the city.
        for id in ["c01-x1", "c01-x2"] {
            try office.change(
                """
                INSERT INTO unit VALUES ('\(id)', '甲市西区纪委监委', 'county', 'p-c01-x', '{village,township}', NULL, true, \
                NULL,
                    gen_random_uuid(), decode(repeat('00', 32), 'hex'), 0)
                """)
        }
        try office.startAll()
        let letter = try office.source()
        func routed(_ organ: String, _ position: String? = nil) throws -> String {
            var report = Submission.new()
            report.region = "p-c01-x"
            report.accused = [
                Accused(name: "张三", organ: organ, position: position, level: "township", region: "p-c01-x")
            ]
            let id = try letter.submit(report)
            #expect(try letter.heard().type == MessageType.reportAccepted.rawValue)
            let unit = "SELECT unit FROM handoff WHERE report_id = r.id"
            let outcome = "coalesce((\(unit)), r.state || ' ' || split_part(r.rule, '/', 2))"
            try office.wait(
                for: ["1"], "SELECT count(*) FROM report r WHERE source_id = '\(id)' AND state <> 'registered'")
            return try office.texts("SELECT \(outcome) FROM report r WHERE source_id = '\(id)'").first ?? ""
        }
        #expect(try routed("某镇政府") == "c01-x1")
        #expect(try routed("某小学", "校长") == "c01-x1")
        #expect(try routed("甲市西区纪委监委") == "c01")
        #expect(try routed("甲市　西區纪委") == "c01")
        #expect(try routed("某局", "甲市西区纪委监委副书记") == "c01")
        for (organ, position) in [("丁县纪委", "书记"), ("某镇政府", "纪委书记"), ("某机关", "派驻纪检监察组组长")] {
            let outcome = try routed(organ, position)
            #expect(outcome.hasPrefix("needs_review"), "\(organ): \(outcome)")
        }
        #expect(try office.count("SELECT count(*) FROM report WHERE reason LIKE '%不能确定%'") == 3)
        try office.close()
    }

    @Test(
        """
        a unit moved or entered below a barred one is barred at once: no notice, no answer, no handoff reaches \
        it, and no lane stops
        """
    )
    func treeOfNow() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        let (letter, web, d1) = (try office.source(), try office.source("web"), try office.unit("d1"))
        for worker in [Worker.intake, .routing, .feedback] { try office.start(worker) }
        let arrived = try office.handOff(.new(unit: "c01", level: "city"), from: letter, to: d1)
        let id = UUID().uuidString
        let act = web.prepare(.reportSubmitted, id: id, subject: id, Submission.new(unit: "c01", level: "city"))
        try web.publish(act)
        #expect(try web.heard().type == MessageType.reportAccepted.rawValue)
        _ = try d1.receiveHandoff()
        try d1.sign(arrived)
        try d1.decide(arrived)
        let conclusion = d1.prepare(
            .handoffConcluded, subject: arrived.handoff,
            HandoffConcluded(outcome: "substantiated", summary: "查实", reporterAnswered: true))
        try d1.publish(conclusion)
        #expect(try d1.heard().type == MessageType.conclusionAccepted.rawValue)

        // d1 is put below the city that the reports are about; the web platform is the city's now.
        try office.change(
            "UPDATE unit SET parent = 'c01' WHERE id = 'd1'; UPDATE source SET unit = 'c01-d01' WHERE id = 'web'")
        // The stored answer does not go again; the next act is heard all the same.
        try d1.publish(conclusion)
        #expect(try d1.heardOnceDecided().isEmpty)
        // A repeat gets a bare receipt now, and a second body too.
        try web.publish(act)
        let receipt = try web.heard()
        #expect(receipt.type == MessageType.reportReceived.rawValue)
        #expect(receipt.data.isEmpty && receipt.inReplyTo == id)
        try web.submit(.new(), id: id)
        #expect(try web.heard().type == MessageType.reportReceived.rawValue)
        // A new report on the city goes to the other department.
        _ = try office.handOff(.new(unit: "c01", level: "city"), from: letter, to: try office.unit("d2"))
        // What is due tells d1 nothing, and its neighbours what they must know.
        try office.start(
            .deadlines,
            clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 6 * 86_400), rate: 1))
        #expect(try (try office.unit("d2")).heard().type == MessageType.noticeSignDue.rawValue)
        try office.wait(for: ["0"], "SELECT count(*) FROM clock WHERE next_at < now() + interval '5 days'")
        #expect(try d1.heardOnceDecided().isEmpty)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }

    @Test(
        "what lanes remember of units and sources for a while opens nothing and stops nothing when it has become wrong")
    func directoryOutOfDate() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let web = try office.source("web")
        try web.submit(.new(unit: "c01", level: "city"))
        #expect(try web.heard().type == MessageType.reportAccepted.rawValue)
        // The lanes read this a moment ago.
        try office.change("UPDATE source SET unit = 'c01' WHERE id = 'web'")
        for _ in 1...2 {
            try web.submit(.new(unit: "c01", level: "city"))
            #expect(try web.heard().type == MessageType.reportReceived.rawValue)
        }
        #expect(try office.count("SELECT count(*) FROM report WHERE receipt_only") == 2)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }

    @Test("a unit that is barred by now has no hand in the matter any more, and learns nothing of how it stands")
    func actsOfBarred() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (letter, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(.new(unit: "d2"), from: letter, to: city)
        try city.sign(arrived)
        try office.waitForState("signed", of: arrived)
        try office.change("UPDATE unit SET parent = 'd2' WHERE id = 'c01'")
        let books = try office.books()
        try city.sign(arrived)
        #expect(try city.heard().problem == "unknown_handoff")
        try city.decide(arrived)
        #expect(try city.heard().problem == "unknown_handoff")
        try city.conclude(arrived)
        #expect(try city.heard().problem == "unknown_handoff")
        #expect(try office.books() == books)
        try office.close()
    }

    @Test("an answer that its source gave back does not go again once the source is barred")
    func givenBack() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (web, operate) = (try office.source("web"), try office.person("sun"))
        try web.submit(.new(unit: "c01", level: "city"))
        _ = try web.reject(web.notices)
        try office.wait(for: ["1"], "SELECT cardinality(reports) FROM dead_letter")
        // Its row goes with the lane's next turn.
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox")
        try office.change("UPDATE source SET unit = 'c01' WHERE id = 'web'")
        let letter = try #require(try office.texts("SELECT id::text FROM dead_letter").first)
        let told = try office.order(.commandReplay, letter, Nothing(), by: operate, to: .intake)
        #expect(told.problem == "not_allowed", "\(told.type): \(told.data)")
        try office.close()
    }

    @Test(
        """
        while what was given back still stands in the outbox, nobody is told that it goes again; once it is struck \
        out, it does
        """
    )
    func givenBackWhileBeingSent() throws {
        let office = try OfficeUnderTest()
        try office.start(.feedback)
        // It leaves alone what other lanes have not deleted.
        try office.start(.intake, relays: false)
        let (web, operate) = (try office.source("web"), try office.person("sun"))
        try web.submit(.new(unit: "c01", level: "city"))
        let rejected = try Heard(try web.reject(web.notices))
        try office.wait(for: ["1"], "SELECT cardinality(reports) FROM dead_letter")
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox")
        // As it is while another lane has the broker's confirm, and has not written it yet.
        try office.change(
            """
            INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, \
            handoff_id, body, created_at)
            SELECT id, 'intake', 'hand', queue, routing_key, type, subject, addressee, reports, handoff_id,
                (SELECT body FROM sent.letter WHERE convert_from(body, 'UTF8') LIKE '%' || id || '%' LIMIT 1), now()
            FROM dead_letter
            """)
        let early = try office.order(.commandReplay, rejected.id, Nothing(), by: operate)
        #expect(early.problem == "not_confirmed_yet", "\(early.type): \(early.data)")
        #expect(try office.texts("SELECT state FROM dead_letter") == ["open"])
        #expect(try web.nextIfAny(web.notices) == nil)

        try office.change("DELETE FROM outbox WHERE lane = 'hand'")
        let done = try office.order(.commandReplay, rejected.id, Nothing(), by: operate)
        #expect(done.type == MessageType.commandTaken.rawValue, "\(done.problemText ?? "")")
        #expect(try web.heard().id == rejected.id)
        try office.settle()
        #expect(try office.texts("SELECT state FROM dead_letter") == ["replayed"])
        try office.close()
    }

    // MARK: What waits in the outbox while units are moved

    @Test(
        "a handoff that waits to be sent does not go once its unit is barred: it is taken back, and the staff is told")
    func handoffWaits() throws {
        let office = try OfficeUnderTest()
        let (letter, city) = (try office.source(), try office.unit("c01"))
        try office.start(.intake)
        let killed = try WorkerProcess(.routing, of: office, killedAt: .afterCommit)
        for unit in ["d2", nil] { try letter.submit(.new(unit: unit)) }
        #expect(killed.endsByItself())
        #expect(try office.count("SELECT count(*) FROM outbox WHERE addressee = 'unit.c01'") >= 1)
        // The city now stands below the department that the first report is about.
        try office.change("UPDATE unit SET parent = 'd2' WHERE id = 'c01'")
        try office.start(.routing)
        try office.wait(
            for: ["0"],
            "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM report WHERE state = 'registered')",
            within: 40)
        let harmless = try city.receiveHandoff()
        #expect(try city.nextIfAny(city.inbox) == nil)
        #expect(
            try office.count(
                """
                SELECT count(*) FROM handoff WHERE unit = 'c01' AND state = 'dispatched' AND id = \
                '\(harmless.handoff)'
                """
            ) == 1)
        let barred = "(SELECT report_id FROM barred_root)"
        #expect(
            try office.texts("SELECT state || ' ' || ended_because FROM handoff WHERE report_id = \(barred)") == [
                "recalled barred"
            ])
        #expect(
            try office.texts("SELECT state || ' ' || reason FROM report WHERE id = \(barred)") == [
                "needs_review barred"
            ])
        #expect(
            try office.texts("SELECT person FROM person_notice WHERE kind = 'handoff_withdrawn' ORDER BY 1") == [
                "qian", "wang",
            ])
        let entries = try office.texts("SELECT convert_from(bytes, 'UTF8') FROM ledger_entry WHERE chain = \(barred)")
        #expect(entries.contains { $0.contains("withdrawn") && $0.contains("unit.c01") })
        #expect(office.log.lines.contains { $0.contains("its addressee is barred by now") })
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.expectWholeLedger()
        try office.close()
    }

    @Test(
        "an answer that waits for a source which is barred by now becomes a bare receipt, the same that a repeat brings"
    )
    func answerWaits() throws {
        let office = try OfficeUnderTest()
        let web = try office.source("web")
        let killed = try WorkerProcess(.intake, of: office, killedAt: .afterCommit)
        let id = UUID().uuidString
        let act = web.prepare(.reportSubmitted, id: id, subject: id, Submission.new(unit: "c01", level: "city"))
        try web.publish(act)
        #expect(killed.endsByItself())
        try office.change("UPDATE source SET unit = 'c01-d01' WHERE id = 'web'")
        try office.start(.intake)
        // For the act as it was answered then, or for its delivery, which was not acknowledged: the same, once or
        // twice.
        let first = try web.heard(within: 40)
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox", within: 40)
        try web.publish(act)
        let heard = [first] + (try web.heardOnceDecided())
        #expect(heard.count >= 2)
        #expect(
            heard.allSatisfy { $0.type == MessageType.reportReceived.rawValue && $0.data.isEmpty && $0.inReplyTo == id }
        )
        #expect(Set(heard.map(\.delivery.body)).count == 1)
        #expect(
            try office.count(
                "SELECT count(*) FROM ledger_entry WHERE convert_from(bytes, 'UTF8') LIKE '%withdrawn%source.web%'")
                <= 1)
        try office.expectWholeLedger()
        try office.close()
    }
}
