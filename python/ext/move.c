/* Semaphores that have no name: see tutti/_semaphore.py. */
#define _GNU_SOURCE
#include "face.h"

#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Those who wait, as glibc counts them in a semaphore of 64 bits. */
static bool waited_for(const void *semaphore)
{
    uint64_t data;
    memcpy(&data, semaphore, sizeof data);
    return data >> 32;
}

/* tutti._tutti.move(address, file): the semaphore there becomes the one at the
 * file's begin. Whoever uses it by Python holds the interpreter's lock, as this
 * does throughout, or waits. */
PyObject *tt_py_move(PyObject *module, PyObject *args)
{
    unsigned long long address;
    int file;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    (void)module;
    if (!PyArg_ParseTuple(args, "Ki", &address, &file))
        return NULL;
    void *semaphore = (void *)(uintptr_t)address;
    if (!address || address % page)
        return PyErr_Format(PyExc_ValueError, "no page begins at %llu",
                            address);
    if (waited_for(semaphore))
        return PyErr_Format(PyExc_RuntimeError,
                            "a thread waits for it: send it before");
    if (pwrite(file, semaphore, sizeof(sem_t), 0) != sizeof(sem_t) ||
        mmap(semaphore, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             file, 0) == MAP_FAILED)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}
