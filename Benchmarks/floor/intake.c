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
    "received_at, registered_at, verdict, rule, reason, authority, repeat_of, receipt_only, custodian, handoff_count, papers, head, "
    "entry_count, head_at FROM report WHERE report.source = asked.source AND report.source_id = asked.source_id OFFSET 0) AS found"};
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
    "received_at, registered_at, verdict, rule, reason, authority, repeat_of, receipt_only, custodian, handoff_count, papers, head, "
    "entry_count, head_at) "
    "SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[], "
    "$9::text[], $10::bool[], $11::timestamptz[], $12::timestamptz[], $13::text[], $14::text[], $15::text[], $16::text[], "
    "$17::uuid[], $18::bool[], $19::text[], $20::int[], $21::int[], $22::bytea[], $23::int[], $24::timestamptz[])"};
static const statement insert_texts = {"insert_texts",
    "INSERT INTO report_text (report_id, title, body) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])"};
static const statement insert_originals = {"insert_originals",
    "WITH epoch AS ("
    "INSERT INTO epoch_key (id, recipient, sealed, made_at) "
    "SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::timestamptz[]) ON CONFLICT DO NOTHING"
    "), key AS ("
    "INSERT INTO report_key (report_id, epoch_id, wrapped) SELECT * FROM unnest($5::uuid[], $6::uuid[], $7::bytea[])"
    ") INSERT INTO vault (report_id, sealed) SELECT * FROM unnest($5::uuid[], $8::bytea[])"};
static const statement insert_accused = {"insert_accused",
    "INSERT INTO accused (report_id, ordinal, name, organ, position, level, region, unit) "
    "SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])"};
static const statement insert_allegations = {"insert_allegations",
    "INSERT INTO allegation (report_id, ordinal, category, act) SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[])"};
static const statement insert_barred = {"insert_barred",
    "INSERT INTO barred_root (report_id, unit) SELECT * FROM unnest($1::uuid[], $2::text[]) ON CONFLICT DO NOTHING"};

// One submission of the batch.
typedef struct { uuid id; shape s; int64_t number; char source_id[32]; case_row entry; } report;

// The key of one process and hour, which the lanes of intake share: encapsulated key, key and tag, all of them random.
enum { KEY = 32, TAG = 16 };
static struct { uuid id; unsigned char sealed[KEY + KEY + TAG]; int64_t made_at; } epoch;

void make_epoch(void) {
    epoch.id = make_uuid();
    random_bytes(epoch.sealed, sizeof epoch.sealed);
    epoch.made_at = wall_microseconds();
}

enum { REPORT_COLUMNS = 24 };
static column report_columns[REPORT_COLUMNS], texts[3], epochs[4], originals[4], accused[8], allegations[4], barred[2];

static void begin_columns(void) {
    static const Oid report_types[REPORT_COLUMNS] = {2950, 20, 25, 25, 17, 25, 25, 25, 25, 16, 1184, 1184, 25, 25, 25, 25, 2950, 16, 25, 23,
        23, 17, 23, 1184};
    static const Oid text_types[] = {2950, 25, 25}, epoch_types[] = {2950, 25, 17, 1184}, original_types[] = {2950, 2950, 17, 17},
        allegation_types[] = {2950, 23, 25, 25}, accused_types[] = {2950, 23, 25, 25, 25, 25, 25, 25}, barred_types[] = {2950, 25};
    for (int i = 0; i < REPORT_COLUMNS; i++) begin_column(&report_columns[i], report_types[i]);
    for (int i = 0; i < 3; i++) begin_column(&texts[i], text_types[i]);
    for (int i = 0; i < 4; i++) begin_column(&epochs[i], epoch_types[i]);
    for (int i = 0; i < 4; i++) begin_column(&originals[i], original_types[i]);
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

static void queue_originals(database *d) {
    put_uuid(&epochs[0], &epoch.id);
    put_text(&epochs[1], "d415c0e04e72ce72");
    put_bytes(&epochs[2], epoch.sealed, sizeof epoch.sealed);
    put_instant(&epochs[3], epoch.made_at);
    QUEUE(d, &insert_originals, array_of(&epochs[0]), array_of(&epochs[1]), array_of(&epochs[2]), array_of(&epochs[3]),
        array_of(&originals[0]), array_of(&originals[1]), array_of(&originals[2]), array_of(&originals[3]));
}

static const char *state_of(const report *r) { return r->s.registered ? "registered" : "not_accepted"; }
static const char *rule_of(const report *r) {
    return r->s.registered ? "cn-discipline@1/scope-named" : "cn-discipline@1/scope-outside-web";
}

static void enter_report(const lane *l, const report *r) {
    column *c = report_columns;
    digest body = make_digest();
    put_uuid(&c[0], &r->id);
    put_long(&c[1], r->number);
    put_text(&c[2], r->s.source);
    put_text(&c[3], r->source_id);
    put_bytes(&c[4], body.byte, sizeof body.byte);
    put_text(&c[5], state_of(r));
    put_text(&c[6], r->s.source);
    put_text(&c[7], r->s.registered ? "accusation" : "outside");
    put_text(&c[8], "p-c03-d01");
    put_bool(&c[9], r->number % 2);
    put_instant(&c[10], l->now);
    put_instant(&c[11], l->now);
    put_text(&c[12], state_of(r));
    put_text(&c[13], rule_of(r));
    put_null(&c[14]);
    put_text(&c[15], r->s.registered ? NULL : "housing");
    put_null(&c[16]);
    put_bool(&c[17], false);
    put_null(&c[18]);
    put_int(&c[19], 0);
    put_int(&c[20], 0);
    put_bytes(&c[21], r->entry.head.byte, sizeof r->entry.head.byte);
    put_int(&c[22], r->entry.entry_count);
    put_instant(&c[23], l->now);
}

static void enter_contents(const report *r, size_t body_length) {
    const shape *s = &r->s;
    put_uuid(&texts[0], &r->id);
    put_bytes(&texts[1], s->title, (size_t)s->title_length);
    put_bytes(&texts[2], s->text, (size_t)s->text_length);

    put_uuid(&originals[0], &r->id);
    put_uuid(&originals[1], &epoch.id);
    put_sealed(&originals[2], KEY);
    put_sealed(&originals[3], body_length);

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
    add_text(&l->bodies, "{\"data\":{\"number\":\"2026-%08d\",\"rule\":\"%s\",\"state\":\"%s\"}", (int)(r->number % 100000000),
        rule_of(r), state_of(r));
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
    // How large the handoff may become at most: above all its text.
    add_text(&l->bodies, "{\"data\":{\"bytes\":%d,\"report\":\"%s\"}", 2048 + r->s.text_length, id);
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
        char id[37];
        write_uuid(id, &r->id);
        memcpy(&serial, PQgetvalue(numbers, i, 0), sizeof serial);
        r->number = 202600000000 + (int64_t)be64toh(serial);
        add_entry(&r->entry, "{\"at\":\"%s\",\"by\":\"office.intake\",\"commitment\":\"%064llx\",\"event\":\"registered\",\"number\":\"2026-%08d\","
            "\"report\":\"%s\",\"rule\":\"%s\",\"source\":\"%s\",\"verdict\":\"%s\"}",
            l->time, (unsigned long long)random_word(), (int)(r->number % 100000000), id, rule_of(r), r->s.source, state_of(r));
        enter_report(l, r);
        enter_contents(r, batch[i].message.body.len);
        write_letters(l, r);
    }
    queue_all(l->db, &insert_reports, report_columns, REPORT_COLUMNS);
    queue_all(l->db, &insert_texts, texts, 3);
    queue_originals(l->db);
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
        &read_submissions, &take_numbers, &enter_keys, &read_keys, &insert_reports, &insert_texts, &insert_originals, &insert_accused,
        &insert_allegations, &insert_barred};
    run_lane(INTAKE, number, queues, count, statements, sizeof statements / sizeof *statements, transact, opt.count);
}
