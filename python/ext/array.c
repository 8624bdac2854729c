#include "array.h"

#include <stdio.h>
#include <string.h>

static const tutti_type all_types[] = {TUTTI_F64, TUTTI_F32, TUTTI_I64,
                                       TUTTI_I32, TUTTI_U64, TUTTI_U32};
#define TYPES (sizeof all_types / sizeof *all_types)

/* By the code of module struct, without the order before it. The sizes of
 * codes depend on that order, so the size decides. */
static unsigned type_of(const char *format, Py_ssize_t size)
{
    if (strlen(format) != 1)
        return 0;
    if (strchr("df", *format))
        return size == 8 ? TUTTI_F64 : size == 4 ? TUTTI_F32 : 0;
    if (strchr("ilqn", *format))
        return size == 8 ? TUTTI_I64 : size == 4 ? TUTTI_I32 : 0;
    if (strchr("ILQN", *format))
        return size == 8 ? TUTTI_U64 : size == 4 ? TUTTI_U32 : 0;
    return 0;
}

/* As NumPy calls what is not accepted; else its code. */
static const char *name_of(const char *format, Py_ssize_t size)
{
    static const struct {
        const char *format;
        Py_ssize_t size;
        const char *name;
    } names[] = {
        {"?", 1, "bool"},         {"b", 1, "int8"},
        {"B", 1, "uint8"},        {"h", 2, "int16"},
        {"H", 2, "uint16"},       {"e", 2, "float16"},
        {"g", 16, "longdouble"},  {"Zf", 8, "complex64"},
        {"Zd", 16, "complex128"}, {"O", 8, "object"},
    };
    unsigned type = type_of(format, size);
    if (type)
        return tutti_type_name((tutti_type)type);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(format, names[i].format) && size == names[i].size)
            return names[i].name;
    return format;
}

/* "float64, float32 or int64" */
static const char *list(char *text, size_t room, unsigned types)
{
    size_t at = 0;
    *text = '\0';
    for (size_t i = 0; i < TYPES && at < room; i++) {
        if (!(types & TT_PY_TYPE(all_types[i])))
            continue;
        types &= ~TT_PY_TYPE(all_types[i]);
        int n = snprintf(text + at, room - at, "%s%s",
                         at == 0 ? ""
                         : types ? ", "
                                 : " or ",
                         tutti_type_name(all_types[i]));
        at += n > 0 ? (size_t)n : 0;
    }
    return text;
}

/* Why the buffer could not be had. */
static void refuse_object(PyObject *object, unsigned types, bool writable,
                          const char *name)
{
    char text[120];
    PyObject *error = PyErr_GetRaisedException();
    Py_buffer view;
    if (!PyObject_CheckBuffer(object)) {
        PyErr_Format(PyExc_TypeError,
                     "%s must be an array of %s, got %.200s: make one by "
                     "numpy.asarray()",
                     name, list(text, sizeof text, types),
                     Py_TYPE(object)->tp_name);
    } else if (writable &&
               PyObject_GetBuffer(object, &view, PyBUF_RECORDS_RO) == 0) {
        PyBuffer_Release(&view);
        PyErr_Format(PyExc_ValueError,
                     "%s is read-only: give an array that can be written to",
                     name);
    } else {
        PyErr_Format(PyExc_TypeError,
                     "%s must be an array of %s, got %.200s whose memory "
                     "cannot be read as that: %S",
                     name, list(text, sizeof text, types),
                     Py_TYPE(object)->tp_name, error);
    }
    Py_XDECREF(error);
}

static void refuse_elements(const char *format, Py_ssize_t size, unsigned types,
                            const char *name)
{
    char text[120];
    bool other = *format == '>' || *format == '!';
    format += other;
    if (other && type_of(format, size))
        PyErr_Format(PyExc_TypeError,
                     "%s has %s in the byte order of another machine: copy it "
                     "by .astype(\"%s\")",
                     name, name_of(format, size), name_of(format, size));
    else
        PyErr_Format(PyExc_TypeError,
                     "%s must be an array of %s, got elements of %.200s (%zd "
                     "bytes)",
                     name, list(text, sizeof text, types),
                     name_of(format, size), size);
}

/* Whether it is one of numpy.ma: its buffer says nothing of the mask. */
static bool masked(PyObject *object)
{
    const PyTypeObject *type = Py_TYPE(object);
    while (type && strcmp(type->tp_name, "MaskedArray") != 0)
        type = type->tp_base;
    return type;
}

int tt_py_array_get(struct tt_py_array *array, PyObject *object, unsigned types,
                    bool writable, const char *name)
{
    Py_buffer *view = &array->view;
    if (masked(object)) {
        PyErr_Format(PyExc_TypeError,
                     "%s is a masked array, whose mask would be lost: give its "
                     ".filled(value), .compressed() or .data",
                     name);
        memset(view, 0, sizeof *view);
        return -1;
    }
    if (PyObject_GetBuffer(object, view,
                           writable ? PyBUF_RECORDS : PyBUF_RECORDS_RO) < 0) {
        refuse_object(object, types, writable, name);
        memset(view, 0, sizeof *view);
        return -1;
    }
    const char *format = view->format ? view->format : "B";
    const char *code = format + strspn(format, "@=<^|");
    unsigned type = type_of(code, view->itemsize);
    if (!type || !(types & TT_PY_TYPE(type))) {
        refuse_elements(code, view->itemsize, types, name);
        PyBuffer_Release(view);
        return -1;
    }
    array->data = view->buf;
    array->type = (tutti_type)type;
    array->ndim = view->ndim;
    array->shape = view->shape;
    array->strides = view->strides;
    array->size = (size_t)(view->len / view->itemsize);
    if (!view->strides && view->ndim > 0) { /* ctypes */
        PyBuffer_FillContiguousStrides(view->ndim, view->shape, array->made,
                                       (int)view->itemsize, 'C');
        array->strides = array->made;
    }
    return 0;
}

void tt_py_array_drop(struct tt_py_array *array)
{
    PyBuffer_Release(&array->view);
}

bool tt_py_array_contiguous(const struct tt_py_array *array)
{
    return PyBuffer_IsContiguous(&array->view, 'C');
}
