// Locked cases, their heads, clocks and ledger entries, which both routing and feedback write.
#include "floor.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const statement lock_reports = {"lock_reports",
    "SELECT id, number, source, source_id, digest, state, source_kind, matter_kind, region, real_name, received_at, registered_at, "
    "verdict, rule, reason, authority, repeat_of, receipt_only, custodian, handoff_count, papers, head, entry_count, head_at FROM report "
    "WHERE id IN (SELECT unnest($1::uuid[]) UNION SELECT report_id FROM unnest($2::uuid[]) AS wanted (id) "
    "CROSS JOIN LATERAL (SELECT report_id FROM handoff WHERE handoff.id = wanted.id OFFSET 0) AS found) "
    "ORDER BY id FOR NO KEY UPDATE"};

const statement read_handoffs = {"read_handoffs",
    BY_REPORT(
        "id, report_id, attempt, unit, kind, state, express, rule, digest, released_at, dispatched_at, signed_at, "
        "signed_by, disposition, case_number, case_filed_on - DATE '1970-01-01', case_notified_at, outcome, concluded_at, "
        "times_sent_back, ended_at, ended_because, running_clocks, no_clock_reason",
        "handoff", "ORDER BY attempt")};

const statement read_clocks = {"read_clocks",
    BY_REPORT(
        "id, subject, report_id, handoff_id, unit, duty, period, owed_by, rule, citation, started_at, calendar, pauses, extensions, "
        "due_at, next_step, next_at, set_aside, ended_at, ended_because, ended_by",
        "clock", "")};

const statement read_barred_units = {"read_barred_units",
    "SELECT found.* FROM unnest($1::uuid[]) AS wanted (report) CROSS JOIN LATERAL ("
    "SELECT b.report_id, coalesce(c.descendant, b.unit) FROM barred_root b LEFT JOIN unit_closure c ON c.ancestor = b.unit "
    "WHERE b.report_id = wanted.report OFFSET 0) AS found"};

const statement read_held_messages = {"read_held_messages",
    BY_REPORT("sender, event_id, handoff_id, report_id, type, octet_length(sealed), held_at, ripe", "held_message", "ORDER BY id")};

const statement update_reports = {"update_reports",
    "UPDATE report SET state = new.state, handoff_count = new.handoff_count, head = new.head, entry_count = new.entry_count, "
    "head_at = $7::timestamptz "
    "FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bytea[], $5::int[], $6::bytea[]) "
    "AS new (id, state, handoff_count, head, entry_count, loaded_head) WHERE report.id = new.id AND report.head = new.loaded_head"};

const statement insert_clocks = {"insert_clocks",
    "INSERT INTO clock (id, subject, report_id, handoff_id, duty, period, owed_by, rule, citation, started_at, due_at, next_step, "
    "next_at, ended_at, ended_because) "
    "SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], "
    "$10::timestamptz[], $11::timestamptz[], $12::int[], $13::timestamptz[], $14::timestamptz[], $15::text[])"};

const statement insert_ledger = {"insert_ledger",
    "INSERT INTO ledger_entry (chain, sequence, bytes, hash) SELECT * FROM unnest($1::uuid[], $2::int[], $3::bytea[], $4::bytea[])"};

// Cases ------------------------------------------------------------------------------------------------------------------

int read_cases(const PGresult *locked, case_row *cases) {
    enum { ID = 0, NUMBER = 1, HANDOFF_COUNT = 19, HEAD = 21, ENTRY_COUNT = 22 };
    int count = PQntuples(locked);
    for (int i = 0; i < count; i++) {
        case_row *c = &cases[i];
        uint32_t word;
        uint64_t number;
        memcpy(&c->id, PQgetvalue(locked, i, ID), sizeof c->id);
        memcpy(&c->loaded_head, PQgetvalue(locked, i, HEAD), sizeof c->loaded_head);
        c->head = c->loaded_head;
        memcpy(&word, PQgetvalue(locked, i, ENTRY_COUNT), sizeof word);
        c->entry_count = (int)ntohl(word);
        memcpy(&word, PQgetvalue(locked, i, HANDOFF_COUNT), sizeof word);
        c->handoff_count = (int)ntohl(word);
        memcpy(&number, PQgetvalue(locked, i, NUMBER), sizeof number);
        c->number = (int64_t)be64toh(number);
        c->state = NULL;
    }
    return count;
}

// The id is the first field of a case.
case_row *case_of(const uuid *id, case_row *cases, int count) {
    case_row *found = bsearch(id, cases, (size_t)count, sizeof *cases, compare_uuids);
    if (!found) die("a case that is not locked");
    return found;
}

void queue_cases(const lane *l, const case_row *cases, int count) {
    static int64_t at;
    static column ids, states, handoff_counts, heads, entry_counts, loaded_heads;
    begin_column(&ids, 2950);
    begin_column(&states, 25);
    begin_column(&handoff_counts, 23);
    begin_column(&heads, 17);
    begin_column(&entry_counts, 23);
    begin_column(&loaded_heads, 17);
    for (int i = 0; i < count; i++) {
        if (!cases[i].state) continue;
        put_uuid(&ids, &cases[i].id);
        put_text(&states, cases[i].state);
        put_int(&handoff_counts, cases[i].handoff_count);
        put_bytes(&heads, cases[i].head.byte, sizeof cases[i].head.byte);
        put_int(&entry_counts, cases[i].entry_count);
        put_bytes(&loaded_heads, cases[i].loaded_head.byte, sizeof cases[i].loaded_head.byte);
    }
    if (ids.count > 0)
        QUEUE(l->db, &update_reports, array_of(&ids), array_of(&states), array_of(&handoff_counts), array_of(&heads),
            array_of(&entry_counts), array_of(&loaded_heads), instant_in(&at, l->now));
}

// The ledger -------------------------------------------------------------------------------------------------------------

static column chains, sequences, entries, hashes;

void begin_ledger(void) {
    begin_column(&chains, 2950);
    begin_column(&sequences, 23);
    begin_column(&entries, 17);
    begin_column(&hashes, 17);
}

// The hash is random: nothing is computed here, and nothing verifies it.
void add_entry(case_row *c, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof text) die("a ledger entry is too long");
    c->head = make_digest();
    c->entry_count++;
    put_uuid(&chains, &c->id);
    put_int(&sequences, c->entry_count);
    put_bytes(&entries, text, (size_t)length);
    put_bytes(&hashes, c->head.byte, sizeof c->head.byte);
}

void queue_ledger(database *d) {
    if (chains.count > 0) QUEUE(d, &insert_ledger, array_of(&chains), array_of(&sequences), array_of(&entries), array_of(&hashes));
}

// Clocks -----------------------------------------------------------------------------------------------------------------

static column clock_columns[15];

void begin_clocks(void) {
    static const Oid elements[15] = {2950, 25, 2950, 2950, 25, 25, 25, 25, 25, 1184, 1184, 23, 1184, 1184, 25};
    for (int i = 0; i < 15; i++) begin_column(&clock_columns[i], elements[i]);
}

// Days after the start, as in the shipped policy's rows: the limit, and the first step.
typedef struct { const char *kind, *rule, *citation; int due, first; } plan;
static const plan plans[] = {
    {"sign", "cn-discipline@1/clock-sign", "默认值；来源文件只提出“签收提醒”，未规定天数", 2, 1},
    {"feedback", "cn-discipline@1/clock-feedback", "默认值；处置意见一个月内提出（未核实），按 30 个自然日计", 30, 23},
    {"overdue", "cn-discipline@1/clock-overdue", "默认值；来源文件“办结反馈”为每季度一次、交办件报结默认三个月（第三方文本），均按 90 个自然日计", 90, 75},
};

void add_clock(lane *l, const char *kind, const uuid *handoff, const uuid *report, const char *unit, int64_t stopped,
    const char *stopped_by) {
    char debtor[64];
    static const int64_t day = 86400 * (int64_t)1000000;
    const plan *p = plans;
    while (strcmp(p->kind, kind) != 0) p++;
    uuid id = make_uuid();
    write_text(debtor, sizeof debtor, "unit.%s", unit);
    column *c = clock_columns;
    put_uuid(&c[0], &id);
    put_text(&c[1], "report");
    put_uuid(&c[2], report);
    put_uuid(&c[3], handoff);
    put_text(&c[4], kind);
    put_text(&c[5], "1");
    put_text(&c[6], debtor);
    put_text(&c[7], p->rule);
    put_text(&c[8], p->citation);
    put_instant(&c[9], l->now);
    put_instant(&c[10], l->now + p->due * day);
    put_int(&c[11], 0);
    if (stopped_by) {
        put_null(&c[12]);
        put_instant(&c[13], stopped);
    } else {
        put_instant(&c[12], l->now + p->first * day);
        put_null(&c[13]);
    }
    put_text(&c[14], stopped_by);
}

void queue_clocks(database *d) {
    column *c = clock_columns;
    if (c[0].count == 0) return;
    parameter all[15];
    for (int i = 0; i < 15; i++) all[i] = array_of(&c[i]);
    queue_statement(d, &insert_clocks, all, 15);
}
