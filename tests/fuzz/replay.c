/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay.c: runs every file of the folders that it is given through a fuzz target, without a
 * fuzzer. A target that takes longer than ten seconds of processor time for one is ended.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { MAX_SECONDS = 10 };

/* What AddressSanitizer asks the program for. GMime loses memory when a comment in an address does
 * not end, and only a slow walk up the stack sees that it was GMime. */
const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);

const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}

const char *__lsan_default_suppressions(void)
{
    return "leak:libgmime\n";
}

/* Ten more seconds than were used until now. */
static void limit_time(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    const rlim_t used = (rlim_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    const struct rlimit limit = {used + MAX_SECONDS, RLIM_INFINITY};
    setrlimit(RLIMIT_CPU, &limit);
}

/* The file is named before it is run, so that the last line names the one that ended the run. */
static void replay_file(const char *path)
{
    g_autofree char *data = NULL;
    gsize length = 0;

    printf("# %s\n", path);
    fflush(stdout);
    g_assert_true(g_file_get_contents(path, &data, &length, NULL));

    limit_time();
    /* Of exactly this size, so that reading beyond it is seen. */
    g_autofree uint8_t *exact = g_memdup2(data, length);
    LLVMFuzzerTestOneInput(exact ? exact : (const uint8_t *)"", length);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static guint replay_folder(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        g_ptr_array_add(paths, g_build_filename(folder, name, NULL));
    g_ptr_array_sort(paths, by_name);
    for (guint i = 0; i < paths->len; i++)
        replay_file(g_ptr_array_index(paths, i));
    return paths->len;
}

int main(int argc, char **argv)
{
    guint count = 0;

    LLVMFuzzerInitialize(&argc, &argv);
    /* Nothing at all is an input too. */
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("1..1\n%s 1 - %u inputs\n", count > 0 ? "ok" : "not ok", count);
    return count > 0 ? 0 : 1;
}
