// Measures the rate of the same messages and the same rows without rules: starts the stages as processes, times
// them, and prints a line of JSON for each round. README.md describes the figures.
#include "floor.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void usage(void) {
    fputs(
        "usage: floor intake|loop --amqp URL --database URL [options]\n"
        "  --count N      submissions in a round (10000)\n"
        "  --batch B      messages in one transaction, at most (200)\n"
        "  --rounds R     rounds, one line of JSON each (1)\n"
        "  --lanes L      processes of intake, routing, feedback and units (1)\n"
        "  --all-close    every submission goes all the way; else as many as of the demo's corpus\n"
        "  --no-reader    nobody reads the notices: they stay in their queues until the round is over\n",
        stderr);
    exit(2);
}

static long number_of(const char *text, long max) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || value < 1 || value > max) die("not a number from 1 to %ld: %s", max, text);
    return value;
}

static void read_options(int count, char **arguments) {
    static const struct option known[] = {
        {"amqp", required_argument, NULL, 'a'}, {"database", required_argument, NULL, 'd'}, {"count", required_argument, NULL, 'n'},
        {"batch", required_argument, NULL, 'b'}, {"rounds", required_argument, NULL, 'r'}, {"lanes", required_argument, NULL, 'l'},
        {"all-close", no_argument, NULL, 'c'}, {"no-reader", no_argument, NULL, 'q'}, {NULL, 0, NULL, 0}};
    opt = (options){.count = 10000, .batch = 200, .rounds = 1, .lanes = 1, .reads_notices = true};
    for (int found; (found = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        switch (found) {
        case 'a': opt.amqp_url = optarg; break;
        case 'd': opt.database_url = optarg; break;
        case 'n': opt.count = number_of(optarg, 100000000); break;
        case 'b': opt.batch = (int)number_of(optarg, 5000); break;
        case 'r': opt.rounds = (int)number_of(optarg, 10000); break;
        case 'l': opt.lanes = (int)number_of(optarg, LANES_MAX); break;
        case 'c': opt.all_close = true; break;
        case 'q': opt.reads_notices = false; break;
        default: usage();
        }
    }
    if (!opt.amqp_url || !opt.database_url || optind != count - 1) usage();
}

// Processes --------------------------------------------------------------------------------------------------------------

enum { CHILDREN_MAX = 5 * LANES_MAX };
static pid_t children[CHILDREN_MAX];
static int child_count;

static void start(void (*run)(int), int number) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) die("fork: %s", strerror(errno));
    if (child == 0) {
        // No process is left behind, however the first process ends.
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _Exit(1);
        seed_random();
        run(number);
        _Exit(0);
    }
    children[child_count++] = child;
}

static long progress(void) {
    long sum = atomic_load(&shared->ready);
    for (int i = 0; i < STAGES; i++) sum += atomic_load(&shared->done[i]);
    return sum;
}

// Waits until only `enough` processes are left; each must have ended with status 0.
static void wait_for_children(int enough) {
    enum { PATIENCE_SECONDS = 60 };
    long seen = -1;
    double moved_at = seconds_now();
    while (child_count > enough) {
        int status;
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended < 0) die("waiting: %s", strerror(errno));
        if (ended > 0) {
            for (int i = 0; i < child_count; i++)
                if (children[i] == ended) children[i] = children[--child_count];
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) die("a stage failed");
            continue;
        }
        long now = progress();
        if (now != seen) {
            seen = now;
            moved_at = seconds_now();
        }
        if (seconds_now() - moved_at > PATIENCE_SECONDS) die("nothing moved for %d seconds", PATIENCE_SECONDS);
        usleep(2000);
    }
}

static void wait_until_ready(void) {
    double began = seconds_now();
    while (atomic_load(&shared->ready) < child_count) {
        if (atomic_load(&shared->failed)) die("a stage failed");
        if (seconds_now() - began > 30) die("the stages did not start");
        usleep(1000);
    }
}

// Queues -----------------------------------------------------------------------------------------------------------------

static void for_all_queues(broker *b, void (*visit)(broker *, const char *)) {
    char name[64];
    static const char *const of_source[] = {"submit", "notice"}, *const of_unit[] = {"acts", "inbox", "notice"};
    visit(b, "bihuan.routing");
    for (int i = 0; i < 2 * source_count; i++) {
        write_text(name, sizeof name, "source.%s.%s", sources[i / 2].id, of_source[i % 2]);
        visit(b, name);
    }
    for (int i = 0; i < 3 * unit_count; i++) {
        write_text(name, sizeof name, "unit.%s.%s", units[i / 3].id, of_unit[i % 3]);
        visit(b, name);
    }
}

static void refuse_if_used(broker *b, const char *queue) {
    int consumers;
    long depth = queue_depth(b, queue, &consumers);
    if (depth > 0 || consumers > 0) die("%s has %ld messages and %d consumers: this needs an office of its own", queue, depth, consumers);
}

// A round ----------------------------------------------------------------------------------------------------------------

static row_counts rows_before;

static void begin_round(int round) {
    memset(shared, 0, sizeof *shared);
    opt.round = round;
    opt.closing = 0;
    for (long i = 0; i < opt.count; i++) opt.closing += shape_of(i).registered;
    if (opt.closing == 0) die("no submission goes all the way; take more");
    make_epoch();
    read_row_counts(&rows_before);
}

static double end_of(enum stage stage) {
    double end = 0;
    for (int i = 0; i < LANES_MAX; i++)
        if (shared->ended[stage][i] > end) end = shared->ended[stage][i];
    return end;
}

static double cpu_of_children(void) {
    struct rusage used;
    if (getrusage(RUSAGE_CHILDREN, &used) != 0) die("getrusage: %s", strerror(errno));
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

// The rows of each table in this round, per submission.
static void print_tables(const char *name, const row_counts *after, bool is_update) {
    const char *separator = "";
    printf(",\"%s\":{", name);
    for (int i = 0; i < after->count; i++) {
        const table_rows *now = &after->of[i], *then = &rows_before.of[i];
        long rows = is_update ? now->updated - then->updated : now->inserted - then->inserted;
        if (rows == 0) continue;
        printf("%s\"%s\":%.3f", separator, now->table, (double)rows / (double)opt.count);
        separator = ",";
    }
    printf("}");
}

static void print_common(const char *name, double seconds, double cpu, long published) {
    double n = (double)opt.count;
    static row_counts after;
    read_row_counts(&after);
    if (after.count != rows_before.count) die("the tables have changed");
    long inserted = 0, updated = 0, deleted = 0;
    for (int i = 0; i < after.count; i++) {
        inserted += after.of[i].inserted - rows_before.of[i].inserted;
        updated += after.of[i].updated - rows_before.of[i].updated;
        deleted += after.of[i].deleted - rows_before.of[i].deleted;
    }
    printf("{\"name\":\"%s\",\"round\":%d,\"reports\":%ld,\"batch\":%d,\"lanes\":%d,\"seconds\":%.3f,\"reports_per_second\":%.1f,"
           "\"rows_per_report\":%.3f,\"rows_inserted_per_report\":%.3f,\"rows_updated_per_report\":%.3f,\"rows_deleted_per_report\":%.3f,"
           "\"messages_per_report\":%.3f,\"floor_cpu_ms_per_report\":%.4f",
        name, opt.round + 1, opt.count, opt.batch, opt.lanes, seconds, n / seconds,
        (double)(inserted + updated + deleted) / n, (double)inserted / n, (double)updated / n, (double)deleted / n, (double)published / n,
        cpu * 1000 / n);
    print_tables("rows_inserted_by_table", &after, false);
    print_tables("rows_updated_by_table", &after, true);
}

static void intake_round(broker *b) {
    // All submissions are in the queue before the time runs.
    start(run_submitter, 0);
    atomic_store(&shared->go, 1);
    wait_for_children(0);
    atomic_store(&shared->go, 0);
    atomic_store(&shared->ready, 0);
    double cpu = cpu_of_children();
    long published = atomic_load(&shared->published);

    if (opt.reads_notices) start(run_reader, 0);
    for (int i = 0; i < opt.lanes; i++) start(run_intake, i);
    wait_until_ready();
    double began = seconds_now();
    atomic_store(&shared->go, 1);
    wait_for_children(opt.reads_notices);
    atomic_store(&shared->stop, 1);
    wait_for_children(0);
    print_common("intake", end_of(INTAKE) - began, cpu_of_children() - cpu, atomic_load(&shared->published) - published);
    puts("}");
    purge(b, "bihuan.routing");
}

static void loop_round(void) {
    double cpu = cpu_of_children();
    if (opt.reads_notices) start(run_reader, 0);
    start(run_submitter, 0);
    for (int i = 0; i < opt.lanes; i++) {
        start(run_feedback, i);
        start(run_intake, i);
        start(run_routing, i);
        start(run_units, i);
    }
    wait_until_ready();
    double began = seconds_now();
    atomic_store(&shared->go, 1);
    wait_for_children(opt.reads_notices);
    atomic_store(&shared->stop, 1);
    wait_for_children(0);

    double seconds = end_of(FEEDBACK) - began;
    print_common("loop", seconds, cpu_of_children() - cpu, atomic_load(&shared->published));
    printf(",\"closed\":%ld,\"closed_loops_per_second\":%.1f", atomic_load(&shared->closed), (double)shared->closed / seconds);
    if (shared->late_count > shared->early_count)
        printf(",\"steady_closed_loops_per_second\":%.1f", (double)(shared->late_count - shared->early_count) / (shared->late_at - shared->early_at));
    puts("}");
}

int main(int count, char **arguments) {
    read_options(count, arguments);
    const char *name = arguments[optind];
    bool is_loop = !strcmp(name, "loop");
    if (!is_loop && strcmp(name, "intake") != 0) usage();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) die("mmap: %s", strerror(errno));
    memset(shared, 0, sizeof *shared);
    seed_random();
    make_content();
    opt.run = (unsigned)(wall_microseconds() / 1000);
    read_office();
    broker *b = open_broker(false);
    for_all_queues(b, refuse_if_used);
    for (int round = 0; round < opt.rounds; round++) {
        begin_round(round);
        if (is_loop) loop_round();
        else intake_round(b);
        if (fflush(stdout) != 0) die("writing: %s", strerror(errno));
        for_all_queues(b, purge);
    }
    close_broker(b);
    return 0;
}
