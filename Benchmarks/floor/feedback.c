// The feedback stage: units' acts on their handoffs change handoff, clocks and report, and a conclusion is accepted.
#include "floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const statement read_applied_acts = {"read_applied_acts",
    "SELECT act.sender, act.event_id FROM unnest($1::uuid[], $2::text[], $3::text[]) AS act (handoff_id, sender, event_id) "
    "CROSS JOIN LATERAL (SELECT FROM handoff_note AS note WHERE note.handoff_id = act.handoff_id AND note.sender = act.sender "
    "AND note.event_id = act.event_id OFFSET 0) AS found"};
static const statement count_notes = {"count_notes",
    "SELECT counted.* FROM unnest($1::uuid[]) AS wanted (report) "
    "CROSS JOIN LATERAL (SELECT id FROM handoff WHERE report_id = wanted.report OFFSET 0) AS h "
    "CROSS JOIN LATERAL (SELECT h.id, count(*), coalesce(sum(octet_length(body)), 0)::bigint FROM handoff_note "
    "WHERE handoff_id = h.id OFFSET 0) AS counted"};
static const statement count_held_messages = {"count_held_messages",
    "SELECT found.* FROM unnest($1::text[]) AS wanted (sender) CROSS JOIN LATERAL ("
    "SELECT wanted.sender, count(*), coalesce(sum(octet_length(sealed)), 0)::bigint FROM held_message AS held "
    "WHERE held.sender = wanted.sender OFFSET 0) AS found"};
static const statement update_handoffs = {"update_handoffs",
    "UPDATE handoff SET state = new.state, dispatched_at = coalesce(handoff.dispatched_at, new.signed_at), "
    "signed_at = coalesce(new.signed_at, handoff.signed_at), signed_by = coalesce(new.signed_by, handoff.signed_by), "
    "disposition = coalesce(new.disposition, handoff.disposition), outcome = new.outcome, concluded_at = new.ended_at, "
    "ended_at = new.ended_at, ended_because = new.ended_because, running_clocks = new.running_clocks, no_clock_reason = new.no_clock_reason "
    "FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::int[], "
    "$10::text[]) AS new (id, state, signed_at, signed_by, disposition, outcome, ended_at, ended_because, running_clocks, no_clock_reason) "
    "WHERE handoff.id = new.id"};
static const statement stop_clocks = {"stop_clocks",
    "UPDATE clock SET next_at = NULL, ended_at = new.ended_at, ended_because = new.ended_because "
    "FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS new (id, ended_at, ended_because) WHERE clock.id = new.id"};
static const statement insert_notes = {"insert_notes",
    "INSERT INTO handoff_note (handoff_id, sender, event_id, kind, written_at, body) "
    "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])"};
static const statement settle_inbox = {"settle_inbox",
    "UPDATE inbox SET verdict = act.verdict, reply_type = act.reply_type, reply = act.reply, report_id = act.report_id "
    "FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::uuid[]) "
    "AS act (sender, event_id, verdict, reply_type, reply, report_id) "
    "WHERE inbox.sender = act.sender AND inbox.event_id = act.event_id AND (inbox.verdict IN ('held', 'dead') OR inbox.reply IS NULL)"};

enum { SIGNED = 1, DECIDED = 2, CONCLUDED = 4 };
// The clocks of a handoff, by what is owed.
enum { TO_SIGN, TO_ANSWER, TO_CONCLUDE, DUTIES };
static const char *const duties[DUTIES] = {"sign", "feedback", "overdue"};
// One handoff of the transaction, its stored clocks, and the acts on it.
typedef struct { uuid id; case_row *of; const char *unit; bool transfer; uuid clocks[DUTIES]; int acts; } handoff_row;

enum { CHANGED = 10, STOPPED = 3, NOTES = 6, SETTLED = 6 };
static column changed[CHANGED], stopped[STOPPED], notes[NOTES], settled[SETTLED];

static void begin_columns(void) {
    static const Oid changed_types[CHANGED] = {2950, 25, 1184, 25, 25, 25, 1184, 25, 23, 25}, stopped_types[STOPPED] = {2950, 1184, 25},
        note_types[NOTES] = {2950, 25, 25, 25, 1184, 25}, settled_types[SETTLED] = {25, 25, 25, 25, 17, 2950};
    for (int i = 0; i < CHANGED; i++) begin_column(&changed[i], changed_types[i]);
    for (int i = 0; i < STOPPED; i++) begin_column(&stopped[i], stopped_types[i]);
    for (int i = 0; i < NOTES; i++) begin_column(&notes[i], note_types[i]);
    for (int i = 0; i < SETTLED; i++) begin_column(&settled[i], settled_types[i]);
}

static void queue_all(database *d, const statement *s, column *columns, int count) {
    if (columns[0].count == 0) return;
    parameter all[CHANGED];
    for (int i = 0; i < count; i++) all[i] = array_of(&columns[i]);
    queue_statement(d, s, all, count);
}

static void stop_clock(const lane *l, const handoff_row *h, int duty, const char *by) {
    put_uuid(&stopped[0], &h->clocks[duty]);
    put_instant(&stopped[1], l->now);
    put_text(&stopped[2], by);
}

static void add_note(const lane *l, const handoff_row *h, const char *sender, const char *act, const char *kind, const char *body) {
    put_uuid(&notes[0], &h->id);
    put_text(&notes[1], sender);
    put_text(&notes[2], act);
    put_text(&notes[3], kind);
    put_instant(&notes[4], l->now);
    put_text(&notes[5], body);
}

static void conclude(lane *l, const handoff_row *h, const char *id, const char *sender, const char *act) {
    add_note(l, h, sender, act, "conclusion", "经谈话函询和走访核实，反映问题查无实据，予以了结并作出澄清。");

    char event[37];
    letter *row = new_letter(l, "bihuan.notice", "bihuan.conclusion.accepted.v1");
    row->report = h->of->id;
    row->handoff = h->id;
    row->has_handoff = true;
    write_text(row->key, sizeof row->key, "%s.notice", sender);
    write_text(row->addressee, sizeof row->addressee, "%s", sender);
    write_text(row->subject, sizeof row->subject, "%s", id);
    write_uuid(event, &row->event);
    add_text(&l->bodies, "{\"data\":{\"rule\":\"cn-discipline@1/conclusion-accepted\",\"text\":\"同意办结\"}");
    add_tail(&l->bodies, event, act, "office.feedback", id, l->time, row->type);
    end_letter(l, row);

    put_text(&settled[0], sender);
    put_text(&settled[1], act);
    put_text(&settled[2], "taken");
    put_text(&settled[3], row->type);
    put_bytes(&settled[4], l->bodies.data + row->body_at, row->body_length);
    put_uuid(&settled[5], &h->of->id);
}

static void take_act(lane *l, const amqp_envelope_t *e, handoff_row *handoffs, int count) {
    const amqp_basic_properties_t *properties = &e->message.properties;
    uuid asked = read_uuid(properties->correlation_id.bytes, properties->correlation_id.len);
    handoff_row *h = bsearch(&asked, handoffs, (size_t)count, sizeof *h, compare_uuids);
    if (!h) die("an act on a handoff that is not there");
    char id[37], act[64], sender[64];
    size_t act_length;
    const char *act_text = event_id(&e->message.body, &act_length);
    write_text(act, sizeof act, "%.*s", (int)act_length, act_text);
    write_text(sender, sizeof sender, "unit.%s", h->unit);
    write_uuid(id, &h->id);
    // The ledger has no id of an act, but a commitment to it.
    unsigned long long commitment = random_word();
    const char *type = properties->type.bytes;
    size_t length = properties->type.len;
    if (length == 24 && !memcmp(type, "bihuan.handoff.signed.v1", length)) {
        h->acts |= SIGNED;
        h->of->state = "in_hand";
        add_entry(h->of, "{\"act\":\"%064llx\",\"at\":\"%s\",\"by\":\"%s\",\"event\":\"signed\",\"handoff\":\"%s\"}", commitment, l->time, sender, id);
    } else if (length == 29 && !memcmp(type, "bihuan.disposition.decided.v1", length)) {
        h->acts |= DECIDED;
        h->of->state = "in_hand";
        add_entry(h->of, "{\"act\":\"%064llx\",\"at\":\"%s\",\"by\":\"%s\",\"disposition\":\"talk_inquiry\",\"event\":\"disposition_decided\","
            "\"handoff\":\"%s\"}", commitment, l->time, sender, id);
        add_note(l, h, sender, act, "disposition", "talk_inquiry");
    } else if (length == 27 && !memcmp(type, "bihuan.handoff.concluded.v1", length)) {
        h->acts |= CONCLUDED;
        h->of->state = "closed";
        add_entry(h->of, "{\"act\":\"%064llx\",\"at\":\"%s\",\"by\":\"%s\",\"event\":\"concluded\",\"handoff\":\"%s\",\"outcome\":\"clarified\"}",
            commitment, l->time, sender, id);
        add_entry(h->of, "{\"act\":\"%064llx\",\"at\":\"%s\",\"by\":\"%s\",\"event\":\"conclusion_accepted\",\"handoff\":\"%s\","
            "\"rule\":\"cn-discipline@1/conclusion-accepted\"}", commitment, l->time, sender, id);
        conclude(l, h, id, sender, act);
    } else die("not an act of this program: %.*s", (int)length, type);
}

// Writes a handoff after all acts of the batch: one new version of its row, and its clocks.
static void write_handoff(lane *l, const handoff_row *h) {
    char sender[64];
    write_text(sender, sizeof sender, "unit.%s", h->unit);
    bool has_signed = h->acts & SIGNED, has_decided = h->acts & DECIDED, has_concluded = h->acts & CONCLUDED;
    put_uuid(&changed[0], &h->id);
    put_text(&changed[1], has_concluded ? "closed" : has_decided ? "in_hand" : "signed");
    if (has_signed) put_instant(&changed[2], l->now);
    else put_null(&changed[2]);
    put_text(&changed[3], has_signed ? sender : NULL);
    put_text(&changed[4], has_decided ? "talk_inquiry" : NULL);
    put_text(&changed[5], has_concluded ? "clarified" : NULL);
    if (has_concluded) put_instant(&changed[6], l->now);
    else put_null(&changed[6]);
    put_text(&changed[7], has_concluded ? "concluded" : NULL);
    put_int(&changed[8], !h->transfer || has_concluded ? 0 : has_decided ? 1 : 2);
    put_text(&changed[9], h->transfer || has_concluded ? NULL : "转送件不逐件要结果，签收后由跟踪督查、抽查和定期对账监督");

    if (has_signed) stop_clock(l, h, TO_SIGN, "signed");
    if (!h->transfer) return;
    if (has_signed) {
        add_clock(l, "feedback", &h->id, &h->of->id, h->unit, l->now, has_decided ? "disposition_decided" : NULL);
        add_clock(l, "overdue", &h->id, &h->of->id, h->unit, l->now, has_concluded ? "concluded" : NULL);
    } else {
        if (has_decided) stop_clock(l, h, TO_ANSWER, "disposition_decided");
        if (has_concluded) stop_clock(l, h, TO_CONCLUDE, "concluded");
    }
}

static void note_clocks(const PGresult *rows, handoff_row *handoffs, int count) {
    enum { ID = 0, HANDOFF = 3, DUTY = 5 };
    for (int i = 0; i < PQntuples(rows); i++) {
        handoff_row *h = bsearch(PQgetvalue(rows, i, HANDOFF), handoffs, (size_t)count, sizeof *h, compare_uuids);
        if (!h) die("a clock of a handoff that is not there");
        for (int duty = 0; duty < DUTIES; duty++)
            if (!strcmp(PQgetvalue(rows, i, DUTY), duties[duty])) memcpy(&h->clocks[duty], PQgetvalue(rows, i, ID), sizeof h->clocks[duty]);
    }
}

// Each sender of the batch once.
static void put_senders(column *c, const amqp_envelope_t *batch, int count) {
    amqp_bytes_t seen[PARTIES_MAX];
    int seen_count = 0;
    for (int i = 0; i < count; i++) {
        amqp_bytes_t sender = sender_of(&batch[i]);
        int at = 0;
        while (at < seen_count && (seen[at].len != sender.len || memcmp(seen[at].bytes, sender.bytes, sender.len))) at++;
        if (at < seen_count) continue;
        if (seen_count == PARTIES_MAX) die("more units than expected");
        seen[seen_count++] = sender;
        put_bytes(c, sender.bytes, sender.len);
    }
}

// The reports of the acts: locked, then read.
static int load(lane *l, const amqp_envelope_t *batch, int count, case_row *cases, handoff_row *handoffs) {
    static column none, asked, senders, acts, units_of_acts, ids;
    begin_column(&none, 2950);
    begin_column(&asked, 2950);
    begin_column(&senders, 25);
    begin_column(&acts, 25);
    begin_column(&units_of_acts, 25);
    begin_column(&ids, 2950);
    for (int i = 0; i < count; i++) {
        const amqp_bytes_t *subject = &batch[i].message.properties.correlation_id;
        uuid id = read_uuid(subject->bytes, subject->len);
        size_t length;
        const char *act = event_id(&batch[i].message.body, &length);
        put_uuid(&asked, &id);
        amqp_bytes_t sender = sender_of(&batch[i]);
        put_bytes(&senders, sender.bytes, sender.len);
        put_bytes(&acts, act, length);
    }
    put_senders(&units_of_acts, batch, count);
    QUEUE_PLAIN(l->db, &begin);
    queue_claim(l, batch, count);
    QUEUE(l->db, &lock_reports, array_of(&none), array_of(&asked));
    run_queued(l->db);
    check_claim(l, count);
    int case_count = read_cases(result_of(l->db, &lock_reports), cases);
    for (int i = 0; i < case_count; i++) put_uuid(&ids, &cases[i].id);

    QUEUE(l->db, &read_handoffs, array_of(&ids));
    QUEUE(l->db, &read_clocks, array_of(&ids));
    QUEUE(l->db, &read_barred_units, array_of(&ids));
    QUEUE(l->db, &read_held_messages, array_of(&ids));
    QUEUE(l->db, &read_applied_acts, array_of(&asked), array_of(&senders), array_of(&acts));
    QUEUE(l->db, &count_notes, array_of(&ids));
    QUEUE(l->db, &count_held_messages, array_of(&units_of_acts));
    run_queued(l->db);
    enum { HANDOFF = 0, REPORT = 1, UNIT = 3, KIND = 4 };
    const PGresult *rows = result_of(l->db, &read_handoffs);
    int handoff_count = PQntuples(rows);
    if (handoff_count > case_count) die("more handoffs than reports");
    for (int i = 0; i < handoff_count; i++) {
        uuid report;
        memcpy(&report, PQgetvalue(rows, i, REPORT), sizeof report);
        handoffs[i] = (handoff_row){.of = case_of(&report, cases, case_count), .transfer = !strcmp(PQgetvalue(rows, i, KIND), "transfer")};
        memcpy(&handoffs[i].id, PQgetvalue(rows, i, HANDOFF), sizeof handoffs[i].id);
        // The result is valid until the next round trip, which is the last.
        handoffs[i].unit = PQgetvalue(rows, i, UNIT);
    }
    qsort(handoffs, (size_t)handoff_count, sizeof *handoffs, compare_uuids);
    note_clocks(result_of(l->db, &read_clocks), handoffs, handoff_count);
    return handoff_count;
}

static void note_closed(int count) {
    if (count == 0) return;
    long closed = atomic_fetch_add(&shared->closed, count) + count;
    if (!shared->early_count && closed >= opt.closing / 5) {
        shared->early_at = seconds_now();
        shared->early_count = closed;
    }
    if (!shared->late_count && closed >= opt.closing * 4 / 5) {
        shared->late_at = seconds_now();
        shared->late_count = closed;
    }
}

static void transact(lane *l, const amqp_envelope_t *batch, int count) {
    static case_row *cases;
    static handoff_row *handoffs;
    if (!cases) {
        cases = allocate((size_t)opt.batch, sizeof *cases);
        handoffs = allocate((size_t)opt.batch, sizeof *handoffs);
    }
    begin_columns();
    begin_ledger();
    begin_clocks();
    int handoff_count = 0;
    if (count > 0) handoff_count = load(l, batch, count, cases, handoffs);
    else QUEUE_PLAIN(l->db, &begin);
    for (int i = 0; i < count; i++) take_act(l, &batch[i], handoffs, handoff_count);
    int closed = 0;
    for (int i = 0; i < handoff_count; i++) {
        write_handoff(l, &handoffs[i]);
        closed += (handoffs[i].acts & CONCLUDED) != 0;
    }
    queue_cases(l, cases, handoff_count);
    queue_all(l->db, &update_handoffs, changed, CHANGED);
    queue_clocks(l->db);
    queue_all(l->db, &stop_clocks, stopped, STOPPED);
    queue_ledger(l->db);
    queue_all(l->db, &insert_notes, notes, NOTES);
    queue_all(l->db, &settle_inbox, settled, SETTLED);
    queue_outbox(l, "feedback");
    QUEUE_PLAIN(l->db, &commit);
    run_queued(l->db);
    note_closed(closed);
}

void run_feedback(int number) {
    int count;
    const char *const *queues = share_of_queues(number, "unit", units, unit_count, "acts", &count);
    static const statement *const statements[] = {&begin, &commit, &claim_inbox, &insert_outbox, &delete_outbox, &insert_ledger, &lock_reports,
        &read_handoffs, &read_clocks, &read_barred_units, &read_held_messages, &read_applied_acts, &count_notes, &count_held_messages,
        &update_reports, &insert_clocks, &update_handoffs, &stop_clocks, &insert_notes, &settle_inbox};
    run_lane(FEEDBACK, number, queues, count, statements, sizeof statements / sizeof *statements, transact, 3 * opt.closing);
}
