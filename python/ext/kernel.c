/* tutti._tutti.Kernel; tutti/_kernel.py says what users see of it. */
#include "kernel.h"

#include <string.h>
#include <time.h>

#define LANES 32 /* of a block */

/* How `kernel` finds its function. */
enum { TEXT, FILED, NATIVE };

static tutti_status open_kernel(tutti_kernel **out, long kind, const char *what,
                                const char *name, const char *signature,
                                void *const pointers[2])
{
    void (*function)(void);
    memcpy(&function, pointers, sizeof function);
    switch (kind) {
    case TEXT:
        return tutti_kernel_text(out, what, name);
    case FILED:
        return tutti_kernel_open(out, what, signature);
    default:
        return tutti_kernel_native(out, function, signature, pointers[1]);
    }
}

/* (kind, text or None, name or None, signature or None, address, user, keep) */
PyObject *tt_py_kernel(PyObject *module, PyObject *args)
{
    struct tt_py_state *state = PyModule_GetState(module);
    int kind;
    const char *what, *name, *signature;
    PyObject *function, *user, *keep;
    tutti_kernel *kernel = NULL;
    if (!PyArg_ParseTuple(args, "izzzOOO", &kind, &what, &name, &signature,
                          &function, &user, &keep))
        return NULL;
    void *pointers[2] = {PyLong_AsVoidPtr(function), PyLong_AsVoidPtr(user)};
    if (PyErr_Occurred())
        return NULL;
    PyThreadState *thread = PyEval_SaveThread();
    tutti_status status =
        open_kernel(&kernel, kind, what, name, signature, pointers);
    PyEval_RestoreThread(thread);
    if (status != TUTTI_OK)
        return tt_py_raise_status(state, status);
    struct tt_py_kernel *k =
        PyObject_GC_New(struct tt_py_kernel, state->kernel);
    if (!k) {
        tutti_kernel_close(kernel);
        return NULL;
    }
    k->state = state;
    k->kernel = kernel;
    k->keep = Py_NewRef(keep);
    tutti_kernel_describe(kernel, &k->info);
    PyObject_GC_Track(k);
    return (PyObject *)k;
}

/* A function may keep its kernel. It cannot be cleared: it needs the function
 * as long as it is; others in the cycle can. */
static int kernel_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((struct tt_py_kernel *)self)->keep);
    return 0;
}

static void kernel_dealloc(PyObject *self)
{
    struct tt_py_kernel *k = (struct tt_py_kernel *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    tutti_kernel_close(k->kernel);
    Py_DECREF(k->keep);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* What a loop goes over: an array of rows, or first, step and count. */
struct source {
    struct tt_py_array array; /* if there is one */
    const void *data;
    size_t n, width;
    long long first, step;
};

static int check_array(const struct tt_py_array *array, size_t values,
                       const char *name)
{
    size_t size = tutti_type_size(array->type);
    if (!tt_py_array_contiguous(array) || (uintptr_t)array->data % size) {
        PyErr_Format(PyExc_ValueError,
                     "%s must be contiguous and aligned: copy it by .copy()",
                     name);
        return -1;
    }
    if (array->size == values)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s has %zu values, %zu expected", name,
                 array->size, values);
    return -1;
}

static int read_source(struct source *s, PyObject *object, size_t width,
                       unsigned types, const char *name)
{
    Py_ssize_t n;
    *s = (struct source){.width = width};
    if (PyTuple_Check(object)) {
        if (!PyArg_ParseTuple(object, "LLn", &s->first, &s->step, &n))
            return -1;
        s->n = (size_t)n;
        return 0;
    }
    if (tt_py_array_get(&s->array, object, types, false, name) < 0)
        return -1;
    s->data = s->array.data;
    s->n = width ? s->array.size / width : 0;
    return check_array(&s->array, s->n * width, name);
}

static bool ranges(const struct source *s)
{
    return !s->array.view.obj;
}

#define FEW 8         /* tasks that tell what all take, */
#define WHOLE 128     /* of a block function, which gets no fewer */
#define HERE 2048     /* tasks at most, as later ones may be slow */
#define UNLOOKED 0.05 /* seconds without a look at signals */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Right here, where a loop would cost more than quick tasks do. */
static tutti_status call_here(const struct tt_py_kernel *k, char *out,
                              size_t width, const struct source *from,
                              const tutti_options *options)
{
    bool many =
        k->info.form == TUTTI_FORM_BLOCK || k->info.form == TUTTI_FORM_POINTS;
    const char *items = from->data;
    size_t few = many ? WHOLE : FEW, n = from->n < few ? from->n : few;
    double began = seconds();
    tutti_status status =
        tutti_kernel_call(k->kernel, out, width, items, from->width, n);
    if (status != TUTTI_OK || n == from->n)
        return status;
    size_t left = from->n - n;
    bool quick = left < HERE &&
                 (seconds() - began) / (double)n * (double)left < UNLOOKED;
    items += n * from->width * tutti_type_size(k->info.item);
    out += n * width * tutti_type_size(k->info.result);
    if (quick)
        return tutti_kernel_call(k->kernel, out, width, items, from->width,
                                 left);
    return tutti_kernel_map(k->kernel, out, width, items, from->width, left,
                            options);
}

/* (out, items, width, results_width, on, workers, bar); on None: right here */
static PyObject *kernel_map(PyObject *self, PyObject *args)
{
    struct tt_py_kernel *k = (struct tt_py_kernel *)self;
    struct tt_py_array out = {0};
    struct tt_py_wait wait = {.error = NULL};
    struct source from;
    PyObject *to, *items, *on, *workers, *bar;
    Py_ssize_t width, results_width;
    tutti_status status;
    if (!PyArg_ParseTuple(args, "OOnnOOO", &to, &items, &width, &results_width,
                          &on, &workers, &bar))
        return NULL;
    int bad =
        read_source(&from, items, (size_t)width, TT_PY_TYPE(k->info.item),
                    k->info.signature) < 0 ||
        tt_py_array_get(&out, to, TT_PY_TYPE(k->info.result), true, "out") ||
        check_array(&out, from.n * (size_t)results_width, "out") ||
        tt_py_wait_read(&wait, on, workers, bar);
    if (!bad) {
        PyThreadState *thread = PyEval_SaveThread();
        if (on == Py_None)
            status = call_here(k, out.data, (size_t)results_width, &from,
                               &wait.options);
        else if (ranges(&from))
            status = tutti_kernel_map_range(k->kernel, out.data, from.first,
                                            from.step, from.n, &wait.options);
        else
            status =
                tutti_kernel_map(k->kernel, out.data, (size_t)results_width,
                                 from.data, from.width, from.n, &wait.options);
        PyEval_RestoreThread(thread);
        bad = tt_py_wait_end(&wait, k->state, status);
    }
    tt_py_array_drop(&out);
    tt_py_array_drop(&from.array);
    return bad ? NULL : Py_NewRef(Py_None);
}

static tutti_status run_reduce(tutti_kernel *kernel, void *result, tutti_op op,
                               const struct source *from, size_t unit,
                               const tutti_options *options)
{
    if (ranges(from))
        return tutti_kernel_reduce_range(kernel, result, op, from->first,
                                         from->step, from->n, unit, options);
    return tutti_kernel_reduce(kernel, result, op, from->array.type, from->data,
                               from->width, from->n, unit, options);
}

static PyObject *reduced(struct tt_py_state *state, struct tt_py_kernel *k,
                         PyObject *args)
{
    struct tt_py_wait wait;
    struct source from;
    PyObject *items, *on, *workers, *bar, *result = NULL;
    Py_ssize_t width, unit;
    int op;
    uint64_t value = 0;
    if (!PyArg_ParseTuple(args, "iOnnOOO", &op, &items, &width, &unit, &on,
                          &workers, &bar))
        return NULL;
    unsigned types =
        k ? TT_PY_TYPE(k->info.item) : TT_PY_NUMBERS | TT_PY_UNSIGNED;
    int bad = read_source(&from, items, (size_t)width, types,
                          k ? k->info.signature : "tutti.reduce: items") ||
              tt_py_wait_read(&wait, on, workers, bar);
    if (!bad) {
        PyThreadState *thread = PyEval_SaveThread();
        tutti_status status =
            run_reduce(k ? k->kernel : NULL, &value, (tutti_op)op, &from,
                       (size_t)unit, &wait.options);
        PyEval_RestoreThread(thread);
        bad = tt_py_wait_end(&wait, state, status);
    }
    if (!bad)
        result =
            tt_py_number_make(k ? k->info.result : from.array.type, &value);
    tt_py_array_drop(&from.array);
    return result;
}

/* (op, items, width, unit, on, workers, bar) */
static PyObject *kernel_reduce(PyObject *self, PyObject *args)
{
    struct tt_py_kernel *k = (struct tt_py_kernel *)self;
    return reduced(k->state, k, args);
}

/* Likewise, of the items themselves. */
PyObject *tt_py_reduce(PyObject *module, PyObject *args)
{
    return reduced(PyModule_GetState(module), NULL, args);
}

static tutti_status fold_blocks(struct tt_py_kernel *k, char *out, tutti_op op,
                                const struct source *from, size_t unit)
{
    size_t size = LANES * tutti_type_size(k->info.result);
    size_t item = from->width * tutti_type_size(k->info.item);
    const char *items = from->data;
    tutti_status status = TUTTI_OK;
    for (size_t i = 0; i < from->n && status == TUTTI_OK; i += unit) {
        size_t n = from->n - i < unit ? from->n - i : unit;
        status = tutti_kernel_fold(k->kernel, out, op, items + i * item,
                                   from->width, n);
        out += size;
    }
    return status;
}

/* (out, op, items, width, unit): the lanes of each block, right here. */
static PyObject *kernel_blocks(PyObject *self, PyObject *args)
{
    struct tt_py_kernel *k = (struct tt_py_kernel *)self;
    struct tt_py_array out = {0};
    struct source from;
    PyObject *to, *items;
    Py_ssize_t width, unit;
    int op;
    if (!PyArg_ParseTuple(args, "OiOnn", &to, &op, &items, &width, &unit))
        return NULL;
    size_t block = unit > 0 ? (size_t)unit : 1;
    int bad =
        read_source(&from, items, (size_t)width, TT_PY_TYPE(k->info.item),
                    k->info.signature) ||
        tt_py_array_get(&out, to, TT_PY_TYPE(k->info.result), true, "out") ||
        check_array(&out, (from.n + block - 1) / block * LANES, "out");
    if (!bad) {
        PyThreadState *thread = PyEval_SaveThread();
        tutti_status status =
            fold_blocks(k, out.data, (tutti_op)op, &from, block);
        PyEval_RestoreThread(thread);
        if ((bad = status != TUTTI_OK))
            tt_py_raise_status(k->state, status);
    }
    tt_py_array_drop(&out);
    tt_py_array_drop(&from.array);
    return bad ? NULL : Py_NewRef(Py_None);
}

#define MOST 15 /* arguments after i */

/* What launch() was given. */
struct given {
    struct tt_py_array array[MOST];
    uint64_t value[MOST];
    const void *pointer[MOST];
};

static int take_argument(struct given *g, size_t i, const tutti_parameter *p,
                         PyObject *object, const char *signature)
{
    char name[400];
    struct tt_py_array *array = &g->array[i];
    snprintf(name, sizeof name, "%.300s: argument %zu after i", signature,
             i + 1);
    g->pointer[i] = &g->value[i];
    if (!p->array)
        return tt_py_number_take(p->type, object, &g->value[i], name);
    if (tt_py_array_get(array, object, TT_PY_TYPE(p->type), p->writable, name))
        return -1;
    g->pointer[i] = array->size ? (const void *)array->data : &g->value[i];
    return check_array(array, array->size, name);
}

/* (n, arguments, on, workers, bar) */
static PyObject *kernel_launch(PyObject *self, PyObject *args)
{
    struct tt_py_kernel *k = (struct tt_py_kernel *)self;
    tutti_parameter parameter[MOST];
    struct given given = {0};
    struct tt_py_wait wait;
    PyObject *arguments, *on, *workers, *bar;
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "nO!OOO", &n, &PyTuple_Type, &arguments, &on,
                          &workers, &bar) ||
        tt_py_wait_read(&wait, on, workers, bar) < 0)
        return NULL;
    size_t count = (size_t)PyTuple_GET_SIZE(arguments);
    size_t wanted = tutti_kernel_parameters(k->kernel, parameter, MOST);
    int bad = 0;
    for (size_t i = 0; i < count && count == wanted && !bad; i++)
        bad = take_argument(&given, i, &parameter[i],
                            PyTuple_GET_ITEM(arguments, (Py_ssize_t)i),
                            k->info.signature);
    if (!bad) {
        PyThreadState *thread = PyEval_SaveThread();
        tutti_status status = tutti_kernel_for(
            k->kernel, (size_t)n, given.pointer, count, &wait.options);
        PyEval_RestoreThread(thread);
        bad = tt_py_wait_end(&wait, k->state, status);
    }
    for (size_t i = 0; i < MOST; i++)
        tt_py_array_drop(&given.array[i]);
    return bad ? NULL : Py_NewRef(Py_None);
}

/* A value of a value. */
static PyObject *kernel_value(PyObject *self, PyObject *x)
{
    struct tt_py_kernel *k = (struct tt_py_kernel *)self;
    uint64_t item = 0, result = 0;
    if (tt_py_number_take(k->info.item, x, &item, k->info.signature) < 0)
        return NULL;
    tutti_status status = tutti_kernel_call(k->kernel, &result, 1, &item, 1, 1);
    if (status != TUTTI_OK)
        return tt_py_raise_status(k->state, status);
    return tt_py_number_make(k->info.result, &result);
}

static PyObject *kernel_get(PyObject *self, void *which)
{
    static const char *const forms[] = {"",     "scalar", "block",   "row",
                                        "rows", "points", "for-each"};
    const tutti_kernel_info *info = &((struct tt_py_kernel *)self)->info;
    switch (*(const char *)which) {
    case 'n':
        return PyUnicode_FromString(info->name);
    case 's':
        return PyUnicode_FromString(info->signature);
    case 'f':
        return PyUnicode_FromString(forms[info->form]);
    case 'i':
        return PyUnicode_FromString(tutti_type_name(info->item));
    default:
        return PyUnicode_FromString(tutti_type_name(info->result));
    }
}

static PyMethodDef methods[] = {
    {"map", kernel_map, METH_VARARGS, NULL},
    {"reduce", kernel_reduce, METH_VARARGS, NULL},
    {"blocks", kernel_blocks, METH_VARARGS, NULL},
    {"launch", kernel_launch, METH_VARARGS, NULL},
    {"value", kernel_value, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"name", kernel_get, NULL, NULL, "n"},
    {"signature", kernel_get, NULL, NULL, "s"},
    {"form", kernel_get, NULL, NULL, "f"},
    {"item", kernel_get, NULL, NULL, "i"},
    {"result", kernel_get, NULL, NULL, "r"},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, kernel_dealloc},
    {Py_tp_traverse, kernel_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, NULL},
};

#ifdef Py_TPFLAGS_DISALLOW_INSTANTIATION
#define NEVER_BY_HAND Py_TPFLAGS_DISALLOW_INSTANTIATION
#else /* before 3.10 */
#define NEVER_BY_HAND 0
#endif

PyType_Spec tt_py_kernel_spec = {
    .name = "tutti._tutti.Kernel",
    .basicsize = sizeof(struct tt_py_kernel),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | NEVER_BY_HAND,
    .slots = slots,
};

/* A capsule's function: (address, signature, user address). */
PyObject *tt_py_capsule(PyObject *module, PyObject *capsule)
{
    (void)module;
    const char *name = PyCapsule_GetName(capsule);
    void *address = name ? PyCapsule_GetPointer(capsule, name) : NULL;
    if (!address) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError,
                            "a capsule without a name: its name must be the "
                            "function's signature");
        return NULL;
    }
    void *user = PyCapsule_GetContext(capsule);
    if (PyErr_Occurred())
        return NULL;
    return Py_BuildValue("NsN", PyLong_FromVoidPtr(address), name,
                         PyLong_FromVoidPtr(user));
}

/* Whether type `type` is one of those that tutti._native knows. */
static bool known_type(PyTypeObject *type)
{
    static const char *const modules[] = {"tutti._kernel", "ctypes",
                                          "_ctypes",       "_cffi_backend",
                                          "numba.",        "scipy._lib."};
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "__module__");
    const char *name =
        module && PyUnicode_Check(module) ? PyUnicode_AsUTF8(module) : "";
    bool known = false;
    for (size_t i = 0; name && i < sizeof modules / sizeof *modules; i++)
        known = known || strncmp(name, modules[i], strlen(modules[i])) == 0;
    PyErr_Clear();
    Py_XDECREF(module);
    return known;
}

bool tt_py_kernel_maybe(PyObject *f)
{
    if (PyFunction_Check(f) || PyCFunction_Check(f) || PyType_Check(f) ||
        PyMethod_Check(f))
        return false;
    return PyCapsule_CheckExact(f) || known_type(Py_TYPE(f));
}
