/* Random streams by task: a function of (seed, index of the task) alone. With
 * seed=, the generators that tasks know by name start anew in each task:
 * Python's, NumPy's global one, C's. The first two are Mersenne twisters, whose
 * states are written where they are: their own ways take 7 and 11 us. */
#include "face.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WORDS 624 /* of a twister's state */

enum { PYTHON, NUMPY };

/* What is drawn from a key: a word of Philox's counter. */
enum { FOR_TWISTERS = 0, FOR_C = 4, FOR_MAPS };

static struct twister {
    uint32_t *key; /* NULL: not where it was expected */
    int *pos;
    PyObject *reset; /* forgets what it has drawn ahead; NULL: no generator */
    PyObject *slow;  /* takes the state as bytes */
} twisters[2];

/* Philox4x32-10 (Salmon et al., SC11). */
static void philox(uint32_t out[4], uint64_t key, uint64_t index, uint32_t what,
                   uint32_t number)
{
    uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), what, number};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53 * c[0];
        uint64_t b = (uint64_t)0xCD9E8D57 * c[2];
        c[0] = (uint32_t)(b >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)b;
        c[2] = (uint32_t)(a >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)a;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    memcpy(out, c, sizeof c);
}

static uint64_t rotated(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* A twister's state: xoshiro256** (Blackman, Vigna) from 256 bits that are no
 * other (key, index, which)'s. */
static void fill(uint32_t words[WORDS], uint64_t key, uint64_t index, int which)
{
    uint32_t drawn[8];
    uint64_t s[4];
    philox(drawn, key, index, FOR_TWISTERS + 2 * (uint32_t)which, 0);
    philox(drawn + 4, key, index, FOR_TWISTERS + 2 * (uint32_t)which + 1, 0);
    memcpy(s, drawn, sizeof s);
    for (int i = 0; i < WORDS; i += 2) {
        uint64_t value = rotated(s[1] * 5, 7) * 9, t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = rotated(s[3], 45);
        words[i] = (uint32_t)value;
        words[i + 1] = (uint32_t)(value >> 32);
    }
}

uint64_t tt_py_seed_word(struct tt_py_seed *seed)
{
    while (!seed->known)
        seed->known = getrandom(&seed->word, sizeof seed->word, 0) ==
                      (ssize_t)sizeof seed->word;
    return seed->word;
}

int tt_py_seed_read(struct tt_py_seed *seed, PyObject *object)
{
    PyObject *index = PyBool_Check(object) ? NULL : PyNumber_Index(object);
    if (!index) {
        PyErr_Format(PyExc_TypeError, "seed must be a whole number, got %s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    seed->word = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    if (PyErr_Occurred()) {
        PyErr_Format(PyExc_ValueError, "seed must be 0 to 2**64 - 1, got %S",
                     object);
        return -1;
    }
    seed->known = seed->given = true;
    return 0;
}

void tt_py_seed_inherit(struct tt_py_seed *seed, struct tt_py_items *outer)
{
    uint32_t drawn[4];
    if (!outer || !outer->seed || !outer->seed->given)
        return;
    size_t index = tt_py_items_index(outer);
    if (outer->mapper != index)
        outer->maps = 0;
    outer->mapper = index;
    philox(drawn, outer->seed->word, index, FOR_MAPS, outer->maps++);
    memcpy(&seed->word, drawn, sizeof seed->word);
    seed->known = seed->given = true;
}

/* tutti._tutti.twister(which, at, words, pos, reset, slow): where a generator's
 * state may be written: its present one, words and pos, is there. `at` is the
 * random.Random, or NumPy's capsule. */
PyObject *tt_py_twister(PyObject *module, PyObject *args)
{
    int which, pos;
    PyObject *at, *reset, *slow;
    const char *words;
    Py_ssize_t size;
    (void)module;
    if (!PyArg_ParseTuple(args, "iOy#iOO", &which, &at, &words, &size, &pos,
                          &reset, &slow))
        return NULL;
    struct twister *t = &twisters[which], old = *t;
    if (which == NUMPY) {
        uint32_t **state = PyCapsule_GetPointer(at, "BitGenerator");
        if (!state)
            return NULL;
        t->key = *state;
        t->pos = (int *)(t->key + WORDS);
    } else {
        t->pos = (int *)((PyObject *)at + 1);
        t->key = (uint32_t *)(t->pos + 1);
    }
    if (size != WORDS * 4 || *t->pos != pos ||
        memcmp(t->key, words, WORDS * 4) != 0)
        t->key = NULL;
    t->reset = Py_NewRef(reset);
    t->slow = Py_NewRef(slow);
    Py_XDECREF(old.reset);
    Py_XDECREF(old.slow);
    return PyBool_FromLong(t->key != NULL);
}

static int seed_twister(int which, uint64_t key, uint64_t index)
{
    struct twister *t = &twisters[which];
    PyObject *done;
    if (!t->reset)
        return 0;
    if (t->key) {
        done = PyObject_CallNoArgs(t->reset);
        fill(t->key, key, index, which);
        *t->pos = WORDS;
    } else {
        uint32_t words[WORDS];
        fill(words, key, index, which);
        done = PyObject_CallFunction(t->slow, "y#", words,
                                     (Py_ssize_t)sizeof words);
    }
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* The caller's own streams, once a map. */
static int save(struct tt_py_seed *seed)
{
    PyObject *module = PyImport_ImportModule("tutti._seed");
    seed->saved = module ? PyObject_CallMethod(module, "save", NULL) : NULL;
    Py_XDECREF(module);
    if (!seed->saved)
        return -1;
    seed->c = initstate(1, seed->c_state, sizeof seed->c_state);
    memcpy(seed->c48, seed48((unsigned short[3]){0}), sizeof seed->c48);
    return 0;
}

void tt_py_seed_restore(struct tt_py_seed *seed)
{
    if (!seed->saved)
        return;
    PyObject *error = PyErr_GetRaisedException();
    PyObject *done = PyObject_CallMethod(seed->saved, "restore", NULL);
    setstate(seed->c);
    seed48(seed->c48);
    Py_CLEAR(seed->saved);
    Py_XDECREF(done);
    if (error)
        PyErr_SetRaisedException(error);
}

int tt_py_seed_task(struct tt_py_items *items)
{
    struct tt_py_seed *seed = items->seed;
    uint64_t key = seed->word, index = tt_py_items_index(items);
    uint32_t drawn[4];
    if (!seed->remote && !seed->saved && save(seed) < 0)
        return -1;
    philox(drawn, key, index, FOR_C, 0);
    srandom(drawn[0]); /* glibc's rand() too */
    srand48((long)drawn[1]);
    if (seed_twister(PYTHON, key, index) < 0)
        return -1;
    return seed_twister(NUMPY, key, index);
}

/* tutti._tutti.seed_numpy(): it was imported in a task. */
PyObject *tt_py_seed_numpy(PyObject *module, PyObject *unused)
{
    struct tt_py_items *items = tt_py_task_innermost();
    (void)module, (void)unused;
    if (items && items->seed && items->seed->given &&
        seed_twister(NUMPY, items->seed->word, tt_py_items_index(items)) < 0)
        return NULL;
    Py_RETURN_NONE;
}
