#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <tutti/status.h>

#include "ends.h"

static void test_frames(void **state)
{
    struct ends e;
    uint64_t rings;
    (void)state;
    make(&e);
    assert_false(tt_channel_ready(&e.worker));
    for (uint64_t i = 0; i < 5000; i++) {
        put(&e.place, i, i % 300, NULL);
        tt_channel_send(&e.place, false);
        assert_false(tt_channel_full(&e.place));
        assert_true(tt_channel_ready(&e.worker));
        assert_true(take(&e.worker, i, i % 300, NULL));
    }
    assert_false(take(&e.worker, 0, 0, NULL));
    assert_false(tt_channel_ready(&e.worker));

    put(&e.worker, 1, 10, NULL);
    tt_channel_send(&e.worker, true);
    assert_int_equal(read(e.bell, &rings, sizeof rings), -1); /* no watch */
    tt_channel_watch(&e.place, 2);
    put(&e.worker, 2, 10, NULL);
    tt_channel_send(&e.worker, true);
    assert_int_equal(read(e.bell, &rings, sizeof rings), sizeof rings);
    assert_true(take(&e.place, 1, 10, NULL));
    assert_true(take(&e.place, 2, 10, NULL));
    assert_false(take(&e.place, 0, 0, NULL));

    put(&e.worker, 4, 10, NULL); /* there, and nobody is woken */
    tt_channel_lay(&e.worker);
    assert_int_equal(read(e.bell, &rings, sizeof rings), -1);
    assert_true(tt_channel_ready(&e.place));
    assert_true(take(&e.place, 4, 10, NULL));

    *tt_channel_at_word(&e.worker) = 77;
    assert_int_equal(tt_channel_at(&e.place), 77);
    tt_channel_prepare(&e.worker, 5);
    assert_int_equal(tt_channel_prepared(&e.place), 5);
    assert_false(e.place.ended);
    put(&e.worker, 3, 10, NULL);
    tt_channel_send(&e.worker, true);
    tt_channel_fini(&e.worker);
    assert_true(take(&e.place, 3, 10, NULL));
    assert_false(e.place.ended);
    assert_false(take(&e.place, 0, 0, NULL));
    assert_true(e.place.ended);
    fini(&e);
}

static void run_on(int cpu)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    assert_int_equal(sched_setaffinity(0, sizeof cpus, &cpus), 0);
}

/* Each end says where it was last: the place when it watches by itself, the
 * worker when it waits. */
static void test_crowded(void **state)
{
    struct ends e;
    cpu_set_t before, others;
    (void)state;
    make(&e);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    run_on(sched_getcpu());
    tt_channel_watch(&e.place, 0);
    tt_channel_wait(&e.worker);
    assert_true(tt_channel_crowded(&e.place));
    assert_true(tt_channel_crowded(&e.worker));
    others = before;
    CPU_CLR(sched_getcpu(), &others);
    if (CPU_COUNT(&others)) {
        assert_int_equal(sched_setaffinity(0, sizeof others, &others), 0);
        tt_channel_watch(&e.place, 0);
        assert_false(tt_channel_crowded(&e.worker));
    }
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    fini(&e);
}

/* More than a ring holds waits; the place does not, and is rung when there is
 * room. */
static void test_full(void **state)
{
    struct ends e;
    uint64_t rings, taken = 0;
    (void)state;
    make(&e);
    tt_channel_watch(&e.place, 1);
    for (uint64_t i = 0; i < 100; i++) {
        put(&e.place, i, 10000, NULL);
        tt_channel_send(&e.place, false);
    }
    assert_true(tt_channel_full(&e.place));
    assert_false(tt_channel_ready(&e.place));
    while (taken < 100) {
        while (take(&e.worker, taken, 10000, NULL))
            taken++;
        assert_true(taken == 100 ||
                    read(e.bell, &rings, sizeof rings) == sizeof rings);
        assert_int_equal(tt_channel_ready(&e.place), taken < 100);
        tt_channel_send(&e.place, false);
    }
    fini(&e);
}

static const size_t some[] = {1, 5000, 70000, 300000, 3000000, 0};

static void test_blocks(void **state)
{
    struct ends e;
    (void)state;
    make(&e);
    for (uint64_t i = 0; i < 60; i++) {
        put(&e.place, i, i % 5 ? i : 200000, some);
        tt_channel_send(&e.place, false);
        assert_false(tt_channel_full(&e.place));
        assert_true(take(&e.worker, i, i % 5 ? i : 200000, some));
        put(&e.worker, i, 3, some + 2);
        tt_channel_send(&e.worker, true);
        assert_true(take(&e.place, i, 3, some + 2));
    }
    fini(&e);
}

/* A block that is kept lives on, whatever happens to the channel, and is not
 * used again; writes to it stay here. */
static void test_keep(void **state)
{
    struct ends e;
    struct tt_frame frame;
    tutti_parcel parcel;
    tutti_block *kept[3];
    bool there;
    static const size_t one[] = {500000, 0};
    (void)state;
    make(&e);
    for (size_t i = 0; i < 3; i++) {
        put(&e.worker, i, 0, one);
        tt_channel_send(&e.worker, true);
        assert_int_equal(tt_channel_next(&e.place, &there, &frame, &parcel),
                         TUTTI_OK);
        kept[i] = tutti_block_keep(parcel.blocks[0]);
        check(tutti_block_data(kept[i]), i + 1000, one[0]);
        ((char *)tutti_block_data(kept[i]))[i] = 'w';
    }
    tt_channel_fini(&e.worker);
    assert_false(take(&e.place, 0, 0, NULL));
    fini(&e);
    for (size_t i = 0; i < 3; i++) { /* others' blocks are other memory */
        tutti_block *other;
        assert_int_equal(tutti_block_alloc(&other, one[0]), TUTTI_OK);
        memset(tutti_block_data(other), 'o', one[0]);
        tutti_block_drop(other);
    }
    for (size_t i = 0; i < 3; i++) {
        char *data = tutti_block_data(kept[i]);
        assert_int_equal(data[i], 'w');
        data[i] = pattern(i + 1000, i);
        check(data, i + 1000, one[0]);
        tutti_block_drop(kept[i]);
    }
}

/* Memory that lies in a block is not copied, and memory that was dropped is
 * used again. */
static void test_share(void **state)
{
    struct ends e;
    struct tt_frame frame = {.kind = TT_FRAME_RANGE};
    struct tt_mark mark;
    tutti_parcel parcel;
    tutti_block *block, *again;
    bool there;
    (void)state;
    make(&e);
    assert_int_equal(tutti_block_alloc(&block, 1 << 20), TUTTI_OK);
    char *data = tutti_block_data(block);
    fill(data, 5, 1 << 20);
    assert_int_equal(tt_frame_open(&e.place.out, &mark), TUTTI_OK);
    assert_int_equal(tutti_bytes_attach(&e.place.out, data, 1 << 20), TUTTI_OK);
    assert_int_equal(tutti_bytes_attach(&e.place.out, data + 100, 200000),
                     TUTTI_OK);
    assert_ptr_equal(e.place.out.blocks[0], block);
    assert_ptr_equal(tutti_block_data(e.place.out.blocks[1]), data + 100);
    assert_int_equal(tt_frame_close(&e.place.out, mark, frame), TUTTI_OK);
    tt_channel_send(&e.place, false);
    assert_int_equal(tt_channel_next(&e.worker, &there, &frame, &parcel),
                     TUTTI_OK);
    assert_int_equal(parcel.count, 2);
    check(tutti_block_data(parcel.blocks[0]), 5, 1 << 20);
    assert_memory_equal(tutti_block_data(parcel.blocks[1]), data + 100, 200000);
    tutti_block_drop(block);
    assert_int_equal(tutti_block_alloc(&again, 1 << 20), TUTTI_OK);
    assert_ptr_not_equal(tutti_block_data(again), data);
    assert_false(take(&e.worker, 0, 0, NULL)); /* drops the parcel */
    assert_false(take(&e.place, 0, 0, NULL));
    assert_int_equal(tutti_block_alloc(&block, 1000000), TUTTI_OK);
    assert_ptr_equal(tutti_block_data(block), data);
    tutti_block_drop(block);
    tutti_block_drop(again);
    fini(&e);
}

/* A file that is too large for the limit would be a signal. */
static void test_small_files(void **state)
{
    struct rlimit usual, small;
    struct tt_channel channel;
    tutti_block *block;
    int bells[2] = {1, 2}, theirs;
    (void)state;
    getrlimit(RLIMIT_FSIZE, &usual);
    small = (struct rlimit){100000, usual.rlim_max};
    tt_arena_trim(0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(tt_channel_make(&channel, bells, &theirs), TUTTI_ESYS);
    assert_int_equal(tutti_block_alloc(&block, 1000000), TUTTI_OK);
    memset(tutti_block_data(block), 1, 1000000);
    tutti_block_drop(block);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crowded),     cmocka_unit_test(test_frames),
        cmocka_unit_test(test_full),        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_keep),        cmocka_unit_test(test_share),
        cmocka_unit_test(test_small_files),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
