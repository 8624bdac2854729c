/* Work for the interpreter from a place's thread, or from the caller's own when
 * that does the place's work. Else the caller does it between two ranges, so
 * the interpreter's lock need not change hands; when it does not come by soon,
 * or waits without the lock, the thread takes the lock itself. Not so while
 * modules are imported: what is pickled may be looked up in a module of the
 * caller's, for which any other thread would have to wait; and an interrupt in
 * the middle of an import may leave the import lock to the caller, for ever. */
#include "face.h"

#include <time.h>

/* Longer than most tasks: who wants the lock waits for it 5 ms, until a first
 * job has made them less. */
#define PATIENCE_NS 2000000
#define AGAIN_NS 10000000

/* Pieces of work that this thread is at. */
static _Thread_local unsigned inside;

bool tt_py_mailbox_inside(void)
{
    return inside > 0;
}

static void run(void (*work)(void *), void *arg)
{
    inside++;
    work(arg);
    inside--;
}

int tt_py_mailbox_init(struct tt_py_mailbox *box, struct tt_py_state *state)
{
    pthread_condattr_t attributes;
    *box = (struct tt_py_mailbox){.lock = PTHREAD_MUTEX_INITIALIZER,
                                  .state = state,
                                  .owner = PyThread_get_thread_ident()};
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int error = pthread_cond_init(&box->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    if (error)
        PyErr_NoMemory();
    return error ? -1 : 0;
}

bool tt_py_mailbox_owned(const struct tt_py_mailbox *box)
{
    return PyThread_get_thread_ident() == box->owner;
}

void tt_py_mailbox_fini(struct tt_py_mailbox *box)
{
    pthread_cond_destroy(&box->answered);
}

static void wait_a_while(struct tt_py_mailbox *box, long ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ns;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&box->answered, &box->lock, &until);
}

/* Gives `work` to the caller; `again`: also if that waits. False: it did not
 * take it. */
static bool hand_over(struct tt_py_mailbox *box, void (*work)(void *),
                      void *arg, bool again)
{
    pthread_mutex_lock(&box->lock);
    bool there = again || !box->away;
    if (there) {
        box->work = work;
        box->arg = arg;
        atomic_store_explicit(&box->full, true, memory_order_release);
        wait_a_while(box, again ? AGAIN_NS : PATIENCE_NS);
    }
    /* Taken back, unless the caller has begun. */
    bool taken = there && box->work != work;
    box->work = NULL;
    atomic_store_explicit(&box->full, false, memory_order_relaxed);
    while (box->busy)
        pthread_cond_wait(&box->answered, &box->lock);
    pthread_mutex_unlock(&box->lock);
    return taken;
}

void tt_py_mailbox_do(struct tt_py_mailbox *box, void (*work)(void *),
                      void *arg)
{
    if (!Py_IsInitialized())
        return; /* no loop waits in an interpreter that has ended */
    bool own = tt_py_mailbox_owned(box), done = false;
    for (bool again = false; !done; again = true) {
        if (!own && hand_over(box, work, arg, again))
            return;
        PyGILState_STATE gil = PyGILState_Ensure();
        done = own || !tt_py_importing(box->state);
        if (done)
            run(work, arg);
        PyGILState_Release(gil);
    }
}

void tt_py_mailbox_look(struct tt_py_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    void (*work)(void *) = box->work;
    box->work = NULL;
    box->busy = work != NULL;
    pthread_mutex_unlock(&box->lock);
    if (!work)
        return;
    run(work, box->arg);
    pthread_mutex_lock(&box->lock);
    box->busy = false;
    pthread_cond_signal(&box->answered);
    pthread_mutex_unlock(&box->lock);
}

void tt_py_mailbox_leave(struct tt_py_mailbox *box, bool away)
{
    pthread_mutex_lock(&box->lock);
    box->away = away;
    pthread_cond_signal(&box->answered);
    pthread_mutex_unlock(&box->lock);
}
