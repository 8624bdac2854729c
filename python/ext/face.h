/* What the extension's files share. Start at map.c. */
#ifndef TT_PY_FACE_H
#define TT_PY_FACE_H

#include "compat.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <tutti.h>
#include <tutti/sys/caller.h>
#include <tutti/sys/message.h>

/* Seconds of the caller's, by a loop's key; see cost.c. */
struct tt_py_cost {
    const void *key;
    double job, task;
    double job_weight, task_weight; /* guessed of what was measured */
    bool job_cut, task_cut;         /* it was given up; see trial.c */
};

#define TT_PY_COSTS 64

/* A module's own: all are strong references; wire, job, fault and stream NULL
 * until used. */
struct tt_py_state {
    PyTypeObject *items; /* the iterator that a loop draws its items from */
    PyTypeObject *task;
    PyTypeObject *queue;
    PyTypeObject *kernel;
    PyObject *loops;   /* tutti._loops */
    PyObject *wire;    /* tutti._wire: bytes of items, results */
    PyObject *job;     /* tutti._job: bytes of functions and their state */
    PyObject *fault;   /* tutti._fault: exceptions */
    PyObject *stream;  /* tutti._stream: what tasks print */
    PyObject *crew;    /* tutti._crew: queues */
    PyObject *kernels; /* tutti._kernel */
    PyObject *dumps, *loads, *refused; /* _pickle's; see bundle.c */
    PyObject *protocol, *aside, *dumps_names, *loads_names;
    PyObject *deliver;   /* the text */
    PyObject *imports;   /* dict, not empty while a thread imports; or NULL */
    PyObject *lock_held; /* says if one has the import lock; or NULL */
    bool loading;        /* a worker that imports modules; see worker.c */
    struct tt_py_cost costs[TT_PY_COSTS];
};

/* Index of a failure that is no task's: a signal's, an iterator's. It comes
 * before all tasks. */
#define TT_PY_NO_TASK (-1)

/* The lowest failing task known so far. */
struct tt_py_failure {
    Py_ssize_t index;
    PyObject *error; /* NULL: none */
};

/* One piece of work at a time for the caller's thread; see mailbox.c. */
struct tt_py_mailbox {
    struct tt_py_state *state;
    pthread_mutex_t lock; /* guards what follows but `full` */
    unsigned long owner;  /* the caller's thread */
    pthread_cond_t answered;
    void (*work)(void *arg);
    void *arg;
    bool busy;         /* the caller is at it */
    bool away;         /* the caller waits without the interpreter's lock */
    _Atomic bool full; /* work may be there */
};

/* Seconds that a map's bytes took, and tasks that they were for. */
struct tt_py_spent {
    double job, encode, decode;
    size_t encoded, decoded, ranges;
    bool job_cut, task_cut; /* it was given up, */
    double task;            /* after so much a task */
};

/* Since when a thread does something for a map. */
struct tt_py_watch {
    double since, cpu;
    long sleeps;
    bool caller; /* the thread is the caller's */
};

/* What the random streams of a map's tasks depend on; see seed.c. */
struct tt_py_seed {
    uint64_t word;
    bool known;      /* else `word` is drawn when it is needed */
    bool given;      /* by seed=, or by the seed of an outer map */
    bool remote;     /* in a worker, whose own streams nobody misses */
    PyObject *saved; /* the caller's own streams, once a task was seeded */
    char *c, c_state[128]; /* and C's: of random() */
    unsigned short c48[3]; /* of drand48() */
};

/* What becomes of the exceptions of a map's tasks. */
enum tt_py_errors {
    TT_PY_RAISE,  /* the lowest ends the map */
    TT_PY_RETURN, /* they are results */
    TT_PY_COLLECT /* all tasks run; map->faults has them beside the results */
};

/* One call of map(); lives in its caller's frame. */
struct tt_py_map {
    struct tt_py_state *state;
    PyObject *f;
    PyObject *columns; /* tuple of sequences, one for each argument of f */
    PyObject *source;  /* iterator whose windows are the columns, or NULL */
    PyObject *results; /* list of those of all windows before */
    size_t base;       /* tasks before the first of this window */
    bool star;         /* an item is a tuple of arguments */
    bool hurried;      /* the interpreter's lock changes hands sooner */
    enum tt_py_errors errors;
    size_t chunk;   /* tasks of a range; 0: what their times make of it */
    const char *on; /* borrowed */
    tutti_loop loop;
    tutti_options options;
    tutti_message message;
    tutti_run *run;
    PyObject *parts;  /* dict of begin - base -> list: the results of others */
    PyObject *faults; /* dict of index -> exception, where they are collected;
                         else NULL */
    struct tt_py_failure failure;
    struct tt_py_failure refusal; /* of what cannot travel; it counts when no
                                     place ran it */
    struct tt_py_mailbox box;
    _Atomic bool wanted; /* `job` is needed soon */
    _Atomic bool alone;  /* workers are wanted; no interpreter can start */
    PyObject *job;       /* bytes that prepare a worker; NULL: not made */
    PyObject *memo;      /* tutti._wire.Memo, once items have large buffers */
    struct tt_py_spent spent;
    double job_weight, task_weight; /* see weigh.c */
    double job_guess, task_guess;   /* seconds that they may well take */
    PyObject *bar;                  /* callable of progress, or NULL */
    struct tt_py_seed seed;
    struct tt_py_queue *queue; /* in whose workers it runs, or NULL */
    struct tt_py_map *beside;  /* the next one there */
};

/* Yields the items that the caller claims; in a worker, those of a range.
 * tutti.task looks at the innermost one of its thread. */
struct tt_py_items {
    PyObject_HEAD PyObject *inner; /* iterator over the sequence */
    iternextfunc next;
    size_t left; /* items of the claimed range not yet yielded */
    size_t end;  /* of the claimed range */
    size_t more; /* without a map: items behind `end` */
    size_t base; /* tasks before the first that the loop knows of */
    unsigned worker;
    bool serves;             /* in a worker, which says what task runs */
    bool collects;           /* garbage, but not now */
    bool broken;             /* raised by itself, not by a task */
    struct tt_py_map *map;   /* NULL in a worker, and after the call */
    bool lazy;               /* `inner` is an iterator of unknown length */
    bool dry;                /* which has come to its end */
    double until, since;     /* seconds: when to stop, and when the items up
                                to `end` were begun; 0: never */
    size_t range;            /* items between two looks at the clock */
    PyObject *last;          /* item that was yielded last, if lazy */
    PyObject *hint;          /* where the list of the results will be */
    PyObject *results;       /* the list, while it is being built; or NULL */
    struct tt_py_seed *seed; /* NULL: none */
    size_t mapper;           /* the task that mapped last, */
    uint32_t maps;           /* and how often */
    PyObject *rng;           /* tutti.task.rng of task `drawer`, or NULL */
    size_t drawer;
};

/* items.c */
extern PyType_Spec tt_py_items_spec;
PyObject *tt_py_columns(PyObject *iterables, bool *star, size_t *n);
/* The iterables as one iterator if not all their items are in memory anyway.
 * NULL without an exception: they are. */
PyObject *tt_py_source(PyObject *iterables);
struct tt_py_items *tt_py_items_new(struct tt_py_state *state,
                                    PyObject *columns);
/* What an iterator yields from now until a time; its end is no error. */
struct tt_py_items *tt_py_items_lazy(struct tt_py_state *state,
                                     PyObject *source, double until);
size_t tt_py_items_index(const struct tt_py_items *items);
/* The results of a loop that raised: a new list. `begin`: its first task. */
PyObject *tt_py_items_done(struct tt_py_items *items, size_t begin);
/* [f(x) for x in items]; a new reference. */
PyObject *tt_py_items_loop(struct tt_py_state *state, PyObject *f,
                           struct tt_py_items *items, bool star,
                           PyObject *caught);

/* map.c */
/* Maps map->columns. */
PyObject *tt_py_map_window(struct tt_py_map *map, PyObject *caught);

/* Whether only the caller can run it. */
bool tt_py_map_alone(const struct tt_py_map *map);

/* window.c */
/* Maps map->source. */
PyObject *tt_py_map_lazily(struct tt_py_map *map, PyObject *caught);

/* task.c */
extern PyType_Spec tt_py_task_spec;
/* Enters `items` as this thread's innermost loop; returns the one before. */
struct tt_py_items *tt_py_task_enter(struct tt_py_items *items);

struct tt_py_items *tt_py_task_innermost(void);

/* seed.c */
/* Takes seed=. */
int tt_py_seed_read(struct tt_py_seed *seed, PyObject *object);
/* Without seed=: that of the task which maps, if it has one. */
void tt_py_seed_inherit(struct tt_py_seed *seed, struct tt_py_items *outer);
uint64_t tt_py_seed_word(struct tt_py_seed *seed);
/* Starts the streams of the next task, where the seed is given. */
int tt_py_seed_task(struct tt_py_items *items);
/* Puts the caller's own back. An exception that is raised stays. */
void tt_py_seed_restore(struct tt_py_seed *seed);

/* walk.c */
extern PyType_Spec tt_py_walk_spec;

/* message.c */
void tt_py_message_init(struct tt_py_map *map);
/* Makes map->job, with the interpreter's lock. */
void tt_py_message_prepare(struct tt_py_map *map);
/* The loop has ended: the lock is as before. No exception is raised. */
void tt_py_message_end(struct tt_py_map *map);
/* Warns when the caller ran all tasks because something cannot travel. */
int tt_py_message_tell(struct tt_py_map *map);

/* command.c: the command that becomes a zygote, kept for the process's life. */
/* Makes it for a function, or NULL for any, unless there is one. With the
 * interpreter's lock. NULL: an interrupt came; no other exception is left. */
const char *const *tt_py_command(PyObject *f);
/* As it is; one that cannot start if there is none. */
const char *const *tt_py_command_known(void);

/* queue.c: the workers of a crew. */
extern PyType_Spec tt_py_queue_spec;
int tt_py_queue_init(struct tt_py_state *state);
bool tt_py_queue_check(struct tt_py_state *state, PyObject *object);
/* Right before map->run begins, and right after it has ended. */
int tt_py_queue_enter(struct tt_py_map *map);
void tt_py_queue_leave(struct tt_py_map *map);
/* The tutti._job.Jobs of its workers, or None. Borrowed. */
PyObject *tt_py_queue_jobs(const struct tt_py_map *map);
/* Raises that a map's workers were terminated. False: they were not. */
bool tt_py_queue_raise(struct tt_py_map *map);

/* sitting.c: a worker's half; `sitting` is a tutti._tutti.Sitting. */
extern PyType_Spec tt_py_sitting_spec;
int tt_py_sitting_range(PyObject *sitting, size_t begin, size_t end,
                        unsigned lane, const tutti_parcel *parcel,
                        tutti_bytes *out, size_t *ran);

/* mark.c */
extern PyType_Spec tt_py_marks_spec;

/* say.c */
/* What a worker says goes to sys.stdout or sys.stderr, or is a warning. With
 * the interpreter's lock. False: an exception (an interrupt). */
bool tt_py_say(struct tt_py_state *state, tutti_voice voice, const char *text,
               size_t size);

/* wait.c */
/* A tutti_progress that looks at signals, with the interpreter's lock: an
 * exception of their handlers stays raised, and ends the loop. */
int tt_py_look(void *arg, size_t done, size_t n);

/* Likewise, for tutti_kernel_watch(). */
int tt_py_watch(tutti_compiler_phase phase);

/* Reads the place, or None: right here, whatever the environment says; workers
 * or None. `name` begins the sentences. -1: an exception. */
int tt_py_how_read(tutti_options *options, const char *name, PyObject *on,
                   PyObject *workers);

/* fault.c */
/* The exception of a status, with its sentence: tutti_detail(), or `line`. */
PyObject *tt_py_raise_status(struct tt_py_state *state, tutti_status status);
PyObject *tt_py_raise_line(struct tt_py_state *state, tutti_status status,
                           const char *line);
/* Whether the handler of a signal raised the exception that is raised. It
 * stays; but another signal's may take its place. */
bool tt_py_struck(struct tt_py_state *state);
/* The same, or it is no Exception. */
bool tt_py_interrupted(struct tt_py_state *state);
/* Raises a failure as its task raised it. */
void tt_py_raise_failure(struct tt_py_failure *failure);
/* Tells the exception that is raised about the task that it comes from
 * (TT_PY_NO_TASK: none), and the results that are there: those of the caller,
 * a list or NULL, and map->parts. */
void tt_py_raise_note(struct tt_py_map *map, Py_ssize_t index,
                      PyObject *results);
/* Takes the exception that is raised as the failure of task `index`, unless a
 * lower one is known. */
void tt_py_failure_take(struct tt_py_failure *known, Py_ssize_t index);

/* kernel.c */
extern PyType_Spec tt_py_kernel_spec;
/* Whether tutti._kernel may know how to map `f`: a kernel, or a function that
 * is compiled already. */
bool tt_py_kernel_maybe(PyObject *f);

/* weigh.c: seconds of the caller's, guessed; no exception is left. */
double tt_py_weigh(PyObject *object);
double tt_py_weigh_items(PyObject *columns); /* of one task */
/* What the worker spent on them. */
double tt_py_weigh_blocks(const tutti_parcel *parcel);

/* cost.c */
double tt_py_cost_clock(void);
double tt_py_cost_cpu(void); /* of this thread */
/* What `map` is expected to cost; what it did cost. */
void tt_py_cost_get(struct tt_py_map *map);
void tt_py_cost_put(struct tt_py_map *map);

/* trial.c: `Trial` and `TooLong`, for tutti._wire. */
#define TT_PY_NO_LIMIT 1e9
int tt_py_trial_add(PyObject *module);
/* Seconds that the bytes of the job, of a range more, may take. */
double tt_py_trial_job(struct tt_py_map *map);
double tt_py_trial_range(struct tt_py_map *map, size_t tasks);
/* A new Trial, or None where there is no limit. caller: this is its thread. */
PyObject *tt_py_trial(double seconds, bool caller);
/* Seconds that something took of the caller's time, or of the lock's. */
struct tt_py_watch tt_py_watch_start(bool caller);
double tt_py_watch_read(const struct tt_py_watch *watch);

/* mailbox.c */
bool tt_py_mailbox_owned(const struct tt_py_mailbox *box);
int tt_py_mailbox_init(struct tt_py_mailbox *box, struct tt_py_state *state);
void tt_py_mailbox_fini(struct tt_py_mailbox *box);
/* Has `work` done with the interpreter's lock, by the caller or here. It leaves
 * no exception. Any thread without that lock. */
void tt_py_mailbox_do(struct tt_py_mailbox *box, void (*work)(void *),
                      void *arg);
/* The caller does what is there. */
void tt_py_mailbox_look(struct tt_py_mailbox *box);
/* Whether this thread is at such work, for which a place waits: a map then, of
 * a signal's handler or of what is pickled, must not wait for the place. */
bool tt_py_mailbox_inside(void);
/* The caller goes to wait without the lock, or is back. */
void tt_py_mailbox_leave(struct tt_py_mailbox *box, bool away);

/* heap.c */
/* Keeps memory that is needed again. For a process of tutti's own. */
void tt_py_heap_keep(void);

/* pack.c */
extern PyType_Spec tt_py_packed_spec;
/* The items of a range have been used: their bytes may go. */
void tt_py_packed_close(PyObject *columns);

/* block.c: bytes and buffers as tutti._wire makes and takes them. */
int tt_py_block_add(PyObject *module); /* its type */
/* Appends a bytes-like object, or a tuple of them, and last perhaps a list of
 * buffers. An exception where it does not return TUTTI_OK. */
tutti_status tt_py_put(PyObject *made, tutti_bytes *out);
/* The blocks of a parcel: a tuple of writable buffers, each its own. */
PyObject *tt_py_blocks(const tutti_parcel *parcel);
/* A memoryview of its bytes, which must be released before the parcel goes. */
PyObject *tt_py_view(const tutti_parcel *parcel);

/* Methods of the module. */
PyObject *tt_py_map(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *tt_py_loading(PyObject *module, PyObject *flag);
PyObject *tt_py_move(PyObject *module, PyObject *args);
PyObject *tt_py_settle(PyObject *module, PyObject *args);
PyObject *tt_py_tell(PyObject *module, PyObject *args);
PyObject *tt_py_serve(PyObject *module, PyObject *args);
PyObject *tt_py_twister(PyObject *module, PyObject *args);
PyObject *tt_py_seed_numpy(PyObject *module, PyObject *unused);
PyObject *tt_py_range(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *tt_py_pack(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *tt_py_unpack(PyObject *module, PyObject *buffer);
PyObject *tt_py_weighed(PyObject *module, PyObject *object);
PyObject *tt_py_share(PyObject *module, PyObject *buffer);
PyObject *tt_py_address(PyObject *module, PyObject *buffer);
PyObject *tt_py_total(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *tt_py_dot(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *tt_py_matvec(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *tt_py_matmul(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *tt_py_multiply(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *tt_py_add(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *tt_py_explain(PyObject *module, PyObject *unused);
PyObject *tt_py_timeline(PyObject *module, PyObject *columns);
PyObject *tt_py_trace(PyObject *module, PyObject *path);
PyObject *tt_py_kernel(PyObject *module, PyObject *args);
PyObject *tt_py_reduce(PyObject *module, PyObject *args);
PyObject *tt_py_capsule(PyObject *module, PyObject *capsule);
PyObject *tt_py_expect(PyObject *module, PyObject *args);
PyObject *tt_py_expect_by(PyObject *module, PyObject *args);
PyObject *tt_py_expect_piece(PyObject *module, PyObject *args);
PyObject *tt_py_expect_draw(PyObject *module, PyObject *args);
PyObject *tt_py_expect_fold(PyObject *module, PyObject *args);
PyObject *tt_py_expect_join(PyObject *module, PyObject *args);
PyObject *tt_py_cpu_count(PyObject *module, PyObject *unused);
PyObject *tt_py_cpu_idle(PyObject *module, PyObject *unused);
PyObject *tt_py_wordcount(PyObject *module, PyObject *args);

/* module.c: tutti._wire, _job, _fault, _stream, _crew on first use; borrowed.
 */
PyObject *tt_py_job(struct tt_py_state *state);
PyObject *tt_py_wire(struct tt_py_state *state);
PyObject *tt_py_fault(struct tt_py_state *state);
PyObject *tt_py_stream(struct tt_py_state *state);
PyObject *tt_py_crew(struct tt_py_state *state);
PyObject *tt_py_kernels(struct tt_py_state *state);
/* Whether a thread is importing. No exception is left. */
bool tt_py_importing(struct tt_py_state *state);

#endif
