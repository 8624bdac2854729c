#define _GNU_SOURCE
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tutti/kernel.h>

#include "fail.h"

/* Bytes of a file that are mapped. */
struct span {
    const char *start;
    size_t size;
    const char *name;
};

/* Written by the main thread while no function runs, read by the handler,
 * which may run in any thread. */
static struct span input, output;
static const char *function;
static char doomed[PATH_MAX];
static volatile sig_atomic_t armed;
static atomic_flag ending = ATOMIC_FLAG_INIT;

static void say(const char *text)
{
    ssize_t ignored = write(2, text, strlen(text));
    (void)ignored;
}

static bool inside(const struct span *span, const void *address)
{
    uintptr_t start = (uintptr_t)span->start, at = (uintptr_t)address;
    return span->size && at - start < span->size;
}

static void remove_doomed(void)
{
    if (armed)
        unlink(doomed);
}

/* A mapped file lost its end while it was read or written. */
static void end_cut_off(const struct span *span, const char *why)
{
    remove_doomed();
    say("tutti: ");
    say(span->name);
    say(why);
    _exit(CLI_FAILED);
}

static void tell_crash(int number)
{
    if (!function)
        return;
    say("tutti: ");
    say(function);
    say(number == SIGFPE
            ? " divided an integer by zero (SIGFPE); nothing was written: "
              "guard the division\n"
            : " crashed (a bad address or instruction); nothing was written: "
              "run it under a debugger\n");
}

static void handle(int number, siginfo_t *info, void *context)
{
    (void)context;
    while (atomic_flag_test_and_set(&ending))
        pause(); /* another thread ends the process */
    if (number == SIGBUS && inside(&input, info->si_addr))
        end_cut_off(&input, " was cut off while it was read; nothing was "
                            "written: leave the file alone, run again\n");
    if (number == SIGBUS && inside(&output, info->si_addr))
        end_cut_off(&output, ": no room left for it; nothing was written: "
                             "free some space, run again\n");
    remove_doomed();
    if (number == SIGSEGV || number == SIGBUS || number == SIGFPE ||
        number == SIGILL)
        tell_crash(number);
    signal(number, SIG_DFL);
    raise(number); /* ends the process when this handler returns */
}

/* While a compiler runs, signals wait: it is ended first. */
static int watch_compiler(tutti_compiler_phase phase)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    static sigset_t old;
    sigset_t set;
    bool asked = false;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        sigaddset(&set, ends[i]);
    if (phase == TUTTI_COMPILER_STARTS)
        sigprocmask(SIG_BLOCK, &set, &old);
    if (phase == TUTTI_COMPILER_ENDED)
        sigprocmask(SIG_SETMASK, &old, NULL);
    sigpending(&set);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct sigaction now;
        asked = asked ||
                (sigismember(&set, ends[i]) &&
                 !sigaction(ends[i], NULL, &now) && now.sa_handler != SIG_IGN);
    }
    return asked;
}

void cli_signals_catch(void)
{
    static const int ends[] = {SIGHUP,  SIGINT, SIGQUIT, SIGTERM, SIGABRT,
                               SIGSEGV, SIGBUS, SIGFPE,  SIGILL};
    signal(SIGXFSZ, SIG_IGN); /* then write() tells it */
    struct sigaction old, new = {.sa_sigaction = handle};
    new.sa_flags = SA_SIGINFO;
    sigfillset(&new.sa_mask);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (!sigaction(ends[i], NULL, &old) && old.sa_handler != SIG_IGN)
            sigaction(ends[i], &new, NULL);
    tutti_kernel_watch(watch_compiler);
}

int cli_signals_make(char *name)
{
    sigset_t all, old;
    if (strlen(name) >= sizeof doomed) {
        errno = ENAMETOOLONG;
        return -1;
    }
    /* No signal between the making and the noting. */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    int fd = mkostemp(name, O_CLOEXEC), error = errno;
    strcpy(doomed, name);
    armed = fd >= 0;
    sigprocmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return fd;
}

void cli_signals_forget(void)
{
    armed = 0;
}

void cli_signals_input(const void *start, size_t size, const char *name)
{
    input = (struct span){start, size, name};
}

void cli_signals_output(const void *start, size_t size, const char *name)
{
    output = (struct span){start, size, name};
}

void cli_signals_function(const char *name)
{
    function = name;
}
