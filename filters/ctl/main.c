/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c: sealctl: the command line, and who answers it.
 */
#include "filters/ctl/ctl.h"

#include "filters/client/io.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#ifdef SEAL_SANITIZE
const char *__asan_default_options(void);

/* Looking for leaks, it takes the octets before a module's thread-local data for their length, and
 * dies of it. */
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "intercept_tls_get_addr=0";
}
#endif

static gboolean take_option(CtlOptions *options, char **argv, int *at, gboolean *ok)
{
    const char *word = argv[*at];

    if (g_str_equal(word, "--json"))
        options->json = TRUE;
    else if (g_str_equal(word, "--help"))
        options->help = TRUE;
    else if (g_str_equal(word, "--version"))
        options->version = TRUE;
    else if (!g_str_equal(word, "-c"))
        return FALSE;
    else if (argv[*at + 1])
        options->conf_dir = argv[++*at];
    else
        *ok = FALSE;
    return TRUE;
}

/* What is not ours belongs to the command. */
static gboolean parse_words(CtlOptions *options, char **argv)
{
    gboolean ours = TRUE, ok = TRUE;

    for (int i = 1; argv[i]; i++) {
        ours = ours && !g_str_equal(argv[i], "--");
        if (!ours || !take_option(options, argv, &i, &ok))
            g_ptr_array_add(options->words, argv[i]);
    }
    g_ptr_array_add(options->words, NULL);
    return ok;
}

/* An answer that nobody got is none. What did not fit into the buffer may have failed before. */
static int end_output(int status)
{
    gboolean failed = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) == 0 && !failed)
        return status;
    fprintf(stderr, "sealctl: standard output cannot be written to: %s\n",
            errno ? strerror(errno) : "its reader is gone, or there is no room");
    return status == CTL_OK ? CTL_PROBLEM : status;
}

static int answer_words(const CtlOptions *options)
{
    g_autoptr(SealOut) out = seal_out_new();
    g_autoptr(GError) error = NULL;
    int status = ctl_run_words(options, out, &error);
    g_autoptr(GVariant) result = NULL;

    if (error && options->json)
        seal_out_text(out, "error", "%s", error->message);
    result = seal_out_finish(out);
    ctl_print(result, options->json);
    if (error)
        fprintf(stderr, "sealctl: %s\n", error->message);
    return end_output(status);
}

static int answer_help(const CtlOptions *options)
{
    return end_output(ctl_help(CTL_COMMANDS, options));
}

int main(int argc, char **argv)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    CtlOptions options = {.words = words};

    seal_secret_guard_process();
    if (!seal_io_hold_standard())
        return CTL_PROBLEM;
    umask(077);
    g_set_prgname("sealctl");
    seal_log_open("ctl", FALSE);
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is said: see end_output() */
    if (g_strcmp0(argv[1], "--complete") == 0)
        return ctl_complete(CTL_COMMANDS, argv + 2);
    if (!parse_words(&options, argv)) {
        fputs("sealctl: -c needs a folder; see --help\n", stderr);
        return CTL_USAGE;
    }
    if (options.version && !options.help) {
        puts("sealctl " SEALPIPE_VERSION);
        return end_output(CTL_OK);
    }
    if (options.help)
        return ctl_guard(answer_help, &options);
    if (words->len == 1) {
        fputs("sealctl: no command was given; sealctl --help lists them\n", stderr);
        return CTL_USAGE;
    }
    return ctl_guard(answer_words, &options);
}
