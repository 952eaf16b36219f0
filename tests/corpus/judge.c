/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * judge.c: asks the smime module about certificates, for certificates.py to compare. A line of its
 * input is a question, words with tabs between; each has one line for an answer:
 *
 *   read FILE                            the fingerprints of what the file holds, or "error"
 *   judge CERT ANCHOR OTHERS AT EARLY LATE
 *                                        codes at manual trust at the three times, the code with
 *                                        the anchor at hand ("-": none), whether one can encrypt
 *                                        to it, and its addresses
 *
 * OTHERS is a file with the certificates between, or "-". Where read() refuses the certificate the
 * answer is "unread".
 */
#include "../unit/test-smime-pki.h"

#include <stdio.h>
#include <string.h>

static GBytes *load(const char *path)
{
    g_autoptr(GError) error = NULL;
    char *data = NULL;
    gsize length = 0;

    g_file_get_contents(path, &data, &length, &error);
    g_assert_no_error(error);
    return g_bytes_new_take(data, length);
}

/* What read() gives, NULL where it refuses. (transfer full) */
static GPtrArray *read_file(Smime *smime, const char *path, SealTrust trust)
{
    SealOrigin origin = {.size = sizeof origin, .source = "test", .place = path, .trust = trust};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GBytes) data = load(path);
    g_autoptr(GError) error = NULL;

    if (!smime->format->read(smime->module, data, &origin, keys, &error) && keys->len == 0) {
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
        return NULL;
    }
    return g_steal_pointer(&keys);
}

static void answer_read(Smime *smime, const char *path)
{
    g_autoptr(GPtrArray) keys = read_file(smime, path, SEAL_TRUST_VERIFIED);
    const char *separator = "";

    if (!keys)
        fputs("error", stdout);
    for (guint i = 0; keys && i < keys->len; i++) {
        printf("%s%s", separator, seal_key_fingerprint(g_ptr_array_index(keys, i)));
        separator = "\t";
    }
    putchar('\n');
}

static gboolean can_encrypt(Smime *smime, SealKey *key)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    g_autoptr(SealContent) entity = seal_content_new_copy("A: b\n\nc\n", 8);
    g_autoptr(GError) error = NULL;

    g_ptr_array_add(keys, key);
    SealSealing sealing = {.size = sizeof sealing, .entity = entity, .keys = keys};
    g_autoptr(SealContent) sealed = smime->format->encrypt(smime->module, &sealing, NULL, &error);
    return sealed != NULL;
}

static void print_addresses(SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len; i++)
        printf("\t%s", seal_address_text(g_ptr_array_index(addresses, i)));
}

static void print_code(Smime *smime, SealKey *key, const char *at)
{
    g_autofree char *code =
        smime_judge(smime, key, SEAL_PURPOSE_ENCRYPT, g_ascii_strtoll(at, NULL, 10), NULL);

    printf("%s\t", code);
}

static void open_with(Smime *smime, const char *anchor)
{
    g_autofree char *settings =
        strcmp(anchor, "-") != 0 ? g_strdup_printf("trust_anchors=%s", anchor) : NULL;

    smime_start(smime, NULL, settings);
}

static void answer_judge(char **words)
{
    g_auto(Smime) smime = {0};

    open_with(&smime, words[2]);
    if (strcmp(words[3], "-") != 0) {
        g_autoptr(GPtrArray) others = read_file(&smime, words[3], SEAL_TRUST_VERIFIED);
        g_assert_nonnull(others);
    }
    g_autoptr(GPtrArray) manual = read_file(&smime, words[1], SEAL_TRUST_MANUAL);
    g_autoptr(GPtrArray) verified = read_file(&smime, words[1], SEAL_TRUST_VERIFIED);
    if (!manual || !verified || manual->len != 1) {
        puts("unread");
        return;
    }

    SealKey *key = g_ptr_array_index(manual, 0);
    for (guint i = 4; i < 7; i++)
        print_code(&smime, key, words[i]);
    print_code(&smime, g_ptr_array_index(verified, 0), words[4]);
    fputs(can_encrypt(&smime, key) ? "yes" : "no", stdout);
    print_addresses(key);
    putchar('\n');
}

static void answer(Smime *bare, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, "\t", 0);
    guint count = g_strv_length(words);

    if (count == 2 && strcmp(words[0], "read") == 0)
        answer_read(bare, words[1]);
    else if (count == 7 && strcmp(words[0], "judge") == 0)
        answer_judge(words);
    else
        g_error("not a question: %s", line);
}

int main(void)
{
    g_auto(Smime) bare = {0};
    char line[16384];

    smime_start(&bare, NULL, NULL);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        answer(&bare, line);
    }
    return 0;
}
