#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/sha256.h"

/* Known answers: FIPS 180-4's examples and sha256sum's. */
static const struct {
    const char *text;
    size_t times;
    const char *hex;
} rows[] = {
    {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 1,
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"a", 1000000,
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    {"a", 55,
     "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
    {"a", 56,
     "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
    {"a", 64,
     "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
};

static void gives_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tt_sha256 hash;
        char hex[TT_SHA256_HEX];
        tt_sha256_init(&hash);
        for (size_t k = 0; k < rows[i].times; k++)
            tt_sha256_add(&hash, rows[i].text, strlen(rows[i].text));
        tt_sha256_hex(&hash, hex);
        assert_string_equal(hex, rows[i].hex);
    }
}

static void does_not_depend_on_the_cuts(void **state)
{
    char data[300], whole[TT_SHA256_HEX], parts[TT_SHA256_HEX];
    struct tt_sha256 hash;
    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7);
    tt_sha256_init(&hash);
    tt_sha256_add(&hash, data, sizeof data);
    tt_sha256_hex(&hash, whole);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        tt_sha256_init(&hash);
        tt_sha256_add(&hash, data, cut);
        tt_sha256_add(&hash, data + cut, sizeof data - cut);
        tt_sha256_hex(&hash, parts);
        assert_string_equal(parts, whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_known_answers),
        cmocka_unit_test(does_not_depend_on_the_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
