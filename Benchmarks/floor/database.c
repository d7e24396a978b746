// One connection in libpq's pipeline mode, and arrays in PostgreSQL's binary form.
#include "floor.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Columns ----------------------------------------------------------------------------------------------------------------

// Dimensions, null flag, element type, length, lower bound: filled in at the end.
enum { ARRAY_HEAD = 20 };
static const int64_t seconds_from_1970_to_2000 = 946684800;

void begin_column(column *c, Oid element) {
    static const char head[ARRAY_HEAD];
    c->data.length = 0;
    add_bytes(&c->data, head, sizeof head);
    c->element = element;
    c->count = 0;
    c->has_null = false;
}

void put_bytes(column *c, const void *bytes, size_t count) {
    uint32_t length = htonl((uint32_t)count);
    add_bytes(&c->data, &length, sizeof length);
    add_bytes(&c->data, bytes, count);
    c->count++;
}

void put_sealed(column *c, size_t count) {
    enum { NONCE_AND_TAG = 12 + 16 };
    static buffer sealed;
    count += NONCE_AND_TAG;
    sealed.length = 0;
    while (sealed.length < count) {
        uint64_t word = random_word();
        add_bytes(&sealed, &word, sizeof word);
    }
    put_bytes(c, sealed.data, count);
}

void put_null(column *c) {
    uint32_t length = htonl(UINT32_MAX);
    add_bytes(&c->data, &length, sizeof length);
    c->has_null = true;
    c->count++;
}

void put_text(column *c, const char *text) {
    if (text) put_bytes(c, text, strlen(text));
    else put_null(c);
}

void put_uuid(column *c, const uuid *id) {
    if (id) put_bytes(c, id->byte, sizeof id->byte);
    else put_null(c);
}

void put_int(column *c, int32_t value) {
    uint32_t wire = htonl((uint32_t)value);
    put_bytes(c, &wire, sizeof wire);
}

void put_long(column *c, int64_t value) {
    uint64_t wire = htobe64((uint64_t)value);
    put_bytes(c, &wire, sizeof wire);
}

void put_bool(column *c, bool value) {
    char wire = value;
    put_bytes(c, &wire, sizeof wire);
}

void put_instant(column *c, int64_t microseconds) { put_long(c, microseconds - seconds_from_1970_to_2000 * 1000000); }

parameter array_of(column *c) {
    uint32_t head[5] = {htonl(c->count > 0), htonl(c->has_null), htonl(c->element), htonl((uint32_t)c->count), htonl(1)};
    memcpy(c->data.data, head, sizeof head);
    // An empty array has no dimension.
    return (parameter){c->data.data, c->count > 0 ? (int)c->data.length : 12};
}

parameter instant_in(int64_t *store, int64_t microseconds) {
    *store = (int64_t)htobe64((uint64_t)(microseconds - seconds_from_1970_to_2000 * 1000000));
    return (parameter){store, sizeof *store};
}

parameter text_in(const char *text) { return (parameter){text, (int)strlen(text)}; }

// Connection -------------------------------------------------------------------------------------------------------------

static void run_plain(PGconn *connection, const char *sql) {
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) die("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
}

static PGresult *ask(PGconn *connection, const char *sql) {
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) die("%s: %s", sql, PQerrorMessage(connection));
    return result;
}

static PGconn *connect_to_database(const char *application) {
    const char *keys[] = {"dbname", "application_name", NULL};
    const char *values[] = {opt.database_url, application, NULL};
    PGconn *connection = PQconnectdbParams(keys, values, 1);
    if (PQstatus(connection) != CONNECTION_OK) die("%s", PQerrorMessage(connection));
    // As the workers do: every statement uses indexes.
    run_plain(connection, "SET enable_seqscan = off");
    run_plain(connection, "SET enable_hashjoin = off");
    run_plain(connection, "SET enable_mergejoin = off");
    run_plain(connection, "SET jit = off");
    run_plain(connection, "SET max_parallel_workers_per_gather = 0");
    run_plain(connection, "SET plan_cache_mode = force_generic_plan");
    return connection;
}

static PGresult *next_result(database *d, const char *what, ExecStatusType wanted, ExecStatusType or_wanted) {
    PGresult *result = PQgetResult(d->connection);
    ExecStatusType status = PQresultStatus(result);
    if (!result || (status != wanted && status != or_wanted))
        die("%s: %s", what, result && *PQresultErrorMessage(result) ? PQresultErrorMessage(result) : PQerrorMessage(d->connection));
    return result;
}

database *open_database(const char *application, const statement *const *statements, int count) {
    database *d = allocate(1, sizeof *d);
    d->connection = connect_to_database(application);
    d->replan_at = 4;
    if (!PQenterPipelineMode(d->connection)) die("no pipeline mode: %s", PQerrorMessage(d->connection));
    for (int i = 0; i < count; i++)
        if (!PQsendPrepare(d->connection, statements[i]->name, statements[i]->sql, 0, NULL)) die("%s: %s", statements[i]->name, PQerrorMessage(d->connection));
    if (!PQpipelineSync(d->connection)) die("sync: %s", PQerrorMessage(d->connection));
    for (int i = 0; i < count; i++) {
        PQclear(next_result(d, statements[i]->name, PGRES_COMMAND_OK, PGRES_COMMAND_OK));
        if (PQgetResult(d->connection)) die("%s: more answers than questions", statements[i]->name);
    }
    PQclear(next_result(d, "sync", PGRES_PIPELINE_SYNC, PGRES_PIPELINE_SYNC));
    return d;
}

void queue_statement(database *d, const statement *s, const parameter *parameters, int count) {
    enum { PARAMETERS_MAX = 24 };
    const char *values[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX], formats[PARAMETERS_MAX];
    // As a lane does: plans made when the tables were empty are not kept.
    static const statement discard_plans = {"discard_plans", "DISCARD PLANS"};
    if (s == &begin && ++d->transaction_count == d->replan_at) {
        d->replan_at *= 4;
        if (!PQsendQueryParams(d->connection, discard_plans.sql, 0, NULL, NULL, NULL, NULL, 1)) die("%s", PQerrorMessage(d->connection));
        d->queued[d->queued_count++] = &discard_plans;
    }
    if (count > PARAMETERS_MAX || d->queued_count >= QUEUED_MAX) die("%s: too much at once", s->name);
    for (int i = 0; i < count; i++) {
        values[i] = parameters[i].bytes;
        lengths[i] = parameters[i].length;
        formats[i] = 1;
    }
    if (!PQsendQueryPrepared(d->connection, s->name, count, values, lengths, formats, 1)) die("%s: %s", s->name, PQerrorMessage(d->connection));
    d->queued[d->queued_count++] = s;
}

void run_queued(database *d) {
    for (int i = 0; i < d->result_count; i++) PQclear(d->results[i]);
    if (!PQpipelineSync(d->connection)) die("sync: %s", PQerrorMessage(d->connection));
    for (int i = 0; i < d->queued_count; i++) {
        d->results[i] = next_result(d, d->queued[i]->name, PGRES_COMMAND_OK, PGRES_TUPLES_OK);
        if (PQgetResult(d->connection)) die("%s: more answers than questions", d->queued[i]->name);
    }
    PQclear(next_result(d, "sync", PGRES_PIPELINE_SYNC, PGRES_PIPELINE_SYNC));
    d->result_count = d->queued_count;
    d->queued_count = 0;
}

PGresult *result_of(database *d, const statement *s) {
    for (int i = 0; i < d->result_count; i++)
        if (d->queued[i] == s) return d->results[i];
    die("%s was not asked", s->name);
}

void close_database(database *d) {
    for (int i = 0; i < d->result_count; i++) PQclear(d->results[i]);
    PQfinish(d->connection);
    free(d);
}

// The office's data ------------------------------------------------------------------------------------------------------

static int read_parties(PGconn *connection, const char *sql, party *out) {
    PGresult *result = ask(connection, sql);
    int count = PQntuples(result);
    if (count > PARTIES_MAX) die("more than %d parties of a kind", PARTIES_MAX);
    for (int i = 0; i < count; i++) {
        write_text(out[i].id, sizeof out[i].id, "%s", PQgetvalue(result, i, 0));
        write_text(out[i].kind, sizeof out[i].kind, "%s", PQgetvalue(result, i, 1));
    }
    PQclear(result);
    return count;
}

static void refuse_unless_on(PGconn *connection, const char *setting) {
    char sql[64];
    write_text(sql, sizeof sql, "SHOW %s", setting);
    PGresult *result = ask(connection, sql);
    if (strcmp(PQgetvalue(result, 0, 0), "on") != 0) die("%s is not on: a rate without it means nothing", setting);
    PQclear(result);
}

void read_office(void) {
    PGconn *connection = connect_to_database("floor");
    refuse_unless_on(connection, "fsync");
    refuse_unless_on(connection, "synchronous_commit");
    refuse_unless_on(connection, "full_page_writes");
    party none[PARTIES_MAX];
    source_count = read_parties(connection, "SELECT id, kind FROM source ORDER BY id", sources);
    unit_count = read_parties(connection, "SELECT id, kind FROM unit WHERE kind IN ('department', 'city', 'county') ORDER BY id", units);
    if (read_parties(connection, "SELECT id, kind FROM unit WHERE kind = 'case_office' ORDER BY id LIMIT 1", none) == 1)
        memcpy(barred_unit, none[0].id, sizeof barred_unit);
    if (source_count == 0 || unit_count == 0) die("the database knows no sources or no units: enter an office first");
    PQfinish(connection);
}

// What the server counts -------------------------------------------------------------------------------------------------

static void wait_for_backends(PGconn *connection) {
    double began = seconds_now();
    for (;;) {
        PGresult *result = ask(connection,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'floor-%'");
        long count = atol(PQgetvalue(result, 0, 0));
        PQclear(result);
        if (count == 0) return;
        if (seconds_now() - began > 10) die("%ld backends of the stages do not end", count);
        usleep(5000);
    }
}

void read_row_counts(row_counts *found) {
    PGconn *connection = connect_to_database("floor");
    wait_for_backends(connection);
    PGresult *result = ask(connection,
        "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname");
    found->count = PQntuples(result);
    if (found->count > TABLES_MAX) die("more than %d tables", TABLES_MAX);
    for (int i = 0; i < found->count; i++) {
        table_rows *t = &found->of[i];
        write_text(t->table, sizeof t->table, "%s", PQgetvalue(result, i, 0));
        t->inserted = atol(PQgetvalue(result, i, 1));
        t->updated = atol(PQgetvalue(result, i, 2));
        t->deleted = atol(PQgetvalue(result, i, 3));
    }
    PQclear(result);
    PQfinish(connection);
}
