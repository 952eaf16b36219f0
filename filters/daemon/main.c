/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c: sealpiped: the command line, and which of its processes this is.
 */
#include "filters/daemon/daemon.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "Usage: sealpiped [OPTION]...\n"
    "Does the work of sealpipe, sealpipe-check and sealpipe-pipe in processes that stay. These "
    "find "
    "it\n"
    "by its socket; the mail server is configured as without it.\n"
    "\n"
    "  -c DIR             configuration folder, instead of the built-in conf.d\n"
    "      --foreground   stay where it was started, as systemd wants it; without it the command\n"
    "                     ends when the daemon is ready, with status 0, or has failed\n"
    "      --help         print this and exit\n"
    "      --version      print the version and exit\n"
    "\n"
    "Root starts it. Mail is read by [core] user; private keys are kept by [daemon] keys_user, "
    "whom\n"
    "\n"
    "  useradd --system --user-group --no-create-home --shell /usr/sbin/nologin sealpipe-keys\n"
    "\n"
    "makes, and [daemon] peers names who may hand in mail (the mail server's user).\n"
    "Signals: HUP reads configuration and keys anew; TERM ends it when what was begun is done.\n"
    "See sealpiped(8) and sealpipe.conf(5).\n";

typedef struct {
    const char *conf_dir;
    gboolean foreground;
    gboolean generation;
    gboolean help;
    gboolean version;
} Options;

static gboolean refuse_word(const char *word)
{
    const char *why = "takes no such argument";

    if (g_str_equal(word, "-c"))
        why = "wants the name of a folder behind this option";
    else if (*word == '-')
        why = "has no such option";
    fprintf(stderr, "sealpiped: %s: sealpiped %s; see sealpiped --help\n", word, why);
    return FALSE;
}

static gboolean read_words(Options *options, char **argv)
{
    for (int i = 1; argv[i]; i++) {
        if (g_str_equal(argv[i], "--foreground"))
            options->foreground = TRUE;
        else if (g_str_equal(argv[i], "--generation"))
            options->generation = TRUE;
        else if (g_str_equal(argv[i], "--help"))
            options->help = TRUE;
        else if (g_str_equal(argv[i], "--version"))
            options->version = TRUE;
        else if (g_str_equal(argv[i], "-c") && argv[i + 1])
            options->conf_dir = argv[++i];
        else
            return refuse_word(argv[i]);
    }
    return TRUE;
}

/* Where a later version will stand, too, for the generations to come. */
static char *own_path(void)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path);

    return size > 0 && (gsize)size < sizeof path ? g_strndup(path, (gsize)size) : NULL;
}

int main(int argc, char **argv)
{
    g_autofree char *path = own_path();
    Options options = {0};

    (void)argc;
    seal_secret_guard_process();
    umask(077);
    g_set_prgname("sealpiped");
    seal_log_open("daemon", FALSE);
    if (!read_words(&options, argv))
        return 2;
    if (options.help || options.version) {
        signal(SIGPIPE, SIG_IGN); /* a reader that has gone is said */
        fputs(options.help ? usage : "sealpiped " SEALPIPE_VERSION "\n", stdout);
        if (fflush(stdout) == 0)
            return 0;
        perror("sealpiped: standard output cannot be written to");
        return 1;
    }
    if (options.generation)
        return daemon_generation(options.conf_dir);
    return daemon_supervise(path, options.conf_dir, options.foreground);
}
