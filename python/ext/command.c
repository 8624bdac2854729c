/* The command that becomes a zygote. It names the modules that functions use,
 * so it is made when a place first needs one, for the function at hand; then it
 * stays: workers of another command would be other processes. */
#include "face.h"

#include <stdlib.h>
#include <string.h>

static const char *const *_Atomic command;

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

static const char *const *made_for(PyObject *f)
{
    PyObject *loops = PyImport_ImportModule("tutti._loops"), *list = NULL;
    if (loops)
        list = PyObject_CallMethod(loops, "command", "(O)", f);
    char **words = list ? words_of(list) : NULL;
    if (!words && PyErr_ExceptionMatches(PyExc_Exception))
        PyErr_WriteUnraisable(f);
    Py_XDECREF(list);
    Py_XDECREF(loops);
    return (const char *const *)words;
}

const char *const *tt_py_command_known(void)
{
    static const char *const none[] = {"", NULL};
    const char *const *known = command;
    return known ? known : none;
}

const char *const *tt_py_command(PyObject *f)
{
    if (!command) {
        const char *const *made = made_for(f ? f : Py_None), *const *known =
                                                                 NULL;
        if (PyErr_Occurred())
            return NULL;
        if (made && !atomic_compare_exchange_strong(&command, &known, made))
            free_words(
                (char **)(uintptr_t)made); /* another thread's is there */
    }
    return tt_py_command_known();
}
