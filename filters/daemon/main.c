/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c: sealpiped: the command line, and which of its processes this is.
 */
#include "filters/daemon/daemon.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "Usage: sealpiped [OPTION]...\n"
    "Does the work of sealpipe, sealpipe-check and sealpipe-pipe in processes that stay, under a "
    "user\n"
    "of its own.\n"
    "\n"
    "  -c DIR             configuration folder, instead of the built-in conf.d\n"
    "      --foreground   stay where it was started, as systemd wants it\n"
    "      --help         print this and exit\n"
    "      --version      print the version and exit\n"
    "\n"
    "Signals: HUP reads the configuration anew; TERM ends it when what was begun is done.\n";

typedef struct {
    const char *conf_dir;
    gboolean foreground;
    gboolean generation;
    gboolean help;
    gboolean version;
} Options;

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
        else {
            fprintf(stderr,
                    "sealpiped: there is no option %s, or its value is missing; see --help\n",
                    argv[i]);
            return FALSE;
        }
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
        fputs(options.help ? usage : "sealpiped " SEALPIPE_VERSION "\n", stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    if (options.generation)
        return daemon_generation(options.conf_dir);
    return daemon_supervise(path, options.conf_dir, options.foreground);
}
