/* The iterator of tutti.imap: it runs tasks in the caller, item by item, and
 * finds out how long they take. When that is long enough for other workers, it
 * asks its owner for an iterator over what they do. */
#include "face.h"

#include <math.h>
#include <structmember.h>
#include <time.h>

/* Seconds of a task from which on workers pay. */
#define LONG 1e-3
/* Reading the clocks takes 2 % of this. */
#define APART 25e-6
#define APART_MOST 1000
/* Tasks in a row whose time is taken after something took long. */
#define WARY 16
/* Tasks whose mean counts. */
#define WINDOW 32

struct walk {
    struct tt_py_items items; /* for tutti.task; the first member */
    struct tt_py_seed seed;
    PyObject *f;
    PyObject *source; /* iterator over items, or over tuples if `star` */
    PyObject *owner;  /* tutti._lazy._Stream */
    PyObject *rest;   /* the iterator over what workers do, or NULL */
    iternextfunc next;
    bool star, ended;
    bool stopped; /* before the next task: the last ones were long */
    double patience;
    double seconds, cpu; /* of the tasks that were timed */
    double left;         /* when the last one of these ended */
    size_t timed;
    size_t skip; /* tasks until the next one that is timed */
    int wary;
};

static PyObject *call(struct walk *walk, PyObject *item)
{
    PyObject *result = NULL;
    walk->items.end++;
    struct tt_py_items *outer = tt_py_task_enter(&walk->items);
    if (walk->seed.given && tt_py_seed_task(&walk->items) < 0)
        goto leave;
    result = walk->star ? PyObject_Call(walk->f, item, NULL)
                        : PyObject_CallOneArg(walk->f, item);
leave:
    if (walk->seed.given)
        tt_py_seed_restore(&walk->seed);
    tt_py_task_enter(outer);
    return result;
}

/* A task took so long; `idle` is the time since the last that was timed. */
static void learn(struct walk *walk, double took, double cpu, double idle)
{
    if (walk->timed == WINDOW) {
        walk->timed /= 2;
        walk->seconds /= 2;
        walk->cpu /= 2;
    }
    walk->timed++;
    walk->seconds += took;
    walk->cpu += cpu;
    if (walk->seconds >= LONG * (double)walk->timed &&
        walk->seconds >= walk->patience) {
        walk->stopped = true;
    }
    if (idle > LONG)
        walk->wary = WARY;
    if (walk->wary)
        walk->wary--;
    else if (took < APART)
        walk->skip =
            took * APART_MOST < APART ? APART_MOST : (size_t)(APART / took);
}

static PyObject *timed(struct walk *walk, PyObject *item)
{
    double begin = tt_py_cost_clock(), cpu = tt_py_cost_cpu();
    double idle = walk->timed ? begin - walk->left : 0;
    PyObject *result = call(walk, item);
    cpu = tt_py_cost_cpu() - cpu;
    walk->left = tt_py_cost_clock();
    learn(walk, walk->left - begin, cpu, idle);
    return result;
}

/* A task raised: the owner says in the exception which one. */
static void note(struct walk *walk, PyObject *item)
{
    PyObject *error = PyErr_GetRaisedException();
    PyObject *said = PyObject_CallMethod(walk->owner, "note", "OOn", error,
                                         item, (Py_ssize_t)walk->items.end - 1);
    if (!said)
        PyErr_Clear();
    Py_XDECREF(said);
    PyErr_SetRaisedException(error);
}

static PyObject *run(struct walk *walk)
{
    PyObject *item = walk->next(walk->source), *result;
    if (!item) {
        walk->ended = true;
        return NULL;
    }
    if (walk->skip) {
        walk->skip--;
        result = call(walk, item);
    } else {
        result = timed(walk, item);
    }
    if (!result) {
        walk->ended = true;
        note(walk, item);
    }
    Py_DECREF(item);
    return result;
}

/* Long tasks: the owner gives an iterator, or None: the caller goes on. */
static int ask(struct walk *walk)
{
    bool waits = walk->cpu < walk->seconds / 4;
    PyObject *rest = PyObject_CallMethod(walk->owner, "rest", "OdO", walk,
                                         walk->seconds / (double)walk->timed,
                                         waits ? Py_True : Py_False);
    if (!rest)
        return -1;
    walk->stopped = false;
    walk->patience = INFINITY;
    if (rest == Py_None)
        Py_DECREF(rest);
    else
        walk->rest = rest;
    return 0;
}

static PyObject *walk_next(struct walk *walk)
{
    if (walk->ended || (walk->stopped && ask(walk) < 0))
        return NULL;
    if (!walk->rest)
        return run(walk);
    PyObject *rest = Py_NewRef(walk->rest); /* close() may come meanwhile */
    PyObject *result = PyIter_Next(rest);
    if (!result && PyErr_Occurred())
        walk->ended = true;
    Py_DECREF(rest);
    if (result || walk->ended)
        return result;
    /* They have done all, or leave it to the caller. */
    Py_CLEAR(walk->rest);
    return walk_next(walk);
}

static PyObject *walk_close(struct walk *walk, PyObject *unused)
{
    (void)unused;
    walk->ended = true;
    PyObject *rest = walk->rest;
    walk->rest = NULL;
    PyObject *closed =
        rest ? PyObject_CallMethod(rest, "close", NULL) : Py_NewRef(Py_None);
    Py_XDECREF(rest);
    return closed;
}

static PyObject *walk_new(PyTypeObject *type, PyObject *args, PyObject *unused)
{
    PyObject *owner, *f, *source, *seed;
    double patience;
    int star, remote;
    (void)unused;
    if (!PyArg_ParseTuple(args, "OOOpdOp", &owner, &f, &source, &star,
                          &patience, &seed, &remote))
        return NULL;
    struct walk *walk = (struct walk *)type->tp_alloc(type, 0);
    if (!walk)
        return NULL;
    walk->star = star;
    walk->patience = patience;
    walk->owner = Py_NewRef(owner);
    walk->f = Py_NewRef(f);
    walk->seed.remote = remote;
    walk->items.seed = &walk->seed;
    if (seed != Py_None && tt_py_seed_read(&walk->seed, seed) < 0)
        goto drop;
    walk->source = PyObject_GetIter(source);
    if (!walk->source)
        goto drop;
    walk->next = Py_TYPE(walk->source)->tp_iternext;
    return (PyObject *)walk;
drop:
    Py_DECREF(walk);
    return NULL;
}

static int walk_traverse(struct walk *walk, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(walk));
    Py_VISIT(walk->f);
    Py_VISIT(walk->source);
    Py_VISIT(walk->owner);
    Py_VISIT(walk->rest);
    Py_VISIT(walk->items.rng);
    return 0;
}

static int walk_clear(struct walk *walk)
{
    walk->ended = true;
    Py_CLEAR(walk->f);
    Py_CLEAR(walk->source);
    Py_CLEAR(walk->owner);
    Py_CLEAR(walk->rest);
    Py_CLEAR(walk->items.rng);
    return 0;
}

static void walk_dealloc(struct walk *walk)
{
    PyTypeObject *type = Py_TYPE(walk);
    PyObject_GC_UnTrack(walk);
    walk_clear(walk);
    type->tp_free(walk);
    Py_DECREF(type);
}

static PyMethodDef walk_methods[] = {
    {"close", (PyCFunction)walk_close, METH_NOARGS, "Stops what runs."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef walk_members[] = {
    {"index", T_PYSSIZET, offsetof(struct walk, items.end), 0,
     "Index of the next task."},
    {"worker", T_UINT, offsetof(struct walk, items.worker), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot walk_slots[] = {
    {Py_tp_new, walk_new},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, walk_next},
    {Py_tp_traverse, walk_traverse},
    {Py_tp_clear, walk_clear},
    {Py_tp_dealloc, walk_dealloc},
    {Py_tp_methods, walk_methods},
    {Py_tp_members, walk_members},
    {0, NULL},
};

PyType_Spec tt_py_walk_spec = {
    .name = "tutti._tutti.Walk",
    .basicsize = sizeof(struct walk),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = walk_slots,
};
