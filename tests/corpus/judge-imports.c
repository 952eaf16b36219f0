/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * judge-imports.c: asks all formats what is in files, for imports.py to compare. A line of its
 * input is a question, words with tabs between; each has one line for an answer:
 *
 *   import FILE PASSPHRASE     how many private keys, other things left, and failures there are;
 *                              what the failures say; and the fingerprints of the keys
 *   hostile FILE PASSPHRASE    "done", or what ended it: it has 2 seconds of CPU and 256 MiB
 *
 * PASSPHRASE is a file, or "-" where there is none.
 */
#include "core/frontend.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_SECONDS = 2,
    MAX_MEMORY = 256 << 20,
};

typedef struct {
    guint private_keys;
    guint left;
    guint failed;
    GString *says;
    GString *fingerprints;
} Found;

static void found_clear(Found *found)
{
    g_string_free(found->says, TRUE);
    g_string_free(found->fingerprints, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Found, found_clear)

static gboolean is_private(const char *what)
{
    return strstr(what, "private key") || strstr(what, "secret key");
}

static void found_take(const SealImportEntry *entry, gpointer user_data)
{
    Found *found = user_data;

    switch (entry->what) {
    case SEAL_IMPORT_KEY:
        g_string_append_printf(found->fingerprints, "\t%s", seal_key_fingerprint(entry->key));
        break;
    case SEAL_IMPORT_LEFT:
        if (is_private(entry->text))
            found->private_keys++;
        else
            found->left++;
        break;
    case SEAL_IMPORT_FAILED:
        found->failed++;
        g_string_append_printf(found->says, "%s; ", entry->problem->message);
        break;
    }
}

/* Of the first line of a file. */
static SealSecret *read_passphrase(const char *path)
{
    g_autoptr(GError) error = NULL;

    if (g_str_equal(path, "-"))
        return NULL;
    g_autoptr(SealSecret) whole = seal_secret_read(path, &error);
    SealSecret *line = whole ? seal_secret_first_line(whole, &error) : NULL;
    g_assert_no_error(error);
    return line;
}

static void import(SealDispatcher *dispatcher, Found *found, char **words)
{
    g_autoptr(SealSecret) passphrase = read_passphrase(words[2]);
    const SealShelving how = {
        .place = words[1], .trust = SEAL_TRUST_VERIFIED, .passphrase = passphrase, .dry = TRUE};
    g_autoptr(GError) error = NULL;
    char *data = NULL;
    gsize length = 0;
    guint added;

    g_file_get_contents(words[1], &data, &length, &error);
    g_assert_no_error(error);
    g_autoptr(GBytes) bytes = g_bytes_new_take(data, length);
    seal_dispatcher_add_keys(dispatcher, bytes, &how, found_take, found, &added, &error);
    g_assert_no_error(error);
}

static void answer_import(SealDispatcher *dispatcher, char **words)
{
    g_auto(Found) found = {.says = g_string_new(NULL), .fingerprints = g_string_new(NULL)};

    import(dispatcher, &found, words);
    printf("%u\t%u\t%u\t%s%s\n", found.private_keys, found.left, found.failed,
           g_strdelimit(found.says->str, "\t\r\n", ' '), found.fingerprints->str);
}

/* What the process has by now is not the file's doing. */
static gsize memory_in_use(void)
{
    g_autofree char *statm = NULL;

    g_assert_true(g_file_get_contents("/proc/self/statm", &statm, NULL, NULL));
    return g_ascii_strtoull(statm, NULL, 10) * (gsize)sysconf(_SC_PAGESIZE);
}

static void be_bounded(void)
{
    const rlim_t memory = memory_in_use() + MAX_MEMORY;
    const struct rlimit cpu = {MAX_SECONDS, MAX_SECONDS}, space = {memory, memory};

    g_assert_cmpint(setrlimit(RLIMIT_CPU, &cpu), ==, 0);
#ifndef __SANITIZE_ADDRESS__
    g_assert_cmpint(setrlimit(RLIMIT_AS, &space), ==, 0);
#else
    (void)space;
#endif
}

static void answer_hostile(SealDispatcher *dispatcher, char **words)
{
    int status;
    const pid_t child = fork();

    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        Found found = {.says = g_string_new(NULL), .fingerprints = g_string_new(NULL)};

        be_bounded();
        import(dispatcher, &found, words);
        _exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    if (WIFSIGNALED(status))
        printf("signal %d\n", WTERMSIG(status));
    else
        puts(WEXITSTATUS(status) == 0 ? "done" : "failed");
}

static void answer(SealDispatcher *dispatcher, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, "\t", 0);

    if (g_strv_length(words) != 3)
        g_error("not a question: %s", line);
    if (g_str_equal(words[0], "import"))
        answer_import(dispatcher, words);
    else
        answer_hostile(dispatcher, words);
    fflush(stdout);
}

/* With every format that was built. */
static SealDispatcher *open_dispatcher(const char *dir)
{
    g_autofree char *home = g_build_filename(dir, "gnupg", NULL);
    g_autofree char *text =
        g_strdup_printf("[core]\nspool_dir=%s\nstate_dir=%s/state\nlog_target=%s/log\n"
                        "[policy]\nformats=smime;pgp\n[module smime]\n[module pgp]\nhome=%s\n",
                        dir, dir, dir, home);
    g_autofree char *path = g_build_filename(dir, "10-test.conf", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_mkdir(home, 0700), ==, 0);
    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
    SealDispatcher *dispatcher = seal_dispatcher_new(dir, NULL, &error);
    g_assert_no_error(error);
    return dispatcher;
}

/* @dir is removed by who gave it. */
int main(int argc, char **argv)
{
    char line[16384];

    g_assert_cmpint(argc, ==, 2);
    g_autoptr(SealDispatcher) dispatcher = open_dispatcher(argv[1]);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        answer(dispatcher, line);
    }
    return 0;
}
