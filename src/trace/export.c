#include <tutti/report.h>
#include <tutti/version.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/settings.h"
#include "core/status.h"
#include "trace/log.h"
#include "trace/text.h"

#define DEPTH_MOST 15
#define ROWS_A_DEPTH TT_WORKERS_MAX

/* A text as a JSON string. */
static void put_string(FILE *to, const char *text)
{
    putc('"', to);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(to, "\\%c", *p);
        else if (*p < 0x20 || *p >= 0x7f)
            fprintf(to, "\\u%04x", *p < 0x20 ? *p : '?');
        else
            putc(*p, to);
    }
    putc('"', to);
}

/* How many kept loops of the same thread this one ran inside of: those end
 * later and began earlier. */
static unsigned depth_of(const struct tt_recent *recent, size_t index)
{
    const struct tt_kept *loop = &recent->loop[index];
    unsigned depth = 0;
    for (size_t i = index + 1; i < recent->loops; i++)
        depth += recent->loop[i].caller == loop->caller &&
                 recent->loop[i].began <= loop->began;
    return depth < DEPTH_MOST ? depth : DEPTH_MOST;
}

/* The row of a lane: its own for each calling thread and depth, so that no
 * two loops overlap on it. */
static unsigned row_of(const struct tt_kept *loop, unsigned depth,
                       unsigned worker)
{
    return (loop->caller * (DEPTH_MOST + 1) + depth) * ROWS_A_DEPTH + worker;
}

/* The head of a complete event; times are in microseconds. Each line starts
 * with a comma: the process's name is the first. */
static void put_event(FILE *to, pid_t pid, unsigned row, uint64_t from,
                      uint64_t ns)
{
    fprintf(to,
            ",\n{\"ph\":\"X\",\"pid\":%ld,\"tid\":%u,\"ts\":%" PRIu64
            ".%03u,\"dur\":%" PRIu64 ".%03u,",
            (long)pid, row, from / 1000, (unsigned)(from % 1000), ns / 1000,
            (unsigned)(ns % 1000));
}

/* Names a row. */
static void put_row(FILE *to, pid_t pid, const struct tt_kept *loop,
                    unsigned depth, unsigned worker)
{
    fprintf(to,
            ",\n{\"ph\":\"M\",\"pid\":%ld,\"tid\":%u,"
            "\"name\":\"thread_name\",\"args\":{\"name\":\"thread %u",
            (long)pid, row_of(loop, depth, worker), loop->caller);
    if (depth)
        fprintf(to, ", nested %u", depth);
    if (worker)
        fprintf(to, ", worker %u\"}}", worker);
    else
        fprintf(to, ", caller\"}}");
}

static void put_loop(FILE *to, pid_t pid, const struct tt_kept *loop,
                     unsigned depth)
{
    const tutti_report *r = &loop->report;
    char why[200] = "";
    tt_text_why(&(struct tt_text){.to = why, .size = sizeof why}, r);
    put_event(to, pid, row_of(loop, depth, 0), loop->began,
              loop->ended - loop->began);
    fprintf(to, "\"cat\":\"loop\",\"name\":\"loop of %zu\",\"args\":{\"on\":",
            r->n);
    put_string(to, r->place);
    fprintf(to, ",\"why\":");
    put_string(to, why);
    fprintf(to,
            ",\"tasks\":%zu,\"ranges\":%zu,\"workers\":%u,\"joined\":%u,"
            "\"dropped\":%zu}}",
            r->done, r->ranges, r->lanes, r->joined, loop->dropped);
}

static void put_name(FILE *to, const struct tt_event *e)
{
    if (e->kind != TT_USER)
        fprintf(to, "\"name\":\"%s\"", tt_text_kind(e->kind));
    else if (e->end <= e->begin + 1)
        fprintf(to, "\"name\":\"task %zu\"", e->begin);
    else
        fprintf(to, "\"name\":\"tasks %zu..%zu\"", e->begin, e->end - 1);
}

/* The events of a loop, in the order of their start in each lane. Merged ones
 * may overlap: they are written one after the other, as long as they were
 * busy, which keeps every kind's total and never passes the lane's end. */
static void put_events(FILE *to, pid_t pid, const struct tt_kept *loop,
                       unsigned depth, const struct tt_event *events)
{
    uint64_t free_from = 0;
    for (size_t i = 0; i < loop->count; i++) {
        const struct tt_event *e = &events[i];
        if (!i || e->worker != events[i - 1].worker) {
            free_from = loop->began;
            put_row(to, pid, loop, depth, e->worker);
        }
        uint64_t from = e->from > free_from ? e->from : free_from;
        from = from < loop->ended ? from : loop->ended;
        uint64_t left = loop->ended - from;
        uint64_t ns = e->busy < left ? e->busy : left;
        put_event(to, pid, row_of(loop, depth, e->worker), from, ns);
        fprintf(to, "\"cat\":\"%s\",", tt_text_kind(e->kind));
        put_name(to, e);
        if (e->kind == TT_USER)
            fprintf(to, ",\"args\":{\"tasks\":%zu,\"ranges\":%zu}}", e->tasks,
                    e->ranges);
        else
            fprintf(to, ",\"args\":{\"merged\":%zu}}", e->ranges);
        free_from = from + ns;
    }
}

static void put_all(FILE *to, const struct tt_recent *recent)
{
    pid_t pid = getpid();
    fprintf(to,
            "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"version\":\"%s\","
            "\"loops\":%zu,\"forgotten\":%" PRIu64 "},\"traceEvents\":[\n"
            "{\"ph\":\"M\",\"pid\":%ld,\"tid\":0,\"name\":\"process_name\","
            "\"args\":{\"name\":\"tutti\"}}",
            TUTTI_VERSION, recent->loops, recent->forgotten, (long)pid);
    for (size_t i = 0; i < recent->loops; i++) {
        const struct tt_kept *loop = &recent->loop[i];
        unsigned depth = depth_of(recent, i);
        put_row(to, pid, loop, depth, 0);
        put_loop(to, pid, loop, depth);
        put_events(to, pid, loop, depth, recent->event + loop->first);
    }
    fprintf(to, "\n]}\n");
}

static tutti_status fail(const char *path, const char *cause)
{
    return tt_fail(TUTTI_ESYS,
                   "cannot write the trace to '%s': %s; name a file in a "
                   "folder that is writable and has room",
                   path, cause);
}

/* Writes to `temporary`, made beside `path`, and renames. */
static tutti_status write_beside(const char *path, const char *temporary,
                                 const struct tt_recent *recent)
{
    tutti_status status;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail(path, strerror(errno));
    FILE *to = fdopen(fd, "w");
    if (!to) {
        status = tt_fail_memory("writing the trace");
        close(fd);
        goto remove;
    }
    put_all(to, recent);
    bool bad = fflush(to) != 0 || ferror(to);
    int cause = errno;
    if (fclose(to) != 0 && !bad) {
        bad = true;
        cause = errno;
    }
    if (bad) {
        status = fail(path, strerror(cause));
        goto remove;
    }
    if (rename(temporary, path) == 0)
        return TUTTI_OK;
    status = fail(path, strerror(errno));
remove:
    unlink(temporary);
    return status;
}

tutti_status tutti_trace_write(const char *path)
{
    static atomic_uint counter;
    struct stat there;
    if (!path || !path[0])
        return tt_fail(TUTTI_EARG,
                       "no file to write the trace to: give a path");
    if (!tt_settings()->trace)
        return tt_fail(TUTTI_EARG,
                       "there is no trace to write to '%s': tracing "
                       "is off, unset TUTTI_TRACE",
                       path);
    /* A rename would replace a device. */
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return fail(path, S_ISDIR(there.st_mode) ? "it is a folder"
                                                 : "it is not a regular file");
    struct tt_recent *recent = malloc(sizeof *recent);
    size_t size = strlen(path) + 40;
    char *temporary = malloc(size);
    tutti_status status;
    if (!recent || !temporary) {
        status = tt_fail_memory("a copy of the trace");
        goto free;
    }
    snprintf(temporary, size, "%s.%ld-%u.tmp", path, (long)getpid(),
             atomic_fetch_add(&counter, 1));
    tt_trace_recent(recent);
    status = write_beside(path, temporary, recent);
free:
    free(temporary);
    free(recent);
    return status;
}
