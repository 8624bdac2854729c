/* The message form of a map: functions, items and results as bytes. The
 * callbacks come from a thread of the place, without the interpreter lock. */
#include "face.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls MODULE.NAME; the result or NULL with an exception. */
static PyObject *call(PyObject *module, const char *name, PyObject *args)
{
    PyObject *method =
        module && args ? PyObject_GetAttrString(module, name) : NULL;
    PyObject *result = method ? PyObject_Call(method, args, NULL) : NULL;
    Py_XDECREF(method);
    return result;
}

static PyObject *call_wire(struct tt_py_map *map, const char *name,
                           PyObject *args)
{
    return call(tt_py_wire(map->state), name, args);
}

#define GIVEN_UP "making the bytes takes longer than they may cost"

/* What a callback asks of the interpreter. */
struct request {
    struct tt_py_map *map;
    size_t begin, end;
    tutti_bytes *out;
    const tutti_parcel *parcel;
    size_t *failed;
    tutti_status status;
    const char *why; /* of a loss */
    char line[120];  /* for tutti_task_fail(), in the place's thread */
};

static tutti_status ask(struct request request, void (*work)(void *))
{
    tt_py_mailbox_do(&request.map->box, work, &request);
    if (request.line[0])
        tutti_task_fail("%s", request.line);
    return request.status;
}

/* What bytes cost is learnt for "auto"; a crew's maps go to its workers
 * anyway, with jobs that are made once. */
static struct tt_py_watch start_watch(const struct tt_py_map *map)
{
    if (map->queue)
        return (struct tt_py_watch){0};
    return tt_py_watch_start(tt_py_mailbox_owned(&map->box));
}

static double read_watch(const struct tt_py_map *map,
                         const struct tt_py_watch *watch)
{
    return map->queue ? 0 : tt_py_watch_read(watch);
}

/* Takes the exception that is raised as `known` would; an interrupt, which may
 * come while the caller's thread is here, ends the run. */
static void take_raised(struct request *r, struct tt_py_failure *known,
                        Py_ssize_t index)
{
    bool ours = !tt_py_interrupted(r->map->state);
    tt_py_failure_take(ours ? known : &r->map->failure,
                       ours ? index : TT_PY_NO_TASK);
    if (!ours)
        tutti_run_cancel(r->map->run);
}

/* Stores the results of the tasks from `begin` on. */
static int keep_part(struct tt_py_map *map, size_t begin, PyObject *list)
{
    PyObject *key = PyLong_FromSize_t(begin);
    int bad = key ? PyDict_SetItem(map->parts, key, list) : -1;
    Py_XDECREF(key);
    return bad;
}

/* Takes the failure that a function of tutti._wire gave instead of bytes or
 * results: (index, exception), and perhaps the results before it. */
static int take_failure(struct request *r, PyObject *tuple,
                        struct tt_py_failure *known, size_t *index)
{
    PyObject *error, *done = NULL;
    Py_ssize_t at;
    if (!PyTuple_Check(tuple) ||
        !PyArg_ParseTuple(tuple, "nO|O", &at, &error, &done))
        return -1;
    snprintf(r->line, sizeof r->line, "task %zd raised %s", at,
             Py_TYPE(error)->tp_name);
    PyErr_SetRaisedException(Py_NewRef(error));
    tt_py_failure_take(known, at);
    *index = (size_t)at - r->map->base;
    return done ? keep_part(r->map, r->begin, done) : 0;
}

static bool is_failure(PyObject *object)
{
    return PyTuple_Check(object) && PyTuple_GET_SIZE(object) > 0 &&
           PyLong_Check(PyTuple_GET_ITEM(object, 0));
}

/* Appends `made`, whose reference it takes. NULL is an exception, a failure
 * that of a task: what cannot travel; None has been given up. */
static tutti_status emit(struct request *r, PyObject *made)
{
    tutti_status status = TUTTI_EPLACE;
    struct tt_py_failure *refusal = &r->map->refusal;
    size_t index;
    if (made == Py_None) {
        r->map->spent.task_cut = true;
        snprintf(r->line, sizeof r->line, GIVEN_UP);
        goto drop;
    }
    if (made && is_failure(made) && take_failure(r, made, refusal, &index) == 0)
        goto drop;
    if (made)
        status = tt_py_put(made, r->out);
    if (status) {
        snprintf(r->line, sizeof r->line,
                 "the items cannot be sent to another process");
        take_raised(r, refusal, TT_PY_NO_TASK);
    }
drop:
    Py_XDECREF(made);
    return status;
}

/* The lock may change hands while the bytes are made; the first are kept. */
void tt_py_message_prepare(struct tt_py_map *map)
{
    struct request r = {.map = map};
    atomic_store(&map->wanted, false);
    if (map->job || map->refusal.error || map->spent.job_cut)
        return;
    bool caller = tt_py_mailbox_owned(&map->box);
    PyObject *module = tt_py_job(map->state); /* no trial's: it may be long */
    PyObject *args = Py_BuildValue(
        "(OOiOON)", map->f, map->star ? Py_True : Py_False, (int)map->errors,
        map->seed.given ? Py_True : Py_False, tt_py_queue_jobs(map),
        tt_py_trial(tt_py_trial_job(map), caller));
    struct tt_py_watch watch = start_watch(map);
    PyObject *job = call(module, "dump_job", args);
    map->spent.job = read_watch(map, &watch);
    Py_XDECREF(args);
    if (!job)
        take_raised(&r, &map->refusal, TT_PY_NO_TASK);
    else if (job == Py_None)
        map->spent.job_cut = true;
    else if (!map->job)
        map->job = Py_NewRef(job);
    Py_XDECREF(job);
}

static void do_command(void *arg)
{
    struct request r = {.map = arg};
    if (!tt_py_command(r.map->f))
        take_raised(&r, &r.map->failure, TT_PY_NO_TASK);
}

static void prepare(void *context)
{
    struct tt_py_map *map = context;
    if (!tt_py_command_known()[0][0])
        tt_py_mailbox_do(&map->box, do_command, map);
    map->message.command = tt_py_command_known();
    map->alone = !map->message.command[0][0];
    atomic_store(&map->wanted, true);
}

/* Calls a function without arguments, as nothing depends on its success. A
 * signal that waited for the interpreter would be raised in its place. */
static bool call_quietly(struct tt_py_map *map, const char *name)
{
    struct request r = {.map = map};
    if (PyErr_CheckSignals() < 0)
        take_raised(&r, &map->failure, TT_PY_NO_TASK);
    PyObject *args = PyTuple_New(0);
    PyObject *done = call_wire(map, name, args);
    bool called = done;
    Py_XDECREF(args);
    Py_XDECREF(done);
    if (!called && tt_py_interrupted(map->state))
        take_raised(&r, &map->failure, TT_PY_NO_TASK);
    else if (!called)
        PyErr_Clear();
    return called;
}

int tt_py_message_tell(struct tt_py_map *map)
{
    if (!map->refusal.error && !map->alone)
        return 0;
    PyObject *refusal = map->refusal.error ? map->refusal.error : Py_None;
    PyObject *args = PyTuple_Pack(2, map->f, refusal);
    PyObject *done = call(tt_py_job(map->state), "stays", args);
    Py_XDECREF(args);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

void tt_py_message_end(struct tt_py_map *map)
{
    if (map->hurried)
        call_quietly(map, "calm");
    map->hurried = false;
}

static void do_encode_job(void *arg)
{
    struct request *r = arg;
    tt_py_message_prepare(r->map);
    if (r->map->job) {
        if (!r->map->hurried)
            r->map->hurried = call_quietly(r->map, "hurry");
        struct tt_py_watch watch = start_watch(r->map);
        r->status = tt_py_put(r->map->job, r->out);
        r->map->spent.job += read_watch(r->map, &watch);
        if (!r->status)
            return;
        take_raised(r, &r->map->refusal, TT_PY_NO_TASK);
    }
    snprintf(r->line, sizeof r->line, "%s",
             r->map->spent.job_cut
                 ? GIVEN_UP
                 : "the function cannot be sent to another process");
    r->status = TUTTI_EPLACE;
}

static tutti_status encode_job(void *context, tutti_bytes *out)
{
    return ask(
        (struct request){.map = context, .out = out, .status = TUTTI_EPLACE},
        do_encode_job);
}

static PyObject *memo_of(struct tt_py_map *map)
{
    PyObject *args = map->memo ? NULL : PyTuple_New(0);
    if (args)
        map->memo = call_wire(map, "Memo", args);
    Py_XDECREF(args);
    return map->memo;
}

static void do_encode_range(void *arg)
{
    struct request *r = arg;
    struct tt_py_map *map = r->map;
    bool caller = tt_py_mailbox_owned(&map->box);
    double most = tt_py_trial_range(map, r->end - r->begin);
    struct tt_py_watch watch = start_watch(r->map);
    PyObject *memo = memo_of(map);
    PyObject *args =
        memo ? Py_BuildValue("(OnnnKON)", map->columns, (Py_ssize_t)r->begin,
                             (Py_ssize_t)r->end, (Py_ssize_t)map->base,
                             (unsigned long long)tt_py_seed_word(&map->seed),
                             memo, tt_py_trial(most, caller))
             : NULL;
    r->status = emit(r, call_wire(map, "dump_range", args));
    Py_XDECREF(args);
    double used = read_watch(r->map, &watch);
    size_t tasks = r->end - r->begin;
    if (map->spent.task_cut) {
        map->spent.task = used / (double)tasks;
        return;
    }
    map->spent.encode += used;
    map->spent.encoded += tasks;
    map->spent.ranges++;
}

static tutti_status encode_range(void *context, size_t begin, size_t end,
                                 uint64_t sitting, tutti_bytes *out)
{
    (void)sitting;
    return ask((struct request){.map = context,
                                .begin = begin,
                                .end = end,
                                .out = out,
                                .status = TUTTI_EPLACE},
               do_encode_range);
}

/* What a range came to: a list, or what store() takes. */
static PyObject *load(struct request *r)
{
    struct tt_py_map *map = r->map;
    PyObject *view = tt_py_view(r->parcel), *blocks = tt_py_blocks(r->parcel);
    PyObject *raised = map->errors == TT_PY_RETURN ? Py_True : Py_None;
    PyObject *args = Py_BuildValue(
        "(NNnnOOOn)", view, blocks, (Py_ssize_t)r->begin,
        (Py_ssize_t)(r->end - r->begin), map->faults ? map->faults : raised,
        map->columns, map->star ? Py_True : Py_False, (Py_ssize_t)map->base);
    PyObject *loaded = call_wire(map, "load_results", args);
    Py_XDECREF(args);
    return loaded;
}

/* Stores what tutti._wire made of a range. */
static int store(struct request *r, PyObject *loaded)
{
    if (PyList_CheckExact(loaded) &&
        PyList_GET_SIZE(loaded) == (Py_ssize_t)(r->end - r->begin))
        return keep_part(r->map, r->begin, loaded);
    return take_failure(r, loaded, &r->map->failure, r->failed);
}

static void do_decode_range(void *arg)
{
    struct request *r = arg;
    struct tt_py_watch watch = start_watch(r->map);
    size_t index = r->map->base + r->begin;
    PyObject *loaded = load(r);
    if (!loaded || store(r, loaded) < 0) {
        take_raised(r, &r->map->failure, (Py_ssize_t)index);
        snprintf(r->line, sizeof r->line,
                 "the results of task %zu and behind cannot be read", index);
        *r->failed = r->begin;
    }
    Py_XDECREF(loaded);
    r->status = TUTTI_OK;
    r->map->spent.decode +=
        read_watch(r->map, &watch) + tt_py_weigh_blocks(r->parcel);
    r->map->spent.decoded += r->end - r->begin;
}

static tutti_status decode_range(void *context, size_t begin, size_t end,
                                 const tutti_parcel *parcel, size_t *failed)
{
    return ask((struct request){.map = context,
                                .begin = begin,
                                .end = end,
                                .parcel = parcel,
                                .failed = failed},
               do_decode_range);
}

/* What a worker says, on its way to the caller's streams. */
struct saying {
    struct tt_py_map *map;
    tutti_voice voice;
    const char *text;
    size_t size;
};

static void do_say(void *arg)
{
    struct saying *s = arg;
    struct request r = {.map = s->map};
    if (!tt_py_say(s->map->state, s->voice, s->text, s->size))
        take_raised(&r, &s->map->failure, TT_PY_NO_TASK);
}

static void say(void *context, tutti_voice voice, const char *text, size_t size)
{
    struct tt_py_map *map = context;
    struct saying s = {map, voice, text, size};
    tt_py_mailbox_do(&map->box, do_say, &s);
}

/* The exception of what could not be sent, if that is why tasks are lost. */
static PyObject *take_refusal(struct request *r)
{
    struct tt_py_failure *refusal = &r->map->refusal;
    Py_ssize_t base = (Py_ssize_t)r->map->base;
    PyObject *error = refusal->error;
    if (!error || refusal->index < base + (Py_ssize_t)r->begin ||
        refusal->index >= base + (Py_ssize_t)r->end)
        return NULL;
    refusal->error = NULL;
    return error;
}

/* Tasks that have no result get its exception instead. */
static void do_lose(void *arg)
{
    struct request *r = arg;
    struct tt_py_map *map = r->map;
    PyObject *error = take_refusal(r);
    if (!error) {
        tt_py_raise_line(map->state, r->status, r->why);
        error = PyErr_GetRaisedException();
    }
    PyObject *fault = tt_py_fault(map->state), *list = NULL;
    Py_ssize_t tasks = (Py_ssize_t)(r->end - r->begin);
    if (fault && r->status == TUTTI_ECANCEL)
        list = PyObject_CallMethod(fault, "missing", "n", tasks);
    else if (fault)
        list = PyObject_CallMethod(
            fault, "lose", "OnnOOnO", error, (Py_ssize_t)r->begin, tasks,
            map->columns, map->star ? Py_True : Py_False, (Py_ssize_t)map->base,
            map->faults ? map->faults : Py_None);
    if (!list || keep_part(map, r->begin, list) < 0)
        take_raised(r, &map->failure, TT_PY_NO_TASK);
    Py_XDECREF(list);
    Py_DECREF(error);
}

static void lost(void *context, size_t begin, size_t end, tutti_status status,
                 const char *why)
{
    ask(
        (struct request){
            .map = context,
            .begin = begin,
            .end = end,
            .status = status,
            .why = why,
        },
        do_lose);
}

void tt_py_message_init(struct tt_py_map *map)
{
    map->message = (tutti_message){.command = tt_py_command_known(),
                                   .encode_job = encode_job,
                                   .encode_range = encode_range,
                                   .decode_range = decode_range,
                                   .say = say,
                                   .prepare = prepare,
                                   .range_tasks = map->chunk,
                                   .once = map->errors == TT_PY_COLLECT,
                                   .gives = true,
                                   .keeps = true};
    if (map->errors != TT_PY_RAISE)
        map->message.lost = lost;
    map->loop.message = &map->message;
    tt_py_cost_get(map);
    if (map->job)
        map->message.job_cost = 0;
}
