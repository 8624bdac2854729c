/* A guess at what an object takes on its way to a worker, in a microsecond:
 * large buffers by their bytes, containers by some of their elements. Nothing
 * of the user's is called. What was measured wins; see cost.c. */
#include "face.h"

#define BYTE 0.2e-9 /* seconds: a copy to a block */
#define TEXT 0.4e-9 /* a copy with the pickle, there and back */
#define NUMBER 20e-9
#define OBJECT 500e-9
#define ELEMENT 30e-9
#define SAMPLE 3
#define MOST 100 /* objects that are looked at */

/* `left`: how many more objects are looked at. */
static double weigh(PyObject *object, int *left);

/* n elements like those at the beginning, in the middle, at the end. */
static double weigh_many(PyObject *const *items, Py_ssize_t n, int *left)
{
    double sum = 0;
    Py_ssize_t count = n < SAMPLE ? n : SAMPLE;
    for (Py_ssize_t i = 0; i < count; i++)
        sum += weigh(items[i * (n - 1) / (SAMPLE - 1) % n], left);
    return n ? (double)n * (ELEMENT + sum / (double)count) : 0;
}

static double weigh_dict(PyObject *dict, int *left)
{
    PyObject *key, *value;
    Py_ssize_t at = 0, n = PyDict_GET_SIZE(dict), count = 0;
    double sum = 0;
    while (count < 2 * SAMPLE && PyDict_Next(dict, &at, &key, &value)) {
        sum += weigh(key, left) + weigh(value, left);
        count++;
    }
    return count ? (double)n * (2 * ELEMENT + sum / (double)count) : 0;
}

/* What a function brings that goes by value. */
static double weigh_globals(PyObject *function, int *left)
{
    PyObject *globals = PyFunction_GET_GLOBALS(function);
    PyObject *names =
        PyObject_GetAttrString(PyFunction_GET_CODE(function), "co_names");
    double sum = 0;
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        PyObject *value = PyDict_GetItemWithError(globals, name);
        if (value && !PyFunction_Check(value) && !PyModule_Check(value))
            sum += weigh(value, left);
    }
    Py_XDECREF(names);
    PyErr_Clear();
    return sum;
}

/* Whether it is not found by its name in a module. */
static bool by_value(PyObject *function)
{
    PyObject *module = PyFunction_GET_MODULE(function);
    PyObject *name = ((PyFunctionObject *)function)->func_qualname;
    if (module && PyUnicode_Check(module) &&
        PyUnicode_CompareWithASCIIString(module, "__main__") == 0)
        return true;
    return PyUnicode_FindChar(name, '<', 0, PyUnicode_GET_LENGTH(name), 1) >= 0;
}

static double weigh_function(PyObject *function, int *left)
{
    PyObject *cells = PyFunction_GET_CLOSURE(function);
    PyObject *defaults = PyFunction_GET_DEFAULTS(function);
    double sum = OBJECT;
    if (!by_value(function))
        return sum;
    for (Py_ssize_t i = 0; cells && i < PyTuple_GET_SIZE(cells); i++) {
        PyObject *value = PyCell_GET(PyTuple_GET_ITEM(cells, i));
        sum += value ? weigh(value, left) : 0;
    }
    if (defaults && PyTuple_Check(defaults))
        sum += weigh(defaults, left);
    return sum + weigh_globals(function, left);
}

static double weigh_buffer(PyObject *object)
{
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_FULL_RO) < 0) {
        PyErr_Clear();
        return OBJECT;
    }
    double size = (double)view.len;
    PyBuffer_Release(&view);
    return OBJECT + BYTE * size;
}

static double weigh_attributes(PyObject *object, int *left)
{
    PyObject *dict = Py_TYPE(object)->tp_dictoffset
                         ? PyObject_GenericGetDict(object, NULL)
                         : NULL;
    double sum = dict ? weigh_dict(dict, left) : 0;
    Py_XDECREF(dict);
    PyErr_Clear();
    return OBJECT + sum;
}

static double weigh(PyObject *object, int *left)
{
    if (PyLong_CheckExact(object) || PyFloat_CheckExact(object) ||
        object == Py_None || PyBool_Check(object))
        return NUMBER;
    if (PyUnicode_CheckExact(object))
        return NUMBER + TEXT * (double)PyUnicode_GET_LENGTH(object);
    if (PyType_Check(object) || PyModule_Check(object))
        return OBJECT;
    if (--*left < 0)
        return OBJECT;
    if (PyList_CheckExact(object) || PyTuple_CheckExact(object))
        return weigh_many(PySequence_Fast_ITEMS(object),
                          PySequence_Fast_GET_SIZE(object), left);
    if (PyDict_CheckExact(object))
        return weigh_dict(object, left);
    if (PyAnySet_CheckExact(object))
        return (double)PySet_GET_SIZE(object) * (ELEMENT + NUMBER);
    if (PyFunction_Check(object))
        return weigh_function(object, left);
    if (PyMethod_Check(object))
        return OBJECT + weigh(PyMethod_GET_SELF(object), left);
    if (PyObject_CheckBuffer(object))
        return weigh_buffer(object);
    return weigh_attributes(object, left);
}

double tt_py_weigh(PyObject *object)
{
    int left = MOST;
    return weigh(object, &left);
}

/* tutti._tutti.weigh(object): seconds, for tests. */
PyObject *tt_py_weighed(PyObject *module, PyObject *object)
{
    (void)module;
    return PyFloat_FromDouble(tt_py_weigh(object));
}

double tt_py_weigh_blocks(const tutti_parcel *parcel)
{
    double sum = 0;
    for (size_t i = 0; i < parcel->count; i++)
        sum += BYTE * (double)tutti_block_size(parcel->blocks[i]);
    return sum;
}

/* One item of a list, beyond what a number takes. The same in every task
 * travels once. */
static double weigh_items(PyObject *const *items, Py_ssize_t n)
{
    bool one = items[0] == items[n / 2] && items[0] == items[n - 1];
    int left = MOST;
    double sum = weigh_many(items, n, &left) / (double)n - ELEMENT - NUMBER;
    return sum < 0 ? 0 : one ? sum / (double)n : sum;
}

/* A column's share of a task. */
static double weigh_column(PyObject *column)
{
    if (PyRange_Check(column))
        return 0;
    Py_ssize_t n = PyObject_Size(column);
    if (n < 1) {
        PyErr_Clear();
        return 0;
    }
    if (PyList_CheckExact(column) || PyTuple_CheckExact(column))
        return weigh_items(PySequence_Fast_ITEMS(column), n);
    return PyObject_CheckBuffer(column) ? weigh_buffer(column) / (double)n
                                        : OBJECT;
}

double tt_py_weigh_items(PyObject *columns)
{
    double sum = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(columns); i++)
        sum += weigh_column(PyTuple_GET_ITEM(columns, i));
    return sum;
}
