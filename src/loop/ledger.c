#include "loop/ledger.h"

#include <stdlib.h>
#include <string.h>

#define REBASE (1u << 30)

void tt_ledger_fini(struct tt_ledger *ledger)
{
    free(ledger->entries);
    *ledger = (struct tt_ledger){0};
}

static tutti_status reserve(struct tt_ledger *ledger)
{
    size_t room = 2 * ledger->room + 16;
    if (3 * (ledger->count + 1) <= ledger->room)
        return TUTTI_OK;
    struct tt_entry *entries = realloc(ledger->entries, room * sizeof *entries);
    if (!entries)
        return tt_fail_memory("the ledger of a loop");
    ledger->entries = entries;
    ledger->room = room;
    return TUTTI_OK;
}

static void strike(struct tt_ledger *ledger, struct tt_entry *entry)
{
    size_t behind = (size_t)(ledger->entries + ledger->count - entry) - 1;
    memmove(entry, entry + 1, behind * sizeof *entry);
    ledger->count--;
}

/* Strikes out an entry up to task `end`. */
static void shorten(struct tt_ledger *ledger, struct tt_entry *entry,
                    size_t end)
{
    if (entry->range.end == end)
        strike(ledger, entry);
    else
        entry->range.begin = end;
}

struct tt_entry *tt_ledger_runs(const struct tt_ledger *ledger, uint64_t worker)
{
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].worker == worker)
            return &ledger->entries[i];
    return NULL;
}

size_t tt_ledger_held(const struct tt_ledger *ledger, uint64_t worker)
{
    size_t held = 0;
    for (size_t i = 0; i < ledger->count; i++)
        held += ledger->entries[i].worker == worker;
    return held;
}

/* An open loop can have more tasks than a claim word can count: what was
 * claimed leaves the word. Only this thread claims. */
static void rebase(struct tutti_run *run)
{
    uint64_t old = atomic_load_explicit(&run->claim, memory_order_relaxed);
    uint32_t front = tt_claim_front_of(old);
    if (!run->endless || front < REBASE)
        return;
    while (!atomic_compare_exchange_weak_explicit(
        &run->claim, &old, tt_claim_word(0, tt_claim_back_of(old) - front),
        memory_order_acq_rel, memory_order_relaxed))
        ;
    run->base += front;
}

bool tt_ledger_next(const struct tt_ledger *ledger, struct tutti_run *run,
                    size_t tasks, struct tt_range *range)
{
    const struct tt_entry *entry = tt_ledger_runs(ledger, 0);
    size_t units = tasks / run->unit ? tasks / run->unit : 1;
    if (entry) {
        *range = entry->range;
        if (range->end - range->begin > units * run->unit)
            range->end = range->begin + units * run->unit;
        return true;
    }
    rebase(run);
    /* Tasks that were added are encoded before they are claimed. */
    uint64_t word = atomic_load_explicit(&run->claim, memory_order_acquire);
    uint32_t front = tt_claim_front_of(word), back = tt_claim_back_of(word);
    if (front == back)
        return false;
    if (units < back - front && run->caller)
        front = back - (uint32_t)units;
    else if (units < back - front)
        back = front + (uint32_t)units;
    size_t end = run->base + back * run->unit;
    range->begin = run->base + front * run->unit;
    range->end = end < run->loop.n ? end : run->loop.n;
    return true;
}

/* Claims exactly `range`, unless some of it is taken. */
static bool take(struct tutti_run *run, const struct tt_range *range)
{
    size_t first = range->begin - run->base, last = range->end - run->base;
    uint32_t begin = (uint32_t)(first / run->unit);
    uint32_t end = (uint32_t)((last + run->unit - 1) / run->unit);
    uint64_t old = atomic_load_explicit(&run->claim, memory_order_relaxed);
    uint64_t new;
    do {
        uint32_t front = tt_claim_front_of(old), back = tt_claim_back_of(old);
        if (begin < front || end > back || (run->caller && end != back) ||
            (!run->caller && begin != front))
            return false;
        new = run->caller ? tt_claim_word(front, begin)
                          : tt_claim_word(end, back);
    } while (!atomic_compare_exchange_weak_explicit(
        &run->claim, &old, new, memory_order_acq_rel, memory_order_relaxed));
    return true;
}

tutti_status tt_ledger_take(struct tt_ledger *ledger, struct tutti_run *run,
                            const struct tt_range *range, uint64_t worker,
                            struct tt_entry **entry)
{
    struct tt_entry new = {
        .range = *range, .worker = worker, .deadline = UINT64_MAX};
    *entry = NULL;
    tutti_status status = reserve(ledger);
    if (status)
        return status;
    struct tt_entry *old = tt_ledger_runs(ledger, 0);
    if (old) {
        new.attempts = old->attempts;
        shorten(ledger, old, range->end);
    } else if (!take(run, range)) {
        return TUTTI_OK;
    }
    *entry = &ledger->entries[ledger->count++];
    **entry = new;
    return TUTTI_OK;
}

bool tt_ledger_skip(struct tt_ledger *ledger, struct tutti_run *run,
                    const struct tt_range *range)
{
    struct tt_entry *old = tt_ledger_runs(ledger, 0);
    if (old)
        shorten(ledger, old, range->end);
    return old || take(run, range);
}

bool tt_ledger_done(struct tt_ledger *ledger, uint64_t worker, size_t begin,
                    size_t end)
{
    struct tt_entry *entry = tt_ledger_runs(ledger, worker);
    if (!entry || entry->range.begin != begin || entry->range.end < end ||
        end <= begin)
        return false;
    shorten(ledger, entry, end);
    return true;
}

static void release(struct tt_entry *entry)
{
    entry->worker = 0;
    entry->deadline = UINT64_MAX;
}

bool tt_ledger_give(struct tt_ledger *ledger, uint64_t worker, size_t begin)
{
    struct tt_entry *entry = tt_ledger_runs(ledger, worker);
    if (!entry || entry->range.begin != begin)
        return false;
    release(entry);
    return true;
}

bool tt_ledger_divides(const struct tt_ledger *ledger, size_t unit)
{
    for (size_t i = 0; i < ledger->count; i++) {
        const struct tt_entry *entry = &ledger->entries[i];
        if (entry->worker && entry->range.end - entry->range.begin > unit)
            return true;
    }
    return false;
}

void tt_ledger_release(struct tt_ledger *ledger, uint64_t worker)
{
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].worker == worker)
            release(&ledger->entries[i]);
}

/* Puts a part of a lost entry in its place, to wait. */
static void insert(struct tt_ledger *ledger, size_t at, struct tt_entry part,
                   size_t begin, size_t end)
{
    if (begin == end)
        return;
    struct tt_entry *to = ledger->entries + at;
    memmove(to + 1, to, (ledger->count - at) * sizeof *to);
    ledger->count++;
    *to = part;
    to->range = (struct tt_range){begin, end};
    release(to);
}

bool tt_ledger_lost(struct tt_ledger *ledger, uint64_t worker, unsigned retries,
                    const struct tt_range *guilty)
{
    struct tt_entry *entry = tt_ledger_runs(ledger, worker);
    bool over = false;
    if (entry) {
        struct tt_entry old = *entry, again = old;
        size_t at = (size_t)(entry - ledger->entries);
        over = again.attempts++ >= retries;
        strike(ledger, entry);
        insert(ledger, at, old, guilty->end, old.range.end);
        if (!over)
            insert(ledger, at, again, guilty->begin, guilty->end);
        insert(ledger, at, old, old.range.begin, guilty->begin);
    }
    tt_ledger_release(ledger, worker);
    return over;
}

void tt_ledger_drop(struct tt_ledger *ledger, uint64_t worker)
{
    struct tt_entry *entry;
    while ((entry = tt_ledger_runs(ledger, worker)))
        strike(ledger, entry);
}

void tt_ledger_close(struct tt_ledger *ledger, size_t index)
{
    for (size_t i = 0; i < ledger->count;) {
        struct tt_entry *entry = &ledger->entries[i];
        if (entry->worker || entry->range.begin < index)
            i++;
        else
            strike(ledger, entry);
    }
}
