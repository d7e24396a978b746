import CaseStore
import PostgreSQL
import TestOffice
import Testing

/// Each named constraint and trigger, with rows that it must refuse, written by a superuser past all rules.
@Suite("Constraints", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ConstraintTests {
    private static let (report, handoff, moment, sha256) = (
        StoreUnderTest.report, StoreUnderTest.handoff, StoreUnderTest.moment, StoreUnderTest.sha256
    )
    private static let otherID = "00000000-0000-0000-0000-00000000000b"

    private static func report(
        number: Int = 2, source: String = "web", sourceID: String = "s-2", state: String = "registered",
        rule: String = "p@1/r", repeatOf: String = "NULL"
    ) -> String {
        """
        INSERT INTO report (id, number, source, source_id, digest, state, source_kind, real_name, received_at, \
        registered_at, verdict, rule,
            repeat_of, head, entry_count)
        VALUES ('\(otherID)', \(number), '\(source)', '\(sourceID)', 'd', '\(state)', 'web', false, \(moment), \
        \(moment), 'registered', '\(rule)',
            \(repeatOf), \(sha256), 1)
        """
    }

    private static func handoff(
        attempt: Int = 2, unit: String = "d2", state: String = "released", rule: String = "p@1/r",
        signedAt: String = "NULL", signedBy: String = "NULL", clocks: Int = 1, reason: String = "NULL"
    ) -> String {
        """
        INSERT INTO handoff (id, report_id, attempt, unit, kind, state, express, rule, digest, signed_at, signed_by, \
        running_clocks, no_clock_reason)
        VALUES ('\(otherID)', '\(report)', \(attempt), '\(unit)', 'transfer', '\(state)', false, '\(rule)', 'd', \
        \(signedAt), \(signedBy), \(clocks),
            \(reason))
        """
    }

    private static func clock(
        of subject: String = "'report', '\(report)', '\(handoff)', NULL", duty: String = "sign", period: String = "2",
        owedBy: String = "unit.d1", rule: String = "p@1/c", due: String = moment, next: String = "NULL",
        ended: String = "NULL, NULL"
    ) -> String {
        """
        INSERT INTO clock (id, subject, report_id, handoff_id, unit, duty, period, owed_by, started_at, due_at, rule, \
        next_step, next_at, ended_at, ended_because)
        VALUES (gen_random_uuid(), \(subject), '\(duty)', '\(period)', '\(owedBy)', \(moment), \(due), '\(rule)', \
        0, \(next), \(ended))
        """
    }

    private static func approval(
        rule: String = "p@1/a", state: String = "open", decided: String = "NULL, NULL, NULL"
    ) -> String {
        """
        INSERT INTO approval VALUES (gen_random_uuid(), 'recall', 'feedback', '\(report)', '\(handoff)', '{}', \
        '{leader}', '\(rule)', 'li', \(moment), '\(state)', \(decided))
        """
    }

    private static let ofUnit = clock(of: "'unit', NULL, NULL, 'd1'", duty: "return", period: "2026-Q1")
    private static let ofOffice = clock(
        of: "'office', NULL, NULL, NULL", duty: "summary", period: "2026-02", owedBy: "office")

    private static func piece(_ part: Int) -> String {
        """
        INSERT INTO attachment_part (report_id, paper, part, digest, key_id, sealed) VALUES ('\(report)', 'h', \
        \(part), 'd', 'k', 's')
        """
    }

    private static let note =
        "INSERT INTO handoff_note VALUES ('\(handoff)', 'unit.d1', 'e', 'progress', \(moment), 'b')"

    private static let storedBody =
        "INSERT INTO handoff_body VALUES ('\(handoff)', gen_random_uuid(), 'k', 's')"

    private static func outboxRow(
        to addressee: String, type: String = "bihuan.handoff.dispatched.v1", about reports: String = "'{\(report)}'"
    ) -> String {
        """
        INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, body, \
        created_at)
        VALUES ('\(otherID)', 'w', 'l', 'x', 'k', '\(type)', 's', '\(addressee)', \(reports), 'b', \(moment))
        """
    }

    private static func inbox(
        event: String = "e-2", verdict: String = "taken", reply: String = "NULL", type: String = "NULL"
    ) -> String {
        """
        INSERT INTO inbox (sender, event_id, digest, verdict, reply_type, reply, subject, received_at)
        VALUES ('unit.d1', '\(event)', 'd', '\(verdict)', \(type), \(reply), 's', \(moment))
        """
    }

    private static func checkpoint(
        number: Int = 2, entries: Int = 1, root: Int = 32, previous: Int = 32, key: Int = 32, signature: Int = 64
    ) -> String {
        let parts = [root, previous, key, signature].map { "decode(repeat('ab', \($0)), 'hex')" }.joined(
            separator: ", ")
        return "INSERT INTO ledger_checkpoint VALUES (\(number), \(moment), \(entries), \(parts))"
    }

    static let offences: [String: [String]] = [
        "office_is_one": ["INSERT INTO office VALUES (2, 'x', gen_random_uuid(), 'h', 0)"],
        "policy_activation_of_a_version": [
            """
            INSERT INTO policy_activation (name, version, activated_at, activated_by) VALUES ('p', 77, \(moment), \
            'li')
            """
        ],
        "policy_version_once": ["INSERT INTO policy_version VALUES ('p', 1, 'd', 'other', \(moment))"],
        "unit_id_is_a_name": ["", "D1", "a.b", "a b", "a\n", String(repeating: "x", count: 41)].map {
            """
            INSERT INTO unit (id, name, kind, chain, head, entry_count) VALUES ('\($0)', 'x', 'x', \
            gen_random_uuid(), 'h', 0)
            """
        },
        "unit_stands_in_tree": [
            "UPDATE unit SET parent = 'c01-d01' WHERE id = 'c01'", "UPDATE unit SET parent = id WHERE id = 'd1'",
        ],
        "source_id_is_a_name": ["INSERT INTO source VALUES ('A.b', 'x', 'x')"],
        "person_id_is_a_name": ["INSERT INTO person (id, name) VALUES ('#', 'x')"],
        // 2: twice equals once
        "report_one_per_submission": [report(source: "letter", sourceID: "s-1")],
        "inbox_once": [inbox(event: "e-1")],
        "inbox_verdict_known": [inbox(verdict: "lost")],
        "inbox_reply_has_type": [inbox(reply: "'r'"), inbox(type: "'t'")],
        "held_message_once": [
            """
            INSERT INTO held_message (sender, event_id, handoff_id, report_id, type, key_id, sealed, held_at)
            VALUES ('unit.d1', 'e-1', '\(handoff)', '\(report)', 't', 'k', 's', \(moment))
            """
        ],
        "clock_step_once": ["INSERT INTO clock_step VALUES ('\(StoreUnderTest.clock)', 1, 'overdue', \(moment))"],
        "handoff_note_once": [note + "; " + note],
        "report_number_once": [report(number: 202_600_000_001)],
        "report_state_known": [report(state: "lost"), "UPDATE report SET state = 'lost'"],
        "report_repeat_names_its_twin": [
            report(state: "linked_as_repeat"), report(repeatOf: "'\(report)'"),
            "UPDATE report SET state = 'linked_as_repeat'",
        ],
        // 9: every decision names its rule
        "report_decided_by_a_rule": [report(rule: ""), "UPDATE report SET rule = ''"],
        "handoff_decided_by_a_rule": [handoff(rule: "")],
        "clock_explained_by_a_rule": [clock(rule: "")],
        "handoff_state_known": [handoff(state: "lost")],
        "handoff_attempt_once": [handoff(attempt: 1)],
        // 4: signed for, not assumed
        "handoff_signed_by_its_unit": [
            handoff(signedAt: moment), handoff(signedBy: "'unit.d2'"), handoff(signedAt: moment, signedBy: "'unit.d1'"),
            handoff(signedAt: moment, signedBy: "'d2'"),
            "UPDATE handoff SET signed_at = \(moment), signed_by = 'unit.d10'",
        ],
        // 8: a running clock, or a stated reason
        "handoff_has_clock_or_reason": [
            "awaiting_approval", "released", "dispatched", "signed", "in_hand", "case_filed", "concluded",
        ].map {
            handoff(state: $0, clocks: 0)
        } + ["UPDATE handoff SET running_clocks = 0"],
        "clock_once": [clock(period: "1"), ofUnit + ";" + ofUnit, ofOffice + ";" + ofOffice],
        "clock_subject_known": [clock(of: "'person', NULL, NULL, NULL")],
        "clock_names_its_subject": [
            "'report', NULL, NULL, NULL", "'unit', NULL, NULL, NULL", "'office', NULL, NULL, 'd1'",
            "'office', '\(report)', NULL, NULL", "'unit', NULL, '\(handoff)', 'd1'",
        ].map { clock(of: $0) },
        "clock_debtor_known": ["d1", "office.x", "unit.", "boss.d1", "source.web"].map { clock(owedBy: $0) },
        "clock_ended_has_no_step": [clock(next: moment, ended: "\(moment), 'done'")],
        "clock_ended_for_a_reason": [clock(ended: "\(moment), NULL"), clock(ended: "NULL, 'done'")],
        "duty_opening_once": ["INSERT INTO duty_opening VALUES ('duty', 'month', '2026-03', \(moment))"],
        "clock_due_after_start": [clock(due: "'2026-03-02T07:59:59Z'")],
        // Approvals
        "approval_asked_by_a_rule": [approval(rule: "")],
        "approval_state_known": [
            approval(state: "asleep", decided: "NULL, \(moment), NULL")
        ],
        "approval_four_eyes": [approval(state: "approved", decided: "'li', \(moment), 'yes'")],
        "approval_decided_by_somebody": [
            approval(state: "approved"), approval(decided: "'wang', \(moment), 'yes'"),
            approval(state: "rejected", decided: "'wang', \(moment), NULL"),
        ],
        // 7: the ledger
        "ledger_entry_one_chain": ["INSERT INTO ledger_entry VALUES ('\(report)', 1, 'other', \(sha256))"],
        "ledger_entry_starts_at_one": ["INSERT INTO ledger_entry VALUES ('\(otherID)', 0, 'x', \(sha256))"],
        "ledger_entry_hash_is_sha256": ["INSERT INTO ledger_entry VALUES ('\(otherID)', 1, 'x', 'short')"],
        "ledger_checkpoint_starts_at_one": [checkpoint(number: 0)],
        "ledger_checkpoint_covers_something": [checkpoint(entries: 0)],
        "ledger_checkpoint_root_is_sha256": [checkpoint(root: 31)],
        "ledger_checkpoint_previous_is_sha256": [checkpoint(previous: 33)],
        "ledger_checkpoint_key_is_ed25519": [checkpoint(key: 0)],
        "ledger_checkpoint_signature_is_ed25519": [checkpoint(signature: 32)],
        "ledger_checkpoint_range_once": ["INSERT INTO ledger_checkpoint_range VALUES ('\(report)', 1, 9, 1)"],
        "ledger_checkpoint_range_has_entries": [
            "INSERT INTO ledger_checkpoint_range VALUES ('\(otherID)', 0, 1, 1)",
            "INSERT INTO ledger_checkpoint_range VALUES ('\(otherID)', 2, 1, 1)",
        ],
        "ledger_only_grows": RightsTests.ledgerTables.flatMap { RightsTests.changes(of: $0) },
        // 5: the barrier at the one exit. c01 is barred; source `subordinate` is c01's.
        "outbox_addressee_not_barred": [
            outboxRow(to: "unit.c01"), outboxRow(to: "unit.c01", about: "'{\(otherID),\(report)}'"),
            outboxRow(to: "source.subordinate"),
            outboxRow(to: "unit.c01", type: "bihuan.notice.overdue.v1"),
            outboxRow(to: "unit.c01", type: "bihuan.message.refused.v1"),
            "UPDATE person SET unit = 'c01' WHERE id = 'li'; " + outboxRow(to: "person.li"),
            "UPDATE unit SET parent = 'c01' WHERE id = 'd2'; " + outboxRow(to: "unit.d2"),
            "UPDATE unit SET parent = 'c01' WHERE id = 'd2'; UPDATE source SET unit = 'd2' WHERE id = 'web'; "
                + outboxRow(to: "source.web"),
            // One barred row among others stops them all.
            outboxRow(to: "unit.d1").replacing(otherID, with: "00000000-0000-0000-0000-0000000000bb") + "; "
                + outboxRow(to: "unit.c01"),
        ],
        "handoff_unit_not_barred": [
            handoff(unit: "c01"), handoff(unit: "c01-d01"),
            // Moved or entered below a barred unit: barred at once.
            "UPDATE unit SET parent = 'c01-d01' WHERE id = 'd2'; " + handoff(unit: "d2"),
            "INSERT INTO unit VALUES ('new', 'x', 'x', NULL, '{}', 'c01', true, NULL, gen_random_uuid(), 'h', 0); "
                + handoff(unit: "new"),
        ],
        "person_notice_not_barred": ["c01", "c01-d01"].map {
            """
            UPDATE person SET unit = '\($0)' WHERE id = 'li'; INSERT INTO person_notice VALUES \
            (gen_random_uuid(), 'li', '\(report)', NULL, NULL, 'k', 'r', \(moment))
            """
        },
        "outbox_names_addressee": ["", "d1", "unit.", "unit.D1", "boss.d1", "unit.d1 ", "unit.d1.x"].map {
            outboxRow(to: $0)
        },
        // 6: the identity stays in the vault
        "outbox_body_or_reference": [
            outboxRow(to: "unit.d1").replacing("'b', \(moment))", with: "NULL, \(moment))"),
            storedBody + "; "
                + outboxRow(to: "unit.d1").replacing("body, created_at", with: "body, body_of, created_at").replacing(
                    "'b', \(moment))", with: "'b', '\(handoff)', \(moment))"),
        ],
        "outbox_carries_no_submission": [outboxRow(to: "unit.d1", type: "bihuan.report.submitted.v1")],
        "dead_letter_state_known": [
            """
            INSERT INTO dead_letter (id, reason, detail, queue, routing_key, worker, key_id, sealed, bytes, answered, \
            received_at, state, settled_at,
                settled_by, settled_because)
            VALUES ('\(otherID)', 'r', 'd', 'q', 'k', 'intake', 'k', 's', 1, false, \(moment), 'forgotten', \
            \(moment), 'person.li', 'r')
            """
        ],
        "dead_letter_kept_or_known": ["'k', NULL, NULL", "NULL, 's', NULL", "NULL, NULL, NULL", "'k', 's', 'd'"].map {
            """
            INSERT INTO dead_letter (id, reason, detail, queue, routing_key, worker, key_id, sealed, digest, bytes, \
            answered, received_at)
            VALUES ('\(otherID)', 'r', 'd', 'q', 'k', 'intake', \($0), 1, false, \(moment))
            """
        },
        "dead_letter_settled_by_somebody": [
            "'discarded', NULL, NULL, NULL", "'open', NULL, 'person.li', NULL",
            "'replayed', \(moment), 'person.li', NULL",
        ].map {
            """
            INSERT INTO dead_letter (id, reason, detail, queue, routing_key, worker, key_id, sealed, bytes, answered, \
            received_at, state, settled_at,
                settled_by, settled_because)
            VALUES ('\(otherID)', 'r', 'd', 'q', 'k', 'intake', 'k', 's', 1, false, \(moment), \($0))
            """
        },
        "attachment_part_counted_from_one": [piece(0), piece(-1)],
        "attachment_part_once": [piece(1) + ";" + piece(1)],
    ]

    @Test("every named constraint refuses the rows that break it")
    func everyConstraintFires() throws {
        let store = try StoreUnderTest()
        try store.enterScene()
        let connection = try store.superuser()
        for (constraint, statements) in Self.offences {
            for sql in statements { #expect(try connection.refusal(of: sql)?.constraintName == constraint, "\(sql)") }
        }
        connection.close()
        try store.drop()
    }

    /// Triggers that write a row and refuse nothing.
    static let writers: Set = ["ledger_entry_is_logged"]

    @Test("this table lists every named constraint and trigger of the schema")
    func tableListsEveryConstraint() throws {
        let store = try StoreUnderTest()
        let connection = try store.superuser()
        let named = try connection.texts(
            """
            SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conname !~ \
            '_(pkey|fkey|key|not_null)$' AND contype <> 't'
            UNION SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal
            """)
        #expect(Set(named) == Self.writers.union(Self.offences.keys))
        connection.close()
        try store.drop()
    }

    /// What the constraints must let through: otherwise they would prove nothing.
    static let allowed = [
        report(), report(state: "linked_as_repeat", repeatOf: "'\(report)'"), handoff(),
        handoff(state: "signed", signedAt: moment, signedBy: "'unit.d2'"),
        handoff(clocks: 0, reason: "'stated'"), handoff(state: "closed", clocks: 0),
        handoff(state: "returned", clocks: 0),
        handoff(state: "recalled", clocks: 0), handoff(state: "undeliverable", clocks: 0), clock(),
        clock(ended: "\(moment), 'done'"), ofUnit, ofOffice, clock(owedBy: "person.li"), inbox(),
        inbox(verdict: "refused", reply: "'r'", type: "'t'"), outboxRow(to: "unit.d1"), outboxRow(to: "person.li"),
        outboxRow(to: "source.letter"),
        outboxRow(to: "office.routing"), checkpoint(),
        // The bare receipt says nothing and may go; so may what is about another report.
        outboxRow(to: "source.subordinate", type: "bihuan.report.received.v1"),
        outboxRow(to: "unit.c01", about: "'{\(otherID)}'"),
        "INSERT INTO ledger_entry VALUES ('\(report)', 2, 'x', \(sha256))",
        "INSERT INTO person_notice VALUES (gen_random_uuid(), 'li', '\(report)', NULL, NULL, 'k', 'r', \(moment))",
        // A row that refers to the stored body of its handoff.
        storedBody + "; "
            + outboxRow(to: "unit.d1").replacing("body, created_at", with: "body_of, created_at").replacing(
                "'b', \(moment))", with: "'\(handoff)', \(moment))"),
        // A county that left the barred city.
        "UPDATE unit SET parent = NULL WHERE id = 'c01-d01'; " + outboxRow(to: "unit.c01-d01"),
    ]

    @Test("rows that break nothing are accepted")
    func acceptsGoodRows() throws {
        let store = try StoreUnderTest()
        try store.enterScene()
        let connection = try store.superuser()
        for sql in Self.allowed { #expect(try connection.refusal(of: sql) == nil, "\(sql)") }
        connection.close()
        try store.drop()
    }
}
