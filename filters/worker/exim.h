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
} WorkerExim;

void worker_exim_clear(WorkerExim *spool);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WorkerExim, worker_exim_clear)

/** Its files, as the client opened them. */
typedef struct {
    const char *id;      /* borrowed */
    const char *problem; /* why ID-H could not be opened; "" where it was, or the message is still
                            being received (borrowed) */
    int header;          /* -1 where it was not */
    int body;            /* likewise */
} WorkerEximFile;

#define WORKER_EXIM_FILE_NONE                                                                      \
    {                                                                                              \
        .id = "", .problem = "", .header = -1, .body = -1                                          \
    }

void worker_exim_close(WorkerEximFile *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WorkerEximFile, worker_exim_close)

/** Reads ID-H to its end, and what of ID-D there is. *@found is FALSE where the message is still
 * being received. SEAL_ERROR_UNAVAILABLE where there is no such message, or its file is not as Exim
 * writes it. */
gboolean worker_exim_read(const WorkerEximFile *file, WorkerExim *spool, gboolean *found,
                          GError **error);

/** Likewise, of the octets of a file that belongs to @owner: Exim's user. */
gboolean worker_exim_parse(const char *id, const char *text, gsize size, guint owner,
                           WorkerExim *spool, GError **error);
