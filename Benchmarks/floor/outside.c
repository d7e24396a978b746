// The parties outside the office: sources that submit, units that act, and readers of the notices.
#include "floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void run_submitter(int number) {
    broker *b = open_broker(true);
    buffer body = {0};
    atomic_fetch_add(&shared->ready, 1);
    while (!atomic_load(&shared->go)) usleep(500);
    for (long i = 0; i < opt.count && !atomic_load(&shared->failed); i++) {
        shape s = shape_of(i);
        char id[32], key[96];
        submission_id(id, i);
        write_text(key, sizeof key, "source.%s.report.submitted", s.source);
        body.length = 0;
        add_submission(&body, i, &s);
        uuid trace = make_uuid();
        publish(b, "bihuan.intake", key, "bihuan.report.submitted.v1", id, &trace, body.data, body.length);
        atomic_fetch_add_explicit(&shared->done[SUBMITTER], 1, memory_order_relaxed);
    }
    wait_for_confirms(b, 0);
    shared->ended[SUBMITTER][number] = seconds_now();
    close_broker(b);
}

// Units ------------------------------------------------------------------------------------------------------------------

static void act(lane *l, const amqp_envelope_t *e, const char *type, const char *word, const char *suffix, const char *data) {
    const char *key = e->routing_key.bytes;
    const char *end = memmem(key, e->routing_key.len, ".inbox", 6);
    if (!end) die("an unexpected routing key: %.*s", (int)e->routing_key.len, key);
    const amqp_bytes_t *subject = &e->message.properties.correlation_id;
    char unit[48], handoff[40], id[64];
    write_text(unit, sizeof unit, "%.*s", (int)(end - key), key);
    write_text(handoff, sizeof handoff, "%.*s", (int)subject->len, (char *)subject->bytes);
    write_text(id, sizeof id, "%s-%s", handoff, suffix);
    letter *row = new_letter(l, "bihuan.feedback", type);
    row->report = row->event;
    write_text(row->key, sizeof row->key, "%s.%s", unit, word);
    write_text(row->subject, sizeof row->subject, "%s", handoff);
    add_text(&l->bodies, "{\"data\":%s", data);
    add_tail(&l->bodies, id, NULL, unit, handoff, l->time, type);
    end_letter(l, row);
}

// Every handoff is signed for, decided and concluded at once.
static void act_on_handoffs(lane *l, const amqp_envelope_t *batch, int count) {
    for (int i = 0; i < count; i++) {
        char signature[160];
        write_text(signature, sizeof signature, "{\"digest\":\"%016llx%016llx%016llx%016llx\",\"signedBy\":\"收发员\"}",
            (unsigned long long)random_word(), (unsigned long long)random_word(), (unsigned long long)random_word(),
            (unsigned long long)random_word());
        act(l, &batch[i], "bihuan.handoff.signed.v1", "handoff.signed", "signed", signature);
        act(l, &batch[i], "bihuan.disposition.decided.v1", "disposition.decided", "disposition",
            "{\"disposition\":\"talk_inquiry\"}");
        act(l, &batch[i], "bihuan.handoff.concluded.v1", "handoff.concluded", "concluded",
            "{\"outcome\":\"clarified\",\"reporterAnswered\":true,\"summary\":\"经谈话函询和走访核实，反映问题查无实据，予以了结并作出澄清。\"}");
    }
}

static char queue_names[2 * PARTIES_MAX][64];
static const char *queue_list[2 * PARTIES_MAX];

static int list_queues(int at, const char *kind, const party *parties, int count, const char *ending) {
    for (int i = 0; i < count; i++, at++) {
        write_text(queue_names[at], sizeof queue_names[at], "%s.%s.%s", kind, parties[i].id, ending);
        queue_list[at] = queue_names[at];
    }
    return at;
}

const char *const *share_of_queues(int number, const char *kind, const party *parties, int count, const char *ending, int *found) {
    *found = 0;
    for (int i = number; i < count; i += opt.lanes) *found = list_queues(*found, kind, &parties[i], 1, ending);
    return queue_list;
}

void run_units(int number) {
    int count = list_queues(0, "unit", units, unit_count, "inbox");
    run_lane(UNITS, number, queue_list, count, NULL, 0, act_on_handoffs, opt.closing);
}

// Notices ----------------------------------------------------------------------------------------------------------------

static void read_notices(lane *l, const amqp_envelope_t *batch, int count) {
    (void)l;
    (void)batch;
    (void)count;
}

void run_reader(int number) {
    int count = list_queues(0, "source", sources, source_count, "notice");
    count = list_queues(count, "unit", units, unit_count, "notice");
    run_lane(READER, number, queue_list, count, NULL, 0, read_notices, 0);
}
