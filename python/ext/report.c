/* What happened: explanation, time line, trace. */
#include "face.h"

/* The text that `write` gives, whose length it tells beforehand. */
static PyObject *text_of(size_t (*write)(char *, size_t, unsigned),
                         unsigned columns)
{
    size_t size = write(NULL, 0, columns);
    char *text = PyMem_Malloc(size + 1);
    if (!text)
        return PyErr_NoMemory();
    text[0] = '\0';
    write(text, size + 1, columns);
    PyObject *result = PyUnicode_DecodeUTF8(text, (Py_ssize_t)size, "replace");
    PyMem_Free(text);
    return result;
}

static size_t explain(char *text, size_t size, unsigned columns)
{
    (void)columns;
    return tutti_explain(text, size);
}

PyObject *tt_py_explain(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return text_of(explain, 0);
}

PyObject *tt_py_timeline(PyObject *module, PyObject *columns)
{
    (void)module;
    long width = PyLong_AsLong(columns);
    if (width == -1 && PyErr_Occurred())
        return NULL;
    if (width < 40 || width > 500)
        return PyErr_Format(PyExc_ValueError,
                            "columns must be 40 to 500, got %ld", width);
    return text_of(tutti_trace_draw, (unsigned)width);
}

PyObject *tt_py_trace(PyObject *module, PyObject *path)
{
    struct tt_py_state *state = PyModule_GetState(module);
    PyObject *name;
    if (!PyUnicode_FSConverter(path, &name))
        return NULL;
    tutti_status status = tutti_trace_write(PyBytes_AS_STRING(name));
    Py_DECREF(name);
    if (status != TUTTI_OK)
        return tt_py_raise_status(state, status);
    Py_RETURN_NONE;
}

PyObject *tt_py_cpu_idle(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(tutti_cpu_idle());
}

PyObject *tt_py_cpu_count(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(tutti_cpu_count());
}
