// The routing stage: each registered report becomes a handoff with its clock, and is sent with its content to a
// unit. A handoff confirmed before is marked dispatched in the next transaction.
#include "floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const statement read_texts = {"read_texts", BY_REPORT("report_id, title, body", "report_text", "")};
static const statement read_accused = {"read_accused",
    BY_REPORT("report_id, name, organ, position, level, region, unit", "accused", "ORDER BY ordinal")};
static const statement read_allegations = {"read_allegations",
    BY_REPORT("report_id, category, act", "allegation", "ORDER BY ordinal")};
static const statement read_papers = {"read_papers",
    BY_REPORT("report_id, name, media_type, bytes, sha256", "attachment", "ORDER BY ordinal")};
static const statement insert_handoffs = {"insert_handoffs",
    "INSERT INTO handoff (id, report_id, attempt, unit, kind, state, express, rule, digest, released_at, running_clocks, no_clock_reason) "
    "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::text[], $9::bytea[], "
    "$10::timestamptz[], $11::int[], $12::text[])"};
static const statement insert_bodies = {"insert_bodies",
    "INSERT INTO handoff_body (handoff_id, event_id, key_id, sealed) "
    "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[])"};
static const statement mark_dispatched = {"mark_dispatched",
    "UPDATE handoff SET state = 'dispatched', dispatched_at = $2::timestamptz FROM unnest($1::uuid[]) AS new (id) "
    "WHERE handoff.id = new.id"};

// The rows of one report in a result sorted by report: read in that order.
typedef struct { const PGresult *rows; int next, count; } cursor;

static bool next_row(cursor *c, const uuid *report) {
    while (c->next < c->count) {
        int order = memcmp(PQgetvalue(c->rows, c->next, 0), report->byte, sizeof report->byte);
        if (order > 0) return false;
        c->next++;
        if (order == 0) return true;
    }
    return false;
}

static cursor rows_of(database *d, const statement *s) {
    const PGresult *rows = result_of(d, s);
    return (cursor){rows, 0, PQntuples(rows)};
}

enum { COLUMNS = 12 };
static column handoffs[COLUMNS], bodies[4];

static const char *kind_of(bool transfer) { return transfer ? "transfer" : "send_down"; }
static const char *rule_of(bool transfer) { return transfer ? "cn-discipline@1/route-own" : "cn-discipline@1/route-grassroots"; }

// The message to the unit: the masked texts as stored in the database.
static void write_handoff_body(lane *l, const letter *row, const case_row *c, bool transfer, cursor *accused, cursor *allegations,
    const PGresult *texts, int text_row) {
    char event[37], due[32];
    write_uuid(event, &row->event);
    write_instant(due, l->now + 2 * 86400 * (int64_t)1000000);
    buffer *body = &l->bodies;
    add_text(body, "{\"data\":{\"accused\":[");
    for (int i = 0; next_row(accused, &c->id); i++) {
        const char *field[5];
        for (int f = 0; f < 5; f++) field[f] = PQgetvalue(accused->rows, accused->next - 1, f + 1);
        if (i > 0) add_text(body, ",");
        accused_part(body, field[0], field[1], field[2], field[3], field[4]);
    }
    add_text(body, "],\"allegations\":[");
    for (int i = 0; next_row(allegations, &c->id); i++)
        add_text(body, "%s{\"act\":\"%s\",\"category\":\"%s\"}", i > 0 ? "," : "", PQgetvalue(allegations->rows, allegations->next - 1, 2),
            PQgetvalue(allegations->rows, allegations->next - 1, 1));
    add_text(body, "],\"attachments\":[],\"kind\":\"%s\",\"matterKind\":\"accusation\",\"number\":\"2026-%08d\",\"region\":\"p-c03-d01\","
        "\"resultOwed\":%s,\"rule\":\"%s\",\"signBy\":\"%s\",\"text\":\"", kind_of(transfer), (int)(c->number % 100000000),
        transfer ? "true" : "false", rule_of(transfer), due);
    add_bytes(body, PQgetvalue(texts, text_row, 2), (size_t)PQgetlength(texts, text_row, 2));
    add_text(body, "\",\"title\":\"%s\"}", PQgetvalue(texts, text_row, 1));
    add_tail(body, event, NULL, "office.routing", row->subject, l->time, row->type);
}

static void enter_handoff(const lane *l, const uuid *id, const case_row *c, const char *unit, bool transfer) {
    digest sent = make_digest();
    put_uuid(&handoffs[0], id);
    put_uuid(&handoffs[1], &c->id);
    put_int(&handoffs[2], 1);
    put_text(&handoffs[3], unit);
    put_text(&handoffs[4], kind_of(transfer));
    put_text(&handoffs[5], "released");
    put_bool(&handoffs[6], false);
    put_text(&handoffs[7], rule_of(transfer));
    put_bytes(&handoffs[8], sent.byte, sizeof sent.byte);
    put_instant(&handoffs[9], l->now);
    put_int(&handoffs[10], 1);
    put_null(&handoffs[11]);
}

// The body is stored once; the row of the outbox refers to it.
static void keep_body(letter *row) {
    row->is_stored = true;
    put_uuid(&bodies[0], &row->handoff);
    put_uuid(&bodies[1], &row->event);
    put_text(&bodies[2], "74e4649a58e9712c");
    put_sealed(&bodies[3], row->body_length);
}

static void hand_off(lane *l, case_row *c, cursor *accused, cursor *allegations, const PGresult *texts, int text_row) {
    uint64_t chance = mixed(opt.run, (uint64_t)c->number);
    // The share of handoffs that owe a result and so get three clocks, by the shipped policy: above all those to departments.
    bool transfer = chance % 1000 < 259;
    const char *unit = drawn_unit(chance >> 20, transfer);
    letter *row = new_letter(l, "bihuan.handoff", "bihuan.handoff.dispatched.v1");
    uuid handoff = make_uuid();
    char id[37];
    write_uuid(id, &handoff);
    row->report = c->id;
    row->handoff = handoff;
    row->has_handoff = true;
    write_text(row->key, sizeof row->key, "unit.%s.inbox", unit);
    write_text(row->addressee, sizeof row->addressee, "unit.%s", unit);
    write_text(row->subject, sizeof row->subject, "%s", id);
    write_handoff_body(l, row, c, transfer, accused, allegations, texts, text_row);
    end_letter(l, row);
    keep_body(row);

    enter_handoff(l, &handoff, c, unit, transfer);
    add_clock(l, "sign", &handoff, &c->id, unit, 0, NULL);
    c->state = "routed";
    c->handoff_count = 1;
    add_entry(c, "{\"act\":\"%064llx\",\"at\":\"%s\",\"by\":\"office.routing\",\"commitment\":\"%064llx\",\"event\":\"routed\",\"handoff\":\"%s\","
        "\"kind\":\"%s\",\"rule\":\"%s\",\"unit\":\"%s\"}", (unsigned long long)random_word(), l->time, (unsigned long long)random_word(), id,
        kind_of(transfer), rule_of(transfer), unit);
}

// Marks confirmed handoffs as dispatched. A handoff whose signature came before the confirm is already marked.
static void dispatch_confirmed(lane *l, case_row *cases, int count) {
    enum { HANDOFF = 0, REPORT = 1, STATE = 5 };
    static column ids;
    static int64_t at;
    const PGresult *rows = result_of(l->db, &read_handoffs);
    begin_column(&ids, 2950);
    for (int i = 0; i < PQntuples(rows); i++) {
        if (strcmp(PQgetvalue(rows, i, STATE), "released") != 0) continue;
        uuid id, report;
        char text[37];
        memcpy(&id, PQgetvalue(rows, i, HANDOFF), sizeof id);
        memcpy(&report, PQgetvalue(rows, i, REPORT), sizeof report);
        write_uuid(text, &id);
        case_row *c = case_of(&report, cases, count);
        c->state = "routed";
        add_entry(c, "{\"at\":\"%s\",\"by\":\"office.routing\",\"event\":\"dispatched\",\"handoff\":\"%s\"}", l->time, text);
        put_uuid(&ids, &id);
    }
    if (ids.count > 0) QUEUE(l->db, &mark_dispatched, array_of(&ids), instant_in(&at, l->now));
}

// A report in routing's message, and the position of its text.
typedef struct { uuid id; int text_row; } task;

// The rows of the reports come in the order in which these are asked for, by id.
static void queue_questions(lane *l, const amqp_envelope_t *batch, const task *tasks, int count) {
    static column all, new_ones, none;
    begin_column(&all, 2950);
    begin_column(&new_ones, 2950);
    begin_column(&none, 2950);
    for (int i = 0; i < count; i++) {
        put_uuid(&all, &tasks[i].id);
        put_uuid(&new_ones, &tasks[i].id);
    }
    for (int i = 0; i < l->sent_count; i++) put_uuid(&all, &l->sent[i].report);
    QUEUE_PLAIN(l->db, &begin);
    if (count > 0) queue_claim(l, batch, count);
    QUEUE(l->db, &lock_reports, array_of(&all), array_of(&none));
    QUEUE(l->db, &read_handoffs, array_of(&all));
    QUEUE(l->db, &read_clocks, array_of(&all));
    QUEUE(l->db, &read_barred_units, array_of(&all));
    QUEUE(l->db, &read_held_messages, array_of(&all));
    QUEUE(l->db, &read_texts, array_of(&new_ones));
    QUEUE(l->db, &read_accused, array_of(&new_ones));
    QUEUE(l->db, &read_allegations, array_of(&new_ones));
    QUEUE(l->db, &read_papers, array_of(&new_ones));
}

static void transact(lane *l, const amqp_envelope_t *batch, int count) {
    static const Oid types[COLUMNS] = {2950, 2950, 23, 25, 25, 25, 16, 25, 17, 1184, 23, 25}, body_types[] = {2950, 2950, 25, 17};
    static case_row *cases;
    static task *tasks;
    if (!cases) {
        cases = allocate((size_t)(4 * opt.batch), sizeof *cases);
        tasks = allocate((size_t)opt.batch, sizeof *tasks);
    }
    for (int i = 0; i < count; i++) {
        const amqp_bytes_t *subject = &batch[i].message.properties.correlation_id;
        tasks[i] = (task){read_uuid(subject->bytes, subject->len), -1};
    }
    qsort(tasks, (size_t)count, sizeof *tasks, compare_uuids);
    queue_questions(l, batch, tasks, count);
    run_queued(l->db);
    if (count > 0) check_claim(l, count);

    for (int i = 0; i < COLUMNS; i++) begin_column(&handoffs[i], types[i]);
    for (int i = 0; i < 4; i++) begin_column(&bodies[i], body_types[i]);
    begin_ledger();
    begin_clocks();
    int case_count = read_cases(result_of(l->db, &lock_reports), cases);
    const PGresult *texts = result_of(l->db, &read_texts);
    for (int i = 0; i < PQntuples(texts); i++) {
        task *t = bsearch(PQgetvalue(texts, i, 0), tasks, (size_t)count, sizeof *tasks, compare_uuids);
        if (t) t->text_row = i;
    }
    cursor accused = rows_of(l->db, &read_accused), allegations = rows_of(l->db, &read_allegations);
    for (int i = 0; i < count; i++) {
        if (tasks[i].text_row < 0) die("a report without a text");
        hand_off(l, case_of(&tasks[i].id, cases, case_count), &accused, &allegations, texts, tasks[i].text_row);
    }
    // This must come before statements are queued, since they replace the results.
    dispatch_confirmed(l, cases, case_count);
    queue_cases(l, cases, case_count);
    if (handoffs[0].count > 0) {
        parameter all[COLUMNS];
        for (int i = 0; i < COLUMNS; i++) all[i] = array_of(&handoffs[i]);
        queue_statement(l->db, &insert_handoffs, all, COLUMNS);
    }
    queue_clocks(l->db);
    queue_ledger(l->db);
    if (bodies[0].count > 0)
        QUEUE(l->db, &insert_bodies, array_of(&bodies[0]), array_of(&bodies[1]), array_of(&bodies[2]), array_of(&bodies[3]));
    queue_outbox(l, "routing");
    QUEUE_PLAIN(l->db, &commit);
    run_queued(l->db);
}

void run_routing(int number) {
    static const char *const queues[] = {"bihuan.routing"};
    static const statement *const statements[] = {&begin, &commit, &claim_inbox, &insert_outbox, &delete_outbox, &insert_ledger, &lock_reports,
        &read_handoffs, &read_clocks, &read_barred_units, &read_held_messages, &update_reports, &insert_clocks, &read_texts, &read_accused,
        &read_allegations, &read_papers, &insert_handoffs, &insert_bodies, &mark_dispatched};
    run_lane(ROUTING, number, queues, 1, statements, sizeof statements / sizeof *statements, transact, opt.closing);
}
