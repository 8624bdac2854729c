/* Loops over squarer.c's items, for the tests of processes. */
#ifndef SQUARES_H
#define SQUARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tutti.h>
#include <tutti/sys/message.h>

#include "squarer.h"

/* A loop's context: items in, results out. */
struct work {
    size_t n;
    struct item *items;
    int64_t *results;
    int64_t job;
    const char *once;
    size_t padding;  /* bytes more in each message */
    size_t bad_item; /* cannot be encoded; SIZE_MAX: none */
    size_t most;     /* tasks that fit into a message; 0: any number */
    bool bad_job;    /* nor can the job */
    bool inside;     /* a callback runs */
    int overlaps;    /* callbacks that ran at the same time */
    unsigned jobs;   /* calls of encode_job */
};

extern const tutti_message message;
extern const tutti_options usual;

/* `n` tasks that square their index, to be changed as the test wants. */
void work_init(struct work *w, size_t n);

/* Frees; fails if callbacks overlapped. */
void work_fini(struct work *w);

tutti_loop loop_of(struct work *w);
tutti_status run(struct work *w, tutti_place *place, tutti_options options);
tutti_place *open_place(const char *text);

/* Fails unless all results are squares. */
void check_squares(const struct work *w);

/* A loop of `n` tasks that must succeed. */
void check_run(size_t n, tutti_place *place);

/* A loop of `n` tasks of which task `bad` does `act`. */
tutti_status run_bad(tutti_place *place, int64_t act, size_t n, size_t bad,
                     tutti_options options);

/* Fails unless tutti_detail() has `part`. */
void expect_detail(const char *part);

/* The processes whose parent is `parent`, at most `room`. */
size_t children_of(pid_t parent, pid_t *out, size_t room);

/* All below a process, elder generations first. */
size_t family_of(pid_t pid, pid_t *out, size_t room);

/* The first zygote that a process started, or 0. */
pid_t zygote_of(pid_t parent);

/* Waits until none of the processes is left; false after `seconds`. */
bool all_gone(const pid_t *pids, size_t count, double seconds);

#endif
