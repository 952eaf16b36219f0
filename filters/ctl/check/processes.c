/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/ctl/check/processes.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GONE " (deleted)"

enum { MAX_PROCESSES = 1 << 18 };

/* When the system has started, by the clock as it is now. */
static gint64 find_start(void)
{
    struct timespec since;

    if (clock_gettime(CLOCK_BOOTTIME, &since) != 0)
        return 0;
    return g_get_real_time() - ((gint64)since.tv_sec * G_USEC_PER_SEC + since.tv_nsec / 1000);
}

/* (transfer full) */
static char *read_of(pid_t pid, const char *name, gsize *size)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);
    char *text = NULL;

    return g_file_get_contents(path, &text, size, NULL) ? text : NULL;
}

static void read_name(CheckProcess *process, const char *text, const char *end)
{
    const char *begin = strchr(text, '(');

    if (begin && begin < end)
        g_strlcpy(process->name, begin + 1, MIN(sizeof process->name, (gsize)(end - begin)));
}

/* What stands behind the name, which may have anything in it. */
static gboolean read_process(CheckProcess *process, gint64 start)
{
    g_autofree char *path = g_strdup_printf("/proc/%d", (int)process->pid);
    g_autofree char *text = read_of(process->pid, "stat", NULL);
    const char *rest = text ? strrchr(text, ')') : NULL;
    guint64 ticks = 0;
    struct stat info;
    int parent, group;

    if (!rest || stat(path, &info) != 0 ||
        sscanf(rest + 1,
               " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
               "%*d %" G_GUINT64_FORMAT,
               &process->state, &parent, &group, &ticks) != 4)
        return FALSE;
    read_name(process, text, rest);
    process->parent = parent;
    process->group = group;
    process->user = info.st_uid;
    process->begun =
        start + (gint64)((double)ticks * G_USEC_PER_SEC / (double)sysconf(_SC_CLK_TCK));
    return TRUE;
}

GArray *check_processes(void)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(CheckProcess));
    g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
    const char *name;

    gint64 start = find_start();
    while (dir && (name = g_dir_read_name(dir)) && list->len < MAX_PROCESSES) {
        CheckProcess process = {.pid = g_ascii_isdigit(*name) ? atoi(name) : 0};

        if (process.pid > 0 && read_process(&process, start))
            g_array_append_val(list, process);
    }
    return list;
}

GStrv check_process_words(pid_t pid)
{
    gsize size = 0;
    g_autofree char *text = read_of(pid, "cmdline", &size);
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();

    for (gsize at = 0; text && at < size; at += strlen(text + at) + 1)
        g_strv_builder_add(words, text + at);
    return text ? g_strv_builder_end(words) : NULL;
}

static gboolean has_old_library(const char *maps)
{
    g_auto(GStrv) lines = g_strsplit(maps, "\n", -1);

    for (char **line = lines; *line; line++) {
        if (strstr(*line, "sealpipe") && g_str_has_suffix(*line, ".so" GONE))
            return TRUE;
        if (strstr(*line, "/libsealpipe.so") && g_str_has_suffix(*line, GONE))
            return TRUE;
    }
    return FALSE;
}

gboolean check_process_is_old(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", (int)pid);
    g_autofree char *maps = read_of(pid, "maps", NULL);
    char program[PATH_MAX] = "";
    gssize size = readlink(path, program, sizeof program - 1);

    program[MAX(size, 0)] = '\0';
    return g_str_has_suffix(program, GONE) || (maps && has_old_library(maps));
}
