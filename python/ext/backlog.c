/* The tasks of a queue by number, and what arrived for them. The callbacks come
 * from a thread of the place without the interpreter's lock, and never take it:
 * what they read of Python objects is bytes, held until the task is settled. */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

static size_t padding(size_t size)
{
    return -size & 7;
}

tutti_status tt_py_record_put(tutti_bytes *out, enum tt_py_record_kind kind,
                              unsigned slot, const struct tt_py_bundle *bundle)
{
    static const char zeros[8];
    struct tt_py_record record = {.kind = (uint16_t)kind,
                                  .slot = (uint16_t)slot};
    const char *data = NULL;
    if (bundle) {
        data = PyBytes_AS_STRING(bundle->bytes);
        record.size = (uint64_t)PyBytes_GET_SIZE(bundle->bytes);
        record.blocks = (uint32_t)bundle->aside.count;
    }
    tutti_status status = tutti_bytes_append(out, &record, sizeof record);
    if (!status && data)
        status = tutti_bytes_append(out, data, record.size);
    if (!status)
        status = tutti_bytes_append(out, zeros, padding(record.size));
    for (uint32_t i = 0; !status && i < record.blocks; i++) {
        const tutti_block *block = bundle->aside.blocks[i];
        status = tutti_bytes_attach(out, tutti_block_data(block),
                                    tutti_block_size(block));
    }
    return status;
}

const struct tt_py_record *tt_py_record_next(const tutti_parcel *parcel,
                                             struct tt_py_reader *reader,
                                             tutti_parcel *piece)
{
    const char *data = parcel->data;
    size_t left = parcel->size - reader->at;
    if (left < sizeof(struct tt_py_record))
        return NULL;
    const struct tt_py_record *record = (const void *)(data + reader->at);
    left -= sizeof *record;
    if (record->size > left || record->size + padding(record->size) > left ||
        record->blocks > parcel->count - reader->passed)
        return NULL;
    piece->data = record + 1;
    piece->size = (size_t)record->size;
    piece->blocks = parcel->blocks + reader->passed;
    piece->count = record->blocks;
    reader->at += sizeof *record + piece->size + padding(piece->size);
    reader->passed += record->blocks;
    return record;
}

/* Frees an arrival that nobody reads and nobody waits for. */
static void free_arrival(struct tt_py_arrival *arrival)
{
    if (arrival->users || arrival->next != arrival->end)
        return;
    for (size_t i = 0; i < arrival->parcel.count; i++)
        tutti_block_drop(arrival->parcel.blocks[i]);
    free(arrival);
}

int tt_py_backlog_init(struct tt_py_backlog *b, unsigned workers, PyObject *job)
{
    size_t seats = 2 * (size_t)workers + 2;
    *b = (struct tt_py_backlog){
        .lock = PTHREAD_MUTEX_INITIALIZER, .room = 16, .seats = seats};
    b->last = &b->first;
    b->chunks = calloc(b->room, sizeof *b->chunks);
    b->sittings = calloc(seats, sizeof *b->sittings);
    b->job = Py_NewRef(job);
    if (b->chunks && b->sittings)
        return 0;
    tt_py_backlog_fini(b);
    return -1;
}

void tt_py_backlog_fini(struct tt_py_backlog *b)
{
    struct tt_py_arrival *arrival = b->first, *after;
    for (; arrival; arrival = after) {
        after = arrival->after;
        arrival->next = arrival->end;
        free_arrival(arrival);
    }
    for (size_t i = 0; b->chunks && i < b->room; i++)
        free(b->chunks[i]);
    free(b->chunks);
    free(b->spare);
    free(b->sittings);
    Py_XDECREF(b->job);
    *b = (struct tt_py_backlog){0};
}

static struct tt_py_chunk **chunk_of(struct tt_py_backlog *b, size_t index)
{
    return &b->chunks[index / TT_PY_CHUNK & (b->room - 1)];
}

/* The errand `index`, or NULL if it is gone. */
static struct tt_py_errand *errand_of(struct tt_py_backlog *b, size_t index)
{
    if (index >= b->top || index / TT_PY_CHUNK < b->base)
        return NULL;
    struct tt_py_chunk *chunk = *chunk_of(b, index);
    struct tt_py_errand *errand =
        chunk ? &chunk->errands[index % TT_PY_CHUNK] : NULL;
    return errand && errand->state != TT_PY_GONE ? errand : NULL;
}

/* An errand is settled; a chunk of such is freed, but for the last one. */
static void remove_errand(struct tt_py_backlog *b, size_t index)
{
    struct tt_py_chunk **at = chunk_of(b, index), *chunk = *at;
    chunk->errands[index % TT_PY_CHUNK] = (struct tt_py_errand){0};
    if (--chunk->live || index / TT_PY_CHUNK == b->top / TT_PY_CHUNK)
        return;
    *at = NULL;
    if (b->spare)
        free(chunk);
    else
        b->spare = chunk;
    while (b->base < b->top / TT_PY_CHUNK &&
           !b->chunks[b->base & (b->room - 1)])
        b->base++;
}

/* Twice the room for chunks. */
static bool widen(struct tt_py_backlog *b)
{
    size_t room = 2 * b->room;
    struct tt_py_chunk **chunks = calloc(room, sizeof *chunks);
    if (!chunks)
        return false;
    for (size_t c = b->base; c < b->base + b->room; c++)
        chunks[c & (room - 1)] = b->chunks[c & (b->room - 1)];
    free(b->chunks);
    b->chunks = chunks;
    b->room = room;
    return true;
}

/* The chunk of errand b->top, made if need be. */
static struct tt_py_chunk *last_chunk(struct tt_py_backlog *b)
{
    size_t number = b->top / TT_PY_CHUNK;
    if (number - b->base >= b->room && !widen(b))
        return NULL;
    struct tt_py_chunk **at = chunk_of(b, b->top);
    if (*at)
        return *at;
    *at = b->spare ? b->spare : calloc(1, sizeof **at);
    b->spare = NULL;
    return *at;
}

/* A chunk that emptied while it was the last one is still there: it goes when
 * the next begins. */
static void sweep(struct tt_py_backlog *b)
{
    size_t number = b->top / TT_PY_CHUNK;
    if (b->top % TT_PY_CHUNK || number == b->base)
        return;
    struct tt_py_chunk **at = chunk_of(b, b->top - 1);
    if (*at && !(*at)->live) {
        free(b->spare);
        b->spare = *at;
        *at = NULL;
    }
    while (b->base < number && !b->chunks[b->base & (b->room - 1)])
        b->base++;
}

tutti_status tt_py_backlog_add(struct tt_py_backlog *b,
                               const struct tt_py_errand *errand, size_t *index)
{
    pthread_mutex_lock(&b->lock);
    sweep(b);
    struct tt_py_chunk *chunk = last_chunk(b);
    if (chunk) {
        chunk->errands[b->top % TT_PY_CHUNK] = *errand;
        chunk->live++;
        *index = b->top++;
    }
    pthread_mutex_unlock(&b->lock);
    return chunk ? TUTTI_OK : TUTTI_EMEM;
}

bool tt_py_backlog_cancel(struct tt_py_backlog *b, size_t index,
                          struct tt_py_errand *errand)
{
    pthread_mutex_lock(&b->lock);
    struct tt_py_errand *there = errand_of(b, index);
    bool waits = there && there->state == TT_PY_WAITS;
    if (waits) {
        *errand = *there;
        *there = (struct tt_py_errand){.state = TT_PY_CANCELLED};
    }
    pthread_mutex_unlock(&b->lock);
    return waits;
}

bool tt_py_backlog_sent(struct tt_py_backlog *b, size_t index)
{
    pthread_mutex_lock(&b->lock);
    struct tt_py_errand *errand = errand_of(b, index);
    bool sent = errand && errand->state == TT_PY_SENT;
    pthread_mutex_unlock(&b->lock);
    return sent;
}

/* Takes the first arrival off the list when it is used up. */
static void pop(struct tt_py_backlog *b)
{
    struct tt_py_arrival *arrival = b->first;
    b->first = arrival->after;
    if (!b->first)
        b->last = &b->first;
    atomic_store_explicit(&b->arrived, b->first != NULL, memory_order_relaxed);
    free_arrival(arrival);
}

bool tt_py_backlog_take(struct tt_py_backlog *b, struct tt_py_news *news)
{
    *news = (struct tt_py_news){0};
    pthread_mutex_lock(&b->lock);
    while (!news->arrival && b->first) {
        struct tt_py_arrival *arrival = b->first;
        size_t index = arrival->next++;
        struct tt_py_errand *there = NULL;
        if (arrival->kind == TT_PY_CAME)
            news->record = tt_py_record_next(&arrival->parcel, &arrival->reader,
                                             &news->piece);
        if (arrival->kind != TT_PY_SAID)
            there = errand_of(b, index);
        if (arrival->kind == TT_PY_SAID ||
            (there && (there->owner || there->cell))) {
            arrival->users++;
            news->arrival = arrival;
            news->index = index;
        }
        if (there) {
            news->errand = *there;
            remove_errand(b, index);
        }
        if (arrival->next == arrival->end)
            pop(b);
    }
    pthread_mutex_unlock(&b->lock);
    return news->arrival;
}

void tt_py_backlog_drop(struct tt_py_backlog *b, struct tt_py_arrival *arrival)
{
    pthread_mutex_lock(&b->lock);
    arrival->users--;
    free_arrival(arrival);
    pthread_mutex_unlock(&b->lock);
}

bool tt_py_backlog_left(struct tt_py_backlog *b, struct tt_py_errand *errand,
                        size_t *index)
{
    bool found = false;
    pthread_mutex_lock(&b->lock);
    size_t i = b->base * TT_PY_CHUNK;
    for (; i < b->top && !found; i++) {
        struct tt_py_errand *there = errand_of(b, i);
        if (!there)
            continue;
        found = there->owner || there->cell;
        *errand = *there;
        *index = i;
        remove_errand(b, i);
    }
    pthread_mutex_unlock(&b->lock);
    return found;
}

/* The place's side. */

static tutti_status encode_job(void *context, tutti_bytes *out)
{
    const struct tt_py_backlog *b = context;
    return tutti_bytes_append(out, PyBytes_AS_STRING(b->job),
                              (size_t)PyBytes_GET_SIZE(b->job));
}

/* What is known of a sitting; the one that was used longest ago is forgotten
 * for a new one: it may get a function twice. */
static struct tt_py_sitting *sitting_of(struct tt_py_backlog *b,
                                        uint64_t number)
{
    struct tt_py_sitting *oldest = b->sittings;
    for (size_t i = 0; i < b->seats; i++) {
        struct tt_py_sitting *s = &b->sittings[i];
        if (s->number == number && s->used) {
            s->used = ++b->uses;
            return s;
        }
        if (s->used < oldest->used)
            oldest = s;
    }
    *oldest = (struct tt_py_sitting){.number = number, .used = ++b->uses};
    return oldest;
}

/* An errand, behind its function if the worker lacks that. */
static tutti_status put_errand(struct tt_py_sitting *sitting,
                               struct tt_py_errand *errand, tutti_bytes *out)
{
    struct tt_py_function *f = errand->f;
    tutti_status status = TUTTI_OK;
    if (sitting->has[f->slot] != f->number) {
        status = tt_py_record_put(out, TT_PY_FUNCTION, f->slot, &f->bundle);
        if (!status)
            sitting->has[f->slot] = f->number;
    }
    if (status)
        return status;
    return tt_py_record_put(out, errand->kind, f->slot, &errand->args);
}

static tutti_status encode_range(void *context, size_t begin, size_t end,
                                 uint64_t number, tutti_bytes *out)
{
    struct tt_py_backlog *b = context;
    tutti_status status = TUTTI_OK;
    pthread_mutex_lock(&b->lock);
    struct tt_py_sitting *sitting = sitting_of(b, number);
    for (size_t i = begin; i < end && !status; i++) {
        struct tt_py_errand *errand = errand_of(b, i);
        if (!errand || errand->state == TT_PY_CANCELLED) {
            status = tt_py_record_put(out, TT_PY_SKIP, 0, NULL);
            continue;
        }
        status = put_errand(sitting, errand, out);
        errand->state = TT_PY_SENT;
    }
    if (status) /* nothing of it is sent, so the functions are not there */
        *sitting = (struct tt_py_sitting){0};
    pthread_mutex_unlock(&b->lock);
    return status;
}

/* Stores a copy of what came; its blocks are kept. False: no memory. */
static bool arrive(struct tt_py_backlog *b, struct tt_py_arrival head,
                   const tutti_parcel *parcel)
{
    size_t blocks = parcel->count * sizeof(tutti_block *);
    char *memory = malloc(sizeof head + blocks + parcel->size + 1);
    if (!memory)
        return false;
    struct tt_py_arrival *arrival = (void *)memory;
    tutti_block **kept = (void *)(memory + sizeof head);
    char *data = memory + sizeof head + blocks;
    for (size_t i = 0; i < parcel->count; i++)
        kept[i] = tutti_block_keep(parcel->blocks[i]);
    if (parcel->size)
        memcpy(data, parcel->data, parcel->size);
    data[parcel->size] = '\0';
    *arrival = head;
    arrival->parcel = (tutti_parcel){
        .data = data,
        .size = parcel->size,
        .blocks = kept,
        .count = parcel->count,
    };
    pthread_mutex_lock(&b->lock);
    *b->last = arrival;
    b->last = &arrival->after;
    atomic_store_explicit(&b->arrived, true, memory_order_relaxed);
    pthread_mutex_unlock(&b->lock);
    return true;
}

static tutti_status decode_range(void *context, size_t begin, size_t end,
                                 const tutti_parcel *parcel, size_t *failed)
{
    (void)failed;
    struct tt_py_arrival head = {.next = begin, .end = end};
    if (arrive(context, head, parcel))
        return TUTTI_OK;
    tutti_task_fail("no memory for the results of tasks %zu to %zu", begin,
                    end - 1);
    return TUTTI_EMEM;
}

/* What has no memory for its sentence is found when the queue ends. */
static void lost(void *context, size_t begin, size_t end, tutti_status status,
                 const char *why)
{
    struct tt_py_arrival head = {
        .next = begin, .end = end, .kind = TT_PY_LOST, .detail = (int)status};
    tutti_parcel text = {.data = why, .size = strlen(why)};
    arrive(context, head, &text);
}

static void say(void *context, tutti_voice voice, const char *text, size_t size)
{
    struct tt_py_arrival head = {
        .end = 1, .kind = TT_PY_SAID, .detail = (int)voice};
    tutti_parcel parcel = {.data = text, .size = size};
    arrive(context, head, &parcel);
}

void tt_py_backlog_callbacks(tutti_message *message)
{
    message->encode_job = encode_job;
    message->encode_range = encode_range;
    message->decode_range = decode_range;
    message->lost = lost;
    message->say = say;
}
