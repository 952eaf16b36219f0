/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * exim.h: what Exim's own spool file says of a message: its header, and who handed it in. Exim
 * gives neither to a command as an argument: it refuses logins there, and cuts the header.
 */
#pragma once

#include "core/frontend.h"

typedef struct {
    char *sender;   /* of the envelope; "" for the null sender */
    char *login;    /* who submitted it; NULL for nobody */
    char *unproven; /* why he who handed it in is nobody, for people, or NULL */
    SealContent *header;
    guint64 lines;     /* of the body, that end in LF alone in the file; 0 where none is named */
    guint64 body_size; /* in octets with CRLF; 0: not known */
    SealContent *body; /* NULL where it could not be read */
} RunnerExim;

void runner_exim_clear(RunnerExim *spool);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunnerExim, runner_exim_clear)

/** DIR/ID-H, or DIR/?/ID-H of a split spool, and ID-D with the body beside it. */
typedef struct {
    const char *id; /* borrowed */
    char *path;
    int fd;            /* -1 where there is none */
    int body;          /* likewise */
    guint64 body_size; /* of the body's file; 0 where it is not known */
    GError *problem;   /* why not; NULL where the message is still being received */
} RunnerEximFile;

#define RUNNER_EXIM_FILE_NONE                                                                      \
    {                                                                                              \
        .fd = -1, .body = -1                                                                       \
    }

/** Opens them: while this is root, whom Exim's folder is open to. Nothing of them is read. */
void runner_exim_open(const char *dir, const char *id, RunnerEximFile *file);
void runner_exim_close(RunnerEximFile *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunnerEximFile, runner_exim_close)

/** Reads ID-H to its end, and what of ID-D there is. *@found is FALSE where the message is still
 * being received. SEAL_ERROR_UNAVAILABLE where there is no such message, or its file is not as Exim
 * writes it. */
gboolean runner_exim_read(const RunnerEximFile *file, RunnerExim *spool, gboolean *found,
                          GError **error);

/** Likewise, of the octets of a file that belongs to @owner: Exim's user. */
gboolean runner_exim_parse(const char *id, const char *text, gsize size, guint owner,
                           RunnerExim *spool, GError **error);
