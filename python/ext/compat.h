/* What CPython 3.9 lacks of the API that the extension uses. */
#ifndef TT_PY_COMPAT_H
#define TT_PY_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

#if PY_VERSION_HEX < 0x030a0000
static inline PyObject *Py_NewRef(PyObject *object)
{
    Py_INCREF(object);
    return object;
}

static inline PyObject *Py_XNewRef(PyObject *object)
{
    Py_XINCREF(object);
    return object;
}

/* Whether what module gc's function `name` returns is true. An exception that
 * is raised stays. */
static inline int tt_py_gc(const char *name)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *done = gc ? PyObject_CallMethod(gc, name, NULL) : NULL;
    int yes = done == Py_True;
    Py_XDECREF(done);
    Py_XDECREF(gc);
    PyErr_Restore(type, value, trace);
    return yes;
}

static inline int PyGC_Disable(void)
{
    int was = tt_py_gc("isenabled");
    tt_py_gc("disable");
    return was;
}

static inline int PyGC_Enable(void)
{
    return tt_py_gc("enable");
}
#endif

/* Whether a weak reference is to `object`, which lives. */
static inline bool tt_py_refers(PyObject *weak, PyObject *object)
{
#if PY_VERSION_HEX >= 0x030d0000
    PyObject *referred = NULL;
    PyWeakref_GetRef(weak, &referred);
    Py_XDECREF(referred);
    return referred == object;
#else
    return PyWeakref_GetObject(weak) == object;
#endif
}

#if PY_VERSION_HEX < 0x030c0000
/* The exception being raised, normalised and with its traceback. */
static inline PyObject *PyErr_GetRaisedException(void)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace)
        PyException_SetTraceback(value, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
}

static inline void PyErr_SetRaisedException(PyObject *error)
{
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(error)), error,
                  PyException_GetTraceback(error));
}
#endif

#endif
