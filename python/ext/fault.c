/* From statuses and failures to exceptions. */
#include "face.h"

/* What a worker says that could not be set up: see tutti/_worker.py. */
#define INITIALIZER ": the initializer failed: "

/* Raises tutti._fault's class `name`. */
static PyObject *raise_named(struct tt_py_state *state, const char *name,
                             const char *line)
{
    PyObject *fault = tt_py_fault(state);
    PyObject *type = fault ? PyObject_GetAttrString(fault, name) : NULL;
    if (type)
        PyErr_SetString(type, line);
    Py_XDECREF(type);
    return NULL;
}

PyObject *tt_py_raise_line(struct tt_py_state *state, tutti_status status,
                           const char *line)
{
    switch (status) {
    case TUTTI_EARG:
        PyErr_SetString(PyExc_ValueError, line);
        return NULL;
    case TUTTI_EMEM:
        PyErr_SetString(PyExc_MemoryError, line);
        return NULL;
    case TUTTI_ESYS:
        PyErr_SetString(PyExc_OSError, line);
        return NULL;
    case TUTTI_ELOST:
        return raise_named(state, "WorkerLostError", line);
    case TUTTI_ETIME:
        return raise_named(state, "TaskTimeoutError", line);
    default:
        return raise_named(
            state, strstr(line, INITIALIZER) ? "InitializerError" : "Error",
            line);
    }
}

PyObject *tt_py_raise_status(struct tt_py_state *state, tutti_status status)
{
    if (status == TUTTI_ECANCEL && PyErr_Occurred())
        return NULL; /* by a signal's handler: that is why */
    return tt_py_raise_line(state, status, tutti_detail());
}

/* What tutti._fault says of an exception; -1: that raised one in its turn. */
static int ask_struck(struct tt_py_state *state, PyObject *error)
{
    PyObject *trace = PyException_GetTraceback(error);
    PyObject *fault = trace ? tt_py_fault(state) : NULL;
    PyObject *yes =
        fault ? PyObject_CallMethod(fault, "struck", "O", error) : NULL;
    int struck = yes ? yes == Py_True : fault ? -1 : 0;
    Py_XDECREF(yes);
    Py_XDECREF(trace);
    return struck;
}

bool tt_py_struck(struct tt_py_state *state)
{
    PyObject *error = PyErr_GetRaisedException();
    int struck = ask_struck(state, error);
    if (struck < 0) /* by another signal */
        Py_DECREF(error);
    else
        PyErr_SetRaisedException(error);
    return struck;
}

bool tt_py_interrupted(struct tt_py_state *state)
{
    return !PyErr_ExceptionMatches(PyExc_Exception) || tt_py_struck(state);
}

void tt_py_failure_take(struct tt_py_failure *known, Py_ssize_t index)
{
    PyObject *error = PyErr_GetRaisedException();
    if (known->error && known->index <= index) {
        Py_XDECREF(error);
        return;
    }
    Py_XDECREF(known->error);
    *known = (struct tt_py_failure){index, error};
}

void tt_py_raise_failure(struct tt_py_failure *failure)
{
    PyErr_SetRaisedException(failure->error);
    failure->error = NULL;
}

void tt_py_raise_note(struct tt_py_map *map, Py_ssize_t index,
                      PyObject *results)
{
    PyObject *error = PyErr_GetRaisedException();
    PyObject *fault = tt_py_fault(map->state);
    PyObject *columns = map->columns ? map->columns : Py_None;
    PyObject *done = fault ? PyObject_CallMethod(
                                 fault, "note", "OnOOnnOO", error, index,
                                 columns, map->star ? Py_True : Py_False,
                                 (Py_ssize_t)map->base, (Py_ssize_t)map->loop.n,
                                 results ? results : Py_None, map->parts)
                           : NULL;
    if (!done && !PyErr_ExceptionMatches(PyExc_Exception)) {
        Py_DECREF(error); /* an interrupt */
        return;
    }
    PyErr_Clear();
    Py_XDECREF(done);
    PyErr_SetRaisedException(error);
}
