/* A trial encoding: a map on auto gives its bytes up when making them takes the
 * caller longer than it may lose. Pickle looks here before each object that has
 * methods of its own, and after each 64 KiB; within one method nothing can be
 * cut off. */
#define _GNU_SOURCE /* RUSAGE_THREAD */
#include "face.h"

#include <math.h>
#include <sys/resource.h>
#include <time.h>

#define SHARE 0.02 /* of the gain, which is less than the serial time */
#define TIMES 3    /* as long as guessed */
#define RANGE 50e-6

static PyObject *too_long; /* the module's; one interpreter only */
static PyTypeObject *trial_type;

struct trial {
    PyObject_HEAD double most, until;
    struct tt_py_watch watch;
};

static long sleeps(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

struct tt_py_watch tt_py_watch_start(bool caller)
{
    return (struct tt_py_watch){.since = tt_py_cost_clock(),
                                .cpu = tt_py_cost_cpu(),
                                .sleeps = sleeps(),
                                .caller = caller};
}

/* Being kept from the CPU by others is no cost of the work; nor is sleeping, in
 * another thread than the caller's. */
double tt_py_watch_read(const struct tt_py_watch *watch)
{
    return watch->caller && sleeps() > watch->sleeps
               ? tt_py_cost_clock() - watch->since
               : tt_py_cost_cpu() - watch->cpu;
}

PyObject *tt_py_trial(double seconds, bool caller)
{
    if (seconds >= TT_PY_NO_LIMIT)
        return Py_NewRef(Py_None);
    struct trial *trial = PyObject_New(struct trial, trial_type);
    if (!trial)
        return NULL;
    trial->most = seconds;
    trial->watch = tt_py_watch_start(caller);
    trial->until = trial->watch.since + seconds;
    return (PyObject *)trial;
}

double tt_py_trial_job(struct tt_py_map *map)
{
    return TIMES * map->job_guess + SHARE * tutti_run_gain(map->run);
}

double tt_py_trial_range(struct tt_py_map *map, size_t tasks)
{
    const struct tt_py_spent *spent = &map->spent;
    if (spent->task_cut)
        return 0;
    double guess = map->task_guess * (double)(spent->encoded + tasks);
    return TIMES * (guess + RANGE * (double)(spent->ranges + 1)) +
           SHARE * tutti_run_gain(map->run) - spent->encode - spent->decode;
}

/* Trial(seconds): for tests. */
static PyObject *trial_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    double seconds;
    (void)type, (void)names;
    if (!PyArg_ParseTuple(args, "d", &seconds))
        return NULL;
    return tt_py_trial(seconds, true);
}

static void trial_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int look(struct trial *trial)
{
    double now = tt_py_cost_clock();
    if (now < trial->until)
        return 0;
    double used = tt_py_watch_read(&trial->watch);
    trial->until = now + trial->most - used;
    if (used < trial->most)
        return 0;
    PyErr_SetNone(too_long);
    return -1;
}

static PyObject *trial_check(PyObject *self, PyObject *unused)
{
    (void)unused;
    return look((struct trial *)self) ? NULL : Py_NewRef(Py_None);
}

/* A reducer_override. */
static PyObject *trial_reduce(PyObject *self, PyObject *object)
{
    (void)object;
    return look((struct trial *)self) ? NULL : Py_NewRef(Py_NotImplemented);
}

static PyObject *trial_used(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyFloat_FromDouble(tt_py_watch_read(&((struct trial *)self)->watch));
}

/* So many of the seconds used are no part of the trial: an import's. */
static PyObject *trial_excuse(PyObject *self, PyObject *seconds)
{
    double more = PyFloat_AsDouble(seconds);
    if (more == -1 && PyErr_Occurred())
        return NULL;
    ((struct trial *)self)->most += more;
    ((struct trial *)self)->until += more;
    Py_RETURN_NONE;
}

static PyMethodDef trial_methods[] = {
    {"check", trial_check, METH_NOARGS, NULL},
    {"reduce", trial_reduce, METH_O, NULL},
    {"used", trial_used, METH_NOARGS, NULL},
    {"excuse", trial_excuse, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot trial_slots[] = {
    {Py_tp_new, trial_new},
    {Py_tp_dealloc, trial_dealloc},
    {Py_tp_methods, trial_methods},
    {0, NULL},
};

static PyType_Spec trial_spec = {
    .name = "tutti._tutti.Trial",
    .basicsize = sizeof(struct trial),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = trial_slots,
};

int tt_py_trial_add(PyObject *module)
{
    /* No part of the user's takes it for a failure of its own. */
    too_long =
        PyErr_NewException("tutti._tutti.TooLong", PyExc_BaseException, NULL);
    trial_type = (PyTypeObject *)PyType_FromSpec(&trial_spec);
    if (!too_long || !trial_type)
        return -1;
    Py_INCREF(too_long);
    if (PyModule_AddObject(module, "TooLong", too_long) < 0) {
        Py_DECREF(too_long);
        return -1;
    }
    Py_INCREF(trial_type);
    if (PyModule_AddObject(module, "Trial", (PyObject *)trial_type) < 0) {
        Py_DECREF(trial_type);
        return -1;
    }
    return 0;
}
