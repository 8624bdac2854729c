/* tutti.wordcount's part in C; python/tutti/_wordcount.py has the rest. */
#include "face.h"

/* Bytes without a zero among them; NULL: an exception. */
static const char *text_of(PyObject *bytes)
{
    char *text;
    return PyBytes_AsStringAndSize(bytes, &text, NULL) < 0 ? NULL : text;
}

/* The bytes of a list, which keeps them. NULL: an exception. */
static const char **paths_of(PyObject *list)
{
    Py_ssize_t n = PyList_GET_SIZE(list);
    const char **paths = PyMem_Calloc((size_t)n + 1, sizeof *paths);
    if (!paths)
        return (const char **)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < n; i++) {
        paths[i] = text_of(PyList_GET_ITEM(list, i));
        if (!paths[i]) {
            PyMem_Free(paths);
            return NULL;
        }
    }
    return paths;
}

/* A list of (path, count, state, errno, found, sentence or None). */
static PyObject *list_files(const tutti_wordcount *count)
{
    PyObject *list = PyList_New(0);
    tutti_wordcount_file file;
    for (size_t i = 0; list && tutti_wordcount_file_at(count, i, &file); i++) {
        PyObject *entry = Py_BuildValue(
            "(yKiiOy)", file.path, (unsigned long long)file.count,
            (int)file.state, file.error, file.found ? Py_True : Py_False,
            file.trouble ? file.trouble : "");
        if (!entry || PyList_Append(list, entry) < 0)
            Py_CLEAR(list);
        Py_XDECREF(entry);
    }
    return list;
}

/* A list of (word, count). */
static PyObject *list_top(const tutti_wordcount *count)
{
    PyObject *list = PyList_New(0);
    tutti_wordcount_entry top;
    for (size_t i = 0; list && tutti_wordcount_top_at(count, i, &top); i++) {
        PyObject *word = PyUnicode_DecodeUTF8(top.word, (Py_ssize_t)top.size,
                                              "surrogateescape");
        PyObject *entry =
            word ? Py_BuildValue("(NK)", word, (unsigned long long)top.count)
                 : NULL;
        if (!entry || PyList_Append(list, entry) < 0)
            Py_CLEAR(list);
        Py_XDECREF(entry);
    }
    return list;
}

static PyObject *result_of(const tutti_wordcount *count)
{
    PyObject *files = list_files(count);
    PyObject *top = files ? list_top(count) : NULL;
    PyObject *result = NULL;
    if (top)
        result = Py_BuildValue("(KOO)",
                               (unsigned long long)tutti_wordcount_total(count),
                               files, top);
    Py_XDECREF(files);
    Py_XDECREF(top);
    return result;
}

/* (word or None, list of paths as bytes, fold, recursive, top, on, workers) to
 * (total, files, top). */
PyObject *tt_py_wordcount(PyObject *module, PyObject *args)
{
    tutti_wordcount_query query = TUTTI_WORDCOUNT_QUERY_INIT;
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_wordcount *count = NULL;
    PyObject *list, *word;
    int fold, recursive;
    Py_ssize_t top;
    if (!PyArg_ParseTuple(args, "OO!ppnsI", &word, &PyList_Type, &list, &fold,
                          &recursive, &top, &options.on, &options.workers))
        return NULL;
    query.word = word == Py_None ? NULL : text_of(word);
    const char **paths = PyErr_Occurred() ? NULL : paths_of(list);
    if (!paths)
        return NULL;
    query.fold = fold;
    query.recursive = recursive;
    query.top = (size_t)top;
    options.progress = tt_py_look;
    tutti_status status;
    Py_BEGIN_ALLOW_THREADS status = tutti_wordcount_run(
        &count, &query, paths, (size_t)PyList_GET_SIZE(list), &options);
    Py_END_ALLOW_THREADS PyMem_Free(paths);
    PyObject *result = NULL;
    if (!PyErr_Occurred())
        result = status ? tt_py_raise_status(PyModule_GetState(module), status)
                        : result_of(count);
    tutti_wordcount_free(count);
    return result;
}
