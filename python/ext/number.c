/* Numbers of C and of Python. */
#include "kernel.h"

#include <string.h>

static int take_natural(tutti_type type, PyObject *object, void *out)
{
    PyObject *index = PyNumber_Index(object);
    uint64_t value = index ? PyLong_AsUnsignedLongLong(index) : 0;
    Py_XDECREF(index);
    if (PyErr_Occurred())
        return -1;
    uint32_t narrow = (uint32_t)value;
    if (type == TUTTI_U32 && narrow != value) {
        PyErr_SetNone(PyExc_OverflowError);
        return -1;
    }
    memcpy(out, type == TUTTI_U32 ? (void *)&narrow : (void *)&value,
           tutti_type_size(type));
    return 0;
}

static int take_whole(tutti_type type, PyObject *object, void *out)
{
    PyObject *index = PyNumber_Index(object);
    int64_t value = index ? PyLong_AsLongLong(index) : 0;
    Py_XDECREF(index);
    if (PyErr_Occurred())
        return -1;
    int32_t narrow = (int32_t)value;
    if (type == TUTTI_I32 && narrow != value) {
        PyErr_SetNone(PyExc_OverflowError);
        return -1;
    }
    memcpy(out, type == TUTTI_I32 ? (void *)&narrow : (void *)&value,
           tutti_type_size(type));
    return 0;
}

static int take_real(tutti_type type, PyObject *object, void *out)
{
    double value = PyFloat_AsDouble(object);
    float narrow = (float)value;
    if (PyErr_Occurred())
        return -1;
    memcpy(out, type == TUTTI_F32 ? (void *)&narrow : (void *)&value,
           tutti_type_size(type));
    return 0;
}

int tt_py_number_take(tutti_type type, PyObject *object, void *out,
                      const char *name)
{
    bool real = type == TUTTI_F64 || type == TUTTI_F32;
    bool natural = type == TUTTI_U64 || type == TUTTI_U32;
    if ((real      ? take_real(type, object, out)
         : natural ? take_natural(type, object, out)
                   : take_whole(type, object, out)) == 0)
        return 0;
    if (PyErr_ExceptionMatches(PyExc_OverflowError))
        PyErr_Format(PyExc_OverflowError, "%s: %R does not fit %s", name,
                     object, tutti_type_name(type));
    else if (PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "%s must be a number of type %s, got %s",
                     name, tutti_type_name(type), Py_TYPE(object)->tp_name);
    return -1;
}

PyObject *tt_py_number_make(tutti_type type, const void *value)
{
    union {
        double f64;
        float f32;
        int64_t i64;
        int32_t i32;
        uint64_t u64;
        uint32_t u32;
    } v;
    memcpy(&v, value, tutti_type_size(type));
    switch (type) {
    case TUTTI_F64:
        return PyFloat_FromDouble(v.f64);
    case TUTTI_F32:
        return PyFloat_FromDouble(v.f32);
    case TUTTI_I64:
        return PyLong_FromLongLong(v.i64);
    case TUTTI_I32:
        return PyLong_FromLong(v.i32);
    case TUTTI_U64:
        return PyLong_FromUnsignedLongLong(v.u64);
    case TUTTI_U32:
        return PyLong_FromUnsignedLong(v.u32);
    }
    PyErr_SetString(PyExc_SystemError, "no such type");
    return NULL;
}
