/* Loops of C, from Python. */
#include "kernel.h"

/* With the interpreter's lock, ten times a second at most. */
static int look(void *arg, size_t done, size_t n)
{
    struct tt_py_wait *wait = arg;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *drawn = NULL;
    int bad = PyErr_CheckSignals();
    if (!bad && wait->bar) {
        drawn = PyObject_CallFunction(wait->bar, "nn", (Py_ssize_t)done,
                                      (Py_ssize_t)n);
        bad = drawn ? 0 : -1;
    }
    Py_XDECREF(drawn);
    if (bad && !wait->error)
        wait->error = PyErr_GetRaisedException();
    PyErr_Clear();
    PyGILState_Release(gil);
    return bad;
}

int tt_py_look(void *arg, size_t done, size_t n)
{
    (void)arg, (void)done, (void)n;
    PyGILState_STATE gil = PyGILState_Ensure();
    int raised = PyErr_Occurred() || PyErr_CheckSignals() < 0;
    PyGILState_Release(gil);
    return raised;
}

int tt_py_watch(tutti_compiler_phase phase)
{
    return phase == TUTTI_COMPILER_RUNS && tt_py_look(NULL, 0, 0);
}

int tt_py_how_read(tutti_options *options, const char *name, PyObject *on,
                   PyObject *workers)
{
    const char *colon = *name ? ": " : "";
    if (on == Py_None) {
        if (tutti_place_open(&options->place, "serial") == TUTTI_OK)
            return 0;
        PyErr_SetString(PyExc_MemoryError, tutti_detail());
        return -1;
    }
    if (!PyUnicode_Check(on)) {
        PyErr_Format(PyExc_TypeError,
                     "%s%son must be the name of a place, or an open Pool or "
                     "Executor, got %s",
                     name, colon, Py_TYPE(on)->tp_name);
        return -1;
    }
    options->on = PyUnicode_AsUTF8(on);
    if (!options->on)
        return -1;
    if (workers == Py_None)
        return 0;
    long count = PyLong_AsLong(workers);
    if (count == -1 && PyErr_Occurred())
        return -1;
    if (count < 1 || count > 1000000) {
        PyErr_Format(PyExc_ValueError,
                     "%s%sworkers must be 1 to 1000000, got %ld", name, colon,
                     count);
        return -1;
    }
    options->workers = (unsigned)count;
    return 0;
}

int tt_py_wait_read(struct tt_py_wait *wait, PyObject *on, PyObject *workers,
                    PyObject *bar)
{
    *wait = (struct tt_py_wait){.options = TUTTI_OPTIONS_INIT};
    wait->options.progress = look;
    wait->options.progress_arg = wait;
    wait->bar = bar == Py_None ? NULL : bar;
    return tt_py_how_read(&wait->options, "", on, workers);
}

int tt_py_wait_end(struct tt_py_wait *wait, struct tt_py_state *state,
                   tutti_status status)
{
    tutti_place_close(wait->options.place);
    if (wait->error) {
        PyErr_SetRaisedException(wait->error);
        return -1;
    }
    if (status == TUTTI_OK)
        return 0;
    tt_py_raise_status(state, status);
    return -1;
}
