/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/conf.h"

#include "filters/client/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE (1024 * 1024)
#define SUFFIX   ".conf"
#define BLANKS   " \t\n\r\f\v"

/* -------------------------------------------------------------------------------------------
 * Values
 */

/* GKeyFile's escapes. FALSE, and nothing in @to: it does not fit, or there is no such escape. */
static bool read_text(const char *from, char *to, size_t size)
{
    static const char letters[] = "sntr\\;", octets[] = " \n\t\r\\;";
    char made[SEAL_CLIENT_CONF_PATH];
    size_t length = 0;

    for (; *from; from++) {
        bool escapes = *from == '\\';
        const char *letter = escapes && from[1] ? strchr(letters, *++from) : NULL;

        if (length + 1 >= sizeof made || (escapes && !letter))
            return false;
        made[length++] = letter ? octets[letter - letters] : *from;
    }
    made[length] = '\0';
    if (length + 1 > size)
        return false;
    memcpy(to, made, length + 1);
    return true;
}

static void read_number(const char *text, const char *units, const uint64_t *factors, uint64_t *ret)
{
    size_t size = strlen(text);
    const char *unit = size > 0 ? strchr(units, text[size - 1]) : NULL;
    uint64_t number;

    if (seal_io_number(text, unit ? size - 1 : size, 10, UINT32_MAX, &number))
        *ret = number * (unit ? factors[unit - units] : 1);
}

static void take_value(SealClientConf *conf, const char *key, const char *text)
{
    static const uint64_t octets[] = {1 << 10, 1 << 20, 1 << 30}, seconds[] = {1, 60, 3600, 86400};

    if (strcmp(key, "run_dir") == 0)
        read_text(text, conf->run_dir, sizeof conf->run_dir);
    else if (strcmp(key, "spool_dir") == 0)
        read_text(text, conf->spool_dir, sizeof conf->spool_dir);
    else if (strcmp(key, "spool_memory") == 0)
        read_number(text, "KMG", octets, &conf->spool_memory);
    else if (strcmp(key, "deadline") == 0)
        read_number(text, "smhd", seconds, &conf->deadline);
}

/* -------------------------------------------------------------------------------------------
 * Lines
 */

/* In place: without blanks at both ends. */
static char *strip(char *text)
{
    size_t size;

    text += strspn(text, BLANKS);
    size = strlen(text);
    while (size > 0 && strchr(BLANKS, text[size - 1]))
        text[--size] = '\0';
    return text;
}

static void take_line(SealClientConf *conf, char *line, bool *core)
{
    char *equals;

    line = strip(line);
    if (*line == '[') {
        *core = strcmp(line, "[core]") == 0;
        return;
    }
    equals = strchr(line, '=');
    if (!*core || *line == '#' || !equals)
        return;
    *equals = '\0';
    take_value(conf, strip(line), strip(equals + 1));
}

static void read_lines(SealClientConf *conf, char *text)
{
    bool core = false;

    while (text) {
        char *line = strsep(&text, "\n");

        take_line(conf, line, &core);
    }
}

static void read_file(SealClientConf *conf, int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;
    char *text = NULL;

    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= MAX_FILE)
        text = calloc(1, (size_t)info.st_size + 1);
    if (text && seal_io_read_at(fd, text, (size_t)info.st_size, 0))
        read_lines(conf, text);
    free(text);
    seal_io_close(&fd);
}

/* -------------------------------------------------------------------------------------------
 * The folder
 */

static int is_conf(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);

    return entry->d_name[0] != '.' && size > strlen(SUFFIX) &&
           strcmp(entry->d_name + size - strlen(SUFFIX), SUFFIX) == 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

void seal_client_conf_read(const char *dir, SealClientConf *conf)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent **entries = NULL;
    struct stat info;
    int count = -1;

    *conf = (SealClientConf){
        .run_dir = "/run/sealpipe",
        .spool_dir = "/var/tmp",
        .spool_memory = 1 << 20,
        .deadline = 60,
    };
    if (folder >= 0 && fstat(folder, &info) == 0) {
        conf->device = info.st_dev;
        conf->inode = info.st_ino;
        count = scandirat(folder, ".", &entries, is_conf, compare_names);
    }
    for (int i = 0; i < count; i++) {
        read_file(conf, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free((void *)entries);
    seal_io_close(&folder);
}
