#include "squares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"

static const char *const command[] = {SQUARER, NULL};

static void enter(struct work *w)
{
    w->overlaps += w->inside;
    w->inside = true;
}

static tutti_status encode_job(void *context, tutti_bytes *out)
{
    struct work *w = context;
    enter(w);
    w->jobs++;
    tutti_status status = tutti_bytes_append(out, &w->job, sizeof w->job);
    if (!status && w->once)
        status = tutti_bytes_append(out, w->once, strlen(w->once));
    if (w->bad_job) {
        tutti_task_fail("the job cannot travel");
        status = TUTTI_EARG;
    }
    w->inside = false;
    return status;
}

static tutti_status encode_range(void *context, size_t begin, size_t end,
                                 uint64_t sitting, tutti_bytes *out)
{
    struct work *w = context;
    (void)sitting;
    enter(w);
    tutti_status status = tutti_bytes_append(out, w->items + begin,
                                             (end - begin) * sizeof *w->items);
    if (!status && w->padding) {
        char *padding = malloc(w->padding);
        memset(padding, (int)(begin & 0x7f), w->padding);
        status = tutti_bytes_append(out, padding, w->padding);
        free(padding);
    }
    if (!status && w->most && end - begin > w->most) {
        tutti_task_fail("no memory for %zu items", end - begin);
        status = TUTTI_EMEM;
    }
    if (begin <= w->bad_item && w->bad_item < end) {
        tutti_task_fail("item %zu cannot travel", w->bad_item);
        status = TUTTI_EARG;
    }
    w->inside = false;
    return status;
}

static tutti_status decode_range(void *context, size_t begin, size_t end,
                                 const tutti_parcel *parcel, size_t *failed)
{
    struct work *w = context;
    const char *data = parcel->data;
    size_t size = parcel->size;
    enter(w);
    tutti_status status = TUTTI_OK;
    const int64_t *results = parcel->data;
    if ((uintptr_t)data % 16)
        status = TUTTI_ESYS;
    for (size_t i = begin; i < end && !status; i++) {
        if (results[i - begin] == -1) {
            tutti_task_fail("told to fail");
            *failed = i;
            w->inside = false;
            return TUTTI_OK;
        }
        w->results[i] = results[i - begin];
    }
    size_t used = (end - begin) * sizeof *results;
    if (size != used + w->padding)
        status = TUTTI_ESYS;
    for (size_t i = used; i < size && !status; i += 4097)
        if (data[i] != (char)(begin & 0x7f))
            status = TUTTI_ESYS;
    w->inside = false;
    return status;
}

const tutti_message message = {.command = command,
                               .encode_job = encode_job,
                               .encode_range = encode_range,
                               .decode_range = decode_range};

void work_init(struct work *w, size_t n)
{
    *w = (struct work){.n = n, .bad_item = SIZE_MAX};
    w->items = calloc(n + 1, sizeof *w->items);
    w->results = calloc(n + 1, sizeof *w->results);
    for (size_t i = 0; i < n; i++)
        w->items[i].value = (int64_t)i;
}

void work_fini(struct work *w)
{
    assert_int_equal(w->overlaps, 0);
    free(w->items);
    free(w->results);
}

tutti_loop loop_of(struct work *w)
{
    return (tutti_loop){.n = w->n, .context = w, .message = &message};
}

tutti_status run(struct work *w, tutti_place *place, tutti_options options)
{
    tutti_loop loop = loop_of(w);
    options.place = place;
    return tutti_loop_run(&loop, &options);
}

tutti_place *open_place(const char *text)
{
    tutti_place *place = NULL;
    assert_int_equal(tutti_place_open(&place, text), TUTTI_OK);
    return place;
}

const tutti_options usual = TUTTI_OPTIONS_INIT;

void check_squares(const struct work *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->results[i] != (int64_t)(i * i))
            fail_msg("task %zu gave %ld", i, (long)w->results[i]);
}

void check_run(size_t n, tutti_place *place)
{
    struct work w;
    work_init(&w, n);
    tutti_status status = run(&w, place, usual);
    if (status)
        fail_msg("n = %zu: %s", n, tutti_detail());
    check_squares(&w);
    assert_true(w.jobs <= 1);
    work_fini(&w);
}

tutti_status run_bad(tutti_place *place, int64_t act, size_t n, size_t bad,
                     tutti_options options)
{
    struct work w;
    work_init(&w, n);
    w.items[bad] = (struct item){act, 7};
    tutti_status status = run(&w, place, options);
    work_fini(&w);
    return status;
}

void expect_detail(const char *part)
{
    if (!strstr(tutti_detail(), part))
        fail_msg("\"%s\" lacks \"%s\"", tutti_detail(), part);
}

static bool is_zombie(pid_t pid)
{
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    if (file)
        fclose(file);
    return state == 'Z';
}

size_t children_of(pid_t parent, pid_t *out, size_t room)
{
    char path[600];
    struct dirent *thread;
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", parent);
    DIR *dir = opendir(path);
    while (dir && (thread = readdir(dir))) {
        int pid;
        snprintf(path, sizeof path, "/proc/%d/task/%s/children", parent,
                 thread->d_name);
        FILE *file = fopen(path, "r");
        while (file && fscanf(file, "%d", &pid) == 1)
            if (count < room && !is_zombie(pid))
                out[count++] = pid;
        if (file)
            fclose(file);
    }
    if (dir)
        closedir(dir);
    return count;
}

size_t family_of(pid_t pid, pid_t *out, size_t room)
{
    size_t count = children_of(pid, out, room);
    for (size_t i = 0; i < count; i++)
        count += children_of(out[i], out + count, room - count);
    return count;
}

pid_t zygote_of(pid_t parent)
{
    pid_t pid = 0;
    children_of(parent, &pid, 1);
    return pid;
}

bool all_gone(const pid_t *pids, size_t count, double seconds)
{
    uint64_t until = tt_clock() + (uint64_t)(seconds * 1e9);
    for (;;) {
        size_t left = 0;
        for (size_t i = 0; i < count; i++) {
            char path[64], line[300] = "";
            snprintf(path, sizeof path, "/proc/%d/stat", pids[i]);
            FILE *file = fopen(path, "r");
            if (!file)
                continue;
            char *got = fgets(line, sizeof line, file);
            fclose(file);
            left += got && !strstr(line, ") Z ");
        }
        if (!left || tt_clock() > until)
            return !left;
        usleep(5000);
    }
}
