/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status-watch.c: the command line of `sealctl status`: once, again and again, or as metrics, for
 * standard output or a file.
 */
#include "filters/ctl/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLEAR "\033[H\033[2J\033[3J"

enum {
    EVERY_S = 5,
    MOST_S = 86400,
    MOST_METRICS = 4 << 20,
    FILE_MODE = 0644, /* node_exporter is another user */
};

typedef struct {
    gboolean watch;
    gboolean metrics;
    char *metrics_file;
    guint every; /* seconds */
} Words;

static void words_clear(Words *words)
{
    g_free(words->metrics_file);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Words, words_clear)

const CtlOption CTL_STATUS_OPTIONS[] = {
    {"--watch", NULL, "again every SECONDS (5), until it is interrupted"},
    {"--metrics", NULL, "as OpenMetrics text"},
    {"--metrics-file", "FILE", "the same into FILE, which is replaced as a whole"},
    {NULL},
};

static gboolean read_words(Words *words, const CtlOptions *options, int argc, char **argv,
                           GError **error)
{
    char **rest = NULL;
    guint64 every = EVERY_S;
    const GOptionEntry entries[] = {
        {"watch", 0, 0, G_OPTION_ARG_NONE, &words->watch, NULL, NULL},
        {"metrics", 0, 0, G_OPTION_ARG_NONE, &words->metrics, NULL, NULL},
        {"metrics-file", 0, 0, G_OPTION_ARG_FILENAME, &words->metrics_file, NULL, NULL},
        {NULL},
    };

    if (!ctl_parse_words(argc, argv, entries, 0, 1, &rest, error))
        return FALSE;
    words->metrics = words->metrics || words->metrics_file;
    if (*rest && !words->watch)
        return ctl_misuse(error, "status takes no arguments, not \"%s\"", *rest) == CTL_OK;
    if (*rest && !g_ascii_string_to_unsigned(*rest, 10, 1, MOST_S, &every, NULL))
        return ctl_misuse(error, "--watch takes a number of seconds from 1 to %d, not \"%s\"",
                          MOST_S, *rest) == CTL_OK;
    if (words->metrics && (options->json || words->watch))
        return ctl_misuse(error, "--metrics goes with neither --json nor --watch") == CTL_OK;
    words->every = (guint)every;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * In a child, since root becomes the service's user for good
 */

typedef int ChildWork(const CtlOptions *options, int file);

/* What it ends with; CTL_PROBLEM where it does not end by itself. */
static int run_child(ChildWork *work, const CtlOptions *options, int file)
{
    const pid_t parent = getpid();
    int how = 0;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int status = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent
                         ? work(options, file)
                         : CTL_PROBLEM;
        fflush(NULL);
        _exit(status);
    }
    while (child > 0 && waitpid(child, &how, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(how) ? WEXITSTATUS(how) : CTL_PROBLEM;
}

static int print_turn(const CtlOptions *options, int file G_GNUC_UNUSED)
{
    g_autoptr(SealOut) out = seal_out_new();
    g_autoptr(GError) error = NULL;
    int status = ctl_status_print(options, out, &error);

    if (error && options->json)
        seal_out_text(out, "error", "%s", error->message);
    g_autoptr(GVariant) answer = seal_out_finish(out);
    if (options->json)
        ctl_print(answer, TRUE);
    fflush(stdout);
    if (error)
        fprintf(stderr, "sealctl: %s\n", error->message);
    return status;
}

/* The time stands first: who comes back to a terminal sees how old it is. */
static void begin_turn(const CtlOptions *options, gboolean first)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%Y-%m-%d %H:%M:%S");

    if (options->json)
        return;
    if (isatty(STDOUT_FILENO))
        fputs(CLEAR, stdout);
    else if (!first)
        putchar('\n');
    printf("%s\n\n", time);
}

/* It ends by a signal, or where nobody reads it any more. */
static int watch(const CtlOptions *options, guint every)
{
    int status = CTL_OK;

    for (gboolean first = TRUE;; first = FALSE) {
        begin_turn(options, first);
        status = run_child(print_turn, options, -1);
        if (ferror(stdout) || fflush(stdout) != 0 || fcntl(STDOUT_FILENO, F_GETFL) < 0)
            return status;
        const struct timespec pause = {.tv_sec = every};
        nanosleep(&pause, NULL);
    }
}

/* -------------------------------------------------------------------------------------------
 * Metrics
 */

static int write_metrics(const CtlOptions *options, int file)
{
    g_autofree char *text = ctl_status_text(options);

    return seal_fd_write(file, text, strlen(text)) ? CTL_OK : CTL_PROBLEM;
}

static gboolean fail_file(GError **error, const char *path)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

/* Whoever reads it finds the old one or the new one, whole. */
static gboolean replace_file(const char *path, const char *text, gsize size, GError **error)
{
    g_autofree char *draft = g_strconcat(path, ".XXXXXX", NULL);
    int file = mkostemp(draft, O_CLOEXEC);

    if (file < 0)
        return fail_file(error, path);
    gboolean ok = seal_fd_write(file, text, size) && fchmod(file, FILE_MODE) == 0 &&
                  fsync(file) == 0 && rename(draft, path) == 0;
    if (!ok) {
        fail_file(error, path);
        unlink(draft);
    }
    close(file);
    return ok;
}

/* (transfer full) NULL: it was not made. */
static char *take_metrics(const CtlOptions *options)
{
    int file = memfd_create("metrics", MFD_CLOEXEC);
    struct stat info;
    char *text = NULL;

    if (file < 0)
        return NULL;
    if (run_child(write_metrics, options, file) == CTL_OK && fstat(file, &info) == 0 &&
        info.st_size > 0 && info.st_size <= MOST_METRICS) {
        text = g_malloc0((gsize)info.st_size + 1);
        if (pread(file, text, (gsize)info.st_size, 0) != info.st_size)
            g_clear_pointer(&text, g_free);
    }
    close(file);
    return text;
}

static int give_metrics(const Words *words, const CtlOptions *options, GError **error)
{
    g_autofree char *text = take_metrics(options);

    if (!text) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            "there are no metrics: the process that makes them has failed");
        return CTL_PROBLEM;
    }
    if (words->metrics_file)
        return replace_file(words->metrics_file, text, strlen(text), error) ? CTL_OK : CTL_PROBLEM;
    fputs(text, stdout);
    return CTL_OK;
}

int ctl_status(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Words) words = {0};

    if (!read_words(&words, options, argc, argv, error))
        return CTL_USAGE;
    if (words.metrics)
        return give_metrics(&words, options, error);
    if (words.watch)
        return watch(options, words.every);
    return ctl_status_print(options, out, error);
}
