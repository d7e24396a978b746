// Time, random numbers, ids and text buffers.
#include "floor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

shared_state *shared;
options opt;

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("floor: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    if (shared) atomic_store(&shared->failed, 1);
    _Exit(1);
}

void write_text(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, size, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= size) die("a text is longer than %zu bytes: %s", size - 1, out);
}

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) die("out of memory");
    return memory;
}

double seconds_now(void) {
    struct timespec time;
    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0) die("clock: %s", strerror(errno));
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int64_t wall_microseconds(void) {
    struct timespec time;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0) die("clock: %s", strerror(errno));
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

void write_instant(char out[32], int64_t microseconds) {
    time_t seconds = (time_t)(microseconds / 1000000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts)) die("a time that no calendar has");
    size_t length = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + length, 32 - length, ".%06dZ", (int)(microseconds % 1000000));
}

// Random numbers ---------------------------------------------------------------------------------------------------------

static uint64_t random_state;

void seed_random(void) {
    if (getrandom(&random_state, sizeof random_state, 0) != sizeof random_state) die("getrandom: %s", strerror(errno));
}

uint64_t mixed(uint64_t seed, uint64_t number) {
    uint64_t word = seed + (number + 1) * 0x9E3779B97F4A7C15u;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
    return word ^ (word >> 31);
}

uint64_t random_word(void) { return mixed(random_state++, 0); }

void random_bytes(void *out, size_t count) {
    unsigned char *to = out;
    while (count > 0) {
        uint64_t word = random_word();
        size_t part = count < sizeof word ? count : sizeof word;
        memcpy(to, &word, part);
        to += part;
        count -= part;
    }
}

// Ids --------------------------------------------------------------------------------------------------------------------

// Time-ordered (version 7), as the workers create them.
uuid make_uuid(void) {
    uuid id;
    random_bytes(id.byte, sizeof id.byte);
    uint64_t milliseconds = (uint64_t)(wall_microseconds() / 1000);
    for (int i = 0; i < 6; i++) id.byte[i] = (unsigned char)(milliseconds >> (40 - 8 * i));
    id.byte[6] = 0x70 | (id.byte[6] & 0x0F);
    id.byte[8] = 0x80 | (id.byte[8] & 0x3F);
    return id;
}

digest make_digest(void) {
    digest made;
    random_bytes(made.byte, sizeof made.byte);
    return made;
}

void write_uuid(char out[37], const uuid *id) {
    static const char digits[] = "0123456789abcdef";
    char *to = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
        *to++ = digits[id->byte[i] >> 4];
        *to++ = digits[id->byte[i] & 15];
    }
    *to = 0;
}

static int digit_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    die("not a UUID");
}

uuid read_uuid(const char *text, size_t length) {
    if (length != 36) die("not a UUID: %.*s", (int)length, text);
    uuid id;
    int at = 0;
    for (int i = 0; i < 16; i++) {
        if (text[at] == '-') at++;
        id.byte[i] = (unsigned char)(digit_value(text[at]) << 4 | digit_value(text[at + 1]));
        at += 2;
    }
    return id;
}

int compare_uuids(const void *left, const void *right) { return memcmp(left, right, sizeof(uuid)); }

int place_of(const uuid *id, const uuid *sorted, int count) {
    const uuid *found = bsearch(id, sorted, (size_t)count, sizeof(uuid), compare_uuids);
    if (!found) die("an id that nobody asked for");
    return (int)(found - sorted);
}

// Texts ------------------------------------------------------------------------------------------------------------------

static void make_room(buffer *b, size_t count) {
    if (b->length + count <= b->capacity) return;
    b->capacity = (b->length + count) * 2;
    b->data = realloc(b->data, b->capacity);
    if (!b->data) die("out of memory");
}

void add_bytes(buffer *to, const void *bytes, size_t count) {
    make_room(to, count);
    memcpy(to->data + to->length, bytes, count);
    to->length += count;
}

void add_text(buffer *to, const char *format, ...) {
    make_room(to, 512);
    for (;;) {
        va_list arguments;
        va_start(arguments, format);
        size_t room = to->capacity - to->length;
        int length = vsnprintf(to->data + to->length, room, format, arguments);
        va_end(arguments);
        if (length < 0) die("a text could not be written");
        if ((size_t)length < room) {
            to->length += (size_t)length;
            return;
        }
        make_room(to, (size_t)length + 1);
    }
}
