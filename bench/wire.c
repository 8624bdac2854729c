/* What a message through a worker process costs: ./bench_wire [MiB] */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/futex.h"
#include "wire/channel.h"

enum { TIMES = 3000, SPIN = 200 };

static struct tt_channel place;
static int bell;

static void must(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "bench_wire: %s: %s\n", what, tutti_detail());
    exit(1);
}

static int job(void *arg, uint64_t loop, const tutti_parcel *parcel,
               tutti_bytes *error)
{
    (void)arg, (void)loop, (void)parcel, (void)error;
    return 0;
}

static void forget(void *arg, uint64_t loop)
{
    (void)arg, (void)loop;
}

/* Sends back what came, or only looks at it, or makes as much. */
static int range(void *arg, uint64_t loop, size_t begin, size_t end,
                 unsigned worker, const tutti_parcel *parcel, tutti_bytes *out,
                 size_t *ran)
{
    static char *data;
    static size_t have;
    (void)arg, (void)loop, (void)begin, (void)worker, (void)ran;
    if (end > 1) { /* makes `end` bytes */
        if (have != end) {
            free(data);
            data = malloc(end);
            memset(data, 'r', have = end);
        }
        return tutti_bytes_attach(out, data, end);
    }
    long sum = 0;
    for (size_t i = 0; i < parcel->count; i++)
        for (size_t at = 0; at < tutti_block_size(parcel->blocks[i]); at += 64)
            sum += ((char *)tutti_block_data(parcel->blocks[i]))[at];
    return tutti_bytes_append(out, &sum, sizeof sum);
}

static void send_frame(uint32_t kind, size_t end, const void *data, size_t size)
{
    struct tt_mark mark;
    struct tt_frame frame = {.kind = kind, .loop = 1, .end = end};
    must(!tt_frame_open(&place.out, &mark), "open");
    if (size)
        must(!tutti_bytes_attach(&place.out, data, size), "attach");
    must(!tt_frame_close(&place.out, mark, frame), "close");
    tt_channel_send(&place, false);
}

/* Receives one frame: spins as a place does, then sleeps in poll(). */
static void receive(int spin)
{
    struct tt_frame frame;
    tutti_parcel parcel;
    bool there = false;
    long sum = 0;
    tt_channel_watch(&place, 0);
    for (int i = 0; i < spin && !tt_channel_ready(&place); i++)
        if (i < 100)
            tt_pause();
        else
            sched_yield();
    for (;;) {
        must(!tt_channel_next(&place, &there, &frame, &parcel), "next");
        if (there)
            break;
        must(!place.ended, "ended");
        tt_channel_watch(&place, 1);
        struct pollfd ready[2] = {{.fd = bell, .events = POLLIN},
                                  {.fd = place.fd}};
        uint64_t rings;
        if (!tt_channel_ready(&place) && poll(ready, 2, -1) > 0 &&
            ready[0].revents && read(bell, &rings, sizeof rings) < 0)
            exit(1);
    }
    for (size_t i = 0; i < parcel.count; i++)
        for (size_t at = 0; at < tutti_block_size(parcel.blocks[i]); at += 64)
            sum += ((char *)tutti_block_data(parcel.blocks[i]))[at];
    *(volatile long *)&sum = sum;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, double *us, size_t n, double bytes)
{
    qsort(us, n, sizeof *us, compare);
    printf("%-34s us: best %9.2f, p25 %9.2f, median %9.2f", what, us[0],
           us[n / 4], us[n / 2]);
    if (bytes > 0)
        printf("; GiB/s at p25: %.2f", bytes / us[n / 4] * 1e6 / (1 << 30));
    printf("\n");
    fflush(stdout);
}

static void echo(const char *what, int spin, useconds_t pause, size_t times)
{
    static double us[TIMES];
    for (size_t i = 0; i < times; i++) {
        if (pause)
            usleep(pause);
        uint64_t from = tt_clock();
        send_frame(TT_FRAME_RANGE, 1, NULL, 0);
        receive(spin);
        us[i] = (double)(tt_clock() - from) * 1e-3;
    }
    report(what, us, times, 0);
}

static void data(size_t size)
{
    static double us[TIMES];
    char *big = malloc(size), what[80];
    size_t times = size > 4u << 20 ? 30 : 300;
    memset(big, 'a', size);
    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < times + 5; i++) {
            uint64_t from = tt_clock();
            if (way == 0)
                send_frame(TT_FRAME_RANGE, 1, big, size);
            else
                send_frame(TT_FRAME_RANGE, size, NULL, 0);
            receive(SPIN);
            if (i >= 5)
                us[i - 5] = (double)(tt_clock() - from) * 1e-3;
        }
        snprintf(what, sizeof what, "%s of %.4g MiB",
                 way ? "result" : "argument", (double)size / (1 << 20));
        report(what, us, times, (double)size);
    }
    free(big);
}

int main(int argc, char **argv)
{
    tutti_worker calls = {NULL, job, forget, range};
    int theirs;
    bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int bells[2] = {bell, bell};
    must(!tt_channel_make(&place, bells, &theirs), "make");
    pid_t pid = fork();
    if (pid == 0) {
        close(place.fd);
        must(!tutti_worker_serve(theirs, &calls), "serve");
        _exit(0);
    }
    close(theirs);
    receive(SPIN); /* hello */
    send_frame(TT_FRAME_JOB, 0, NULL, 0);
    receive(SPIN);
    echo("echo, both spin", SPIN, 0, TIMES);
    echo("echo, the place sleeps", 0, 0, TIMES);
    echo("echo, both sleep (1 ms between)", 0, 1000, TIMES / 3);
    echo("echo, worker sleeps (1 ms)", SPIN, 1000, TIMES / 3);
    echo("echo, both sleep (10 ms between)", 0, 10000, 100);
    size_t most = argc > 1 ? (size_t)atol(argv[1]) << 20 : (size_t)64 << 20;
    size_t odd = most - most / 4;
    for (size_t size = 16u << 10; size < most; size *= 4)
        data(size);
    data(odd);
    data(most);
    tt_channel_fini(&place);
    int status;
    waitpid(pid, &status, 0);
    return status != 0;
}
