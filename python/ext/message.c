/* The message form of a map: functions, items and results as bytes. The
 * callbacks come from a thread of the place, without the interpreter lock. */
#include "face.h"

#include <stdlib.h>
#include <string.h>

/* Calls tutti._wire.NAME; the result or NULL with an exception. */
static PyObject *call_wire(struct tt_py_map *map, const char *name,
                           PyObject *args)
{
    PyObject *wire = args ? tt_py_wire(map->state) : NULL;
    PyObject *method = wire ? PyObject_GetAttrString(wire, name) : NULL;
    PyObject *result = method ? PyObject_Call(method, args, NULL) : NULL;
    Py_XDECREF(method);
    return result;
}

/* Takes the failure (index, exception) that a function of tutti._wire gave
 * instead of bytes or results. */
static int take_pair(struct tt_py_map *map, PyObject *pair, size_t *index)
{
    PyObject *error;
    Py_ssize_t at;
    if (!PyTuple_Check(pair) || !PyArg_ParseTuple(pair, "nO", &at, &error))
        return -1;
    tutti_task_fail("task %zd: %s", at, Py_TYPE(error)->tp_name);
    PyErr_SetRaisedException(Py_NewRef(error));
    tt_py_failure_take(map, at);
    if (index)
        *index = (size_t)at;
    return 0;
}

/* Appends the buffer `object`, whose reference it takes. A pair is a task's
 * failure; NULL an exception. */
static tutti_status emit(struct tt_py_map *map, PyObject *object,
                         tutti_bytes *out)
{
    tutti_status status = TUTTI_ETASK;
    Py_buffer view;
    if (object && PyTuple_Check(object) && take_pair(map, object, NULL) == 0)
        goto drop;
    if (!object || PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0) {
        tutti_task_fail("the function or its items cannot be sent");
        tt_py_failure_take(map, TT_PY_NO_TASK);
        goto drop;
    }
    status = tutti_bytes_append(out, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
drop:
    Py_XDECREF(object);
    return status;
}

static tutti_status encode_job(void *context, tutti_bytes *out)
{
    struct tt_py_map *map = context;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *args =
        Py_BuildValue("(OOO)", map->f, map->star ? Py_True : Py_False,
                      map->keep ? Py_True : Py_False);
    tutti_status status = emit(map, call_wire(map, "dump_job", args), out);
    Py_XDECREF(args);
    PyGILState_Release(gil);
    return status;
}

/* Slices [begin, end) of the columns. */
static PyObject *slices(PyObject *columns, size_t begin, size_t end)
{
    Py_ssize_t n = PyTuple_GET_SIZE(columns);
    PyObject *cut = PyTuple_New(n);
    for (Py_ssize_t i = 0; cut && i < n; i++) {
        PyObject *slice = PySequence_GetSlice(
            PyTuple_GET_ITEM(columns, i), (Py_ssize_t)begin, (Py_ssize_t)end);
        if (slice)
            PyTuple_SET_ITEM(cut, i, slice);
        else
            Py_CLEAR(cut);
    }
    return cut;
}

static tutti_status encode_range(void *context, size_t begin, size_t end,
                                 tutti_bytes *out)
{
    struct tt_py_map *map = context;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *cut = slices(map->columns, begin, end);
    PyObject *args = cut ? Py_BuildValue("(Nn)", cut, (Py_ssize_t)begin) : NULL;
    tutti_status status = emit(map, call_wire(map, "dump_range", args), out);
    Py_XDECREF(args);
    PyGILState_Release(gil);
    return status;
}

/* Stores what tutti._wire.load made of a range's results: a list, or the
 * index and the exception of a task that failed. */
static int store(struct tt_py_map *map, size_t begin, size_t end,
                 PyObject *loaded, size_t *failed)
{
    if (PyList_CheckExact(loaded) &&
        PyList_GET_SIZE(loaded) == (Py_ssize_t)(end - begin)) {
        PyObject *key = PyLong_FromSize_t(begin);
        int bad = key ? PyDict_SetItem(map->parts, key, loaded) : -1;
        Py_XDECREF(key);
        return bad;
    }
    return take_pair(map, loaded, failed);
}

static tutti_status decode_range(void *context, size_t begin, size_t end,
                                 const void *data, size_t size, size_t *failed)
{
    struct tt_py_map *map = context;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *view = PyMemoryView_FromMemory((char *)(uintptr_t)data,
                                             (Py_ssize_t)size, PyBUF_READ);
    PyObject *args =
        view ? Py_BuildValue("(Nn)", view, (Py_ssize_t)begin) : NULL;
    PyObject *loaded = call_wire(map, "load_results", args);
    Py_XDECREF(args);
    if (!loaded || store(map, begin, end, loaded, failed) < 0) {
        tt_py_failure_take(map, (Py_ssize_t)begin);
        tutti_task_fail("the results of task %zu and behind cannot be read",
                        begin);
        *failed = begin;
    }
    Py_XDECREF(loaded);
    PyGILState_Release(gil);
    return TUTTI_OK;
}

static const char **command;

int tt_py_message_command(PyObject *list)
{
    Py_ssize_t n = PyList_GET_SIZE(list);
    if (command || !n)
        return 0;
    const char **made = calloc((size_t)n + 1, sizeof *made);
    for (Py_ssize_t i = 0; made && i < n; i++) {
        const char *text = PyBytes_AsString(PyList_GET_ITEM(list, i));
        made[i] = text ? strdup(text) : NULL;
        if (!text)
            return -1;
        if (!made[i]) {
            PyErr_NoMemory();
            return -1;
        }
    }
    command = made;
    return 0;
}

/* Without a command only the caller can run tasks. */
void tt_py_message_init(struct tt_py_map *map)
{
    map->message = (tutti_message){.command = command,
                                   .encode_job = encode_job,
                                   .encode_range = encode_range,
                                   .decode_range = decode_range};
    map->loop.message = command ? &map->message : NULL;
}
