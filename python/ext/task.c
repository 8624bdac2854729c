/* tutti.task: the task that runs in this thread. Nothing is kept for it: its
 * index is where the innermost loop's iterator stands. */
#include "face.h"

#include <unistd.h>

static _Thread_local struct tt_py_items *innermost;

struct tt_py_items *tt_py_task_enter(struct tt_py_items *items)
{
    struct tt_py_items *outer = innermost;
    innermost = items;
    return outer;
}

struct tt_py_items *tt_py_task_innermost(void)
{
    return innermost;
}

static PyObject *outside(const char *name)
{
    return PyErr_Format(PyExc_AttributeError,
                        "tutti.task.%s exists inside a task only: read it in "
                        "the function that tutti.map calls",
                        name);
}

static PyObject *get_index(PyObject *self, void *unused)
{
    (void)self, (void)unused;
    if (!innermost)
        return outside("index");
    return PyLong_FromSize_t(tt_py_items_index(innermost));
}

static PyObject *get_worker(PyObject *self, void *unused)
{
    (void)self, (void)unused;
    if (!innermost)
        return outside("worker");
    return PyLong_FromUnsignedLong(innermost->worker);
}

/* The seed of the innermost task; without a map's, one of this process. */
static uint64_t seed_of(struct tt_py_items *items)
{
    static struct tt_py_seed own;
    static pid_t pid;
    if (items->seed)
        return tt_py_seed_word(items->seed);
    if (pid != getpid())
        own.known = false;
    pid = getpid();
    return tt_py_seed_word(&own);
}

static PyObject *get_seed(PyObject *self, void *unused)
{
    (void)self, (void)unused;
    if (!innermost)
        return outside("seed");
    return PyLong_FromUnsignedLongLong(seed_of(innermost));
}

/* Whether nobody else has the generator of the task before. */
static bool only(struct tt_py_items *items)
{
    if (!items->rng || Py_REFCNT(items->rng) != 1)
        return false;
    PyObject *bits = PyObject_GetAttrString(items->rng, "bit_generator");
    bool alone = bits && Py_REFCNT(bits) == 2; /* the generator's, and this */
    Py_XDECREF(bits);
    PyErr_Clear();
    return alone;
}

static PyObject *get_rng(PyObject *self, void *unused)
{
    struct tt_py_items *items = innermost;
    (void)self, (void)unused;
    if (!items)
        return outside("rng");
    size_t index = tt_py_items_index(items);
    if (items->rng && items->drawer == index)
        return Py_NewRef(items->rng);
    PyObject *module = PyImport_ImportModule("tutti._seed"), *rng = NULL;
    if (module)
        rng = PyObject_CallMethod(
            module, "generator", "KKO", (unsigned long long)seed_of(items),
            (unsigned long long)index, only(items) ? items->rng : Py_None);
    Py_XDECREF(module);
    if (!rng)
        return NULL;
    Py_XINCREF(rng);
    Py_XDECREF(items->rng);
    items->rng = rng;
    items->drawer = index;
    return rng;
}

static PyGetSetDef task_getset[] = {
    {"index", get_index, NULL, "Index of the task: its item's position.", NULL},
    {"worker", get_worker, NULL,
     "Number of the worker that runs the task; 0 is the caller.", NULL},
    {"rng", get_rng, NULL,
     "A numpy.random.Generator of the task's own, made when it is touched: "
     "Generator(Philox(key=seed + (index << 64))), with the map's seed=, or "
     "another "
     "one in each map.",
     NULL},
    {"seed", get_seed, NULL,
     "What rng depends on beside the index: seed=, or the number that gives "
     "these streams again as seed=.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void task_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot task_slots[] = {
    {Py_tp_getset, task_getset},
    {Py_tp_dealloc, task_dealloc},
    {Py_tp_doc, "The task that runs in this thread."},
    {0, NULL},
};

PyType_Spec tt_py_task_spec = {
    .name = "tutti.Task",
    .basicsize = sizeof(PyObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = task_slots,
};
