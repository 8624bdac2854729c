/* Bytes and buffers between Python and the wire. */
#include "face.h"

static tutti_status put_bytes(PyObject *object, tutti_bytes *out)
{
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0)
        return TUTTI_EPLACE;
    tutti_status status = tutti_bytes_append(out, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    if (status)
        PyErr_SetString(PyExc_MemoryError, tutti_detail());
    return status;
}

tutti_status tt_py_put(PyObject *made, tutti_bytes *out)
{
    if (!PyTuple_Check(made))
        return put_bytes(made, out);
    tutti_status status = TUTTI_OK;
    for (Py_ssize_t i = 0; !status && i < PyTuple_GET_SIZE(made); i++) {
        PyObject *part = PyTuple_GET_ITEM(made, i);
        if (!PyList_CheckExact(part))
            status = put_bytes(part, out);
    }
    return status;
}

PyObject *tt_py_blocks(const tutti_parcel *parcel)
{
    (void)parcel;
    return PyTuple_New(0);
}

PyObject *tt_py_view(const tutti_parcel *parcel)
{
    return PyMemoryView_FromMemory((char *)(uintptr_t)parcel->data,
                                   (Py_ssize_t)parcel->size, PyBUF_READ);
}
