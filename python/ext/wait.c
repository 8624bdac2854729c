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

int tt_py_wait_read(struct tt_py_wait *wait, PyObject *on, PyObject *workers,
                    PyObject *bar)
{
    *wait = (struct tt_py_wait){.options = TUTTI_OPTIONS_INIT};
    wait->options.progress = look;
    wait->options.progress_arg = wait;
    wait->bar = bar == Py_None ? NULL : bar;
    if (on == Py_None) {
        if (tutti_place_open(&wait->options.place, "serial") == TUTTI_OK)
            return 0;
        PyErr_SetString(PyExc_MemoryError, tutti_detail());
        return -1;
    }
    wait->options.on = PyUnicode_AsUTF8(on);
    if (!wait->options.on)
        return -1;
    if (workers == Py_None)
        return 0;
    long count = PyLong_AsLong(workers);
    if (count < 1 || count > 1000000) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ValueError,
                         "workers must be 1 to 1000000, got %ld", count);
        return -1;
    }
    wait->options.workers = (unsigned)count;
    return 0;
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
