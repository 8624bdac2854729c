/* The round trip of 8 bytes through a worker process, beside that of a bare
 * futex between two processes.
 *
 *     bench_echo           prints: what, tutti, futexes, goal; seconds, by tabs
 *
 * It is its own worker: bench_echo worker. */
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <signal.h>

#include <tutti.h>
#include <tutti/sys/caller.h>
#include <tutti/sys/message.h>

#define BATCH 1000 /* round trips, back to back */
#define PARKED 40  /* after a rest */
#define REST 10000 /* us */
#define ROUNDS 15

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, ascending);
    return values[n / 2];
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bench_echo: %s: %s\n", what, tutti_detail());
    exit(1);
}

/* The worker: what comes goes back. */

static int take_job(void *arg, uint64_t loop, const tutti_parcel *parcel,
                    tutti_bytes *error)
{
    (void)arg, (void)loop, (void)parcel, (void)error;
    return 0;
}

static void forget(void *arg, uint64_t loop)
{
    (void)arg, (void)loop;
}

static int echo(void *arg, uint64_t loop, size_t begin, size_t end,
                unsigned worker, const tutti_parcel *parcel, tutti_bytes *out,
                size_t *ran)
{
    (void)arg, (void)loop, (void)begin, (void)end, (void)worker, (void)ran;
    return tutti_bytes_append(out, parcel->data, parcel->size) != TUTTI_OK;
}

static int serve(void)
{
    tutti_worker worker = {.job = take_job, .forget = forget, .range = echo};
    int channel = tutti_zygote_serve(3, NULL, NULL, NULL);
    return channel < 0 ? 0 : -tutti_worker_serve(channel, &worker);
}

/* The caller. */

static const char *const command[] = {"/proc/self/exe", "worker", NULL};

struct queue {
    tutti_run *run;
    size_t sent;
    _Atomic uint64_t back; /* what came last */
};

static tutti_status encode_job(void *context, tutti_bytes *out)
{
    (void)context;
    return tutti_bytes_append(out, "", 1);
}

static tutti_status encode(void *context, size_t begin, size_t end,
                           uint64_t sitting, tutti_bytes *out)
{
    uint64_t word = begin + 1;
    (void)context, (void)end, (void)sitting;
    return tutti_bytes_append(out, &word, sizeof word);
}

static tutti_status decode(void *context, size_t begin, size_t end,
                           const tutti_parcel *parcel, size_t *failed)
{
    struct queue *q = context;
    uint64_t word;
    (void)begin, (void)end, (void)failed;
    memcpy(&word, parcel->data, sizeof word);
    atomic_store(&q->back, word);
    return TUTTI_OK;
}

static void lost(void *context, size_t begin, size_t end, tutti_status status,
                 const char *why)
{
    (void)context, (void)begin, (void)end, (void)status;
    fprintf(stderr, "bench_echo: %s\n", why);
    exit(1);
}

/* Its call is what tutti_run_help() waits for. */
static void settle(void *context)
{
    (void)context;
}

/* A loop of one: its job is the same each time. Each way has a place of its
 * own. */
static double loop_trip(void)
{
    static struct queue echo;
    double from = now();
    tutti_message message = {.command = command,
                             .encode_job = encode_job,
                             .encode_range = encode,
                             .decode_range = decode,
                             .keeps = true};
    tutti_loop loop = {.n = 1, .message = &message, .context = &echo};
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "processes:2";
    if (tutti_loop_run(&loop, &options) != TUTTI_OK)
        fail("tutti_loop_run");
    return now() - from;
}

static int copy(const void *item, void *result, void *context)
{
    (void)context;
    memcpy(result, item, sizeof(uint64_t));
    return 0;
}

/* The same by a C function. */
static double map_trip(void)
{
    uint64_t item = 1, result = 0;
    double from = now();
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "processes:3";
    if (tutti_map(copy, (tutti_array){&item, 8}, (tutti_array){&result, 8}, 1,
                  NULL, 0, &options) != TUTTI_OK ||
        result != item)
        fail("tutti_map");
    return now() - from;
}

static double trip(struct queue *q)
{
    double from = now();
    if (tutti_run_extend(q->run, 1, true) != TUTTI_OK)
        fail("tutti_run_extend");
    q->sent++;
    for (;;) {
        uint32_t seen = tutti_run_news(q->run);
        if (atomic_load(&q->back) == q->sent)
            return now() - from;
        tutti_run_help(q->run, seen, 1);
    }
}

/* Two futexes between two processes. */

struct wires {
    _Atomic uint32_t there, back;
};

static void wait_for(_Atomic uint32_t *word, uint32_t value)
{
    uint32_t seen;
    while ((seen = atomic_load(word)) != value)
        syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void set(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static pid_t start_peer(struct wires *wires)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint32_t i = 1;; i++) {
        wait_for(&wires->there, i);
        set(&wires->back, i);
    }
}

static double futex_trip(struct wires *wires)
{
    double from = now();
    uint32_t next = atomic_load(&wires->there) + 1;
    set(&wires->there, next);
    wait_for(&wires->back, next);
    return now() - from;
}

static double parked(double (*one)(void), unsigned trips)
{
    double sum = 0;
    for (unsigned i = 0; i < trips; i++) {
        usleep(REST);
        sum += one();
    }
    return sum / trips;
}

static double in_a_row(double (*one)(void), unsigned trips)
{
    double sum = 0;
    for (unsigned i = 0; i < trips; i++)
        sum += one();
    return sum / trips;
}

static struct queue queue;
static struct wires *wires;

static double one_trip(void)
{
    return trip(&queue);
}

static double one_futex_trip(void)
{
    return futex_trip(wires);
}

#define WAYS 4

static const struct {
    const char *name;
    double (*trip)(void);
} ways[WAYS] = {{"two futexes", one_futex_trip},
                {"echo", one_trip},
                {"loop of one", loop_trip},
                {"tutti_map of one", map_trip}};

static double spun[WAYS][ROUNDS], slept[WAYS][ROUNDS];

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "worker") == 0)
        return serve();
    tutti_message message = {.command = command,
                             .encode_job = encode_job,
                             .encode_range = encode,
                             .decode_range = decode,
                             .lost = lost,
                             .settle = settle};
    tutti_loop loop = {.message = &message, .context = &queue};
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "processes:1";
    wires = mmap(NULL, sizeof *wires, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (wires == MAP_FAILED)
        fail("mmap");
    pid_t peer = start_peer(wires);
    if (tutti_run_open(&queue.run, &loop, &options) != TUTTI_OK)
        fail("tutti_run_open");
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned k = 0; k < WAYS; k++) {
            in_a_row(ways[k].trip, 10);
            spun[k][i] = in_a_row(ways[k].trip, BATCH);
            slept[k][i] = parked(ways[k].trip, PARKED);
        }
    }
    double bare[2] = {median(spun[0], ROUNDS), median(slept[0], ROUNDS)};
    for (unsigned k = 1; k < WAYS; k++) {
        printf("C, %s, back to back\t%g\t%g\t<= 3 us\n", ways[k].name,
               median(spun[k], ROUNDS), bare[0]);
        printf("C, %s, parked\t%g\t%g\t<= 1.5 x two futexes\n", ways[k].name,
               median(slept[k], ROUNDS), bare[1]);
    }
    tutti_run_finish(queue.run);
    if (tutti_run_end(queue.run) != TUTTI_OK)
        fail("tutti_run_end");
    kill(peer, SIGKILL);
    waitpid(peer, NULL, 0);
    return 0;
}
