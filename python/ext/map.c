/* tutti.map: the caller's part is a comprehension over an iterator that claims
 * ranges from the front; what others computed is the rest of the list. */
#include "face.h"

#include <math.h>

/* Seconds between two looks of a caller who waits; while modules are imported,
 * it has to do all work. */
#define SLICE 0.1
#define SLICE_BOUND 1e-3

/* In the order that tutti/__init__.py gives them; a crew gives the last. */
enum {
    F,
    ITERABLES,
    ON,
    WORKERS,
    RETRIES,
    TASK_TIMEOUT,
    ERRORS,
    BAR,
    SEED,
    STAR,  /* an item is a tuple of arguments */
    CHUNK, /* tasks of a range; 0: what their times make of it */
    ARGS
};

/* A count from `object`, with its least value. */
static int read_count(unsigned *out, PyObject *object, const char *name,
                      long least)
{
    PyObject *index = PyNumber_Index(object);
    int overflow = 0;
    long value = index ? PyLong_AsLongAndOverflow(index, &overflow) : -1;
    if (!index) {
        PyErr_Format(PyExc_TypeError, "%s must be a whole number, got %s", name,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    Py_DECREF(index);
    if (overflow || value < least || value > 1000000) {
        PyErr_Format(PyExc_ValueError, "%s must be %ld to 1000000, got %S",
                     name, least, object);
        return -1;
    }
    *out = (unsigned)value;
    return 0;
}

static int read_seconds(double *out, PyObject *object)
{
    double value = PyFloat_AsDouble(object);
    if (value == -1 && PyErr_Occurred()) {
        PyErr_Format(PyExc_TypeError,
                     "task_timeout must be a number of seconds, got %s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    if (!(value > 0) || !isfinite(value)) {
        PyErr_Format(PyExc_ValueError,
                     "task_timeout must be above 0 seconds, got %S", object);
        return -1;
    }
    *out = value;
    return 0;
}

/* A crew may have exceptions collected. */
static int read_errors(struct tt_py_map *map, PyObject *object, bool crew)
{
    static const char *const names[] = {"raise", "return", "collect"};
    int known = crew ? 3 : 2;
    for (int i = 0; PyUnicode_Check(object) && i < known; i++)
        if (PyUnicode_CompareWithASCIIString(object, names[i]) == 0) {
            map->errors = (enum tt_py_errors)i;
            return 0;
        }
    PyErr_Format(PyExc_ValueError, "errors must be 'raise' or 'return', got %R",
                 object);
    return -1;
}

/* The text of a place, or who has workers: a queue, or its owner. */
static int read_on(struct tt_py_map *map, PyObject *object)
{
    if (PyUnicode_Check(object)) {
        map->on = PyUnicode_AsUTF8(object);
        return map->on ? 0 : -1;
    }
    PyObject *crew = tt_py_crew(map->state);
    PyObject *queue = tt_py_queue_check(map->state, object) ? Py_NewRef(object)
                      : crew
                          ? PyObject_CallMethod(crew, "queue_of", "O", object)
                          : NULL;
    if (!queue)
        return -1;
    map->queue = (struct tt_py_queue *)queue;
    map->on = "processes";
    Py_DECREF(queue); /* its owner keeps it, who is an argument */
    return 0;
}

/* The function: callable, with items behind it. The usual slips get a
 * sentence. */
static int check_function(PyObject *f, PyObject *iterables)
{
    const char *name = Py_TYPE(f)->tp_name;
    if (PyGen_Check(f))
        PyErr_SetString(PyExc_TypeError,
                        "tutti.map expects a function first: got a generator; "
                        "write tutti.map(f, items), not "
                        "tutti.map(f(x) for x in items)");
    else if (!PyCallable_Check(f) && !PyTuple_GET_SIZE(iterables))
        PyErr_Format(PyExc_TypeError,
                     "tutti.map expects a function first: got %s; a misplaced "
                     "parenthesis? write tutti.map(f, items), not "
                     "tutti.map(f(items))",
                     name);
    else if (!PyCallable_Check(f))
        PyErr_Format(PyExc_TypeError,
                     "tutti.map expects a function first: got %s; write "
                     "tutti.map(f, items)",
                     name);
    else if (!PyTuple_GET_SIZE(iterables))
        PyErr_SetString(PyExc_TypeError,
                        "tutti.map expects items after the function: write "
                        "tutti.map(f, items)");
    return PyErr_Occurred() ? -1 : 0;
}

static int report_progress(void *context, size_t done, size_t n)
{
    struct tt_py_map *map = context;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *result = NULL;
    if (!PyErr_Occurred()) {
        result = PyObject_CallFunction(
            map->bar, "nn", (Py_ssize_t)(map->base + done),
            map->source ? (Py_ssize_t)-1 : (Py_ssize_t)n);
        if (!result)
            tt_py_failure_take(&map->failure, TT_PY_NO_TASK);
    }
    Py_XDECREF(result);
    PyGILState_Release(gil);
    return result ? 0 : 1;
}

static int read_arguments(struct tt_py_map *map, PyObject *const *args,
                          bool crew)
{
    tutti_options *options = &map->options;
    map->f = args[F];
    if (check_function(args[F], args[ITERABLES]) < 0 ||
        read_on(map, args[ON]) < 0 || read_errors(map, args[ERRORS], crew) < 0)
        return -1;
    options->on = map->on;
    if (args[WORKERS] != Py_None &&
        read_count(&options->workers, args[WORKERS], "workers", 1) < 0)
        return -1;
    if (read_count(&options->retries, args[RETRIES], "retries", 0) < 0)
        return -1;
    if (args[TASK_TIMEOUT] != Py_None &&
        read_seconds(&options->task_timeout, args[TASK_TIMEOUT]) < 0)
        return -1;
    if (args[BAR] != Py_None) {
        map->bar = args[BAR];
        options->progress = report_progress;
        options->progress_arg = map;
    }
    if (args[SEED] == Py_None)
        tt_py_seed_inherit(&map->seed, tt_py_task_innermost());
    else if (tt_py_seed_read(&map->seed, args[SEED]) < 0)
        return -1;
    map->star = PyTuple_GET_SIZE(args[ITERABLES]) > 1;
    map->source = tt_py_source(args[ITERABLES]);
    if (!map->source && !PyErr_Occurred())
        map->columns = tt_py_columns(args[ITERABLES], &map->star, &map->loop.n);
    return PyErr_Occurred() ? -1 : 0;
}

/* What the cost of f is remembered by: closures of one text share it. */
static const void *key_of(PyObject *f)
{
    if (PyFunction_Check(f))
        return PyFunction_GET_CODE(f);
    if (PyCFunction_Check(f))
        return (const void *)(uintptr_t)PyCFunction_GET_FUNCTION(f);
    return f;
}

static int begin(struct tt_py_map *map)
{
    map->loop.context = map;
    map->loop.key = key_of(map->f);
    /* What will be needed is imported here, not while others wait for it. */
    if (map->on && strncmp(map->on, "processes", 9) == 0) {
        if (tt_py_wire(map->state) && tt_py_job(map->state))
            tt_py_command(map->f);
        if (PyErr_Occurred())
            return -1;
    }
    tt_py_message_init(map);
    if (map->queue && tt_py_queue_enter(map) < 0)
        return -1;
    tutti_status status = tutti_run_begin(&map->run, &map->loop, &map->options);
    if (status == TUTTI_OK)
        return 0;
    if (map->queue)
        tt_py_queue_leave(map);
    tt_py_raise_status(map->state, status);
    return -1;
}

/* The caller's loop raised: by a task, which is the lowest that fails, since
 * the caller has done all before it; or by its iterator, or a signal. */
static void caller_failed(struct tt_py_map *map, struct tt_py_items *items)
{
    size_t index = tt_py_items_index(items);
    tt_py_failure_take(&map->failure,
                       items->broken ? TT_PY_NO_TASK : (Py_ssize_t)index);
    if (!items->broken) {
        tutti_task_fail("task %zu raised %s", index,
                        Py_TYPE(map->failure.error)->tp_name);
        tutti_run_fail(map->run, index - map->base);
    }
    tutti_run_cancel(map->run);
}

/* Waits for the others; a signal's exception cancels them. */
static void await(struct tt_py_map *map)
{
    if (tutti_run_wait(map->run, 0))
        return;
    if (!map->failure.error)
        tt_py_message_prepare(map);
    tt_py_mailbox_leave(&map->box, true);
    for (bool done = false; !done;) {
        double slice = tt_py_importing(map->state) ? SLICE_BOUND : SLICE;
        PyThreadState *thread = PyEval_SaveThread();
        done = tutti_run_wait(map->run, slice);
        PyEval_RestoreThread(thread);
        if (atomic_load_explicit(&map->box.full, memory_order_acquire))
            tt_py_mailbox_look(&map->box);
        if (PyErr_CheckSignals() < 0) {
            tt_py_failure_take(&map->failure, TT_PY_NO_TASK);
            tutti_run_cancel(map->run);
        }
    }
}

/* Moves all elements of `list`, which nobody else has, to `out` from *at on. */
static void move_all(PyObject *out, Py_ssize_t *at, PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        PyList_SET_ITEM(out, (*at)++, PyList_GET_ITEM(list, i));
        PyList_SET_ITEM(list, i, NULL);
    }
}

/* The results of others behind the caller's own: a new list. Both are taken
 * apart; copying would touch every result, long out of the cache, twice. */
static PyObject *join(struct tt_py_map *map, PyObject *own)
{
    Py_ssize_t n = (Py_ssize_t)map->loop.n, at = 0, size;
    PyObject *all = PyList_New(n), *part;
    if (all)
        move_all(all, &at, own);
    while (all && at < n) {
        PyObject *key = PyLong_FromSsize_t(at);
        part = key ? PyDict_GetItemWithError(map->parts, key) : NULL;
        Py_XDECREF(key);
        size = part ? PyList_GET_SIZE(part) : 0;
        if (size < 1 || size > n - at) {
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_SystemError, "no result of task %zd", at);
            Py_CLEAR(all);
        } else {
            move_all(all, &at, part);
        }
    }
    return all;
}

static PyObject *joined(struct tt_py_map *map, PyObject *own)
{
    return PyList_GET_SIZE(own) == (Py_ssize_t)map->loop.n ? Py_NewRef(own)
                                                           : join(map, own);
}

/* The results, or if tasks failed (results, exceptions by index). A function
 * that cannot travel is raised. */
static PyObject *collected(struct tt_py_map *map, PyObject *own)
{
    if (map->refusal.error && map->refusal.index == TT_PY_NO_TASK) {
        tt_py_raise_failure(&map->refusal);
        return NULL;
    }
    PyObject *all = joined(map, own);
    if (!all || !PyDict_GET_SIZE(map->faults))
        return all;
    PyObject *both = PyTuple_Pack(2, all, map->faults);
    Py_DECREF(all);
    return both;
}

/* The caller's own part: the list, or what was done until a failure. */
static PyObject *run_own(struct tt_py_map *map, PyObject *caught)
{
    struct tt_py_items *items = tt_py_items_new(map->state, map->columns);
    if (!items) {
        tt_py_failure_take(&map->failure, TT_PY_NO_TASK);
        tutti_run_cancel(map->run);
        return NULL;
    }
    items->map = map;
    items->base = map->base;
    items->seed = &map->seed;
    PyObject *results =
        tt_py_items_loop(map->state, map->f, items, map->star, caught);
    if (!results) {
        caller_failed(map, items);
        results = tt_py_items_done(items, map->base);
    }
    items->map = NULL;
    items->seed = NULL;
    Py_DECREF(items);
    return results;
}

/* Raises what the run ended with. */
static void raise(struct tt_py_map *map, tutti_status status, size_t failed,
                  PyObject *results)
{
    Py_ssize_t index = TT_PY_NO_TASK;
    struct tt_py_failure *failure =
        map->failure.error                             ? &map->failure
        : status == TUTTI_EPLACE && map->refusal.error ? &map->refusal
                                                       : NULL;
    if (failure) {
        index = failure->index;
        tt_py_raise_failure(failure);
    } else {
        if (failed < map->loop.n)
            index = (Py_ssize_t)(map->base + failed);
        if (!map->queue || !tt_py_queue_raise(map))
            tt_py_raise_status(map->state, status);
    }
    if (map->results && results &&
        PyList_SetSlice(results, 0, 0, map->results) < 0)
        PyErr_Clear();
    tt_py_raise_note(map, index, results);
}

/* Runs the loop that has begun, and ends it. */
static PyObject *run(struct tt_py_map *map, PyObject *caught)
{
    PyObject *results = run_own(map, caught), *all = NULL;
    await(map);
    tt_py_message_end(map);
    size_t failed = tutti_run_failed(map->run);
    tutti_status status = tutti_run_end(map->run);
    if (map->queue)
        tt_py_queue_leave(map);
    if (!map->queue)
        tt_py_cost_put(map);
    if (map->failure.error || status != TUTTI_OK)
        raise(map, status, failed, results);
    else if (map->faults)
        all = collected(map, results);
    else if (tt_py_message_tell(map) == 0)
        all = joined(map, results);
    Py_XDECREF(results);
    return all;
}

PyObject *tt_py_map_window(struct tt_py_map *map, PyObject *caught)
{
    return begin(map) == 0 ? run(map, caught) : NULL;
}

/* Runs the loop here, whatever place is named. */
static PyObject *run_alone(struct tt_py_map *map, PyObject *caught)
{
    struct tt_py_items *items = tt_py_items_new(map->state, map->columns);
    if (!items)
        return NULL;
    items->more = map->loop.n;
    items->seed = &map->seed;
    PyObject *results =
        tt_py_items_loop(map->state, map->f, items, map->star, caught);
    if (!results) {
        Py_ssize_t index = (Py_ssize_t)tt_py_items_index(items);
        PyObject *error = PyErr_GetRaisedException();
        PyObject *done = tt_py_items_done(items, 0);
        PyErr_SetRaisedException(error);
        tt_py_raise_note(map, items->broken ? TT_PY_NO_TASK : index, done);
        Py_XDECREF(done);
    }
    items->seed = NULL;
    Py_DECREF(items);
    return results;
}

bool tt_py_map_alone(const struct tt_py_map *map)
{
    return map->state->loading || tt_py_mailbox_inside();
}

/* tutti._kernel maps it, or says that it is a function like any other: then
 * NULL without an exception. */
static PyObject *map_kernel(struct tt_py_state *state, PyObject *const *args)
{
    PyObject *kernels = tt_py_kernels(state);
    PyObject *results =
        kernels ? PyObject_CallMethod(kernels, "mapped", "OOOOOOOOOO", args[F],
                                      args[ITERABLES], args[ON], args[WORKERS],
                                      args[RETRIES], args[TASK_TIMEOUT],
                                      args[ERRORS], args[BAR], args[SEED],
                                      args[STAR])
                : NULL;
    if (results == Py_NotImplemented)
        Py_CLEAR(results);
    return results;
}

PyObject *tt_py_map(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct tt_py_map map = {.state = PyModule_GetState(module),
                            .options = TUTTI_OPTIONS_INIT};
    PyObject *results = NULL, *caught = NULL;
    if (n != ARGS && n != CHUNK)
        return PyErr_Format(PyExc_TypeError, "expected %d arguments", ARGS);
    if (n == CHUNK && tt_py_kernel_maybe(args[F])) {
        results = map_kernel(map.state, args);
        if (results || PyErr_Occurred())
            return results;
    }
    if (read_arguments(&map, args, n == ARGS) < 0)
        return NULL;
    map.star = map.star || args[STAR] == Py_True;
    map.chunk = n > CHUNK ? PyLong_AsSize_t(args[CHUNK]) : 0;
    map.parts = PyDict_New();
    if (map.errors == TT_PY_COLLECT)
        map.faults = PyDict_New();
    if (!map.parts || PyErr_Occurred() ||
        tt_py_mailbox_init(&map.box, map.state) < 0)
        goto drop;
    if (map.errors == TT_PY_RETURN) {
        PyObject *fault = tt_py_fault(map.state);
        caught = fault ? PyObject_GetAttrString(fault, "keep") : NULL;
    }
    if (!PyErr_Occurred())
        results = map.source              ? tt_py_map_lazily(&map, caught)
                  : tt_py_map_alone(&map) ? run_alone(&map, caught)
                                          : tt_py_map_window(&map, caught);
    tt_py_seed_restore(&map.seed);
    Py_XDECREF(caught);
    tt_py_mailbox_fini(&map.box);
drop:
    Py_XDECREF(map.job);
    Py_XDECREF(map.memo);
    Py_XDECREF(map.parts);
    Py_XDECREF(map.faults);
    Py_XDECREF(map.columns);
    Py_XDECREF(map.source);
    Py_XDECREF(map.failure.error);
    Py_XDECREF(map.refusal.error);
    return results;
}
