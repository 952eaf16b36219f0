/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * judge-keys.c: asks the pgp module about OpenPGP keys, for keys.py to compare. A line of its input
 * is a question, words with tabs between; each has one line for an answer:
 *
 *   read FILE                  the fingerprints of what the file holds, or "error"
 *   judge KEY AT EARLY LATE    codes at the three times, whether one can encrypt to it now ("-":
 *                              it is not usable now), and its addresses; "unread" where read()
 *                              refuses the key
 */
#include "../unit/test-pgp.h"

#include <stdio.h>
#include <string.h>

/* What read() gives, NULL where it refuses. (transfer full) */
static GPtrArray *read_file(Pgp *pgp, const char *path)
{
    g_autoptr(GError) error = NULL;
    char *data = NULL;
    gsize length = 0;

    g_file_get_contents(path, &data, &length, &error);
    g_assert_no_error(error);
    g_autoptr(GBytes) bytes = g_bytes_new_take(data, length);
    GPtrArray *keys = pgp_keys(pgp, bytes, &error);
    if (!keys)
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
    return keys;
}

static void answer_read(Pgp *pgp, const char *path)
{
    g_autoptr(GPtrArray) keys = read_file(pgp, path);
    const char *separator = "";

    if (!keys)
        fputs("error", stdout);
    for (guint i = 0; keys && i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        /* A bare revocation is no key. */
        if (seal_key_purposes(key) == 0 && *seal_key_detected_ids(key) == NULL)
            continue;
        printf("%s%s", separator, seal_key_fingerprint(key));
        separator = "\t";
    }
    putchar('\n');
}

/* gpg encrypts by the clock. */
static const char *can_encrypt(Pgp *pgp, SealKey *key)
{
    g_autofree char *now =
        pgp_judge(pgp, key, SEAL_PURPOSE_ENCRYPT, g_get_real_time() / G_USEC_PER_SEC, NULL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    if (!g_str_equal(now, "usable"))
        return "-";
    g_ptr_array_add(keys, key);
    g_autoptr(GBytes) sealed = pgp_make(pgp, "A: b\n\nc\n", 8, keys, NULL, FALSE, &error);
    return sealed ? "yes" : "no";
}

static void answer_judge(Pgp *pgp, char **words)
{
    g_autoptr(GPtrArray) keys = read_file(pgp, words[1]);

    if (!keys || keys->len != 1) {
        puts("unread");
        return;
    }
    SealKey *key = g_ptr_array_index(keys, 0);
    GPtrArray *addresses = seal_key_addresses(key);
    for (guint i = 2; i < 5; i++) {
        g_autofree char *code =
            pgp_judge(pgp, key, SEAL_PURPOSE_ENCRYPT, g_ascii_strtoll(words[i], NULL, 10), NULL);
        printf("%s\t", code);
    }
    fputs(can_encrypt(pgp, key), stdout);
    for (guint i = 0; i < addresses->len; i++)
        printf("\t%s", seal_address_text(g_ptr_array_index(addresses, i)));
    putchar('\n');
}

static void answer(Pgp *pgp, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, "\t", 0);
    guint count = g_strv_length(words);

    if (count == 2 && strcmp(words[0], "read") == 0)
        answer_read(pgp, words[1]);
    else if (count == 5 && strcmp(words[0], "judge") == 0)
        answer_judge(pgp, words);
    else
        g_error("not a question: %s", line);
}

int main(void)
{
    g_auto(Pgp) pgp = {0};
    char line[16384];

    pgp_start(&pgp);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        answer(&pgp, line);
    }
    return 0;
}
