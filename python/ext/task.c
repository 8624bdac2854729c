/* tutti.task: the task that runs in this thread. Nothing is kept for it: its
 * index is where the innermost loop's iterator stands. */
#include "face.h"

static _Thread_local struct tt_py_items *innermost;

struct tt_py_items *tt_py_task_enter(struct tt_py_items *items)
{
    struct tt_py_items *outer = innermost;
    innermost = items;
    return outer;
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

static PyGetSetDef task_getset[] = {
    {"index", get_index, NULL, "Index of the task: its item's position.", NULL},
    {"worker", get_worker, NULL,
     "Number of the worker that runs the task; 0 is the caller.", NULL},
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
