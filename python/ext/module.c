/* The module tutti._tutti. */
#include "face.h"

static PyObject *first_use(PyObject **slot, const char *name)
{
    if (!*slot)
        *slot = PyImport_ImportModule(name);
    return *slot;
}

PyObject *tt_py_wire(struct tt_py_state *state)
{
    return first_use(&state->wire, "tutti._wire");
}

PyObject *tt_py_job(struct tt_py_state *state)
{
    return first_use(&state->job, "tutti._job");
}

PyObject *tt_py_fault(struct tt_py_state *state)
{
    return first_use(&state->fault, "tutti._fault");
}

PyObject *tt_py_stream(struct tt_py_state *state)
{
    return first_use(&state->stream, "tutti._stream");
}

PyObject *tt_py_crew(struct tt_py_state *state)
{
    return first_use(&state->crew, "tutti._crew");
}

PyObject *tt_py_kernels(struct tt_py_state *state)
{
    return first_use(&state->kernels, "tutti._kernel");
}

static int add_task(PyObject *module, struct tt_py_state *state)
{
    PyObject *task = PyObject_CallNoArgs((PyObject *)state->task);
    if (!task)
        return -1;
    int bad = PyModule_AddObject(module, "task", task);
    if (bad)
        Py_DECREF(task);
    return bad;
}

/* Takes the reference to `type`. */
static int add_type(PyObject *module, const char *name, PyObject *type)
{
    int bad = type ? PyModule_AddObject(module, name, type) : -1;
    if (bad)
        Py_XDECREF(type);
    return bad;
}

static int add_types(PyObject *module, struct tt_py_state *state)
{
    if (add_type(module, "Packed", PyType_FromSpec(&tt_py_packed_spec)) < 0 ||
        add_type(module, "Walk", PyType_FromSpec(&tt_py_walk_spec)) < 0 ||
        add_type(module, "marks", PyType_FromSpec(&tt_py_marks_spec)) < 0 ||
        add_type(module, "Sitting", PyType_FromSpec(&tt_py_sitting_spec)) < 0 ||
        add_type(module, "Queue", Py_NewRef((PyObject *)state->queue)) < 0 ||
        tt_py_block_add(module) < 0 || tt_py_trial_add(module) < 0)
        return -1;
    return tt_py_queue_init(state);
}

/* The locks of the modules that are being imported. Best effort: it is private
 * to CPython, and without it only maps of a module's top level are at risk. */
static PyObject *find_imports(void)
{
    PyObject *lib = PyImport_ImportModule("_frozen_importlib");
    PyObject *locks = lib ? PyObject_GetAttrString(lib, "_module_locks") : NULL;
    Py_XDECREF(lib);
    PyErr_Clear();
    if (locks && !PyDict_CheckExact(locks))
        Py_CLEAR(locks);
    return locks;
}

static PyObject *find_lock_held(void)
{
    PyObject *lib = PyImport_ImportModule("_imp");
    PyObject *held = lib ? PyObject_GetAttrString(lib, "lock_held") : NULL;
    Py_XDECREF(lib);
    PyErr_Clear();
    return held;
}

bool tt_py_importing(struct tt_py_state *state)
{
    if (state->imports && PyDict_Size(state->imports))
        return true;
    PyObject *held =
        state->lock_held ? PyObject_CallNoArgs(state->lock_held) : NULL;
    PyErr_Clear();
    Py_XDECREF(held);
    return held == Py_True;
}

static int module_exec(PyObject *module)
{
    struct tt_py_state *state = PyModule_GetState(module);
    state->items = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &tt_py_items_spec, NULL);
    state->task = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &tt_py_task_spec, NULL);
    state->queue = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &tt_py_queue_spec, NULL);
    state->kernel = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &tt_py_kernel_spec, NULL);
    state->loops = PyImport_ImportModule("tutti._loops");
    if (!state->items || !state->task || !state->queue || !state->kernel ||
        !state->loops)
        return -1;
    tutti_kernel_watch(tt_py_watch);
    state->imports = find_imports();
    state->lock_held = find_lock_held();
    if (add_task(module, state) < 0 || add_types(module, state) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "version", tutti_version());
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct tt_py_state *state = PyModule_GetState(module);
    Py_VISIT(state->items);
    Py_VISIT(state->task);
    Py_VISIT(state->queue);
    Py_VISIT(state->kernel);
    Py_VISIT(state->kernels);
    Py_VISIT(state->loops);
    Py_VISIT(state->wire);
    Py_VISIT(state->job);
    Py_VISIT(state->fault);
    Py_VISIT(state->stream);
    Py_VISIT(state->crew);
    Py_VISIT(state->dumps);
    Py_VISIT(state->loads);
    Py_VISIT(state->refused);
    Py_VISIT(state->imports);
    Py_VISIT(state->lock_held);
    return 0;
}

static int module_clear(PyObject *module)
{
    struct tt_py_state *state = PyModule_GetState(module);
    Py_CLEAR(state->items);
    Py_CLEAR(state->task);
    Py_CLEAR(state->queue);
    Py_CLEAR(state->kernel);
    Py_CLEAR(state->kernels);
    Py_CLEAR(state->loops);
    Py_CLEAR(state->wire);
    Py_CLEAR(state->job);
    Py_CLEAR(state->fault);
    Py_CLEAR(state->stream);
    Py_CLEAR(state->crew);
    Py_CLEAR(state->dumps);
    Py_CLEAR(state->loads);
    Py_CLEAR(state->refused);
    Py_CLEAR(state->protocol);
    Py_CLEAR(state->aside);
    Py_CLEAR(state->dumps_names);
    Py_CLEAR(state->loads_names);
    Py_CLEAR(state->deliver);
    Py_CLEAR(state->imports);
    Py_CLEAR(state->lock_held);
    return 0;
}

#define FAST(f) (PyCFunction)(void (*)(void)) f

static PyMethodDef methods[] = {
    {"map", FAST(tt_py_map), METH_FASTCALL, NULL},
    {"range", FAST(tt_py_range), METH_FASTCALL, NULL},
    {"pack", FAST(tt_py_pack), METH_FASTCALL, NULL},
    {"unpack", tt_py_unpack, METH_O, NULL},
    {"weigh", tt_py_weighed, METH_O, NULL},
    {"share", tt_py_share, METH_O, NULL},
    {"address", tt_py_address, METH_O, NULL},
    {"loading", tt_py_loading, METH_O, NULL},
    {"move", tt_py_move, METH_VARARGS, NULL},
    {"settle", tt_py_settle, METH_VARARGS, NULL},
    {"say", tt_py_tell, METH_VARARGS, NULL},
    {"twister", tt_py_twister, METH_VARARGS, NULL},
    {"seed_numpy", tt_py_seed_numpy, METH_NOARGS, NULL},
    {"serve", tt_py_serve, METH_VARARGS, NULL},
    {"kernel", tt_py_kernel, METH_VARARGS, NULL},
    {"reduce", tt_py_reduce, METH_VARARGS, NULL},
    {"capsule", tt_py_capsule, METH_O, NULL},
    {"total", FAST(tt_py_total), METH_FASTCALL, NULL},
    {"dot", FAST(tt_py_dot), METH_FASTCALL, NULL},
    {"matvec", FAST(tt_py_matvec), METH_FASTCALL, NULL},
    {"matmul", FAST(tt_py_matmul), METH_FASTCALL, NULL},
    {"multiply", FAST(tt_py_multiply), METH_FASTCALL, NULL},
    {"add", FAST(tt_py_add), METH_FASTCALL, NULL},
    {"explain", tt_py_explain, METH_NOARGS, NULL},
    {"timeline", tt_py_timeline, METH_O, NULL},
    {"trace", tt_py_trace, METH_O, NULL},
    {"expect", tt_py_expect, METH_VARARGS, NULL},
    {"expect_by", tt_py_expect_by, METH_VARARGS, NULL},
    {"expect_piece", tt_py_expect_piece, METH_VARARGS, NULL},
    {"expect_draw", tt_py_expect_draw, METH_VARARGS, NULL},
    {"expect_fold", tt_py_expect_fold, METH_VARARGS, NULL},
    {"expect_join", tt_py_expect_join, METH_VARARGS, NULL},
    {"cpu_count", tt_py_cpu_count, METH_NOARGS, NULL},
    {"cpu_idle", tt_py_cpu_idle, METH_NOARGS, NULL},
    {"wordcount", tt_py_wordcount, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tutti._tutti",
    .m_size = sizeof(struct tt_py_state),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__tutti(void);

PyMODINIT_FUNC PyInit__tutti(void)
{
    return PyModuleDef_Init(&definition);
}
