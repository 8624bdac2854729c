/* The caller's half of a crew: an open loop in a place of its own. Tasks are
 * pickled in the thread that submits them, encoded and decoded by the place's
 * threads (backlog.c), and settled, that is unpickled and delivered, by whoever
 * drives the place, or waits. */
#include "queue.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SLICE 0.1   /* seconds between two looks for signals */
#define NARROW 1e-3 /* while another thread delivers */
#define PIDS_MOST 1024

static _Atomic unsigned forks;

static void count_fork(void)
{
    atomic_fetch_add(&forks, 1);
}

bool tt_py_queue_usable(struct tt_py_queue *q)
{
    if (q->forks == atomic_load(&forks))
        return true;
    PyErr_SetString(PyExc_RuntimeError,
                    "these workers belong to the process that this one was "
                    "forked from: make new ones here");
    return false;
}

bool tt_py_queue_takes(struct tt_py_queue *q)
{
    if (!tt_py_queue_usable(q))
        return false;
    if (q->closed)
        PyErr_SetString(PyExc_RuntimeError,
                        "the workers were closed: they take no more tasks");
    return !q->closed;
}

static PyObject *submit(struct tt_py_queue *q, PyObject *const *args,
                        Py_ssize_t n, bool helped)
{
    if (n < 2)
        return PyErr_Format(PyExc_TypeError, "expected a task and a function");
    struct tt_py_errand errand = {.state = TT_PY_WAITS,
                                  .owner = Py_NewRef(args[0])};
    if (tt_py_errand_send(q, &errand, args + 1, n - 1, helped) < 0)
        return NULL;
    return PyLong_FromSize_t(errand.number);
}

static PyObject *queue_submit(struct tt_py_queue *q, PyObject *const *args,
                              Py_ssize_t n)
{
    return submit(q, args, n, false);
}

static PyObject *queue_post(struct tt_py_queue *q, PyObject *const *args,
                            Py_ssize_t n)
{
    return submit(q, args, n, true);
}

/* Waiting. */

static void nap(void)
{
    struct timespec time = {.tv_nsec = (long)(NARROW * 1e9)};
    nanosleep(&time, NULL);
}

/* Nothing will be delivered any more. */
static bool over(struct tt_py_queue *q)
{
    return q->ended && !q->delivering;
}

static uint32_t news(struct tt_py_queue *q)
{
    return q->run ? tutti_run_news(q->run) : 0;
}

/* Helps the place until there are news since `seen`, for at most `seconds`. */
static void stand_by(struct tt_py_queue *q, uint32_t seen, double seconds)
{
    tutti_run *run = q->run;
    if (q->delivering && seconds > NARROW)
        seconds = NARROW; /* what this thread waits for may be among it */
    struct tt_py_queue *outer = tt_py_outcome_wait(q);
    q->helpers += run != NULL;
    PyThreadState *thread = PyEval_SaveThread();
    if (run)
        tutti_run_help(run, seen, seconds);
    else
        nap();
    PyEval_RestoreThread(thread);
    q->helpers -= run != NULL;
    tt_py_outcome_wait(outer);
}

/* Other threads, which may settle what this one waits for, can import again.
 * -1: a signal raised. */
static int free_imports(struct tt_py_state *state)
{
    PyObject *crew = tt_py_crew(state);
    PyObject *done =
        crew ? PyObject_CallMethod(crew, "free_imports", NULL) : NULL;
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Settles what arrived, once something may have. What another thread has told
 * of, and waits for the interpreter's lock to settle, is told of no more. -1: a
 * signal raised. */
static int help(struct tt_py_queue *q, uint32_t seen, double seconds)
{
    if (!atomic_load_explicit(&q->backlog.arrived, memory_order_acquire)) {
        if (tt_py_importing(q->state) && free_imports(q->state) < 0)
            return -1;
        stand_by(q, seen, seconds);
    }
    return tt_py_outcome_settle(q, true) < 0 ? -1 : PyErr_CheckSignals();
}

/* done(): 1, 0, or -1 with an exception. */
static int ask(PyObject *done)
{
    PyObject *answer = PyObject_CallNoArgs(done);
    int yes = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return yes;
}

static PyObject *queue_wait(struct tt_py_queue *q, PyObject *const *args,
                            Py_ssize_t n)
{
    double until = INFINITY;
    int yes = 0;
    if (n < 1 || n > 2)
        return PyErr_Format(PyExc_TypeError, "expected done, timeout=None");
    if (n > 1 && args[1] != Py_None) {
        until = PyFloat_AsDouble(args[1]);
        if (until == -1 && PyErr_Occurred())
            return NULL;
        until += tt_py_cost_clock();
    }
    for (;;) {
        double left = until == INFINITY ? SLICE : until - tt_py_cost_clock();
        uint32_t seen = news(q);
        if ((yes = ask(args[0])) || !tt_py_queue_usable(q) || over(q) ||
            !(left > 0))
            break;
        if (help(q, seen, left < SLICE ? left : SLICE) < 0)
            break;
    }
    if (PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(yes);
}

static PyObject *queue_call(struct tt_py_queue *q, PyObject *const *args,
                            Py_ssize_t n)
{
    struct tt_py_cell *cell = PyMem_Calloc(1, sizeof *cell);
    if (!cell)
        return PyErr_NoMemory();
    cell->users = 2;
    struct tt_py_errand errand = {.state = TT_PY_WAITS, .cell = cell};
    PyObject *value = NULL;
    uint32_t seen = news(q);
    int bad = tt_py_errand_send(q, &errand, args, n, true);
    while (!bad && !cell->set && !over(q)) {
        bad = help(q, seen, SLICE);
        seen = news(q);
    }
    if (!bad && cell->set && cell->ok)
        value = Py_NewRef(cell->value);
    else if (!bad && cell->set)
        PyErr_SetRaisedException(Py_NewRef(cell->value));
    else if (!bad)
        PyErr_SetString(PyExc_SystemError, "the task has no outcome");
    tt_py_cell_drop(cell);
    return value;
}

/* The number of a task, or SIZE_MAX. */
static size_t number_of(struct tt_py_queue *q, PyObject *task)
{
    PyObject *id = PyLong_FromVoidPtr(task);
    PyObject *number = id ? PyDict_GetItemWithError(q->numbers, id) : NULL;
    Py_XDECREF(id);
    return number ? PyLong_AsSize_t(number) : SIZE_MAX;
}

static PyObject *queue_cancel(struct tt_py_queue *q, PyObject *task)
{
    struct tt_py_errand errand;
    if (!tt_py_queue_usable(q))
        return NULL;
    size_t number = number_of(q, task);
    if (PyErr_Occurred())
        return NULL;
    if (number == SIZE_MAX ||
        !tt_py_backlog_cancel(&q->backlog, number, &errand))
        Py_RETURN_FALSE;
    PyObject *id = PyLong_FromVoidPtr(task);
    if (!id || PyDict_DelItem(q->numbers, id) < 0)
        PyErr_Clear();
    Py_XDECREF(id);
    q->open--;
    tt_py_errand_drop(&errand);
    Py_RETURN_TRUE;
}

static PyObject *queue_running(struct tt_py_queue *q, PyObject *task)
{
    size_t number = number_of(q, task);
    if (PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(tt_py_queue_usable(q) && number != SIZE_MAX &&
                           tt_py_backlog_sent(&q->backlog, number));
}

/* Without the interpreter's lock, which callbacks of maps take. */
static size_t list_pids(struct tt_py_queue *q, long *pids)
{
    tutti_run *run = q->run;
    if (!run)
        return 0;
    q->helpers++;
    PyThreadState *thread = PyEval_SaveThread();
    size_t n = tutti_run_workers(run, pids, PIDS_MOST);
    PyEval_RestoreThread(thread);
    q->helpers--;
    return n;
}

static PyObject *queue_pids(struct tt_py_queue *q, PyObject *unused)
{
    long pids[PIDS_MOST];
    (void)unused;
    if (!tt_py_queue_usable(q))
        return NULL;
    size_t n = list_pids(q, pids);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < n && i < PIDS_MOST; i++) {
        PyObject *pid = PyLong_FromLong(pids[i]);
        if (!pid || PyList_Append(list, pid) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pid);
    }
    return list;
}

/* Its end. */

static PyObject *queue_finish(struct tt_py_queue *q, PyObject *unused)
{
    (void)unused;
    if (q->forks != atomic_load(&forks))
        Py_RETURN_NONE;
    if (!q->closed && q->run)
        tutti_run_finish(q->run);
    q->closed = true;
    Py_RETURN_NONE;
}

static void kill_all(struct tt_py_queue *q)
{
    q->terminated = true;
    if (!q->closed && q->run)
        tutti_run_finish(q->run);
    q->closed = true;
    if (q->run)
        tutti_run_cancel(q->run);
    for (struct tt_py_map *map = q->maps; map; map = map->beside)
        tutti_run_cancel(map->run);
}

static PyObject *queue_kill(struct tt_py_queue *q, PyObject *unused)
{
    (void)unused;
    if (q->forks == atomic_load(&forks))
        kill_all(q);
    Py_RETURN_NONE;
}

/* What has no outcome, since the loop could not give it one. */
static void settle_left(struct tt_py_queue *q, tutti_status status,
                        const char *why, PyObject **interrupt)
{
    struct tt_py_errand errand;
    size_t index;
    while (tt_py_backlog_left(&q->backlog, &errand, &index)) {
        q->delivering++;
        PyObject *value = errand.refusal ? Py_NewRef(errand.refusal)
                                         : tt_py_outcome_lost(q, status, why);
        tt_py_outcome_finish(q, &errand, false, value, interrupt);
        q->delivering--;
        q->open--;
    }
}

/* Waits until all have left, settling what arrives. An interrupt kills them and
 * is returned. */
static PyObject *await(struct tt_py_queue *q)
{
    PyObject *interrupt = NULL;
    for (bool done = false; !done;) {
        struct tt_py_queue *outer = tt_py_outcome_wait(q);
        PyThreadState *thread = PyEval_SaveThread();
        done = tutti_run_wait(q->run, SLICE);
        PyEval_RestoreThread(thread);
        tt_py_outcome_wait(outer);
        if (tt_py_outcome_settle(q, false) < 0 || PyErr_CheckSignals() < 0) {
            kill_all(q);
            Py_XDECREF(interrupt);
            interrupt = PyErr_GetRaisedException();
        }
    }
    return interrupt;
}

/* Ends the loop, whose workers have left, once no other thread is in it. */
static tutti_status end_loop(struct tt_py_queue *q, char *why, size_t size)
{
    tutti_run *run = q->run;
    q->run = NULL; /* nobody helps from now on */
    while (q->helpers || q->maps) {
        PyThreadState *thread = PyEval_SaveThread();
        nap();
        PyEval_RestoreThread(thread);
    }
    PyThreadState *thread = PyEval_SaveThread();
    tutti_status status = tutti_run_end(run);
    snprintf(why, size, "%s",
             status ? tutti_detail() : "the workers have left");
    tutti_place_close(q->place);
    PyEval_RestoreThread(thread);
    return status;
}

/* Waits until all is done, or given up, and ends the loop and the place. One
 * thread does it. */
static PyObject *queue_end(struct tt_py_queue *q, PyObject *unused)
{
    char why[600];
    (void)unused;
    if (q->forks != atomic_load(&forks) || q->ending)
        Py_RETURN_NONE;
    q->ending = true;
    Py_DECREF(queue_finish(q, NULL));
    PyObject *interrupt = await(q);
    tutti_status status = end_loop(q, why, sizeof why);
    if (tt_py_outcome_settle(q, false) < 0)
        Py_XSETREF(interrupt, PyErr_GetRaisedException());
    settle_left(q, status, why, &interrupt);
    q->ended = true;
    Py_DECREF(q); /* its loop's */
    if (!interrupt)
        Py_RETURN_NONE;
    PyErr_SetRaisedException(interrupt);
    return NULL;
}

/* Maps in the same workers. */

bool tt_py_queue_check(struct tt_py_state *state, PyObject *object)
{
    return PyObject_TypeCheck(object, state->queue);
}

int tt_py_queue_enter(struct tt_py_map *map)
{
    struct tt_py_queue *q = map->queue;
    if (!tt_py_queue_takes(q))
        return -1;
    tutti_options *options = &map->options;
    options->place = q->place;
    if (!options->workers || options->workers > q->workers)
        options->workers = q->workers;
    if (!options->retries)
        options->retries = q->options.retries;
    if (!(options->task_timeout > 0))
        options->task_timeout = q->options.task_timeout;
    map->message.ranges_most = q->message.ranges_most;
    map->beside = q->maps;
    q->maps = map;
    return 0;
}

void tt_py_queue_leave(struct tt_py_map *map)
{
    struct tt_py_map **at = &map->queue->maps;
    while (*at != map)
        at = &(*at)->beside;
    *at = map->beside;
}

PyObject *tt_py_queue_jobs(const struct tt_py_map *map)
{
    return map->queue ? map->queue->jobs : Py_None;
}

bool tt_py_queue_raise(struct tt_py_map *map)
{
    PyObject *error = NULL;
    if (map->queue->terminated)
        error = tt_py_outcome_lost(map->queue, TUTTI_ELOST, NULL);
    if (error)
        PyErr_SetRaisedException(error);
    return error || PyErr_Occurred();
}

/* The type. */

static int open_loop(struct tt_py_queue *q)
{
    char text[32];
    snprintf(text, sizeof text, "processes:%u", q->workers);
    tutti_status status = tutti_place_open(&q->place, text);
    q->options.place = q->place;
    q->options.workers = q->workers;
    q->message.command = tt_py_command(NULL);
    q->message.settle = tt_py_outcome_news;
    tt_py_backlog_callbacks(&q->message);
    q->loop.context = &q->backlog;
    q->loop.message = &q->message;
    if (!status && q->message.command)
        status = tutti_run_open(&q->run, &q->loop, &q->options);
    if (q->run)
        return 0;
    if (status)
        tt_py_raise_status(q->state, status);
    tutti_place_close(q->place);
    return -1;
}

/* Queue(jobs, job, dump, workers, tasks_per_worker, task_timeout, retries) */
static PyObject *queue_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *jobs, *job, *dump;
    tutti_options options = TUTTI_OPTIONS_INIT;
    unsigned workers, most;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "OSOIIdI", &jobs, &job, &dump, &workers, &most,
                          &options.task_timeout, &options.retries))
        return NULL;
    PyObject *module = PyImport_ImportModule("tutti._tutti");
    struct tt_py_queue *q =
        module ? (struct tt_py_queue *)type->tp_alloc(type, 0) : NULL;
    if (!q) {
        Py_XDECREF(module);
        return NULL;
    }
    q->module = module;
    q->state = PyModule_GetState(module);
    q->forks = atomic_load(&forks);
    q->workers = workers;
    q->options = options;
    q->message.ranges_most = most;
    q->jobs = Py_NewRef(jobs);
    q->dump = Py_NewRef(dump);
    q->numbers = tt_py_bundle_init(q->state) ? NULL : PyDict_New();
    if (q->numbers && tt_py_backlog_init(&q->backlog, workers, job) < 0)
        PyErr_NoMemory();
    else if (q->numbers && open_loop(q) == 0)
        return Py_NewRef((PyObject *)q); /* one reference is its loop's */
    Py_DECREF(q);
    return NULL;
}

static void queue_dealloc(struct tt_py_queue *q)
{
    PyTypeObject *type = Py_TYPE(q);
    for (unsigned i = 0; i < TT_PY_SLOTS; i++)
        tt_py_function_drop(q->functions[i]);
    tt_py_backlog_fini(&q->backlog);
    Py_XDECREF(q->numbers);
    Py_XDECREF(q->jobs);
    Py_XDECREF(q->dump);
    Py_XDECREF(q->module);
    type->tp_free(q);
    Py_DECREF(type);
}

static PyObject *get_inside(PyObject *self, void *unused)
{
    (void)self, (void)unused;
    return PyBool_FromLong(tt_py_outcome_inside());
}

static PyObject *get_open(struct tt_py_queue *q, void *unused)
{
    (void)unused;
    return PyLong_FromSize_t(q->open);
}

static PyObject *get_closed(struct tt_py_queue *q, void *unused)
{
    (void)unused;
    return PyBool_FromLong(q->closed || q->forks != atomic_load(&forks));
}

static PyObject *get_dead(struct tt_py_queue *q, void *unused)
{
    (void)unused;
    return PyBool_FromLong(q->forks != atomic_load(&forks));
}

static PyGetSetDef queue_getset[] = {
    {"dead", (getter)get_dead, NULL, "A forked child has it.", NULL},
    {"closed", (getter)get_closed, NULL, "It takes no more tasks.", NULL},
    {"inside", get_inside, NULL, "This thread delivers an outcome.", NULL},
    {"open", (getter)get_open, NULL, "Tasks without an outcome.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define FAST(f) (PyCFunction)(void (*)(void)) f

static PyMethodDef queue_methods[] = {
    {"submit", FAST(queue_submit), METH_FASTCALL, NULL},
    {"post", FAST(queue_post), METH_FASTCALL, NULL},
    {"call", FAST(queue_call), METH_FASTCALL, NULL},
    {"wait", FAST(queue_wait), METH_FASTCALL, NULL},
    {"cancel", (PyCFunction)queue_cancel, METH_O, NULL},
    {"running", (PyCFunction)queue_running, METH_O, NULL},
    {"pids", (PyCFunction)queue_pids, METH_NOARGS, NULL},
    {"finish", (PyCFunction)queue_finish, METH_NOARGS, NULL},
    {"kill", (PyCFunction)queue_kill, METH_NOARGS, NULL},
    {"end", (PyCFunction)queue_end, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot queue_slots[] = {
    {Py_tp_new, queue_new},
    {Py_tp_dealloc, queue_dealloc},
    {Py_tp_methods, queue_methods},
    {Py_tp_getset, queue_getset},
    {0, NULL},
};

PyType_Spec tt_py_queue_spec = {
    .name = "tutti._tutti.Queue",
    .basicsize = sizeof(struct tt_py_queue),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = queue_slots,
};

int tt_py_queue_init(struct tt_py_state *state)
{
    static bool counted;
    if (!counted && pthread_atfork(NULL, NULL, count_fork))
        return PyErr_NoMemory(), -1;
    counted = true;
    state->deliver = PyUnicode_InternFromString("deliver");
    return state->deliver ? 0 : -1;
}
