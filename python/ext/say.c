/* What workers say, in the caller. */
#include "face.h"

bool tt_py_say(struct tt_py_state *state, tutti_voice voice, const char *text,
               size_t size)
{
    PyObject *stream = tt_py_stream(state), *done = NULL;
    if (stream)
        done = PyObject_CallMethod(stream, "say", "iy#", (int)voice, text,
                                   (Py_ssize_t)size);
    Py_XDECREF(done);
    if (!done && PyErr_ExceptionMatches(PyExc_Exception))
        PyErr_WriteUnraisable(stream);
    return !PyErr_Occurred();
}
