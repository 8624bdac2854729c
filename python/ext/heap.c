/* The interpreter's memory in a worker: what a range's items and results took
 * is needed again for the next one, and would be unmapped in between. */
#include "face.h"

#include <malloc.h>
#include <sys/mman.h>

#define SPARE 4        /* of an arena of the interpreter, a MiB or less */
#define LIST (4 << 20) /* bytes of a list's array that stay in the heap */

/* All with the interpreter's lock. */
static struct {
    void *spare[SPARE];
    size_t size; /* of each spare one */
    unsigned count;
} heap;

static void *take(void *unused, size_t size)
{
    (void)unused;
    if (heap.count && heap.size == size)
        return heap.spare[--heap.count];
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return data == MAP_FAILED ? NULL : data;
}

/* Also what the interpreter has mapped by itself before. */
static void give(void *unused, void *data, size_t size)
{
    (void)unused;
    if (!heap.count)
        heap.size = size;
    if (heap.count < SPARE && heap.size == size)
        heap.spare[heap.count++] = data;
    else
        munmap(data, size);
}

void tt_py_heap_keep(void)
{
    PyObjectArenaAllocator arenas = {.alloc = take, .free = give};
    PyObject_SetArenaAllocator(&arenas);
    mallopt(M_MMAP_THRESHOLD, LIST);
    mallopt(M_TRIM_THRESHOLD, LIST);
}
