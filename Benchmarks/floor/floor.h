// Declarations shared by the parts of the floor. Each lane is a process; every failure ends the process with a message.
#ifndef FLOOR_H
#define FLOOR_H

#include <libpq-fe.h>
#include <amqp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// common.c ---------------------------------------------------------------------------------------------------------------

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
// Ends the process if the text does not fit.
__attribute__((format(printf, 3, 4))) void write_text(char *out, size_t size, const char *format, ...);
void *allocate(size_t count, size_t size);
double seconds_now(void);
int64_t wall_microseconds(void);
// 2026-12-20T17:36:26.643133Z
void write_instant(char out[32], int64_t microseconds);

void seed_random(void);
uint64_t random_word(void);
void random_bytes(void *out, size_t count);
// The same word for the same numbers, in every process.
uint64_t mixed(uint64_t seed, uint64_t number);

typedef struct { unsigned char byte[16]; } uuid;
typedef struct { unsigned char byte[32]; } digest;
uuid make_uuid(void);
digest make_digest(void);
void write_uuid(char out[37], const uuid *id);
uuid read_uuid(const char *text, size_t length);
int compare_uuids(const void *left, const void *right);
// The index of an id in a sorted list; it must be there.
int place_of(const uuid *id, const uuid *sorted, int count);

typedef struct { char *data; size_t length, capacity; } buffer;
void add_bytes(buffer *to, const void *bytes, size_t count);
__attribute__((format(printf, 2, 3))) void add_text(buffer *to, const char *format, ...);

// The state shared by all processes of a run.
enum stage { SUBMITTER, INTAKE, ROUTING, UNITS, FEEDBACK, READER, STAGES };
enum { LANES_MAX = 64 };
typedef struct {
    atomic_int ready, go, stop, failed;
    atomic_long done[STAGES];           // messages handled and answered (SUBMITTER: sent)
    atomic_long closed;
    atomic_long published;
    // With one feedback lane: the times at which a fifth and four fifths were closed.
    double began, early_at, late_at;
    long early_count, late_count;
    double ended[STAGES][LANES_MAX];    // when a lane last did something
} shared_state;
extern shared_state *shared;

typedef struct {
    const char *amqp_url, *database_url;
    long count;
    int batch, rounds, lanes;
    bool all_close, reads_notices;
    unsigned run;                       // part of this run's submission ids
    int round;
    long closing;                       // how many of `count` go through the whole loop
} options;
extern options opt;

// content.c --------------------------------------------------------------------------------------------------------------

// Replaces a rule's decision; derived from the submission's number.
typedef struct {
    bool registered, has_key, bars;
    int accused, allegations, text_length, title_length;
    const char *text, *title;
    const char *source;
} shape;

enum { PARTIES_MAX = 64 };
typedef struct { char id[41], kind[41]; } party;
extern party sources[PARTIES_MAX], units[PARTIES_MAX];
// Every `opt.lanes`th queue of these parties, from the `number`th on: the queues that one lane reads.
const char *const *share_of_queues(int number, const char *kind, const party *parties, int count, const char *ending, int *found);
extern int source_count, unit_count;
extern char barred_unit[41];            // gets nothing; empty if the office has no such unit

void make_content(void);
// A unit that a report may go to: a department of the office, or a unit of a place.
const char *drawn_unit(uint64_t chance, bool department);
shape shape_of(long number);
void accused_part(buffer *to, const char *name, const char *organ, const char *position, const char *level, const char *region);
void add_submission(buffer *to, long number, const shape *s);
void submission_id(char out[32], long number);
// The CloudEvents id of a body, which ends in known fields.
const char *event_id(const amqp_bytes_t *body, size_t *length);
void add_tail(buffer *to, const char *id, const char *in_reply_to, const char *source, const char *subject, const char *time,
    const char *type);
const char *phrase(unsigned at, int characters);

// database.c -------------------------------------------------------------------------------------------------------------

typedef struct { const void *bytes; int length; } parameter;
typedef struct { buffer data; Oid element; int count; bool has_null; } column;

void begin_column(column *c, Oid element);
void put_bytes(column *c, const void *bytes, size_t count);
// What the office seals: random bytes, as many as the sealed ones of `count` bytes.
void put_sealed(column *c, size_t count);
void put_text(column *c, const char *text);     // NULL for a null element
void put_uuid(column *c, const uuid *id);       // NULL for a null element
void put_int(column *c, int32_t value);
void put_long(column *c, int64_t value);
void put_bool(column *c, bool value);
void put_instant(column *c, int64_t microseconds);
void put_null(column *c);
parameter array_of(column *c);
// A single value of a statement; `store` must live until it is sent.
parameter instant_in(int64_t *store, int64_t microseconds);
parameter text_in(const char *text);

typedef struct { const char *name, *sql; } statement;

// Rows of several reports, in their order, each read by the index: the form of the workers' queries.
#define BY_REPORT(columns, table, order) \
    "SELECT found.* FROM unnest($1::uuid[]) AS wanted (report) CROSS JOIN LATERAL (" \
    "SELECT " columns " FROM " table " WHERE report_id = wanted.report " order " OFFSET 0) AS found"
enum { QUEUED_MAX = 25 };
typedef struct {
    PGconn *connection;
    const statement *queued[QUEUED_MAX];
    PGresult *results[QUEUED_MAX];
    int queued_count, result_count;
    // The number of begun transactions, and the one at which plans are made again.
    long transaction_count, replan_at;
} database;

database *open_database(const char *application, const statement *const *statements, int count);
void queue_statement(database *d, const statement *s, const parameter *parameters, int count);
// Sends the queued statements in one round trip; results are in order and live until the next one.
void run_queued(database *d);
PGresult *result_of(database *d, const statement *s);
void close_database(database *d);
void read_office(void);

// The rows that the server has counted in each table since it began.
enum { TABLES_MAX = 96 };
typedef struct { char table[64]; long inserted, updated, deleted; } table_rows;
typedef struct { table_rows of[TABLES_MAX]; int count; } row_counts;
// Call it when no stage runs: a backend reports its last rows when it ends.
void read_row_counts(row_counts *found);
#define QUEUE(d, s, ...) \
    queue_statement(d, s, (const parameter[]){__VA_ARGS__}, (int)(sizeof((const parameter[]){__VA_ARGS__}) / sizeof(parameter)))
#define QUEUE_PLAIN(d, s) queue_statement(d, s, NULL, 0)

extern const statement begin, commit, claim_inbox, insert_outbox, delete_outbox, lock_reports, read_handoffs, read_clocks,
    read_barred_units, read_held_messages, update_reports, insert_clocks, insert_ledger;

// broker.c ---------------------------------------------------------------------------------------------------------------

typedef struct {
    amqp_connection_state_t connection;
    char user[128];
    // Confirms: open tags from `first` to `next` - 1 are marked.
    uint64_t first, next;
    long open_count;
    unsigned char *open;
} broker;

broker *open_broker(bool confirms);
void close_broker(broker *b);
void consume(broker *b, const char *queue, int prefetch);
// Receives the messages that have arrived, up to `count_max`; waits only for the first.
int receive(broker *b, amqp_envelope_t *batch, int count_max, int wait_milliseconds);
void acknowledge(broker *b, uint64_t tag);
void publish(broker *b, const char *exchange, const char *key, const char *type, const char *subject, const uuid *trace,
    const void *body, size_t length);
void wait_for_confirms(broker *b, long open_max);
// The number of messages in a queue, which must exist.
long queue_depth(broker *b, const char *queue, int *consumers);
void purge(broker *b, const char *queue);

// lane.c -----------------------------------------------------------------------------------------------------------------

// One message to send, and its outbox row.
typedef struct {
    uuid event, report, handoff;
    bool has_handoff;
    // The body is stored with the handoff, and the row refers to it.
    bool is_stored;
    const char *exchange, *type;
    char key[96], subject[40], addressee[48];
    size_t body_at, body_length;
} letter;

typedef struct lane {
    enum stage stage;
    int number;
    char name[40];
    broker *in, *out;
    database *db;
    letter *letters;                    // of the current transaction
    int letter_count, letters_max;
    buffer bodies;
    letter *sent;                       // confirmed, still in the outbox
    int sent_count;
    int64_t now;                        // of the current transaction
    char time[32];
} lane;

typedef void (*work)(lane *l, const amqp_envelope_t *batch, int count);
void run_lane(enum stage stage, int number, const char *const *queues, int queue_count, const statement *const *statements,
    int statement_count, work transact, long target);
letter *new_letter(lane *l, const char *exchange, const char *type);
void end_letter(lane *l, letter *row);
// The sender of a message, as the inbox names it.
amqp_bytes_t sender_of(const amqp_envelope_t *e);
void queue_claim(lane *l, const amqp_envelope_t *batch, int count);
void check_claim(lane *l, int count);
void queue_outbox(lane *l, const char *worker);

// The cases locked by a transaction, with the fields to update their heads.
typedef struct {
    uuid id;
    digest loaded_head, head;
    int entry_count;
    int64_t number;
    const char *state;                  // NULL if nothing changes
    int handoff_count;
} case_row;
int read_cases(const PGresult *locked, case_row *cases);
case_row *case_of(const uuid *id, case_row *cases, int count);
void begin_ledger(void);
__attribute__((format(printf, 2, 3))) void add_entry(case_row *c, const char *format, ...);
void queue_ledger(database *d);
void queue_cases(const lane *l, const case_row *cases, int count);
void begin_clocks(void);
void add_clock(lane *l, const char *kind, const uuid *handoff, const uuid *report, const char *unit, int64_t stopped,
    const char *stopped_by);
void queue_clocks(database *d);

// The stages.
void make_epoch(void);
void run_intake(int number);
void run_routing(int number);
void run_feedback(int number);
void run_units(int number);
void run_reader(int number);
void run_submitter(int number);

#endif
