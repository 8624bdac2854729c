/* Lists whose elements are all whole numbers of 64 bits, all floats, or all
 * None, True or False travel as raw values: a tenth of what pickle takes. The
 * first byte says which; seven more keep the values aligned. A pickle of
 * protocol 5 begins with another byte. */
#include "face.h"

#include <string.h>

#define HEAD 8

enum { INTS = 'i', FLOATS = 'f', SINGLES = 'n' };

/* What a list could be packed as, by its first element; 0: not at all. */
static char form_of(PyObject *first)
{
    if (PyLong_CheckExact(first))
        return INTS;
    if (PyFloat_CheckExact(first))
        return FLOATS;
    if (first == Py_None || PyBool_Check(first))
        return SINGLES;
    return 0;
}

/* The value of an exact int of one digit, which most are. */
static inline bool read_short(PyObject *object, int64_t *out)
{
    PyLongObject *whole = (PyLongObject *)object;
#if PY_VERSION_HEX >= 0x030c0000
    if (!PyUnstable_Long_IsCompact(whole))
        return false;
    *out = PyUnstable_Long_CompactValue(whole);
#else
    Py_ssize_t size = Py_SIZE(whole);
    if (size < -1 || size > 1)
        return false;
    *out = size * (int64_t)whole->ob_digit[0];
#endif
    return true;
}

/* Each writes n values; false at the first that does not fit the form. */
static bool write_ints(char *out, PyObject *const *items, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        int overflow = 0;
        int64_t value;
        if (!PyLong_CheckExact(items[i]))
            return false;
        if (!read_short(items[i], &value))
            value = PyLong_AsLongLongAndOverflow(items[i], &overflow);
        if (overflow)
            return false;
        memcpy(out + 8 * i, &value, 8);
    }
    return true;
}

static bool write_floats(char *out, PyObject *const *items, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!PyFloat_CheckExact(items[i]))
            return false;
        memcpy(out + 8 * i, &((PyFloatObject *)items[i])->ob_fval, 8);
    }
    return true;
}

static bool write_singles(char *out, PyObject *const *items, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        if (items[i] != Py_None && !PyBool_Check(items[i]))
            return false;
        out[i] = (char)((items[i] != Py_None) + (items[i] == Py_True));
    }
    return true;
}

static bool write_values(char *out, char form, PyObject *const *items,
                         Py_ssize_t n)
{
    switch (form) {
    case INTS:
        return write_ints(out, items, n);
    case FLOATS:
        return write_floats(out, items, n);
    default:
        return write_singles(out, items, n);
    }
}

/* tutti._tutti.pack(list, begin, end): bytes of its elements [begin, end), or
 * None when they are not all of one kind. */
PyObject *tt_py_pack(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    if (n != 3 || !(PyList_CheckExact(args[0]) || PyTuple_CheckExact(args[0])))
        return PyErr_Format(PyExc_TypeError, "expected list, begin, end");
    Py_ssize_t begin = PyLong_AsSsize_t(args[1]);
    Py_ssize_t end = PyLong_AsSsize_t(args[2]);
    if (PyErr_Occurred())
        return NULL;
    Py_ssize_t most = PySequence_Fast_GET_SIZE(args[0]);
    if (begin < 0 || begin >= end || end > most)
        Py_RETURN_NONE;
    PyObject **items = PySequence_Fast_ITEMS(args[0]) + begin;
    char form = form_of(items[0]);
    if (!form)
        Py_RETURN_NONE;
    Py_ssize_t each = form == SINGLES ? 1 : 8;
    PyObject *packed =
        PyBytes_FromStringAndSize(NULL, HEAD + each * (end - begin));
    if (!packed)
        return NULL;
    char *out = PyBytes_AS_STRING(packed);
    memset(out, 0, HEAD);
    out[0] = form;
    if (write_values(out + HEAD, form, items, end - begin))
        return packed;
    Py_DECREF(packed);
    Py_RETURN_NONE;
}

static PyObject *value_at(char form, const char *at)
{
    int64_t whole;
    double real;
    switch (form) {
    case INTS:
        memcpy(&whole, at, 8);
        return PyLong_FromLongLong(whole);
    case FLOATS:
        memcpy(&real, at, 8);
        return PyFloat_FromDouble(real);
    default:
        return Py_NewRef(!*at ? Py_None : *at == 1 ? Py_False : Py_True);
    }
}

/* Where packed values are; false with an exception when they are none. */
static bool unpacked(const Py_buffer *view, char *form, size_t *each)
{
    *form = view->len >= HEAD ? *(const char *)view->buf : 0;
    *each = *form == SINGLES ? 1 : 8;
    if ((*form == INTS || *form == FLOATS || *form == SINGLES) &&
        (size_t)(view->len - HEAD) % *each == 0)
        return true;
    PyErr_SetString(PyExc_ValueError, "these bytes are no packed list");
    return false;
}

/* tutti._tutti.unpack(buffer): the list again. */
PyObject *tt_py_unpack(PyObject *module, PyObject *buffer)
{
    Py_buffer view;
    char form;
    size_t each;
    PyObject *list = NULL;
    (void)module;
    if (PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    if (!unpacked(&view, &form, &each))
        goto release;
    Py_ssize_t n = (view.len - HEAD) / (Py_ssize_t)each;
    list = PyList_New(n);
    const char *at = (const char *)view.buf + HEAD;
    for (Py_ssize_t i = 0; list && i < n; i++, at += each) {
        PyObject *value = value_at(form, at);
        if (value)
            PyList_SET_ITEM(list, i, value);
        else
            Py_CLEAR(list);
    }
release:
    PyBuffer_Release(&view);
    return list;
}

/* tutti._tutti.Packed(buffer): an iterator that makes the values one by one, so
 * that a worker's items stay in its cache. */
struct packed {
    PyObject_HEAD Py_buffer view;
    const char *at, *end;
    char form;
};

static PyObject *packed_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    PyObject *buffer;
    size_t each;
    (void)names;
    if (!PyArg_ParseTuple(args, "O", &buffer))
        return NULL;
    struct packed *packed = (struct packed *)type->tp_alloc(type, 0);
    if (!packed)
        return NULL;
    if (PyObject_GetBuffer(buffer, &packed->view, PyBUF_SIMPLE) < 0 ||
        !unpacked(&packed->view, &packed->form, &each)) {
        Py_DECREF(packed);
        return NULL;
    }
    packed->at = (const char *)packed->view.buf + HEAD;
    packed->end = (const char *)packed->view.buf + packed->view.len;
    return (PyObject *)packed;
}

static PyObject *packed_next(struct packed *packed)
{
    if (packed->at >= packed->end)
        return NULL;
    PyObject *value = value_at(packed->form, packed->at);
    packed->at += packed->form == SINGLES ? 1 : 8;
    return value;
}

static void packed_close(struct packed *packed)
{
    packed->at = packed->end = NULL;
    PyBuffer_Release(&packed->view);
}

void tt_py_packed_close(PyObject *columns)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(columns); i++) {
        PyObject *column = PyTuple_GET_ITEM(columns, i);
        if (Py_TYPE(column)->tp_iternext == (iternextfunc)packed_next)
            packed_close((struct packed *)column);
    }
}

static void packed_dealloc(struct packed *packed)
{
    PyTypeObject *type = Py_TYPE(packed);
    PyBuffer_Release(&packed->view);
    type->tp_free(packed);
    Py_DECREF(type);
}

static PyType_Slot packed_slots[] = {
    {Py_tp_new, packed_new},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, packed_next},
    {Py_tp_dealloc, packed_dealloc},
    {0, NULL},
};

PyType_Spec tt_py_packed_spec = {
    .name = "tutti._tutti.Packed",
    .basicsize = sizeof(struct packed),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = packed_slots,
};
