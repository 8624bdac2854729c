/* The other side: a zygote that forks workers, and a worker that runs ranges
 * by tutti._worker.Worker. */
#include "face.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* Seconds; then a worker gives back what it has not begun of a range, which
 * was meant to take less. */
#define PATIENCE 15e-3

/* Tasks of the range that runs here which have been run; it gives back the
 * rest. */
static size_t some_ran;

/* tutti._tutti.range(f, columns, star, caught, begin, n, worker, base, seed,
 * given): the results, or the index and the exception of the first task that
 * failed, and the results before it. */
PyObject *tt_py_range(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct tt_py_state *state = PyModule_GetState(module);
    if (n != 10)
        return PyErr_Format(PyExc_TypeError, "expected 10 arguments");
    struct tt_py_seed seed = {.known = true,
                              .remote = true,
                              .word = PyLong_AsUnsignedLongLong(args[8]),
                              .given = args[9] == Py_True};
    PyObject *caught = args[3] == Py_None ? NULL : args[3];
    size_t begin = PyLong_AsSize_t(args[4]), count = PyLong_AsSize_t(args[5]);
    unsigned long worker = PyLong_AsUnsignedLong(args[6]);
    size_t base = PyLong_AsSize_t(args[7]);
    if (PyErr_Occurred())
        return NULL;
    struct tt_py_items *items = tt_py_items_new(state, args[1]);
    if (!items) {
        tt_py_packed_close(args[1]);
        return NULL;
    }
    items->more = count;
    items->end = begin;
    if (count > 1)
        items->until = tt_py_cost_clock() + PATIENCE;
    items->base = base;
    items->worker = (unsigned)worker;
    items->serves = true;
    items->seed = &seed;
    PyObject *results = tt_py_items_loop(state, args[0], items,
                                         PyObject_IsTrue(args[2]) > 0, caught);
    PyObject *failure = NULL;
    if (!results && !items->broken) {
        PyObject *error = PyErr_GetRaisedException();
        failure = Py_BuildValue("(nNN)", (Py_ssize_t)tt_py_items_index(items),
                                error, tt_py_items_done(items, base + begin));
    }
    some_ran = results ? (size_t)PyList_GET_SIZE(results) : count;
    items->seed = NULL;
    Py_DECREF(items);
    tt_py_packed_close(args[1]);
    return results ? results : failure;
}

/* tutti._tutti.loading(flag): a worker unpickles. A module that maps when it is
 * imported then runs its loop alone: its workers would import it again, and
 * map, without end. */
PyObject *tt_py_loading(PyObject *module, PyObject *flag)
{
    struct tt_py_state *state = PyModule_GetState(module);
    state->loading = flag == Py_True;
    Py_RETURN_NONE;
}

/* The queue's half that this process serves now, or NULL; strong. */
static PyObject *sitting;

static void find_sitting(PyObject *worker)
{
    PyObject *found = PyObject_GetAttrString(worker, "sitting");
    Py_CLEAR(sitting);
    if (found && found != Py_None)
        sitting = Py_NewRef(found);
    Py_XDECREF(found);
}

/* tutti._worker.Worker.job gives a sentence when the loop cannot run here. */
static int take_job(void *arg, uint64_t loop, const tutti_parcel *parcel,
                    tutti_bytes *error)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *result =
        PyObject_CallMethod(arg, "job", "KNN", (unsigned long long)loop,
                            tt_py_view(parcel), tt_py_blocks(parcel));
    Py_ssize_t length = 0;
    const char *line = NULL;
    if (result && result != Py_None)
        line = PyUnicode_AsUTF8AndSize(result, &length);
    int status = result == Py_None ? 0 : -1;
    find_sitting(arg);
    if (line && tutti_bytes_append(error, line, (size_t)length) != TUTTI_OK)
        error->size = 0;
    if (PyErr_Occurred())
        PyErr_Print();
    Py_XDECREF(result);
    PyGILState_Release(gil);
    return status;
}

static void forget(void *arg, uint64_t loop)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *result =
        PyObject_CallMethod(arg, "forget", "K", (unsigned long long)loop);
    Py_CLEAR(sitting);
    if (!result)
        PyErr_Print();
    Py_XDECREF(result);
    PyGILState_Release(gil);
}

/* Ends the use of a parcel's bytes. */
static void release(PyObject *view)
{
    PyObject *done = PyObject_CallMethod(view, "release", NULL);
    if (!done)
        PyErr_Print();
    Py_XDECREF(done);
    Py_DECREF(view);
}

/* The range of a queue; what its tasks have printed goes out first. */
static int run_tasks(PyObject *worker, size_t begin, size_t end, unsigned lane,
                     const tutti_parcel *parcel, tutti_bytes *out, size_t *ran)
{
    int status =
        tt_py_sitting_range(sitting, begin, end, lane, parcel, out, ran);
    PyObject *done = PyObject_CallMethod(worker, "flush", NULL);
    if (!done)
        PyErr_Print();
    Py_XDECREF(done);
    fflush(stdout);
    return status;
}

static int run_range(void *arg, uint64_t loop, size_t begin, size_t end,
                     unsigned worker, const tutti_parcel *parcel,
                     tutti_bytes *out, size_t *ran)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    if (sitting) {
        int bad = run_tasks(arg, begin, end, worker, parcel, out, ran);
        PyGILState_Release(gil);
        return bad;
    }
    PyObject *view = tt_py_view(parcel), *result = NULL;
    some_ran = *ran;
    if (view)
        result = PyObject_CallMethod(
            arg, "range", "KnnION", (unsigned long long)loop, (Py_ssize_t)begin,
            (Py_ssize_t)(end - begin), worker, view, tt_py_blocks(parcel));
    fflush(stdout);        /* what C code has printed */
    if (result == Py_None) /* it could not be read */
        some_ran = 0;
    int status = some_ran < *ran ? TUTTI_RANGE_GIVES : 0;
    *ran = some_ran;
    if (!result || (result != Py_None && tt_py_put(result, out) != TUTTI_OK))
        status = -1;
    Py_XDECREF(result);
    if (PyErr_Occurred())
        PyErr_Print();
    if (view)
        release(view);
    PyGILState_Release(gil);
    return status;
}

/* tutti._tutti.say(voice, data): a worker's task has printed. */
PyObject *tt_py_tell(PyObject *module, PyObject *args)
{
    int voice;
    Py_buffer data;
    (void)module;
    if (!PyArg_ParseTuple(args, "iy*", &voice, &data))
        return NULL;
    PyThreadState *thread = PyEval_SaveThread();
    tutti_worker_say((tutti_voice)voice, data.buf, (size_t)data.len);
    PyEval_RestoreThread(thread);
    PyBuffer_Release(&data);
    Py_RETURN_NONE;
}

/* C's random streams differ in every worker. */
static void seed_streams(void)
{
    unsigned seed[2];
    if (getrandom(seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed[0] = seed[1] = (unsigned)getpid();
    srandom(seed[0]); /* glibc's rand() too */
    srand48((long)seed[1]);
}

static void serve_worker(int channel, PyObject *worker)
{
    tutti_worker table = {
        .arg = worker, .job = take_job, .forget = forget, .range = run_range};
    seed_streams();
    PyObject *begun = PyObject_CallMethod(worker, "begin", NULL);
    if (!begun)
        PyErr_Print();
    Py_XDECREF(begun);
    PyThreadState *thread = PyEval_SaveThread();
    int status = tutti_worker_serve(channel, &table);
    PyEval_RestoreThread(thread);
    _exit(status ? 1 : 0);
}

/* tutti._tutti.serve(control, worker): does not return in a worker. */
PyObject *tt_py_serve(PyObject *module, PyObject *args)
{
    int control;
    PyObject *worker;
    (void)module;
    if (!PyArg_ParseTuple(args, "iO", &control, &worker))
        return NULL;
    tt_py_heap_keep();
    int channel = tutti_zygote_serve(
        control, PyOS_BeforeFork, PyOS_AfterFork_Parent, PyOS_AfterFork_Child);
    if (channel >= 0)
        serve_worker(channel, worker);
    Py_RETURN_NONE;
}
