/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/exim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ID_BEGIN 6 /* octets before the first hyphen of an id; the last names the split folder */

/* 6-6-2 letters and digits; since Exim 4.97 6-11-4. */
static bool is_id(const char *id)
{
    static const size_t forms[][3] = {{6, 6, 2}, {6, 11, 4}};
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    for (size_t form = 0; form < sizeof forms / sizeof *forms; form++) {
        const char *at = id;

        for (size_t part = 0; part < 3; part++) {
            size_t length = strspn(at, letters);

            if (length != forms[form][part] || at[length] != (part < 2 ? '-' : '\0'))
                break;
            if (part == 2)
                return true;
            at += length + 1;
        }
    }
    return false;
}

/* Where it may stand, with and without a split spool. FALSE: that is no path. */
static bool file_path(char *path, const char *dir, const char *id, bool split, const char *kind)
{
    const char folder[] = {id[ID_BEGIN - 1], '/', '\0'};
    int size = snprintf(path, PATH_MAX, "%s/%s%s%s", dir, split ? folder : "", id, kind);

    return size > 0 && size < PATH_MAX;
}

static int open_file(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

/* The text without the fields is there from the beginning. */
static bool is_being_received(const char *dir, const char *id)
{
    char path[PATH_MAX];

    return (file_path(path, dir, id, false, "-D") && access(path, F_OK) == 0) ||
           (file_path(path, dir, id, true, "-D") && access(path, F_OK) == 0);
}

static void say_problem(SealRequest *request, const char *path, const char *what)
{
    snprintf(request->problem, sizeof request->problem, "cannot read Exim's spool file %.150s: %s",
             path, what);
}

void seal_exim_open(const char *dir, const char *id, SealRequest *request)
{
    char path[PATH_MAX] = "";
    int header = -1;

    if (dir[0] != '/' || !is_id(id)) {
        snprintf(request->problem, sizeof request->problem,
                 "--exim-spool takes an absolute path, and --id the id that Exim gave");
        return;
    }
    for (int split = 0; header < 0 && split <= 1; split++) {
        errno = ENAMETOOLONG;
        if (file_path(path, dir, id, split, "-H"))
            header = open_file(path);
        if (header < 0 && errno != ENOENT)
            break;
        if (header >= 0 && file_path(path, dir, id, split, "-D"))
            request->files[SEAL_REQUEST_EXIM_BODY] = open_file(path);
    }
    request->files[SEAL_REQUEST_EXIM_HEADER] = header;
    if (header < 0 && (errno != ENOENT || !is_being_received(dir, id)))
        say_problem(request, path, errno == ENOENT ? "No such file or directory" : strerror(errno));
}
