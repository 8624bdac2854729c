/* tutti.linalg's calls. Arrays come as buffers; tutti/linalg.py makes results
 * and takes what does not lie as a matrix. */
#include "kernel.h"

#define TYPES (TT_PY_FLOATS | TT_PY_SIGNED)

/* Elements from which the interpreter's lock is given up: about 10 us. */
#define LONG 32768

/* The strides of three operands are looked at together. */
#define OPERANDS 3
#define AXES PyBUF_MAX_NDIM

/* One call: what it was given, and how it is run. */
struct call {
    const char *name;
    struct tt_py_array array[OPERANDS];
    int arrays; /* that were read */
    tutti_options options;
};

/* The arrays are large: what they hold before they are read is left as it is.
 */
static void begin(struct call *call, const char *name)
{
    call->name = name;
    call->arrays = 0;
    call->options = (tutti_options)TUTTI_OPTIONS_INIT;
}

static void drop(struct call *call)
{
    while (call->arrays > 0)
        tt_py_array_drop(&call->array[--call->arrays]);
    tutti_place_close(call->options.place);
}

static const char *type_name(const struct tt_py_array *array)
{
    return tutti_type_name(array->type);
}

/* Reads the next operand, which is of the type of those before. */
static int read_array(struct call *call, PyObject *object, bool written,
                      const char *name)
{
    char text[80];
    struct tt_py_array *array = &call->array[call->arrays];
    snprintf(text, sizeof text, "%s: %s", call->name, name);
    if (tt_py_array_get(array, object, TYPES, written, text) < 0)
        return -1;
    call->arrays++;
    if (array->type == call->array[0].type)
        return 0;
    PyErr_Format(PyExc_TypeError,
                 "%s has %s, another array has %s: give all the same type, by "
                 ".astype()",
                 text, type_name(array), type_name(&call->array[0]));
    return -1;
}

/* The shape as Python writes it. */
static PyObject *shape_of(const struct tt_py_array *array)
{
    PyObject *shape = PyTuple_New(array->ndim);
    for (int i = 0; shape && i < array->ndim; i++) {
        PyObject *n = PyLong_FromSsize_t(array->shape[i]);
        if (!n)
            Py_CLEAR(shape);
        else
            PyTuple_SET_ITEM(shape, i, n);
    }
    return shape;
}

/* Raises that two shapes do not fit: "NAME: a has shape (2, 3), x has shape
 * (4,): WANTED". */
static int refuse_shapes(const struct call *call, int one, const char *one_name,
                         int other, const char *other_name, const char *wanted)
{
    PyObject *a = shape_of(&call->array[one]);
    PyObject *b = a ? shape_of(&call->array[other]) : NULL;
    if (b)
        PyErr_Format(PyExc_ValueError,
                     "%s: %s has shape %S, %s has shape %S: %s", call->name,
                     one_name, a, other_name, b, wanted);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return -1;
}

static int check_ndim(const struct call *call, int index, const char *name,
                      int ndim)
{
    if (call->array[index].ndim == ndim)
        return 0;
    PyObject *shape = shape_of(&call->array[index]);
    if (shape)
        PyErr_Format(PyExc_ValueError,
                     "%s: %s has shape %S, %d dimension%s expected", call->name,
                     name, shape, ndim, ndim == 1 ? "" : "s");
    Py_XDECREF(shape);
    return -1;
}

static tutti_array vector_of(const struct tt_py_array *array)
{
    return (tutti_array){array->data, array->strides[0]};
}

static tutti_matrix matrix_of(const struct tt_py_array *array)
{
    return (tutti_matrix){array->data, (size_t)array->shape[0],
                          (size_t)array->shape[1], array->strides[0],
                          array->strides[1]};
}

/* Before and after the call of the library. */
static PyThreadState *enter(struct call *call, size_t elements)
{
    if (elements < LONG)
        return NULL;
    call->options.progress = tt_py_look;
    return PyEval_SaveThread();
}

static int leave(PyObject *module, PyThreadState *thread, tutti_status status)
{
    if (thread)
        PyEval_RestoreThread(thread);
    if (PyErr_Occurred()) /* a signal's */
        return -1;
    if (status)
        tt_py_raise_status(PyModule_GetState(module), status);
    return status ? -1 : 0;
}

/* Axes that all operands share: what is left of them when those that lie one
 * in the other are one. */
struct axes {
    int n;
    size_t count[AXES];
    ptrdiff_t stride[OPERANDS][AXES];
};

static size_t magnitude(ptrdiff_t stride)
{
    return stride < 0 ? -(size_t)stride : (size_t)stride;
}

static void swap(struct axes *axes, int operands, int i)
{
    size_t count = axes->count[i];
    axes->count[i] = axes->count[i + 1];
    axes->count[i + 1] = count;
    for (int k = 0; k < operands; k++) {
        ptrdiff_t stride = axes->stride[k][i];
        axes->stride[k][i] = axes->stride[k][i + 1];
        axes->stride[k][i + 1] = stride;
    }
}

/* The first operand's larger strides first; equal ones stay in order. */
static void sort(struct axes *axes, int operands)
{
    for (int i = 1; i < axes->n; i++)
        for (int j = i - 1; j >= 0 && magnitude(axes->stride[0][j]) <
                                          magnitude(axes->stride[0][j + 1]);
             j--)
            swap(axes, operands, j);
}

static bool nested(const struct axes *axes, int operands, int i)
{
    for (int k = 0; k < operands; k++)
        if (axes->stride[k][i] !=
            axes->stride[k][i + 1] * (ptrdiff_t)axes->count[i + 1])
            return false;
    return true;
}

static void merge(struct axes *axes, int operands)
{
    for (int i = axes->n - 2; i >= 0; i--) {
        if (!nested(axes, operands, i))
            continue;
        size_t count = axes->count[i] * axes->count[i + 1];
        swap(axes, operands, i);
        axes->count[i] = count;
        axes->n--;
        for (int j = i + 1; j < axes->n; j++)
            swap(axes, operands, j);
    }
}

/* Lays operands out as matrices over the axes of the first, which they are
 * broadcast to. False: they are none. */
static bool lay_out(const struct call *call, tutti_matrix *out)
{
    struct axes axes;
    const struct tt_py_array *first = &call->array[0];
    int operands = call->arrays;
    axes.n = 0;
    for (int i = 0; i < first->ndim; i++) {
        if (first->shape[i] == 1)
            continue;
        for (int k = 0; k < operands; k++) {
            const struct tt_py_array *array = &call->array[k];
            int axis = i - first->ndim + array->ndim;
            axes.stride[k][axes.n] =
                axis < 0 || array->shape[axis] == 1 ? 0 : array->strides[axis];
        }
        axes.count[axes.n++] = (size_t)first->shape[i];
    }
    sort(&axes, operands);
    merge(&axes, operands);
    if (axes.n > 2)
        return false;
    int row = axes.n == 2 ? 0 : -1, column = axes.n - 1;
    for (int k = 0; k < operands; k++)
        out[k] =
            (tutti_matrix){call->array[k].data, row < 0 ? 1 : axes.count[row],
                           column < 0 ? 1 : axes.count[column],
                           row < 0 ? 0 : axes.stride[k][row],
                           column < 0 ? 0 : axes.stride[k][column]};
    return true;
}

static bool count_is(const char *name, Py_ssize_t n, Py_ssize_t wanted)
{
    if (n == wanted)
        return true;
    PyErr_Format(PyExc_TypeError, "%s: %zd arguments expected, got %zd", name,
                 wanted, n);
    return false;
}

/* total(x, on, workers): a number, or None if x does not lie as a matrix. */
PyObject *tt_py_total(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct call call;
    begin(&call, "tutti.linalg.sum");
    PyObject *sum = NULL;
    tutti_matrix x;
    int64_t value; /* or a float */
    if (!count_is(call.name, n, 3) ||
        tt_py_how_read(&call.options, call.name, args[1], args[2]) < 0 ||
        read_array(&call, args[0], false, "x") < 0)
        goto done;
    tutti_type type = call.array[0].type;
    if (!lay_out(&call, &x)) {
        sum = Py_NewRef(Py_None);
        goto done;
    }
    PyThreadState *thread = enter(&call, call.array[0].size);
    tutti_status status = tutti_sum(type, &value, x, &call.options);
    if (leave(module, thread, status) == 0)
        sum = tt_py_number_make(type == TUTTI_I32 ? TUTTI_I64 : type, &value);
done:
    drop(&call);
    return sum;
}

/* dot(a, b, on, workers) */
PyObject *tt_py_dot(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct call call;
    begin(&call, "tutti.linalg.dot");
    const struct tt_py_array *a = &call.array[0], *b = &call.array[1];
    PyObject *sum = NULL;
    int64_t value; /* or another number */
    if (!count_is(call.name, n, 4) ||
        tt_py_how_read(&call.options, call.name, args[2], args[3]) < 0 ||
        read_array(&call, args[0], false, "a") < 0 ||
        read_array(&call, args[1], false, "b") < 0 ||
        check_ndim(&call, 0, "a", 1) < 0 || check_ndim(&call, 1, "b", 1) < 0)
        goto done;
    if (a->size != b->size) {
        refuse_shapes(&call, 0, "a", 1, "b", "the same expected");
        goto done;
    }
    PyThreadState *thread = enter(&call, a->size);
    tutti_status status = tutti_dot(a->type, &value, vector_of(a), vector_of(b),
                                    a->size, &call.options);
    if (leave(module, thread, status) == 0)
        sum = tt_py_number_make(a->type, &value);
done:
    drop(&call);
    return sum;
}

/* matvec(y, a, x, on, workers): y */
PyObject *tt_py_matvec(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct call call;
    begin(&call, "tutti.linalg.matvec");
    const struct tt_py_array *a = &call.array[0], *x = &call.array[1],
                             *y = &call.array[2];
    PyObject *result = NULL;
    if (!count_is(call.name, n, 5) ||
        tt_py_how_read(&call.options, call.name, args[3], args[4]) < 0 ||
        read_array(&call, args[1], false, "a") < 0 ||
        read_array(&call, args[2], false, "x") < 0 ||
        read_array(&call, args[0], true, "out") < 0 ||
        check_ndim(&call, 0, "a", 2) < 0 || check_ndim(&call, 1, "x", 1) < 0 ||
        check_ndim(&call, 2, "out", 1) < 0)
        goto done;
    if (x->shape[0] != a->shape[1]) {
        refuse_shapes(&call, 0, "a", 1, "x",
                      "x must have an element for each column of a");
        goto done;
    }
    if (y->shape[0] != a->shape[0]) {
        refuse_shapes(&call, 0, "a", 2, "out",
                      "out must have an element for each row of a");
        goto done;
    }
    PyThreadState *thread = enter(&call, a->size);
    tutti_status status = tutti_matvec(a->type, vector_of(y), matrix_of(a),
                                       vector_of(x), &call.options);
    if (leave(module, thread, status) == 0)
        result = Py_NewRef(args[0]);
done:
    drop(&call);
    return result;
}

/* matmul(c, a, b, on, workers): c */
PyObject *tt_py_matmul(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct call call;
    begin(&call, "tutti.linalg.matmul");
    const struct tt_py_array *a = &call.array[0], *b = &call.array[1],
                             *c = &call.array[2];
    PyObject *result = NULL;
    if (!count_is(call.name, n, 5) ||
        tt_py_how_read(&call.options, call.name, args[3], args[4]) < 0 ||
        read_array(&call, args[1], false, "a") < 0 ||
        read_array(&call, args[2], false, "b") < 0 ||
        read_array(&call, args[0], true, "out") < 0 ||
        check_ndim(&call, 0, "a", 2) < 0 || check_ndim(&call, 1, "b", 2) < 0 ||
        check_ndim(&call, 2, "out", 2) < 0)
        goto done;
    if (b->shape[0] != a->shape[1]) {
        refuse_shapes(&call, 0, "a", 1, "b",
                      "b must have a row for each column of a");
        goto done;
    }
    if (c->shape[0] != a->shape[0] || c->shape[1] != b->shape[1]) {
        refuse_shapes(&call, 2, "out", 1, "b",
                      "out must have the rows of a and the columns of b");
        goto done;
    }
    size_t work;
    if (__builtin_mul_overflow(a->size, (size_t)b->shape[1], &work))
        work = SIZE_MAX;
    PyThreadState *thread = enter(&call, work);
    tutti_status status = tutti_matmul(a->type, matrix_of(c), matrix_of(a),
                                       matrix_of(b), &call.options);
    if (leave(module, thread, status) == 0)
        result = Py_NewRef(args[0]);
done:
    drop(&call);
    return result;
}

/* Whether the operands can be broadcast to the first. */
static int check_broadcast(const struct call *call)
{
    static const char *const names[] = {"out", "a", "b"};
    const struct tt_py_array *out = &call->array[0];
    for (int k = 1; k < OPERANDS; k++) {
        const struct tt_py_array *array = &call->array[k];
        int skip = out->ndim - array->ndim;
        bool fits = skip >= 0;
        for (int i = 0; fits && i < array->ndim; i++)
            fits =
                array->shape[i] == 1 || array->shape[i] == out->shape[skip + i];
        if (!fits)
            return refuse_shapes(call, k, names[k], 0, "out",
                                 "it cannot be broadcast to that");
    }
    return 0;
}

static PyObject *
pair(PyObject *module, struct call *call, PyObject *const *args, Py_ssize_t n,
     tutti_status (*run)(tutti_type, tutti_matrix, tutti_matrix, tutti_matrix,
                         const tutti_options *))
{
    PyObject *result = NULL;
    tutti_matrix m[OPERANDS];
    if (!count_is(call->name, n, 5) ||
        tt_py_how_read(&call->options, call->name, args[3], args[4]) < 0 ||
        read_array(call, args[0], true, "out") < 0 ||
        read_array(call, args[1], false, "a") < 0 ||
        read_array(call, args[2], false, "b") < 0 || check_broadcast(call) < 0)
        goto done;
    if (!lay_out(call, m)) {
        result = Py_NewRef(Py_None);
        goto done;
    }
    PyThreadState *thread = enter(call, call->array[0].size);
    tutti_status status =
        run(call->array[0].type, m[0], m[1], m[2], &call->options);
    if (leave(module, thread, status) == 0)
        result = Py_NewRef(args[0]);
done:
    drop(call);
    return result;
}

/* multiply(out, a, b, on, workers): out, or None if they do not lie as
 * matrices. */
PyObject *tt_py_multiply(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct call call;
    begin(&call, "tutti.linalg.multiply");
    return pair(module, &call, args, n, tutti_multiply);
}

/* add(out, a, b, on, workers), likewise */
PyObject *tt_py_add(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct call call;
    begin(&call, "tutti.linalg.add");
    return pair(module, &call, args, n, tutti_add);
}
