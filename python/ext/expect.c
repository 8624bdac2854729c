/* Monte Carlo: tutti/_expect.py says what users see of it. */
#include "kernel.h"

#include <string.h>

#include <tutti/sys/expect.h>

/* What the functions here begin with: a box and what is wanted. */
struct wanted {
    Py_buffer box;
    size_t n;
    tutti_expect_options how;
};

/* "y*(KKdIi)": the box as doubles, (samples, seed, stderr, method, bits). */
static int take_wanted(PyObject *box, PyObject *how, struct wanted *w)
{
    unsigned long long samples, seed;
    int method;
    w->how = (tutti_expect_options)TUTTI_EXPECT_OPTIONS_INIT;
    if (!PyArg_ParseTuple(how, "KKdiI", &samples, &seed, &w->how.standard_error,
                          &method, &w->how.bits) ||
        PyObject_GetBuffer(box, &w->box, PyBUF_SIMPLE) < 0)
        return -1;
    w->how.samples = samples;
    w->how.seed = seed;
    w->how.method = (tutti_expect_method)method;
    w->n = (size_t)w->box.len / sizeof(double) / 2;
    return 0;
}

/* What was asked for and is wrong is a ValueError, in the words of C. */
static PyObject *raise(PyObject *module, tutti_status status)
{
    return tt_py_raise_status(PyModule_GetState(module), status);
}

static PyObject *make_result(const tutti_expectation *e)
{
    return Py_BuildValue("dddKdd", e->value, e->standard_error, e->variance,
                         (unsigned long long)e->samples, e->density,
                         e->density_error);
}

static tutti_kernel *kernel_of(PyObject *module, PyObject *object)
{
    struct tt_py_state *state = PyModule_GetState(module);
    if (Py_TYPE(object) == state->kernel)
        return ((struct tt_py_kernel *)object)->kernel;
    PyErr_SetString(PyExc_TypeError, "no kernel");
    return NULL;
}

/* A kernel, and a density's or None, are read into `w`. */
static tutti_kernel *take_kernels(PyObject *module, PyObject *f,
                                  PyObject *density, struct wanted *w)
{
    tutti_kernel *kernel = kernel_of(module, f);
    if (kernel && density != Py_None)
        w->how.density = kernel_of(module, density);
    return PyErr_Occurred() ? NULL : kernel;
}

/* (f, density or None, box, how, on, workers, bar) -> estimate */
PyObject *tt_py_expect(PyObject *module, PyObject *args)
{
    PyObject *f, *density, *box, *how, *on, *workers, *bar, *result = NULL;
    struct tt_py_wait wait;
    struct wanted w;
    tutti_expectation e;
    if (!PyArg_ParseTuple(args, "OOOOOOO", &f, &density, &box, &how, &on,
                          &workers, &bar) ||
        tt_py_wait_read(&wait, on, workers, bar) < 0 ||
        take_wanted(box, how, &w) < 0)
        return NULL;
    tutti_kernel *kernel = take_kernels(module, f, density, &w);
    if (kernel) {
        PyThreadState *thread = PyEval_SaveThread();
        tutti_status status =
            tutti_expect(&e, kernel, w.box.buf, w.n, &w.how, &wait.options);
        PyEval_RestoreThread(thread);
        if (tt_py_wait_end(&wait, PyModule_GetState(module), status) == 0)
            result = make_result(&e);
    }
    PyBuffer_Release(&w.box);
    return result;
}

/* Takes the bytes of a part. */
static int take_part(tutti_expect_part *out, PyObject *bytes)
{
    if (PyBytes_Check(bytes) && PyBytes_GET_SIZE(bytes) == sizeof *out) {
        memcpy(out, PyBytes_AS_STRING(bytes), sizeof *out);
        return 0;
    }
    PyErr_SetString(PyExc_TypeError, "no part of an estimate");
    return -1;
}

static PyObject *make_part(const tutti_expect_part *part)
{
    return PyBytes_FromStringAndSize((const char *)part, sizeof *part);
}

/* Calls the runner, a function of Python: (first, count, unit, log2) -> part */
static tutti_status call_runner(void *arg, tutti_expect_part *out,
                                const tutti_expect_round *round)
{
    PyObject *part =
        PyObject_CallFunction(arg, "KKKI", (unsigned long long)round->first,
                              (unsigned long long)round->count,
                              (unsigned long long)round->unit, round->log2);
    int bad = part ? take_part(out, part) : -1;
    Py_XDECREF(part);
    return bad ? TUTTI_ECANCEL : TUTTI_OK;
}

/* (runner, box, how, unit) -> estimate */
PyObject *tt_py_expect_by(PyObject *module, PyObject *args)
{
    PyObject *runner, *box, *how;
    Py_ssize_t unit;
    struct wanted w;
    tutti_expectation e;
    if (!PyArg_ParseTuple(args, "OOOn", &runner, &box, &how, &unit) ||
        take_wanted(box, how, &w) < 0)
        return NULL;
    tutti_status status = tutti_expect_by(&e, call_runner, runner, w.box.buf,
                                          w.n, &w.how, (size_t)unit);
    PyBuffer_Release(&w.box);
    if (PyErr_Occurred())
        return NULL;
    return status ? raise(module, status) : make_result(&e);
}

/* (f, density or None, box, how, first, count, unit, log2) -> part */
PyObject *tt_py_expect_piece(PyObject *module, PyObject *args)
{
    PyObject *f, *density, *box, *how;
    unsigned long long first, count, unit;
    struct wanted w;
    tutti_expect_round round = {0};
    tutti_expect_part part;
    if (!PyArg_ParseTuple(args, "OOOOKKKI", &f, &density, &box, &how, &first,
                          &count, &unit, &round.log2) ||
        take_wanted(box, how, &w) < 0)
        return NULL;
    round.first = first;
    round.count = count;
    round.unit = unit;
    tutti_status status = TUTTI_EARG;
    tutti_kernel *kernel = take_kernels(module, f, density, &w);
    if (kernel) {
        PyThreadState *thread = PyEval_SaveThread();
        status =
            tutti_expect_piece(&part, kernel, w.box.buf, w.n, &w.how, &round);
        PyEval_RestoreThread(thread);
        if (status)
            raise(module, status);
    }
    PyBuffer_Release(&w.box);
    return status ? NULL : make_part(&part);
}

/* Numbers of an array that was made for this: n x stride, or m. */
static double *numbers(struct tt_py_array *array, PyObject *object,
                       size_t least)
{
    if (tt_py_array_get(array, object, TT_PY_TYPE(TUTTI_F64), true,
                        "tutti.expect") < 0)
        return NULL;
    if (tt_py_array_contiguous(array) && array->size >= least)
        return (double *)array->data;
    PyErr_SetString(PyExc_ValueError, "an array that is too small");
    return NULL;
}

/* (x, stride, box, how, log2, first, count): x is n rows of `stride` */
PyObject *tt_py_expect_draw(PyObject *module, PyObject *args)
{
    PyObject *x, *box, *how;
    Py_ssize_t stride, count;
    unsigned long long first;
    unsigned log2;
    struct wanted w;
    struct tt_py_array array = {0};
    (void)module;
    if (!PyArg_ParseTuple(args, "OnOOIKn", &x, &stride, &box, &how, &log2,
                          &first, &count) ||
        take_wanted(box, how, &w) < 0)
        return NULL;
    double *to = numbers(&array, x, w.n * (size_t)stride);
    size_t group = TUTTI_EXPECT_GROUP;
    if (to && (count < 0 ||
               ((size_t)count + group - 1) / group * group > (size_t)stride))
        PyErr_SetString(PyExc_ValueError, "more points than room");
    else if (to)
        tutti_expect_draw(to, (size_t)stride, w.box.buf, w.n, &w.how, log2,
                          first, (size_t)count);
    tt_py_array_drop(&array);
    PyBuffer_Release(&w.box);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* (x, box, how, values, density or None, first) -> part; x is n rows */
PyObject *tt_py_expect_fold(PyObject *module, PyObject *args)
{
    PyObject *x, *box, *how, *values, *density;
    unsigned long long first;
    struct wanted w;
    struct tt_py_array points = {0}, f = {0}, weights = {0};
    double *p, *v, *d = NULL;
    tutti_expect_part part;
    tutti_status status = TUTTI_EARG;
    if (!PyArg_ParseTuple(args, "OOOOOK", &x, &box, &how, &values, &density,
                          &first) ||
        take_wanted(box, how, &w) < 0)
        return NULL;
    v = numbers(&f, values, 1);
    p = v ? numbers(&points, x, w.n * f.size) : NULL;
    if (p && density != Py_None)
        d = numbers(&weights, density, f.size);
    if (!PyErr_Occurred()) {
        status =
            tutti_expect_fold(&part, p, w.box.buf, w.n, v, d, first, f.size);
        if (status)
            raise(module, status);
    }
    tt_py_array_drop(&points);
    tt_py_array_drop(&f);
    tt_py_array_drop(&weights);
    PyBuffer_Release(&w.box);
    return status ? NULL : make_part(&part);
}

/* (parts, log2) -> part; parts is a list of one or more */
PyObject *tt_py_expect_join(PyObject *module, PyObject *args)
{
    PyObject *list, *result = NULL;
    unsigned log2;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!I", &PyList_Type, &list, &log2))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(list);
    tutti_expect_part *parts =
        PyMem_Malloc((size_t)(count + 1) * sizeof *parts);
    if (!parts)
        return PyErr_NoMemory();
    int bad = 0;
    for (Py_ssize_t i = 0; i < count && !bad; i++)
        bad = take_part(&parts[i], PyList_GET_ITEM(list, i));
    if (!bad && count) {
        tutti_expect_join(parts, (size_t)count, log2);
        result = make_part(parts);
    } else if (!bad) {
        PyErr_SetString(PyExc_ValueError, "no parts");
    }
    PyMem_Free(parts);
    return result;
}
