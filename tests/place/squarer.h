/* The items of the test's loops: what the worker program does with a task. */
#ifndef SQUARER_H
#define SQUARER_H

#include <stdint.h>

enum act {
    ACT_SQUARE,   /* result = value * value */
    ACT_CRASH,    /* SIGSEGV */
    ACT_EXIT,     /* status `value` */
    ACT_HANG,     /* for ever */
    ACT_NONSENSE, /* writes where it must not */
    ACT_SLEEP,    /* `value` ms, then as ACT_SQUARE */
    ACT_FAIL,     /* the task fails */
    ACT_END,      /* the worker asks for its own end */
    ACT_CHILD,    /* starts a process, notes it in the job's file; hangs */
    ACT_PID,      /* result = pid */
    ACT_ONCE,     /* dies unless the file of the job exists, which it makes */
    ACT_COUNT,    /* is counted in the file of the job */
    ACT_UNREAD    /* cannot be read in a range of more than `value` tasks */
};

enum job {
    JOB_FINE,
    JOB_REFUSE,
    JOB_CRASH,
    JOB_FORGETS, /* refuses the same once more */
    JOB_CRASH_4, /* the first four times; counted in the file of the job */
    /* These make the file of the job, and are fine where it exists. */
    JOB_CRASH_ONCE,
    JOB_STOP_ONCE, /* SIGSTOP */
    JOB_SLOW_ONCE, /* 600 ms */
    JOB_HANG_ONCE, /* for ever */
    /* These do so when they are the same once more. */
    JOB_CRASH_AGAIN,
    JOB_HANG_AGAIN
};

struct item {
    int64_t act, value;
};

#endif
