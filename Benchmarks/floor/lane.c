// The sequence of every stage: receive, one transaction, publish with confirms, acknowledge. Also the statements
// and tables that more than one stage uses.
#include "floor.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The sequence -----------------------------------------------------------------------------------------------------------

static void carry(lane *l, work transact, const amqp_envelope_t *batch, int count) {
    l->letter_count = 0;
    l->bodies.length = 0;
    l->now = wall_microseconds();
    write_instant(l->time, l->now);
    transact(l, batch, count);
    for (int i = 0; i < l->letter_count; i++) {
        const letter *row = &l->letters[i];
        publish(l->out, row->exchange, row->key, row->type, row->subject, &row->report, l->bodies.data + row->body_at, row->body_length);
    }
    if (l->out) wait_for_confirms(l->out, 0);
    // This transaction has deleted the rows confirmed before it; the rows confirmed now wait for the next one.
    letter *spare = l->sent;
    l->sent = l->letters;
    l->sent_count = l->db ? l->letter_count : 0;
    l->letters = spare;
}

void run_lane(enum stage stage, int number, const char *const *queues, int queue_count, const statement *const *statements,
    int statement_count, work transact, long target) {
    static const char *const names[STAGES] = {"submitter", "intake", "routing", "units", "feedback", "reader"};
    lane l = {.stage = stage, .number = number};
    write_text(l.name, sizeof l.name, "floor-%s-%d", names[stage], number);
    // No stage sends more than three messages per message.
    l.letters_max = 3 * opt.batch;
    l.letters = allocate((size_t)l.letters_max, sizeof *l.letters);
    l.sent = allocate((size_t)l.letters_max, sizeof *l.sent);
    amqp_envelope_t *batch = allocate((size_t)opt.batch, sizeof *batch);
    if (statement_count > 0) l.db = open_database(l.name, statements, statement_count);
    if (stage != READER) l.out = open_broker(true);
    l.in = open_broker(false);

    atomic_fetch_add(&shared->ready, 1);
    while (!atomic_load(&shared->go)) usleep(500);
    // Twice a batch, so that the next one arrives while this one is written. The queues of parties share that, as in the
    // office.
    bool is_shared = stage == INTAKE || stage == FEEDBACK;
    int prefetch = is_shared && queue_count > 1 ? 2 * opt.batch / queue_count : 2 * opt.batch;
    for (int i = 0; i < queue_count; i++) consume(l.in, queues[i], prefetch > 8 ? prefetch : 8);
    while (!atomic_load(&shared->failed)) {
        bool is_over = stage == READER ? atomic_load(&shared->stop) : atomic_load(&shared->done[stage]) >= target;
        int count = is_over ? 0 : receive(l.in, batch, opt.batch, 20);
        if (count == 0 && l.sent_count == 0) {
            if (is_over) break;
            continue;
        }
        carry(&l, transact, batch, count);
        if (count > 0) {
            acknowledge(l.in, batch[count - 1].delivery_tag);
            atomic_fetch_add(&shared->done[stage], count);
        }
        shared->ended[stage][number] = seconds_now();
        for (int i = 0; i < count; i++) amqp_destroy_envelope(&batch[i]);
    }
    if (l.db) close_database(l.db);
    close_broker(l.in);
    if (l.out) close_broker(l.out);
}

// The inbox and the outbox -----------------------------------------------------------------------------------------------

const statement begin = {"begin", "BEGIN"};
const statement commit = {"commit", "COMMIT"};

const statement claim_inbox = {"claim_inbox",
    "INSERT INTO inbox (sender, event_id, digest, verdict, subject, received_at) "
    "SELECT sender, event_id, digest, 'taken', subject, $5::timestamptz "
    "FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[]) AS act (sender, event_id, digest, subject) "
    "ORDER BY sender, event_id ON CONFLICT DO NOTHING RETURNING sender, event_id"};

const statement insert_outbox = {"insert_outbox",
    "INSERT INTO outbox (event_id, worker, lane, exchange, routing_key, type, subject, addressee, reports, handoff_id, body, body_of, "
    "created_at) "
    "SELECT event_id, $10::text, $11::text, exchange, routing_key, type, subject, addressee, string_to_array(reports, ',')::uuid[], "
    "handoff_id, body, CASE WHEN body IS NULL THEN handoff_id END, $12::timestamptz "
    "FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::bytea[]) "
    "AS row (event_id, exchange, routing_key, type, subject, addressee, reports, handoff_id, body) "
    "ORDER BY event_id ON CONFLICT DO NOTHING"};

const statement delete_outbox = {"delete_outbox", "DELETE FROM outbox WHERE event_id = ANY ($1::uuid[])"};

// The sender is in the key `source.web.report.submitted`; messages in the office's own queues come from the worker before.
amqp_bytes_t sender_of(const amqp_envelope_t *e) {
    char *key = e->routing_key.bytes;
    size_t length = e->routing_key.len;
    if (length >= 7 && !memcmp(key, "bihuan.", 7)) return amqp_cstring_bytes("office.intake");
    const char *dot = memchr(key, '.', length);
    const char *second = dot ? memchr(dot + 1, '.', length - (size_t)(dot + 1 - key)) : NULL;
    if (!second) die("an unexpected routing key: %.*s", (int)length, key);
    return (amqp_bytes_t){(size_t)(second - key), key};
}

void queue_claim(lane *l, const amqp_envelope_t *batch, int count) {
    static column senders, ids, digests, subjects;
    begin_column(&senders, 25);
    begin_column(&ids, 25);
    begin_column(&digests, 17);
    begin_column(&subjects, 25);
    for (int i = 0; i < count; i++) {
        const amqp_envelope_t *e = &batch[i];
        amqp_bytes_t sender = sender_of(e);
        put_bytes(&senders, sender.bytes, sender.len);
        size_t id_length;
        const char *id = event_id(&e->message.body, &id_length);
        put_bytes(&ids, id, id_length);
        digest body = make_digest();
        put_bytes(&digests, body.byte, sizeof body.byte);
        put_bytes(&subjects, e->message.properties.correlation_id.bytes, e->message.properties.correlation_id.len);
    }
    static int64_t at;
    QUEUE(l->db, &claim_inbox, array_of(&senders), array_of(&ids), array_of(&digests), array_of(&subjects), instant_in(&at, l->now));
}

void check_claim(lane *l, int count) {
    int claimed = PQntuples(result_of(l->db, &claim_inbox));
    if (claimed != count) die("%s: %d of %d messages were known before; start with empty queues", l->name, count - claimed, count);
}

letter *new_letter(lane *l, const char *exchange, const char *type) {
    if (l->letter_count == l->letters_max) die("%s: more letters than expected", l->name);
    letter *row = &l->letters[l->letter_count++];
    *row = (letter){.event = make_uuid(), .exchange = exchange, .type = type, .body_at = l->bodies.length};
    return row;
}

void end_letter(lane *l, letter *row) { row->body_length = l->bodies.length - row->body_at; }

void queue_outbox(lane *l, const char *worker) {
    static column ids, exchanges, keys, types, subjects, addressees, reports, handoffs, bodies, gone;
    static int64_t at;
    column *all[] = {&ids, &exchanges, &keys, &types, &subjects, &addressees, &reports, &handoffs, &bodies};
    static const Oid elements[] = {2950, 25, 25, 25, 25, 25, 25, 2950, 17};
    for (int i = 0; i < 9; i++) begin_column(all[i], elements[i]);
    for (int i = 0; i < l->letter_count; i++) {
        const letter *row = &l->letters[i];
        char report[37];
        write_uuid(report, &row->report);
        put_uuid(&ids, &row->event);
        put_text(&exchanges, row->exchange);
        put_text(&keys, row->key);
        put_text(&types, row->type);
        put_text(&subjects, row->subject);
        put_text(&addressees, row->addressee);
        put_text(&reports, report);
        put_uuid(&handoffs, row->has_handoff ? &row->handoff : NULL);
        if (row->is_stored) put_null(&bodies);
        else put_bytes(&bodies, l->bodies.data + row->body_at, row->body_length);
    }
    // The rows of sent messages first, as in the office.
    begin_column(&gone, 2950);
    for (int i = 0; i < l->sent_count; i++) put_uuid(&gone, &l->sent[i].event);
    if (l->sent_count > 0) QUEUE(l->db, &delete_outbox, array_of(&gone));
    if (l->letter_count > 0)
        QUEUE(l->db, &insert_outbox, array_of(&ids), array_of(&exchanges), array_of(&keys), array_of(&types), array_of(&subjects),
            array_of(&addressees), array_of(&reports), array_of(&handoffs), array_of(&bodies), text_in(worker), text_in(l->name),
            instant_in(&at, l->now));
}
