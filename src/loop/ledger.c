#include "loop/ledger.h"

#include <stdlib.h>
#include <string.h>

void tt_ledger_fini(struct tt_ledger *ledger)
{
    free(ledger->entries);
    *ledger = (struct tt_ledger){0};
}

static tutti_status reserve(struct tt_ledger *ledger)
{
    if (ledger->count < ledger->room)
        return TUTTI_OK;
    size_t room = ledger->room ? 2 * ledger->room : 16;
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

struct tt_entry *tt_ledger_runs(struct tt_ledger *ledger, uint64_t worker)
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

tutti_status tt_ledger_claim(struct tt_ledger *ledger, struct tutti_run *run,
                             size_t tasks, uint64_t worker,
                             struct tt_entry **entry)
{
    *entry = NULL;
    tutti_status status = reserve(ledger);
    if (status)
        return status;
    struct tt_entry new = {.worker = worker, .deadline = UINT64_MAX};
    struct tt_entry *waiting = tt_ledger_runs(ledger, 0);
    if (waiting) {
        new.range = waiting->range;
        new.attempts = waiting->attempts;
        strike(ledger, waiting);
    } else if (!tt_run_claim_back(run, tasks, &new.range)) {
        return TUTTI_OK;
    }
    *entry = &ledger->entries[ledger->count++];
    **entry = new;
    return TUTTI_OK;
}

/* Reopening what was closed meanwhile must not last: closing marks the run
 * first and the claim word second, so one of the two sides sees the other. */
static void close_again(struct tutti_run *run)
{
    pthread_mutex_lock(&run->guard);
    size_t failed = run->failed;
    pthread_mutex_unlock(&run->guard);
    if (failed != SIZE_MAX)
        tt_claim_close(&run->claim, (uint32_t)(failed / run->unit));
    if (atomic_load_explicit(&run->closed, memory_order_acquire))
        tt_claim_close(&run->claim, 0);
}

bool tt_ledger_unclaim(struct tt_ledger *ledger, struct tutti_run *run,
                       uint64_t worker)
{
    size_t i = ledger->count;
    while (ledger->entries[--i].worker != worker)
        ;
    struct tt_entry entry = ledger->entries[i];
    strike(ledger, &ledger->entries[i]);
    uint32_t begin = (uint32_t)(entry.range.begin / run->unit);
    uint32_t end = (uint32_t)((entry.range.end + run->unit - 1) / run->unit);
    uint64_t old = atomic_load_explicit(&run->claim, memory_order_relaxed);
    do {
        if (entry.attempts || tt_claim_back_of(old) != begin)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &run->claim, &old, tt_claim_word(tt_claim_front_of(old), end),
        memory_order_acq_rel, memory_order_relaxed));
    close_again(run);
    return true;
}

bool tt_ledger_done(struct tt_ledger *ledger, uint64_t worker, size_t begin,
                    size_t end)
{
    struct tt_entry *entry = tt_ledger_runs(ledger, worker);
    if (!entry || entry->range.begin != begin || entry->range.end != end)
        return false;
    strike(ledger, entry);
    return true;
}

static void release(struct tt_entry *entry)
{
    entry->worker = 0;
    entry->deadline = UINT64_MAX;
}

bool tt_ledger_lost(struct tt_ledger *ledger, uint64_t worker, unsigned retries,
                    struct tt_entry *lost)
{
    struct tt_entry *entry = tt_ledger_runs(ledger, worker);
    bool over = false;
    if (entry) {
        over = entry->attempts++ >= retries;
        if (over) {
            *lost = *entry;
            strike(ledger, entry);
        } else {
            release(entry);
        }
    }
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].worker == worker)
            release(&ledger->entries[i]);
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
