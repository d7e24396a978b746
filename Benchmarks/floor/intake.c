// The intake stage: each submission becomes a report with its texts, its sealed bytes and its first ledger entry;
// the source gets its answer, and routing its message.
#include "floor.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const statement read_submissions = {"read_submissions",
    "SELECT found.* FROM unnest($1::text[], $2::text[]) AS asked (source, source_id) CROSS JOIN LATERAL ("
    "SELECT id, number, source, source_id, digest, state, source_kind, matter_kind, region, real_name, "
    "received_at, registered_at, verdict, rule, reason, authority, repeat_of, receipt_only, handoff_count, papers, head_at, head, entry_count "
    "FROM report WHERE report.source = asked.source AND report.source_id = asked.source_id OFFSET 0) AS found"};
static const statement take_numbers = {"take_numbers", "SELECT nextval('report_number') FROM generate_series(1, $1::bigint)"};
static const statement enter_keys = {"enter_keys",
    "INSERT INTO repeat_key (key, report_id) "
    "SELECT key, report_id FROM unnest($1::bytea[], $2::uuid[]) WITH ORDINALITY AS said (key, report_id, place) "
    "ORDER BY key, place ON CONFLICT DO NOTHING"};
static const statement read_keys = {"read_keys",
    "SELECT found.* FROM unnest($1::bytea[]) AS wanted (key) "
    "CROSS JOIN LATERAL (SELECT key, report_id FROM repeat_key WHERE repeat_key.key = wanted.key OFFSET 0) AS found"};
static const statement insert_reports = {"insert_reports",
    "INSERT INTO report (id, number, source, source_id, digest, state, source_kind, matter_kind, region, real_name, "
    "received_at, registered_at, verdict, rule, reason, authority, repeat_of, receipt_only, handoff_count, papers, head_at, head, entry_count) "
    "SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[], "
    "$9::text[], $10::bool[], $11::timestamptz[], $12::timestamptz[], $13::text[], $14::text[], $15::text[], $16::text[], "
    "$17::uuid[], $18::bool[], $19::int[], $20::int[], $21::timestamptz[], $22::bytea[], $23::int[])"};
static const statement insert_texts = {"insert_texts",
    "INSERT INTO report_text (report_id, title, body) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])"};
static const statement insert_vault = {"insert_vault",
    "INSERT INTO vault (report_id, key_id, sealed) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])"};
static const statement insert_accused = {"insert_accused",
    "INSERT INTO accused (report_id, ordinal, name, organ, position, level, region, unit) "
    "SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])"};
static const statement insert_allegations = {"insert_allegations",
    "INSERT INTO allegation (report_id, ordinal, category, act) SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[])"};
static const statement insert_barred = {"insert_barred",
    "INSERT INTO barred_root (report_id, unit) SELECT * FROM unnest($1::uuid[], $2::text[])"};

// One submission of the batch.
typedef struct { uuid id; shape s; int64_t number; char source_id[32]; case_row entry; } report;

enum { REPORT_COLUMNS = 23 };
static column report_columns[REPORT_COLUMNS], texts[3], vaults[3], accused[8], allegations[4], barred[2];

static void begin_columns(void) {
    static const Oid report_types[REPORT_COLUMNS] = {2950, 20, 25, 25, 17, 25, 25, 25, 25, 16, 1184, 1184, 25, 25, 25, 25, 2950, 16, 23, 23, 1184, 17, 23};
    static const Oid text_types[] = {2950, 25, 25}, vault_types[] = {2950, 25, 17}, allegation_types[] = {2950, 23, 25, 25},
        accused_types[] = {2950, 23, 25, 25, 25, 25, 25, 25}, barred_types[] = {2950, 25};
    for (int i = 0; i < REPORT_COLUMNS; i++) begin_column(&report_columns[i], report_types[i]);
    for (int i = 0; i < 3; i++) begin_column(&texts[i], text_types[i]);
    for (int i = 0; i < 3; i++) begin_column(&vaults[i], vault_types[i]);
    for (int i = 0; i < 8; i++) begin_column(&accused[i], accused_types[i]);
    for (int i = 0; i < 4; i++) begin_column(&allegations[i], allegation_types[i]);
    for (int i = 0; i < 2; i++) begin_column(&barred[i], barred_types[i]);
}

static void queue_all(database *d, const statement *s, column *columns, int count) {
    if (columns[0].count == 0) return;
    parameter all[REPORT_COLUMNS];
    for (int i = 0; i < count; i++) all[i] = array_of(&columns[i]);
    queue_statement(d, s, all, count);
}

static void enter_report(const lane *l, const report *r) {
    column *c = report_columns;
    digest body = make_digest();
    const char *state = r->s.registered ? "registered" : "not_accepted";
    put_uuid(&c[0], &r->id);
    put_long(&c[1], r->number);
    put_text(&c[2], r->s.source);
    put_text(&c[3], r->source_id);
    put_bytes(&c[4], body.byte, sizeof body.byte);
    put_text(&c[5], state);
    put_text(&c[6], r->s.source);
    put_text(&c[7], r->s.registered ? "accusation" : "outside");
    put_text(&c[8], "p-c03-d01");
    put_bool(&c[9], r->number % 2);
    put_instant(&c[10], l->now);
    put_instant(&c[11], l->now);
    put_text(&c[12], state);
    put_text(&c[13], r->s.registered ? "cn-discipline@1/scope-named" : "cn-discipline@1/scope-outside-web");
    put_null(&c[14]);
    put_text(&c[15], r->s.registered ? NULL : "housing");
    put_null(&c[16]);
    put_bool(&c[17], false);
    put_int(&c[18], 0);
    put_int(&c[19], 0);
    put_instant(&c[20], l->now);
    put_bytes(&c[21], r->entry.head.byte, sizeof r->entry.head.byte);
    put_int(&c[22], r->entry.entry_count);
}

static void enter_contents(const report *r, size_t body_length) {
    const shape *s = &r->s;
    put_uuid(&texts[0], &r->id);
    put_bytes(&texts[1], s->title, (size_t)s->title_length);
    put_bytes(&texts[2], s->text, (size_t)s->text_length);

    // Nonce and tag with the bytes, all of them random.
    static buffer sealed;
    enum { NONCE_AND_TAG = 28 };
    sealed.length = 0;
    while (sealed.length < body_length + NONCE_AND_TAG) {
        uint64_t word = random_word();
        add_bytes(&sealed, &word, sizeof word);
    }
    put_uuid(&vaults[0], &r->id);
    put_text(&vaults[1], "74e4649a58e9712c");
    put_bytes(&vaults[2], sealed.data, body_length + NONCE_AND_TAG);

    for (int i = 0; i < s->accused; i++) {
        put_uuid(&accused[0], &r->id);
        put_int(&accused[1], i);
        put_bytes(&accused[2], s->text, 9);
        put_bytes(&accused[3], s->text + 9, 33);
        put_bytes(&accused[4], s->text + 45, 12);
        put_text(&accused[5], "county");
        put_text(&accused[6], "p-c03-d01");
        put_null(&accused[7]);
    }
    for (int i = 0; i < s->allegations; i++) {
        put_uuid(&allegations[0], &r->id);
        put_int(&allegations[1], i);
        put_text(&allegations[2], "corruption");
        put_bytes(&allegations[3], s->text + 60, 57);
    }
    if (s->bars) {
        put_uuid(&barred[0], &r->id);
        put_text(&barred[1], barred_unit);
    }
}

static void write_letters(lane *l, const report *r) {
    char event[37], id[37];
    letter *receipt = new_letter(l, "bihuan.notice", "bihuan.report.accepted.v1");
    receipt->report = r->id;
    write_text(receipt->key, sizeof receipt->key, "source.%s.notice", r->s.source);
    write_text(receipt->subject, sizeof receipt->subject, "%s", r->source_id);
    write_text(receipt->addressee, sizeof receipt->addressee, "source.%s", r->s.source);
    write_uuid(event, &receipt->event);
    add_text(&l->bodies, "{\"data\":{\"number\":\"2026-%08d\",\"rule\":\"cn-discipline@1/scope-%s\",\"state\":\"%s\"}",
        (int)(r->number % 100000000), r->s.registered ? "named" : "outside-web", r->s.registered ? "registered" : "not_accepted");
    add_tail(&l->bodies, event, r->source_id, "office.intake", r->source_id, l->time, receipt->type);
    end_letter(l, receipt);
    if (!r->s.registered) return;

    letter *task = new_letter(l, "bihuan.work", "bihuan.report.registered.v1");
    task->report = r->id;
    write_uuid(id, &r->id);
    write_text(task->key, sizeof task->key, "bihuan.routing");
    write_text(task->subject, sizeof task->subject, "%s", id);
    write_text(task->addressee, sizeof task->addressee, "office.routing");
    write_uuid(event, &task->event);
    add_text(&l->bodies, "{\"data\":{\"report\":\"%s\"}", id);
    add_tail(&l->bodies, event, NULL, "office.intake", id, l->time, task->type);
    end_letter(l, task);
}

static void queue_questions(lane *l, const amqp_envelope_t *batch, const report *reports, int count) {
    static column asked_sources, asked_ids, keys, key_reports;
    static uint64_t wanted;
    begin_column(&asked_sources, 25);
    begin_column(&asked_ids, 25);
    begin_column(&keys, 17);
    begin_column(&key_reports, 2950);
    for (int i = 0; i < count; i++) {
        put_text(&asked_sources, reports[i].s.source);
        put_text(&asked_ids, reports[i].source_id);
        if (!reports[i].s.has_key) continue;
        char key[64];
        random_bytes(key, sizeof key);
        put_bytes(&keys, key, sizeof key);
        put_uuid(&key_reports, &reports[i].id);
    }
    wanted = htobe64((uint64_t)count);
    QUEUE_PLAIN(l->db, &begin);
    queue_claim(l, batch, count);
    QUEUE(l->db, &read_submissions, array_of(&asked_sources), array_of(&asked_ids));
    QUEUE(l->db, &take_numbers, {&wanted, sizeof wanted});
    QUEUE(l->db, &enter_keys, array_of(&keys), array_of(&key_reports));
    QUEUE(l->db, &read_keys, array_of(&keys));
}

static void transact(lane *l, const amqp_envelope_t *batch, int count) {
    static report *reports;
    if (!reports) reports = allocate((size_t)opt.batch, sizeof *reports);
    if (count == 0) {
        QUEUE_PLAIN(l->db, &begin);
        queue_outbox(l, "intake");
        QUEUE_PLAIN(l->db, &commit);
        run_queued(l->db);
        return;
    }
    for (int i = 0; i < count; i++) {
        size_t length;
        const char *id = event_id(&batch[i].message.body, &length);
        const char *dash = memchr(id, '-', length);
        if (!dash || length >= sizeof reports[i].source_id) die("not a submission of this program: %.*s", (int)length, id);
        write_text(reports[i].source_id, sizeof reports[i].source_id, "%.*s", (int)length, id);
        reports[i].id = make_uuid();
        reports[i].s = shape_of(atol(dash + 1));
        reports[i].entry = (case_row){.id = reports[i].id};
    }
    queue_questions(l, batch, reports, count);
    run_queued(l->db);
    check_claim(l, count);

    begin_columns();
    begin_ledger();
    const PGresult *numbers = result_of(l->db, &take_numbers);
    for (int i = 0; i < count; i++) {
        report *r = &reports[i];
        uint64_t serial;
        memcpy(&serial, PQgetvalue(numbers, i, 0), sizeof serial);
        r->number = 202600000000 + (int64_t)be64toh(serial);
        add_entry(&r->entry, "{\"at\":\"%s\",\"by\":\"office.intake\",\"commitment\":\"%064llx\",\"event\":\"registered\",\"number\":\"2026-%08d\","
            "\"rule\":\"cn-discipline@1/scope-named\",\"source\":\"%s\",\"verdict\":\"registered\"}",
            l->time, (unsigned long long)random_word(), (int)(r->number % 100000000), r->s.source);
        enter_report(l, r);
        enter_contents(r, batch[i].message.body.len);
        write_letters(l, r);
    }
    queue_all(l->db, &insert_reports, report_columns, REPORT_COLUMNS);
    queue_all(l->db, &insert_texts, texts, 3);
    queue_all(l->db, &insert_vault, vaults, 3);
    queue_all(l->db, &insert_accused, accused, 8);
    queue_all(l->db, &insert_allegations, allegations, 4);
    queue_all(l->db, &insert_barred, barred, 2);
    queue_ledger(l->db);
    queue_outbox(l, "intake");
    QUEUE_PLAIN(l->db, &commit);
    run_queued(l->db);
}

void run_intake(int number) {
    int count;
    const char *const *queues = share_of_queues(number, "source", sources, source_count, "submit", &count);
    static const statement *const statements[] = {&begin, &commit, &claim_inbox, &insert_outbox, &delete_outbox, &insert_ledger,
        &read_submissions, &take_numbers, &enter_keys, &read_keys, &insert_reports, &insert_texts, &insert_vault, &insert_accused,
        &insert_allegations, &insert_barred};
    run_lane(INTAKE, number, queues, count, statements, sizeof statements / sizeof *statements, transact, opt.count);
}
