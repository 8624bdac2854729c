/* From statuses and failures to exceptions. */
#include "face.h"

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

PyObject *tt_py_raise_status(struct tt_py_state *state, tutti_status status)
{
    const char *line = tutti_detail();
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
        return raise_named(state, "Error", line);
    }
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

/* Adds the task's index and argument to `error`. */
static int note(struct tt_py_map *map, Py_ssize_t index, PyObject *error)
{
    PyObject *fault = tt_py_fault(map->state), *done;
    if (!fault)
        return -1;
    done = PyObject_CallMethod(fault, "note", "OnOO", error, index,
                               map->columns, map->star ? Py_True : Py_False);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Raises a failure as its task raised it. */
PyObject *tt_py_raise_failure(struct tt_py_map *map,
                              struct tt_py_failure *failure)
{
    PyObject *error = failure->error;
    failure->error = NULL;
    if (failure->index != TT_PY_NO_TASK &&
        PyObject_IsInstance(error, PyExc_Exception) > 0 &&
        note(map, failure->index, error) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            Py_DECREF(error);
            return NULL;
        }
        PyErr_Clear();
    }
    PyErr_SetRaisedException(error);
    return NULL;
}
