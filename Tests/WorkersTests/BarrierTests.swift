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
    @Test("a report on a unit's member reaches neither that unit nor those below; its source gets a bare receipt")
    func barsAccusedUnitAndItsSubtree() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (subordinate, department) = (try office.source("subordinate"), try office.unit("d1"))
        let id = UUID().uuidString
        let act = subordinate.prepare(.reportSubmitted, id: id, subject: id, Submission.new(unit: "c01", level: "city"))
        try subordinate.publish(act)
        let receipt = try subordinate.receive()
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
        #expect(try department.receive().type == MessageType.conclusionAccepted.rawValue)
        // A repeat gets the bare receipt again, the same bytes, and nothing else ever came.
        try subordinate.publish(act)
        #expect(try subordinate.receive().delivery.body == receipt.delivery.body)
        try subordinate.submit(.new())
        #expect(try subordinate.receive().type == MessageType.reportAccepted.rawValue)
        #expect(try office.texts("SELECT unit FROM barred_root ORDER BY 1") == ["c01"])

        // A report on nobody of theirs is the first that the city and the county get.
        let (city, county) = (try office.unit("c01"), try office.unit("c01-d01"))
        let harmless = try city.receiveHandoff()
        #expect(harmless.number != arrived.number)
        for unit in [city, county] {
            try unit.send(.handoffProgress, subject: arrived.handoff, HandoffProgress(text: "打听"))
            #expect(try unit.receive().problem == "unknown_handoff")
        }
        try office.close()
    }

    @Test("a report on a member of the county goes to the city above, and not to the county")
    func sendsCountyReportToCity() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        var submission = Submission.new(unit: "c01-d01")
        submission.accused[0].region = "p-c01-d01"
        submission.region = "p-c01-d01"
        let source = try office.source()
        let arrived = try office.handOff(submission, from: source, to: try office.unit("c01"))
        #expect(try office.texts("SELECT unit FROM handoff WHERE id = '\(arrived.handoff)'") == ["c01"])
        var harmless = submission
        harmless.accused[0].unit = nil
        harmless.text += "补充"
        _ = try office.handOff(harmless, from: source, to: try office.unit("c01-d01"))
        try office.close()
    }

    @Test("an accused in an unknown unit is refused instead of let through")
    func refusesAccusedOfUnknownUnit() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        try source.submit(.new(unit: "c99"))
        let answer = try source.receive()
        #expect(answer.type == MessageType.reportRejected.rawValue)
        #expect(answer.problem == "unknown_unit")
        #expect(try office.count("SELECT count(*) FROM report") == 0)
        try office.close()
    }

    @Test("the database refuses any outbox row and handoff that would pass the barrier, whoever writes them")
    func databaseRefusesBarredRows() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let source = try office.source()
        _ = try office.handOff(.new(unit: "c01", level: "city"), from: source, to: try office.unit("d1"))
        try office.settle()
        let worker = try PostgreSQL.Connection(
            ConnectionSettings(
                url: office.servers.databaseURL(user: TestServers.everyWorker, database: office.databaseName)))
        defer { worker.close() }
        func constraint(_ sql: String) -> String? {
            do {
                try worker.execute(sql)
                return nil
            } catch {
                return error.constraintName
            }
        }
        func outboxRow(_ addressee: String, _ type: String = "bihuan.handoff.dispatched.v1") -> String {
            """
            INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, \
            body, created_at)
            SELECT gen_random_uuid(), 'hand', 'hand', 'x', 'x', '\(type)', 'x', '\(addressee)', ARRAY[id], '', \
            registered_at FROM report
            """
        }
        for addressee in ["unit.c01", "unit.c01-d01", "source.subordinate"] {
            #expect(constraint(outboxRow(addressee)) == "outbox_addressee_not_barred", "\(addressee)")
        }
        #expect(constraint(outboxRow("source.subordinate", "bihuan.report.received.v1")) == nil)
        #expect(constraint(outboxRow("unit.d2")) == nil)
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

    @Test("an escalation is sent to the supervisors whom the barrier admits, and to nobody else")
    func notifiesOnlyAdmittedSupervisors() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        let (source, city) = (try office.source(), try office.unit("c01"))
        for worker in [Worker.intake, .routing, .feedback] { try office.start(worker) }
        let recused = try office.handOff(.new(name: "避嫌人"), from: source, to: city)
        let other = try office.handOff(from: source, to: city)
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
        for _ in 1...6 { types.append(try city.receive().type) }
        #expect(
            Set(types) == [
                MessageType.noticeSignDue.rawValue, MessageType.noticeOverdue.rawValue,
                MessageType.noticeEscalated.rawValue,
            ])
        try office.close()
    }

    @Test("an accused member of staff gets no notice, with any blanks, characters or titles in the name")
    func barsAccusedStaffInEverySpelling() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        try office.change("INSERT INTO person (id, name, roles) VALUES ('shen', '沈励行', '{supervisor}')")
        let (source, city) = (try office.source(), try office.unit("c01"))
        for worker in [Worker.intake, .routing, .feedback] { try office.start(worker) }
        let spellings = ["沈励行", "沈　励行", "沈 励行", "沈励行 ", "沈\u{200B}励行", "沈勵行", "沈励行同志"]
        var handoffs: [String] = []
        for name in spellings { handoffs.append(try office.handOff(.new(name: name), from: source, to: city).handoff) }
        // Sources write names into other fields too.
        for place in [Accused(name: "某副书记", position: "沈励行（分管）"), Accused(name: "某副书记", organ: "某镇 沈勵行")] {
            var report = Submission.new()
            report.accused[0].position = place.position
            report.accused[0].organ = place.organ
            handoffs.append(try office.handOff(report, from: source, to: city).handoff)
        }
        let harmless = try office.handOff(from: source, to: city)
        try office.start(
            .deadlines,
            clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 6 * 86_400), rate: 1))
        // Two others get a notice of each of the nine, three of the harmless one.
        try office.wait(for: ["21"], "SELECT count(*) FROM person_notice")
        #expect(try office.texts("SELECT handoff_id FROM person_notice WHERE person = 'shen'") == [harmless.handoff])
        try office.close()
    }

    @Test("an organ bars every unit it may mean; one of a unit's kind that fits none waits for a person")
    func barsUnitsOfNamedOrgans() throws {
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
        let source = try office.source()
        func routed(_ organ: String, _ position: String? = nil) throws -> String {
            var report = Submission.new()
            report.region = "p-c01-x"
            report.accused = [
                Accused(name: "张三", organ: organ, position: position, level: "township", region: "p-c01-x")
            ]
            let id = try source.submit(report)
            #expect(try source.receive().type == MessageType.reportAccepted.rawValue)
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

    @Test("a unit that moves below a barred one is barred at once: it gets no message, and no lane stops")
    func appliesChangedTreeAtOnce() throws {
        let office = try OfficeUnderTest()
        let wall = Instant.wall()
        let (source, web, d1) = (try office.source(), try office.source("web"), try office.unit("d1"))
        for worker in [Worker.intake, .routing, .feedback] { try office.start(worker) }
        let arrived = try office.handOff(.new(unit: "c01", level: "city"), from: source, to: d1)
        let id = UUID().uuidString
        let act = web.prepare(.reportSubmitted, id: id, subject: id, Submission.new(unit: "c01", level: "city"))
        try web.publish(act)
        #expect(try web.receive().type == MessageType.reportAccepted.rawValue)
        _ = try d1.receiveHandoff()
        try d1.sign(arrived)
        try d1.decide(arrived)
        let conclusion = d1.prepare(
            .handoffConcluded, subject: arrived.handoff,
            HandoffConcluded(outcome: "substantiated", summary: "查实", reporterAnswered: true))
        try d1.publish(conclusion)
        #expect(try d1.receive().type == MessageType.conclusionAccepted.rawValue)

        // d1 is put below the city that the reports are about; the web platform is the city's now.
        try office.change(
            "UPDATE unit SET parent = 'c01' WHERE id = 'd1'; UPDATE source SET unit = 'c01-d01' WHERE id = 'web'")
        // The stored answer is not sent again; the next act is handled all the same.
        try d1.publish(conclusion)
        #expect(try d1.receiveUntilDecided().isEmpty)
        // A repeat gets a bare receipt now, and a second body too.
        try web.publish(act)
        let receipt = try web.receive()
        #expect(receipt.type == MessageType.reportReceived.rawValue)
        #expect(receipt.data.isEmpty && receipt.inReplyTo == id)
        try web.submit(.new(), id: id)
        #expect(try web.receive().type == MessageType.reportReceived.rawValue)
        // A new report on the city goes to the other department.
        _ = try office.handOff(.new(unit: "c01", level: "city"), from: source, to: try office.unit("d2"))
        // d1 gets no notice of what is due, and its neighbours get theirs.
        try office.start(
            .deadlines,
            clock: BusinessClock(wallOrigin: wall, businessOrigin: wall.adding(seconds: 6 * 86_400), rate: 1))
        #expect(try (try office.unit("d2")).receive().type == MessageType.noticeSignDue.rawValue)
        try office.wait(for: ["0"], "SELECT count(*) FROM clock WHERE next_at < now() + interval '5 days'")
        #expect(try d1.receiveUntilDecided().isEmpty)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }

    @Test("what lanes remember of units and sources for a while opens nothing and stops nothing once it is wrong")
    func outdatedDirectoryOpensNothing() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let web = try office.source("web")
        try web.submit(.new(unit: "c01", level: "city"))
        #expect(try web.receive().type == MessageType.reportAccepted.rawValue)
        // The lanes read this a moment ago.
        try office.change("UPDATE source SET unit = 'c01' WHERE id = 'web'")
        for _ in 1...2 {
            try web.submit(.new(unit: "c01", level: "city"))
            #expect(try web.receive().type == MessageType.reportReceived.rawValue)
        }
        #expect(try office.count("SELECT count(*) FROM report WHERE receipt_only") == 2)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }

    @Test("a unit that has become barred may not act any more, and learns nothing of the matter")
    func refusesActsOfBarredUnit() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let arrived = try office.handOff(.new(unit: "d2"), from: source, to: city)
        try city.sign(arrived)
        try office.waitForState("signed", of: arrived)
        try office.change("UPDATE unit SET parent = 'd2' WHERE id = 'c01'")
        let digests = try office.tableDigests()
        try city.sign(arrived)
        #expect(try city.receive().problem == "unknown_handoff")
        try city.decide(arrived)
        #expect(try city.receive().problem == "unknown_handoff")
        try city.conclude(arrived)
        #expect(try city.receive().problem == "unknown_handoff")
        #expect(try office.tableDigests() == digests)
        try office.close()
    }

    @Test("an early act of a unit that has become barred is refused in the words that a stranger gets")
    func refusesEarlyActOfBarredUnitAsOfStranger() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        try office.start(.routing)
        let patient = try office.start(.feedback)
        let (city, stranger) = (try office.unit("c01"), try office.unit("d1"))
        let arrived = try office.handOff(.new(unit: "d2"), from: try office.source(), to: city)
        let id = try city.conclude(arrived)
        #expect(try city.receiveUntilDecided().isEmpty)
        #expect(try office.inbox(id, from: city.party) == "held")
        try patient.stop()
        try office.change("UPDATE unit SET parent = 'd2' WHERE id = 'c01'")
        try office.start(.feedback, earlyMessageHoldSeconds: 0.3)
        let refusal = try city.receive()
        #expect(refusal.inReplyTo == id && refusal.problem == "unknown_handoff")
        try stranger.conclude(arrived)
        #expect(try stranger.receive().problemText == refusal.problemText)
        try office.close()
    }

    @Test("an answer that its source returned is not sent again once the source is barred")
    func withholdsReturnedAnswer() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (web, operate) = (try office.source("web"), try office.person("sun"))
        try web.submit(.new(unit: "c01", level: "city"))
        _ = try web.reject(web.notices)
        try office.wait(for: ["1"], "SELECT cardinality(reports) FROM dead_letter")
        // Its row goes with the lane's next turn.
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox")
        try office.change("UPDATE source SET unit = 'c01' WHERE id = 'web'")
        let deadLetter = try #require(try office.texts("SELECT id::text FROM dead_letter").first)
        let answer = try office.order(.commandReplay, deadLetter, Nothing(), by: operate, to: .intake)
        #expect(answer.problem == "not_allowed", "\(answer.type): \(answer.data)")
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
        let rejected = try ReceivedMessage(try web.reject(web.notices))
        try office.wait(for: ["1"], "SELECT cardinality(reports) FROM dead_letter")
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox")
        // As it is while another lane has the broker's confirm, and has not written it yet.
        try office.change(
            """
            INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, \
            handoff_id, body, created_at)
            SELECT id, 'intake', 'hand', queue, routing_key, type, subject, addressee, reports, handoff_id,
                (SELECT body FROM sent.message WHERE convert_from(body, 'UTF8') LIKE '%' || id || '%' LIMIT 1), now()
            FROM dead_letter
            """)
        let early = try office.order(.commandReplay, rejected.id, Nothing(), by: operate)
        #expect(early.problem == "not_confirmed_yet", "\(early.type): \(early.data)")
        #expect(try office.texts("SELECT state FROM dead_letter") == ["open"])
        #expect(try web.nextIfAny(web.notices) == nil)

        try office.change("DELETE FROM outbox WHERE lane = 'hand'")
        let done = try office.order(.commandReplay, rejected.id, Nothing(), by: operate)
        #expect(done.type == MessageType.commandTaken.rawValue, "\(done.problemText ?? "")")
        #expect(try web.receive().id == rejected.id)
        try office.settle()
        #expect(try office.texts("SELECT state FROM dead_letter") == ["replayed"])
        try office.close()
    }

    // MARK: What waits in the outbox while units are moved

    @Test("an unsent handoff is withheld once its unit is barred: it is taken back, and the staff is notified")
    func withholdsWaitingHandoff() throws {
        let office = try OfficeUnderTest()
        let (source, city) = (try office.source(), try office.unit("c01"))
        try office.start(.intake)
        let killed = try WorkerProcess(.routing, of: office, killedAt: .afterCommit)
        for unit in ["d2", nil] { try source.submit(.new(unit: unit)) }
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

    @Test("an unsent answer to a source that has become barred becomes a bare receipt, as for a repeat")
    func replacesWaitingAnswerByReceipt() throws {
        let office = try OfficeUnderTest()
        let web = try office.source("web")
        let killed = try WorkerProcess(.intake, of: office, killedAt: .afterCommit)
        let id = UUID().uuidString
        let act = web.prepare(.reportSubmitted, id: id, subject: id, Submission.new(unit: "c01", level: "city"))
        try web.publish(act)
        #expect(killed.endsByItself())
        try office.change("UPDATE source SET unit = 'c01-d01' WHERE id = 'web'")
        try office.start(.intake)
        // An answer to the act, or to its unacknowledged delivery: the same bytes, once or
        // twice.
        let first = try web.receive(within: 40)
        try office.wait(for: ["0"], "SELECT count(*) FROM outbox", within: 40)
        try web.publish(act)
        let received = [first] + (try web.receiveUntilDecided())
        #expect(received.count >= 2)
        #expect(
            received.allSatisfy {
                $0.type == MessageType.reportReceived.rawValue && $0.data.isEmpty && $0.inReplyTo == id
            }
        )
        #expect(Set(received.map(\.delivery.body)).count == 1)
        #expect(
            try office.count(
                "SELECT count(*) FROM ledger_entry WHERE convert_from(bytes, 'UTF8') LIKE '%withdrawn%source.web%'")
                <= 1)
        try office.expectWholeLedger()
        try office.close()
    }
}
