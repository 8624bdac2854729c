/* The command that becomes a zygote. It names the modules that functions use,
 * so it is made for the function at hand, until a place has started it: workers
 * of another command would be other processes. */
#include "face.h"

#include <stdlib.h>
#include <string.h>

/* Functions that are looked at before any of them spreads: 20 us each. */
#define TRIES 16

static const char *const *_Atomic command;
static _Atomic bool started;

static void free_words(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

/* Copies a list of bytes. NULL: an exception. */
static char **words_of(PyObject *list)
{
    Py_ssize_t n = PyList_GET_SIZE(list);
    char **words = calloc((size_t)n + 1, sizeof *words);
    for (Py_ssize_t i = 0; words && i < n; i++) {
        const char *text = PyBytes_AsString(PyList_GET_ITEM(list, i));
        words[i] = text ? strdup(text) : NULL;
        if (!words[i]) {
            free_words(words);
            words = NULL;
        }
    }
    if (!words && !PyErr_Occurred())
        PyErr_NoMemory();
    return words;
}

static bool same(const char *const *a, char **b)
{
    size_t i = 0;
    while (a && a[i] && b[i] && strcmp(a[i], b[i]) == 0)
        i++;
    return a && !a[i] && !b[i];
}

/* Makes the command for f. One that was given out before is not freed: a loop
 * may have it. */
static void make(PyObject *f)
{
    PyObject *loops = PyImport_ImportModule("tutti._loops"), *list = NULL;
    if (loops)
        list = PyObject_CallMethod(loops, "command", "O", f);
    char **words = list ? words_of(list) : NULL;
    if (!words)
        PyErr_WriteUnraisable(f);
    else if (same(command, words))
        free_words(words);
    else
        command = (const char *const *)words;
    Py_XDECREF(list);
    Py_XDECREF(loops);
}

const char *const *tt_py_command_for(struct tt_py_map *map)
{
    static const void *known;
    static unsigned tries;
    const void *key = map->loop.key;
    if (!command || (!started && key != known && tries < TRIES)) {
        make(map->f); /* other threads may come by meanwhile */
        tries++;
        known = key;
    }
    return command;
}

const char *const *tt_py_command(void)
{
    if (!command)
        make(Py_None);
    started = true;
    return command;
}
