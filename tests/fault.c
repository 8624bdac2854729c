#define _GNU_SOURCE
#include "fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/status.h"

static _Atomic long calls, failing = -1;

void tt_fault_set(long n)
{
    failing = -1;
    calls = 0;
    failing = n;
}

long tt_fault_count(void)
{
    return calls;
}

bool tt_fault_fired(void)
{
    return failing >= 0 && calls > failing;
}

static bool fails(void)
{
    return atomic_fetch_add(&calls, 1) == failing;
}

/* A wrapper of `name`, which the linker puts in its place (--wrap): gives
 * `failure` and sets errno when it is its turn. */
#define WRAP(result, name, params, args, error, failure) \
    result __real_##name params; \
    result __wrap_##name params; \
    result __wrap_##name params \
    { \
        if (fails()) { \
            errno = error; \
            return failure; \
        } \
        return __real_##name args; \
    }

#define NO_MAP ((void *)-1)

WRAP(void *, malloc, (size_t size), (size), ENOMEM, NULL)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), ENOMEM, NULL)
WRAP(void *, realloc, (void *p, size_t size), (p, size), ENOMEM, NULL)
WRAP(void *, aligned_alloc, (size_t align, size_t size), (align, size), ENOMEM,
     NULL)
WRAP(int, posix_memalign, (void **out, size_t align, size_t size),
     (out, align, size), ENOMEM, ENOMEM)
WRAP(char *, strdup, (const char *text), (text), ENOMEM, NULL)
WRAP(char *, strndup, (const char *text, size_t size), (text, size), ENOMEM,
     NULL)
WRAP(ssize_t, getline, (char **line, size_t *room, FILE *file),
     (line, room, file), ENOMEM, -1)
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), EMFILE,
     NULL)
WRAP(FILE *, fopen64, (const char *path, const char *mode), (path, mode),
     EMFILE, NULL)
WRAP(FILE *, fdopen, (int fd, const char *mode), (fd, mode), ENOMEM, NULL)
WRAP(FILE *, open_memstream, (char **data, size_t *size), (data, size), ENOMEM,
     NULL)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*start)(void *),
      void *arg),
     (thread, attr, start, arg), EAGAIN, EAGAIN)
WRAP(void *, mmap,
     (void *at, size_t size, int prot, int flags, int fd, long offset),
     (at, size, prot, flags, fd, offset), ENOMEM, NO_MAP)
WRAP(void *, mmap64,
     (void *at, size_t size, int prot, int flags, int fd, long offset),
     (at, size, prot, flags, fd, offset), ENOMEM, NO_MAP)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags),
     EMFILE, -1)
WRAP(int, fallocate, (int fd, int mode, long at, long size),
     (fd, mode, at, size), ENOSPC, -1)
WRAP(int, fallocate64, (int fd, int mode, long at, long size),
     (fd, mode, at, size), ENOSPC, -1)
WRAP(int, eventfd, (unsigned value, int flags), (value, flags), EMFILE, -1)
WRAP(int, timerfd_create, (int clock, int flags), (clock, flags), EMFILE, -1)
WRAP(int, pipe2, (int fds[2], int flags), (fds, flags), EMFILE, -1)
WRAP(int, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds), EMFILE, -1)
WRAP(int, fork, (void), (), EAGAIN, -1)

long tt_fault_each(tutti_status (*scenario)(void *arg), void *arg)
{
    for (long n = 0;; n++) {
        tt_detail_set("");
        tt_fault_set(n);
        tutti_status status = scenario(arg);
        bool fired = tt_fault_fired();
        tt_fault_set(-1);
        if (status != TUTTI_OK && !tutti_detail()[0])
            fail_msg("fault %ld: %s without a sentence", n,
                     tutti_status_name(status));
        if (fired)
            continue;
        if (status != TUTTI_OK)
            fail_msg("no fault, but: %s", tutti_detail());
        return n;
    }
}
