#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tutti/status.h>

#include "wire/bytes.h"
#include "wire/stream.h"

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

/* A stream whose other end is the test's. */
static int pair(struct tt_stream *stream)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    tt_stream_init(stream, fds[0]);
    return fds[1];
}

static void put(tutti_bytes *out, uint64_t begin, const char *text)
{
    struct tt_frame frame = {.kind = TT_FRAME_RANGE, .begin = begin};
    assert_int_equal(tt_frame_put(out, frame, text, strlen(text)), TUTTI_OK);
    assert_int_equal(out->size % 16, 0);
}

static void expect(struct tt_stream *stream, uint64_t begin, const char *text)
{
    struct tt_frame frame;
    const void *data;
    bool there;
    assert_int_equal(tt_stream_next(stream, &there, &frame, &data), TUTTI_OK);
    assert_int_equal(there, text != NULL);
    if (!text)
        return;
    assert_int_equal(frame.begin, begin);
    assert_int_equal(frame.size, strlen(text));
    assert_memory_equal(data, text, strlen(text));
    assert_int_equal((uintptr_t)data % 16, 0);
}

/* Whole frames come out, however the bytes are cut. */
static void test_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 200; piece += 7) {
        struct tt_stream stream;
        tutti_bytes out = {0};
        int fd = pair(&stream);
        put(&out, 1, "");
        put(&out, 2, "some bytes");
        put(&out, 3, "exactly sixteen.");
        size_t frames = 0, ends[] = {64, 64 + 80, 64 + 80 + 80};
        for (size_t at = 0; at < out.size; at += piece) {
            size_t n = out.size - at < piece ? out.size - at : piece;
            assert_int_equal(write(fd, out.data + at, n), n);
            assert_int_equal(tt_stream_receive(&stream, false), TUTTI_OK);
            for (; frames < 3 && ends[frames] <= at + n; frames++)
                expect(&stream, frames + 1,
                       frames == 0   ? ""
                       : frames == 1 ? "some bytes"
                                     : "exactly sixteen.");
            expect(&stream, 0, NULL);
        }
        assert_int_equal(frames, 3);
        assert_false(stream.ended);
        close(fd);
        assert_int_equal(tt_stream_receive(&stream, false), TUTTI_OK);
        assert_true(stream.ended);
        assert_false(tt_stream_torn(&stream));
        tutti_bytes_clear(&out);
        tt_stream_fini(&stream);
    }
}

static void test_truncated(void **state)
{
    struct tt_stream stream;
    tutti_bytes out = {0};
    int fd = pair(&stream);
    (void)state;
    put(&out, 1, "a frame that is cut");
    assert_int_equal(write(fd, out.data, out.size - 1), out.size - 1);
    close(fd);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tt_stream_receive(&stream, true), TUTTI_OK);
    expect(&stream, 0, NULL);
    assert_true(tt_stream_torn(&stream));
    tutti_bytes_clear(&out);
    tt_stream_fini(&stream);
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

/* A header that claims much does not get the memory before the bytes. */
static void test_claims_much(void **state)
{
    struct tt_stream stream;
    tutti_bytes out = {0};
    size_t mark;
    struct tt_frame frame = {.kind = TT_FRAME_RANGE};
    int fd = pair(&stream);
    (void)state;
    assert_int_equal(tt_frame_open(&out, &mark), TUTTI_OK);
    out.size += (size_t)1 << 39; /* only counted: 16 divides it */
    assert_int_equal(tt_frame_close(&out, mark, frame), TUTTI_OK);
    assert_int_equal(write(fd, out.data, 64), 64);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tt_stream_receive(&stream, false), TUTTI_OK);
    expect(&stream, 0, NULL);
    assert_true(stream.in.room < 4u << 20);
    out.size = mark + sizeof frame + TT_FRAME_LIMIT + 16;
    assert_int_equal(tt_frame_close(&out, mark, frame), TUTTI_EMEM);
    tutti_bytes_clear(&out);
    tt_stream_fini(&stream);
    close(fd);
}

static void test_send(void **state)
{
    struct tt_stream a, b;
    (void)state;
    tt_stream_init(&b, pair(&a));
    static char text[3000001];
    memset(text, 'x', sizeof text - 1);
    put(&a.out, 5, text);
    put(&a.out, 6, "behind it");
    for (int i = 0; i < 10000 && tt_stream_full(&a); i++) {
        tt_stream_send(&a, false);
        assert_int_equal(tt_stream_receive(&b, false), TUTTI_OK);
    }
    while (b.in.size < 3000000 + 64 * 2)
        assert_int_equal(tt_stream_receive(&b, true), TUTTI_OK);
    expect(&b, 5, text);
    expect(&b, 6, "behind it");
    expect(&b, 0, NULL);
    tt_stream_fini(&b);
    put(&a.out, 5, text);
    tt_stream_send(&a, true); /* nobody is there: dropped, no SIGPIPE */
    assert_false(tt_stream_full(&a));
    assert_int_equal(tt_stream_receive(&a, true), TUTTI_OK);
    assert_true(a.ended);
    tt_stream_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),       cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_truncated),   cmocka_unit_test(test_damage),
        cmocka_unit_test(test_claims_much), cmocka_unit_test(test_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
