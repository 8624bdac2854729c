/* A victim in C: runs what chaos.py asks for, a line each, by tutti_map() in
 * worker processes, and tells what came of it, until standard input ends.
 *
 *     run N AT ACT SECONDS SPIN WORKERS RETRIES TIMEOUT
 *     check */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <tutti.h>

#define MOST 1000 /* tasks */

struct request {
    long n, at;
    char act[8];
    double seconds;
    int spin;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void rest(double seconds, bool spin)
{
    double end = now() + seconds;
    struct timespec t = {.tv_nsec = (long)(seconds * 1e9)};
    if (!spin)
        nanosleep(&t, NULL);
    while (spin && now() < end)
        ;
}

static int square(const void *item, void *result, void *context)
{
    const struct request *r = context;
    int64_t x = *(const int64_t *)item;
    rest(r->seconds, r->spin);
    if (x == r->at && strcmp(r->act, "raise") == 0)
        return 1;
    if (x == r->at && strcmp(r->act, "exit") == 0)
        _exit(7);
    if (x == r->at && strcmp(r->act, "crash") == 0)
        raise(SIGSEGV);
    if (x == r->at && strcmp(r->act, "hang") == 0)
        sleep(3600);
    *(int64_t *)result = x * x;
    return 0;
}

/* What Python would raise. */
static const char *name_of(tutti_status status)
{
    switch (status) {
    case TUTTI_ELOST:
        return "WorkerLostError";
    case TUTTI_ETIME:
        return "TaskTimeoutError";
    case TUTTI_ETASK:
        return "RuntimeError";
    case TUTTI_ESYS:
        return "OSError";
    default:
        return "Error";
    }
}

/* The detail of an error inside a JSON text. */
static const char *detail(void)
{
    static char text[400];
    snprintf(text, sizeof text, "%s", tutti_detail());
    for (char *c = text; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
            *c = '\'';
    return text;
}

static tutti_status map(struct request *r, tutti_options *options,
                        int64_t *results)
{
    static int64_t items[MOST];
    for (long i = 0; i < r->n; i++)
        items[i] = i;
    options->on = "processes";
    return tutti_map(square, (tutti_array){items, sizeof *items},
                     (tutti_array){results, sizeof *results}, (size_t)r->n, r,
                     sizeof *r, options);
}

static long first_wrong(const struct request *r, const int64_t *results)
{
    for (long i = 0; i < r->n; i++)
        if (results[i] != i * i)
            return i;
    return -1;
}

static void run(struct request *r, tutti_options *options)
{
    int64_t results[MOST] = {0};
    tutti_status status = map(r, options, results);
    double end = now();
    long wrong = status == TUTTI_OK ? first_wrong(r, results) : -1;
    if (status != TUTTI_OK)
        printf("{\"failed\": [%.9f], \"errors\": [[null, \"%s\", \"%s\"]], "
               "\"wrong\": null}\n",
               end, name_of(status), detail());
    else if (wrong >= 0)
        printf("{\"failed\": [], \"errors\": [], \"wrong\": \"the result of "
               "task %ld\"}\n",
               wrong);
    else
        printf("{\"failed\": [], \"errors\": [], \"wrong\": null}\n");
}

static int entries(const char *path)
{
    DIR *dir = opendir(path);
    int count = -3; /* ., .., and its own descriptor */
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static int segments(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[600];
    int count = 0;
    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, "memfd:") != NULL;
    if (maps)
        fclose(maps);
    return count;
}

static void check(void)
{
    int attempt = 0;
    char errors[500] = "";
    for (; attempt < 4; attempt++) {
        struct request r = {.n = 5, .at = -1};
        tutti_options options = TUTTI_OPTIONS_INIT;
        int64_t results[MOST] = {0};
        tutti_status status = map(&r, &options, results);
        if (status == TUTTI_OK && first_wrong(&r, results) < 0)
            break;
        snprintf(errors, sizeof errors, "[\"%s\", \"%s\"]",
                 status == TUTTI_OK ? "wrong" : name_of(status), detail());
    }
    printf("{\"attempts\": %d, \"errors\": [%s], \"descriptors\": {\"all\": "
           "%d}, \"named\": [], \"segments\": %d, \"threads\": %d}\n",
           attempt, errors, entries("/proc/self/fd"), segments(),
           entries("/proc/self/task"));
}

int main(void)
{
    char line[300];
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("{\"faces\": [\"c\"]}\n");
    while (fgets(line, sizeof line, stdin)) {
        struct request r;
        tutti_options options = TUTTI_OPTIONS_INIT;
        if (sscanf(line, "run %ld %ld %7s %lf %d %u %u %lf", &r.n, &r.at, r.act,
                   &r.seconds, &r.spin, &options.workers, &options.retries,
                   &options.task_timeout) == 8 &&
            r.n <= MOST)
            run(&r, &options);
        else
            check();
    }
    return 0;
}
