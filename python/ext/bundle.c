/* Values as bytes, and large buffers as blocks, by the shortest way: plain
 * pickle, straight from C; what it cannot take is left to Python. */
#include "queue.h"

#include <string.h>

#define PROTOCOL 5
#define LARGE 65536 /* bytes of a buffer that goes beside */

/* The large buffers of the value that this thread pickles, or NULL. */
static _Thread_local PyObject *large;

/* pickle's buffer_callback: a true result leaves the buffer in the bytes. */
static PyObject *set_aside(PyObject *self, PyObject *buffer)
{
    (void)self;
    PyObject *raw = PyObject_CallMethod(buffer, "raw", NULL), *result = NULL;
    if (!raw)
        return NULL;
    if (PyMemoryView_GET_BUFFER(raw)->len < LARGE)
        result = Py_NewRef(Py_True);
    else if (large || (large = PyList_New(0)))
        result = PyList_Append(large, raw) < 0 ? NULL : Py_NewRef(Py_None);
    Py_DECREF(raw);
    return result;
}

int tt_py_bundle_init(struct tt_py_state *state)
{
    static PyMethodDef method = {"set_aside", set_aside, METH_O, NULL};
    if (state->dumps)
        return 0;
    PyObject *module = PyImport_ImportModule("_pickle");
    if (!module)
        return -1;
    state->loads = PyObject_GetAttrString(module, "loads");
    state->refused = PyObject_GetAttrString(module, "PicklingError");
    state->protocol = PyLong_FromLong(PROTOCOL);
    state->aside = PyCFunction_New(&method, NULL);
    state->dumps_names = Py_BuildValue("(s)", "buffer_callback");
    state->loads_names = Py_BuildValue("(s)", "buffers");
    state->dumps = PyObject_GetAttrString(module, "dumps"); /* the last */
    Py_DECREF(module);
    return PyErr_Occurred() ? -1 : 0;
}

static bool is_bulk(PyObject *value)
{
    return (PyBytes_CheckExact(value) && PyBytes_GET_SIZE(value) >= LARGE) ||
           (PyByteArray_CheckExact(value) &&
            PyByteArray_GET_SIZE(value) >= LARGE);
}

PyObject *tt_py_bundle_bulk(struct tt_py_state *state, PyObject *value)
{
    if (!is_bulk(value))
        return Py_NewRef(value);
    PyObject *wire = tt_py_wire(state);
    return wire ? PyObject_CallMethod(wire, "Bulk", "O", value) : NULL;
}

PyObject *tt_py_bundle_bulks(struct tt_py_state *state, PyObject *args)
{
    Py_ssize_t n = PyTuple_GET_SIZE(args), i = 0;
    while (i < n && !is_bulk(PyTuple_GET_ITEM(args, i)))
        i++;
    if (i == n)
        return Py_NewRef(args);
    PyObject *all = PyTuple_New(n);
    for (i = 0; all && i < n; i++) {
        PyObject *one = tt_py_bundle_bulk(state, PyTuple_GET_ITEM(args, i));
        if (one)
            PyTuple_SET_ITEM(all, i, one);
        else
            Py_CLEAR(all);
    }
    return all;
}

static int put(struct tt_py_bundle *out, PyObject *bytes, PyObject *buffers)
{
    PyObject *made = PyTuple_Pack(1, buffers);
    tutti_status status = made ? tt_py_put(made, &out->aside) : TUTTI_EMEM;
    Py_XDECREF(made);
    if (status) {
        tutti_bytes_clear(&out->aside);
        return -1;
    }
    out->bytes = Py_NewRef(bytes);
    return 0;
}

int tt_py_bundle_take(struct tt_py_bundle *out, PyObject *value, PyObject *how)
{
    PyObject *pair = PyObject_CallFunctionObjArgs(how, value, NULL);
    PyObject *bytes, *buffers;
    int bad = -1;
    if (pair && PyArg_ParseTuple(pair, "SO!", &bytes, &PyList_Type, &buffers))
        bad = put(out, bytes, buffers);
    Py_XDECREF(pair);
    return bad;
}

/* Whether an exception of plain pickle means that `how` may do better. */
static bool try_again(struct tt_py_state *state)
{
    return (PyErr_ExceptionMatches(state->refused) ||
            PyErr_ExceptionMatches(PyExc_AttributeError) ||
            PyErr_ExceptionMatches(PyExc_TypeError) ||
            PyErr_ExceptionMatches(PyExc_RuntimeError)) &&
           !tt_py_struck(state);
}

int tt_py_bundle_dump(struct tt_py_bundle *out, struct tt_py_state *state,
                      PyObject *value, PyObject *how)
{
    PyObject *args[] = {value, state->protocol, state->aside};
    PyObject *outer = large, *buffers;
    large = NULL;
    PyObject *bytes =
        PyObject_Vectorcall(state->dumps, args, 2, state->dumps_names);
    buffers = large;
    large = outer;
    int bad = -1;
    bool plain =
        bytes && !memmem(PyBytes_AS_STRING(bytes),
                         (size_t)PyBytes_GET_SIZE(bytes), "__main__", 8);
    if (plain && !buffers) {
        out->bytes = bytes;
        return 0;
    }
    if (plain) {
        bad = put(out, bytes, buffers);
    } else if (bytes || try_again(state)) {
        PyErr_Clear();
        bad = tt_py_bundle_take(out, value, how);
    }
    Py_XDECREF(bytes);
    Py_XDECREF(buffers);
    return bad;
}

PyObject *tt_py_bundle_load(struct tt_py_state *state,
                            const tutti_parcel *piece)
{
    PyObject *view = tt_py_view(piece), *blocks = NULL, *value = NULL;
    if (view && piece->count)
        blocks = tt_py_blocks(piece);
    if (view && (blocks || !piece->count)) {
        PyObject *args[] = {view, blocks};
        value = PyObject_Vectorcall(state->loads, args, 1,
                                    blocks ? state->loads_names : NULL);
    }
    Py_XDECREF(blocks);
    Py_XDECREF(view);
    return value;
}

void tt_py_bundle_drop(struct tt_py_bundle *bundle)
{
    Py_XDECREF(bundle->bytes);
    tutti_bytes_clear(&bundle->aside);
}
