/* Bytes and buffers between Python and the wire. */
#include "face.h"

/* tutti._tutti.Block(size): memory that travels without a copy, as a writable
 * buffer; or what has come. It lives as long as its last view. */
struct block {
    PyObject_HEAD tutti_block *block;
};

static PyTypeObject *block_type; /* the module's; one interpreter only */

/* Takes over `block`, also on failure. */
static PyObject *wrap(tutti_block *block)
{
    struct block *self = PyObject_New(struct block, block_type);
    if (self)
        self->block = block;
    else
        tutti_block_drop(block);
    return (PyObject *)self;
}

static PyObject *raise_full(void)
{
    PyErr_SetString(PyExc_MemoryError, tutti_detail());
    return NULL;
}

static PyObject *block_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    tutti_block *block;
    Py_ssize_t size;
    (void)type, (void)names;
    if (!PyArg_ParseTuple(args, "n", &size))
        return NULL;
    if (size < 0)
        return PyErr_Format(PyExc_ValueError, "a block of %zd bytes", size);
    if (tutti_block_alloc(&block, (size_t)size) != TUTTI_OK)
        return raise_full();
    return wrap(block);
}

static int block_buffer(PyObject *self, Py_buffer *view, int flags)
{
    tutti_block *block = ((struct block *)self)->block;
    return PyBuffer_FillInfo(view, self, tutti_block_data(block),
                             (Py_ssize_t)tutti_block_size(block), 0, flags);
}

static void block_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    tutti_block_drop(((struct block *)self)->block);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot block_slots[] = {
    {Py_tp_new, block_new},
    {Py_tp_dealloc, block_dealloc},
    {Py_bf_getbuffer, block_buffer},
    {0, NULL},
};

static PyType_Spec block_spec = {
    .name = "tutti._tutti.Block",
    .basicsize = sizeof(struct block),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = block_slots,
};

int tt_py_block_add(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&block_spec);
    if (!type || PyModule_AddObject(module, "Block", type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    block_type = (PyTypeObject *)Py_NewRef(type);
    return 0;
}

/* tutti._tutti.address(buffer): where its memory begins. */
PyObject *tt_py_address(PyObject *module, PyObject *buffer)
{
    Py_buffer view;
    (void)module;
    if (PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    PyObject *address = PyLong_FromVoidPtr(view.buf);
    PyBuffer_Release(&view);
    return address;
}

/* A thread of a place need not keep the caller from its tasks while it copies
 * what takes longer than to hand the lock over. */
#define LONG_COPY (1 << 20)

static tutti_status attach(tutti_bytes *out, const void *data, size_t size)
{
    if (size < LONG_COPY)
        return tutti_bytes_attach(out, data, size);
    PyThreadState *thread = PyEval_SaveThread();
    tutti_status status = tutti_bytes_attach(out, data, size);
    PyEval_RestoreThread(thread);
    return status;
}

/* tutti._tutti.share(buffer): a block with its bytes; where they lie in one,
 * no copy is made. */
PyObject *tt_py_share(PyObject *module, PyObject *buffer)
{
    Py_buffer view;
    tutti_bytes bytes = {0};
    (void)module;
    if (PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    tutti_status status = attach(&bytes, view.buf, (size_t)view.len);
    PyObject *block =
        status ? raise_full() : wrap(tutti_block_keep(bytes.blocks[0]));
    PyBuffer_Release(&view);
    tutti_bytes_clear(&bytes);
    return block;
}

static tutti_status put_buffer(PyObject *object, tutti_bytes *out,
                               tutti_status (*put)(tutti_bytes *, const void *,
                                                   size_t))
{
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0)
        return TUTTI_EPLACE;
    tutti_status status = put(out, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    if (status)
        raise_full();
    return status;
}

static tutti_status put_blocks(PyObject *list, tutti_bytes *out)
{
    tutti_status status = TUTTI_OK;
    for (Py_ssize_t i = 0; !status && i < PyList_GET_SIZE(list); i++)
        status = put_buffer(PyList_GET_ITEM(list, i), out, attach);
    return status;
}

tutti_status tt_py_put(PyObject *made, tutti_bytes *out)
{
    if (!PyTuple_Check(made))
        return put_buffer(made, out, tutti_bytes_append);
    tutti_status status = TUTTI_OK;
    for (Py_ssize_t i = 0; !status && i < PyTuple_GET_SIZE(made); i++) {
        PyObject *part = PyTuple_GET_ITEM(made, i);
        status = PyList_CheckExact(part)
                     ? put_blocks(part, out)
                     : put_buffer(part, out, tutti_bytes_append);
    }
    return status;
}

PyObject *tt_py_blocks(const tutti_parcel *parcel)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)parcel->count);
    for (size_t i = 0; tuple && i < parcel->count; i++) {
        PyObject *block = wrap(tutti_block_keep(parcel->blocks[i]));
        if (block)
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, block);
        else
            Py_CLEAR(tuple);
    }
    return tuple;
}

PyObject *tt_py_view(const tutti_parcel *parcel)
{
    return PyMemoryView_FromMemory((char *)(uintptr_t)parcel->data,
                                   (Py_ssize_t)parcel->size, PyBUF_READ);
}
