// One connection to RabbitMQ with one channel, for consuming or for publishing with confirms.
#include "floor.h"

#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

// The tags in flight span less than this, unless the broker has lost a confirm.
enum { OPEN_TAGS = 1 << 16 };

static void check(int status, const char *what) {
    if (status != AMQP_STATUS_OK) die("%s: %s", what, amqp_error_string2(status));
}

static void check_reply(amqp_rpc_reply_t reply, const char *what) {
    switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL: return;
    case AMQP_RESPONSE_LIBRARY_EXCEPTION: die("%s: %s", what, amqp_error_string2(reply.library_error));
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
            amqp_channel_close_t *closed = reply.reply.decoded;
            die("%s: %.*s", what, (int)closed->reply_text.len, (char *)closed->reply_text.bytes);
        }
        if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
            amqp_connection_close_t *closed = reply.reply.decoded;
            die("%s: %.*s", what, (int)closed->reply_text.len, (char *)closed->reply_text.bytes);
        }
        die("%s: the broker refused", what);
    default: die("%s: no answer", what);
    }
}

broker *open_broker(bool confirms) {
    broker *b = allocate(1, sizeof *b);
    char *url = strdup(opt.amqp_url);
    struct amqp_connection_info where;
    if (!url) die("out of memory");
    check(amqp_parse_url(url, &where), "--amqp");
    if (where.ssl) die("--amqp: no TLS here");
    write_text(b->user, sizeof b->user, "%s", where.user);
    b->connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(b->connection);
    if (!socket) die("no socket");
    struct timeval limit = {.tv_sec = 10};
    check(amqp_socket_open_noblock(socket, where.host, where.port, &limit), "connecting to the broker");
    check_reply(amqp_login(b->connection, where.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, where.user, where.password), "logging in");
    free(url);
    amqp_channel_open(b->connection, 1);
    check_reply(amqp_get_rpc_reply(b->connection), "opening a channel");
    if (confirms) {
        amqp_confirm_select(b->connection, 1);
        check_reply(amqp_get_rpc_reply(b->connection), "asking for confirms");
        b->first = b->next = 1;
        b->open = allocate(OPEN_TAGS, 1);
    }
    return b;
}

void close_broker(broker *b) {
    check_reply(amqp_connection_close(b->connection, AMQP_REPLY_SUCCESS), "closing");
    amqp_destroy_connection(b->connection);
    free(b->open);
    free(b);
}

// Consuming --------------------------------------------------------------------------------------------------------------

void consume(broker *b, const char *queue, int prefetch) {
    amqp_basic_qos(b->connection, 1, 0, (uint16_t)prefetch, false);
    check_reply(amqp_get_rpc_reply(b->connection), "prefetch");
    amqp_basic_consume(b->connection, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, false, false, false, amqp_empty_table);
    check_reply(amqp_get_rpc_reply(b->connection), queue);
}

int receive(broker *b, amqp_envelope_t *batch, int count_max, int wait_milliseconds) {
    int count = 0;
    while (count < count_max) {
        struct timeval limit = {.tv_usec = count == 0 ? wait_milliseconds * 1000 : 0};
        amqp_maybe_release_buffers(b->connection);
        amqp_rpc_reply_t reply = amqp_consume_message(b->connection, &batch[count], &limit, 0);
        if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) break;
        check_reply(reply, "receiving");
        count++;
    }
    return count;
}

void acknowledge(broker *b, uint64_t tag) { check(amqp_basic_ack(b->connection, 1, tag, true), "acknowledging"); }

// Publishing -------------------------------------------------------------------------------------------------------------

static void settle(broker *b, uint64_t tag, bool multiple) {
    if (tag >= b->next || (tag < b->first && !multiple)) die("a confirm for a message that was not sent");
    for (uint64_t at = multiple ? b->first : tag; at <= tag; at++) {
        if (b->open[at % OPEN_TAGS]) b->open_count--;
        b->open[at % OPEN_TAGS] = 0;
    }
    while (b->first < b->next && !b->open[b->first % OPEN_TAGS]) b->first++;
}

void wait_for_confirms(broker *b, long open_max) {
    while (b->open_count > open_max) {
        amqp_frame_t frame;
        struct timeval limit = {.tv_sec = 30};
        amqp_maybe_release_buffers(b->connection);
        check(amqp_simple_wait_frame_noblock(b->connection, &frame, &limit), "waiting for confirms");
        if (frame.frame_type != AMQP_FRAME_METHOD) continue;
        if (frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
            die("instead of a confirm the broker sent %s", amqp_method_name(frame.payload.method.id));
        amqp_basic_ack_t *confirm = frame.payload.method.decoded;
        settle(b, confirm->delivery_tag, confirm->multiple);
    }
}

void publish(broker *b, const char *exchange, const char *key, const char *type, const char *subject, const uuid *trace,
    const void *body, size_t length) {
    enum { IN_FLIGHT_MAX = 512 };
    wait_for_confirms(b, IN_FLIGHT_MAX - 1);
    if (b->next - b->first >= OPEN_TAGS) die("the broker forgot to confirm a message");
    uuid id = make_uuid();
    char message_id[37], trace_id[37], parent[64];
    write_uuid(message_id, &id);
    write_uuid(trace_id, trace);
    write_text(parent, sizeof parent, "00-%.8s%.4s%.4s%.4s%.12s-%016llx-01", trace_id, trace_id + 9, trace_id + 14, trace_id + 19,
        trace_id + 24, (unsigned long long)random_word());
    amqp_table_entry_t headers[2] = {
        {amqp_cstring_bytes("traceparent"), {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(parent)}},
        {amqp_cstring_bytes("x-publish-token"), {.kind = AMQP_FIELD_KIND_I64, .value.i64 = (int64_t)b->next}},
    };
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG
            | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_USER_ID_FLAG,
        .content_type = amqp_cstring_bytes("application/cloudevents+json"),
        .headers = {2, headers},
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .correlation_id = amqp_cstring_bytes(subject),
        .message_id = amqp_cstring_bytes(message_id),
        .timestamp = (uint64_t)time(NULL),
        .type = amqp_cstring_bytes(type),
        .user_id = amqp_cstring_bytes(b->user),
    };
    // The library only reads the bytes.
    amqp_bytes_t content = {length, (void *)(uintptr_t)body};
    check(amqp_basic_publish(b->connection, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes(key), true, false, &properties, content), "publishing");
    b->open[b->next++ % OPEN_TAGS] = 1;
    b->open_count++;
    atomic_fetch_add_explicit(&shared->published, 1, memory_order_relaxed);
}

// Queues -----------------------------------------------------------------------------------------------------------------

long queue_depth(broker *b, const char *queue, int *consumers) {
    amqp_queue_declare_ok_t *there =
        amqp_queue_declare(b->connection, 1, amqp_cstring_bytes(queue), true, false, false, false, amqp_empty_table);
    check_reply(amqp_get_rpc_reply(b->connection), queue);
    if (consumers) *consumers = (int)there->consumer_count;
    return there->message_count;
}

void purge(broker *b, const char *queue) {
    amqp_queue_purge(b->connection, 1, amqp_cstring_bytes(queue));
    check_reply(amqp_get_rpc_reply(b->connection), queue);
}
