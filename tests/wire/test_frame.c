#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <tutti/status.h>

#include "wire/bytes.h"
#include "wire/frame.h"

static void test_bytes(void **state)
{
    tutti_bytes bytes = {0};
    (void)state;
    for (int i = 0; i < 5000; i++)
        assert_int_equal(tutti_bytes_append(&bytes, &i, sizeof i), TUTTI_OK);
    assert_int_equal(bytes.size, 5000 * sizeof(int));
    tt_bytes_shift(&bytes, 4999 * sizeof(int));
    int last;
    memcpy(&last, bytes.data, sizeof last);
    assert_int_equal(last, 4999);
    assert_int_equal(tutti_bytes_append(&bytes, "", SIZE_MAX - 2), TUTTI_EMEM);
    assert_int_equal(bytes.size, sizeof(int));
    assert_int_equal(tutti_bytes_append(&bytes, NULL, 0), TUTTI_OK);
    tutti_bytes_clear(&bytes);
    tutti_bytes_clear(NULL);
    assert_null(bytes.data);
}

static void put(tutti_bytes *out, uint64_t begin, const char *text)
{
    struct tt_frame frame = {.kind = TT_FRAME_RANGE, .begin = begin};
    assert_int_equal(tt_frame_put(out, frame, text, strlen(text)), TUTTI_OK);
    assert_int_equal(out->size % 16, 0);
}

/* Every changed bit of a header is noticed. */
static void test_damage(void **state)
{
    (void)state;
    tutti_bytes out = {0};
    put(&out, 7, "payload");
    for (size_t bit = 0; bit < 8 * sizeof(struct tt_frame); bit++) {
        struct tt_frame frame;
        memcpy(&frame, out.data, sizeof frame);
        assert_int_equal(tt_frame_check(&frame), TUTTI_OK);
        ((unsigned char *)&frame)[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (tt_frame_check(&frame) != TUTTI_ESYS)
            fail_msg("bit %zu", bit);
    }
    tutti_bytes_clear(&out);
}

/* What is begun and given up leaves nothing. */
static void test_give_up(void **state)
{
    (void)state;
    tutti_bytes out = {0};
    struct tt_mark mark;
    put(&out, 1, "stays");
    size_t size = out.size;
    assert_int_equal(tt_frame_open(&out, &mark), TUTTI_OK);
    assert_int_equal(tutti_bytes_attach(&out, "block", 5), TUTTI_OK);
    assert_int_equal(tt_frame_bytes(&out, mark), sizeof(struct tt_frame) + 5);
    tt_frame_give_up(&out, mark);
    assert_int_equal(out.size, size);
    assert_int_equal(out.count, 0);
    assert_int_equal(tt_frame_open(&out, &mark), TUTTI_OK);
    out.size = mark.size + sizeof(struct tt_frame) + TT_FRAME_LIMIT + 16;
    struct tt_frame frame = {.kind = TT_FRAME_RANGE};
    assert_int_equal(tt_frame_close(&out, mark, frame), TUTTI_EMEM);
    tt_frame_give_up(&out, mark);
    assert_int_equal(out.size, size);
    tutti_bytes_clear(&out);
}

/* A large payload becomes a block, which copies of the frame share. */
static void test_move(void **state)
{
    (void)state;
    static char text[TT_FRAME_MOVE + 2];
    memset(text, 'x', sizeof text - 1);
    tutti_bytes out = {0}, copy = {0};
    put(&out, 1, text);
    assert_int_equal(out.count, 1);
    assert_true(out.size < 256);
    assert_int_equal(tt_frame_copy(&copy, &out), TUTTI_OK);
    assert_int_equal(tt_frame_copy(&copy, &out), TUTTI_OK);
    assert_int_equal(copy.count, 2);
    assert_ptr_equal(copy.blocks[1], out.blocks[0]);
    tutti_bytes_clear(&out);
    assert_memory_equal(tutti_block_data(copy.blocks[1]), text,
                        sizeof text - 1);
    tutti_bytes_clear(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_give_up),
        cmocka_unit_test(test_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
