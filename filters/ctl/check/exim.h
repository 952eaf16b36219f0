/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * exim.h: Exim's configuration, as `exim -bP` prints it.
 */
#pragma once

#include "filters/ctl/check/wiring.h"

#define EXIM_TOPIC "exim"

/** A router, a transport, or the main section, whose name is "". */
typedef struct {
    char *name;
    GHashTable *options;
    guint at; /* among the routers, or the transports */
} EximDriver;

typedef struct {
    CheckRun *run;
    const char *program;
    EximDriver *main;
    GPtrArray *routers; /* of EximDriver, in the order in which they are asked */
    GPtrArray *transports;
    gint64 limit;    /* message_size_limit of what comes in; 0: none; -1: it cannot be told */
    gboolean untold; /* some of it could not be looked at, which has been put */
} Exim;

/** NULL: it cannot be told; the error says why. (transfer full) */
Exim *exim_read(CheckRun *run, const char *program, GError **error);
void exim_free(Exim *exim);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Exim, exim_free)

/** What is set; "" where nothing is. (borrowed) */
const char *exim_option(const EximDriver *driver, const char *name);
gboolean exim_flag(const EximDriver *driver, const char *name);
gboolean exim_is(const EximDriver *driver, const char *kind);
/** NULL where there is none. (borrowed) */
EximDriver *exim_transport(const Exim *exim, const EximDriver *router);

/** The whole command by which Sealpipe is run: of a transport's filter, or of a router's check;
 * NULL where it does not run it. (transfer full) */
GStrv exim_filter_words(const EximDriver *transport);
GStrv exim_check_words(const EximDriver *router);
/** The protocol by which what is sealed comes back; NULL where @transport does not hand it back.
 *  (transfer full) */
char *exim_tag(const EximDriver *transport);

/** Whose mail a router takes. */
typedef enum {
    EXIM_INSIDE, /* that of lists of domains of this host, and of those it relays for */
    EXIM_NAMED,  /* that of some domains, whosever they are */
    EXIM_ANY,
} EximReach;
EximReach exim_reach(const EximDriver *router);

/** Puts what is wrong with the routers: their order, and what leaves past the filter. */
void exim_check_routers(Exim *exim);
