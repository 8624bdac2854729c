/* A crew's queue: the tasks that wait, on their way and back. A range of the
 * open loop travels as records: functions that the worker lacks, then a record
 * a task; its results as a record a task. Start at queue.c. */
#ifndef TT_PY_QUEUE_H
#define TT_PY_QUEUE_H

#include "face.h"

/* Functions that a worker keeps; one place more is for what is used once. */
#define TT_PY_SLOTS 64

enum tt_py_record_kind {
    /* To a worker. */
    TT_PY_FUNCTION,  /* the function of `slot`, from now on */
    TT_PY_CALL,      /* args, for the function of `slot` */
    TT_PY_CALL_KEYS, /* (args, kwargs), the same */
    TT_PY_SKIP,      /* both ways: a task that is not run */
    /* From it. */
    TT_PY_NONE,  /* the result None */
    TT_PY_VALUE, /* a result */
    TT_PY_ERROR  /* an exception */
};

/* What stands before the bytes of a record, which are padded to 8. */
struct tt_py_record {
    uint16_t kind;
    uint16_t slot;
    uint32_t blocks; /* of the parcel, that belong to it */
    uint64_t size;
};

/* Where one is in a parcel of records. */
struct tt_py_reader {
    size_t at, passed; /* bytes, blocks */
};

/* The next record, and its own bytes and blocks in *piece. NULL: none. */
const struct tt_py_record *tt_py_record_next(const tutti_parcel *parcel,
                                             struct tt_py_reader *reader,
                                             tutti_parcel *piece);

/* A value as bytes, and blocks beside them. */
struct tt_py_bundle {
    PyObject *bytes;   /* or NULL */
    tutti_bytes aside; /* its blocks only */
};

/* Appends a record that holds a bundle; without the interpreter's lock. */
tutti_status tt_py_record_put(tutti_bytes *out, enum tt_py_record_kind kind,
                              unsigned slot, const struct tt_py_bundle *bundle);

/* A function as bytes. Counted with the interpreter's lock, but read without
 * it: who holds one can. */
struct tt_py_function {
    size_t users;
    PyObject *weak; /* to the function, never the function itself; or NULL */
    const void *key;
    struct tt_py_bundle bundle;
    uint64_t number; /* of all that were pickled; from 1 */
    unsigned slot;
};

/* Who waits in call(); counted with the interpreter's lock. */
struct tt_py_cell {
    unsigned users;
    bool set, ok;
    PyObject *value;
};

enum tt_py_task_state {
    TT_PY_GONE, /* the place in the chunk is free, or the task is settled */
    TT_PY_WAITS,
    TT_PY_SENT,     /* to a worker, perhaps not for the first time */
    TT_PY_CANCELLED /* or refused: nothing is sent */
};

/* References are taken and given up with the interpreter's lock. */
struct tt_py_errand {
    enum tt_py_task_state state;
    enum tt_py_record_kind kind;
    PyObject *owner;          /* its `deliver` is called; or NULL */
    struct tt_py_cell *cell;  /* or NULL */
    struct tt_py_function *f; /* or NULL */
    struct tt_py_bundle args; /* its record's */
    PyObject *refusal;        /* the exception that is its outcome, or NULL */
    size_t number;            /* by which what is lost is named */
};

#define TT_PY_CHUNK 256

struct tt_py_chunk {
    unsigned live; /* errands that are not gone */
    struct tt_py_errand errands[TT_PY_CHUNK];
};

enum tt_py_arrival_kind {
    TT_PY_CAME, /* data: records */
    TT_PY_LOST, /* data: why */
    TT_PY_SAID  /* data: what a worker printed; it counts as one task's */
};

/* What has come for the tasks [next, end), not settled yet. */
struct tt_py_arrival {
    struct tt_py_arrival *after;
    size_t next, end;
    enum tt_py_arrival_kind kind;
    int detail;     /* of what is lost: tutti_status; of what was said: voice */
    unsigned users; /* who read it now */
    tutti_parcel parcel; /* records, or a text; its blocks are kept */
    struct tt_py_reader reader;
};

/* The functions that one sitting of a worker has got, by slot. */
struct tt_py_sitting {
    uint64_t number, used;
    uint64_t has[TT_PY_SLOTS + 1];
};

/* All that the place's threads see, without the interpreter's lock. */
struct tt_py_backlog {
    pthread_mutex_t lock;        /* guards all of it, and the errands' states */
    struct tt_py_chunk **chunks; /* a ring: number c is at c % room */
    size_t room, base;           /* chunks below `base` are gone */
    size_t top;                  /* errands so far */
    struct tt_py_chunk *spare;   /* or NULL */
    struct tt_py_arrival *first, **last;
    struct tt_py_sitting *sittings;
    size_t seats; /* of them */
    uint64_t uses;
    PyObject *job;        /* bytes; a reference */
    _Atomic bool arrived; /* `first` is not NULL */
};

/* backlog.c */
int tt_py_backlog_init(struct tt_py_backlog *b, unsigned workers,
                       PyObject *job);
void tt_py_backlog_fini(struct tt_py_backlog *b);
void tt_py_backlog_callbacks(tutti_message *message);
/* Adds an errand at the end. TUTTI_EMEM. */
tutti_status tt_py_backlog_add(struct tt_py_backlog *b,
                               const struct tt_py_errand *errand,
                               size_t *index);
/* Gives up an errand that waits, whose references are then the caller's.
 * False: it has been sent. */
bool tt_py_backlog_cancel(struct tt_py_backlog *b, size_t index,
                          struct tt_py_errand *errand);
bool tt_py_backlog_sent(struct tt_py_backlog *b, size_t index);
/* What is to be settled. */
struct tt_py_news {
    struct tt_py_arrival *arrival;
    struct tt_py_errand errand; /* its references are the taker's; none, if it
                                   is what a worker said */
    size_t index;
    const struct tt_py_record *record; /* or NULL */
    tutti_parcel piece;
};

/* Takes the next one, which is valid until tt_py_backlog_drop(). False: nothing
 * has arrived. */
bool tt_py_backlog_take(struct tt_py_backlog *b, struct tt_py_news *news);
void tt_py_backlog_drop(struct tt_py_backlog *b, struct tt_py_arrival *arrival);
/* The first errand that is left, as if something had arrived for it. False:
 * none is. */
bool tt_py_backlog_left(struct tt_py_backlog *b, struct tt_py_errand *errand,
                        size_t *index);

/* An open loop, and who waits for it. All but the backlog: guarded by the
 * interpreter's lock. */
struct tt_py_queue {
    PyObject_HEAD struct tt_py_backlog backlog;
    struct tt_py_state *state;
    PyObject *module;  /* whose state it is */
    PyObject *numbers; /* dict: id of a task -> its number */
    PyObject *jobs;    /* a tutti._job.Jobs */
    PyObject *dump;    /* bytes and buffers of what plain pickle cannot take */
    struct tt_py_function *functions[TT_PY_SLOTS];
    unsigned slot;     /* of the next function */
    uint64_t pickled;  /* functions so far */
    size_t open;       /* tasks without an outcome */
    size_t delivering; /* of them, taken from the backlog */
    size_t helpers;    /* threads inside tutti_run_help() */
    bool closed, ending, ended;
    bool terminated;
    unsigned forks, workers;
    tutti_loop loop;
    tutti_message message;
    tutti_options options;
    tutti_place *place;
    tutti_run *run;         /* NULL: it has been ended */
    struct tt_py_map *maps; /* that run in the place */
};

/* queue.c: in the process that made it, and not closed; else an exception. */
bool tt_py_queue_usable(struct tt_py_queue *q);
bool tt_py_queue_takes(struct tt_py_queue *q);

/* errand.c */
/* Adds the call (f, args=(), kwargs=None), for the owner or the cell that the
 * errand has, and takes its references. What cannot be pickled becomes its
 * outcome. helped: this thread is going to wait. -1: an exception, and nothing
 * was added. */
int tt_py_errand_send(struct tt_py_queue *q, struct tt_py_errand *errand,
                      PyObject *const *args, Py_ssize_t n, bool helped);
void tt_py_errand_drop(struct tt_py_errand *errand);
void tt_py_cell_drop(struct tt_py_cell *cell);
void tt_py_function_drop(struct tt_py_function *f);

/* outcome.c */
/* Settles all that arrived. -1: a signal raised meanwhile. asked: or a task's
 * deliver() did, what is no Exception; else that is told of. */
int tt_py_outcome_settle(struct tt_py_queue *q, bool asked);
/* Something arrived: the place's callback. */
void tt_py_outcome_news(void *context);
/* Says that this thread drives the place of `q` and will settle by itself;
 * NULL: of none. Returns what was so before. */
struct tt_py_queue *tt_py_outcome_wait(struct tt_py_queue *q);
/* Whether this thread delivers an outcome. */
bool tt_py_outcome_inside(void);
/* Gives an errand, whose references it takes, its outcome; takes `value`, too.
 */
void tt_py_outcome_finish(struct tt_py_queue *q, struct tt_py_errand *errand,
                          bool ok, PyObject *value, PyObject **interrupt);
/* The exception of a task that is lost. */
PyObject *tt_py_outcome_lost(struct tt_py_queue *q, tutti_status status,
                             const char *why);

/* bundle.c */
/* A value that pickle would copy twice, large bytes, as one that it does not;
 * else the value. A new reference. */
PyObject *tt_py_bundle_bulk(struct tt_py_state *state, PyObject *value);
/* The same for each in a tuple. */
PyObject *tt_py_bundle_bulks(struct tt_py_state *state, PyObject *args);
/* Before the first use; importing pickle takes milliseconds. */
int tt_py_bundle_init(struct tt_py_state *state);
/* Pickles `value`. `how`: a function of it that gives bytes and buffers for
 * what plain pickle cannot take. */
int tt_py_bundle_dump(struct tt_py_bundle *out, struct tt_py_state *state,
                      PyObject *value, PyObject *how);
/* The same by `how` alone. */
int tt_py_bundle_take(struct tt_py_bundle *out, PyObject *value, PyObject *how);
PyObject *tt_py_bundle_load(struct tt_py_state *state,
                            const tutti_parcel *piece);
void tt_py_bundle_drop(struct tt_py_bundle *bundle);

#endif
