/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * postfix.h: Postfix's configuration, as postconf prints it.
 */
#pragma once

#include "filters/ctl/check/wiring.h"

#define POSTFIX_TOPIC "postfix"

/** A line of master.cf. */
typedef struct {
    char *name;
    char *type;
    char *unprivileged; /* as written: "y", "n" or "-" */
    char *chroot;
    char *command;
    char *arguments;
} PostfixService;

/** One instance. */
typedef struct {
    CheckRun *run;
    const char *postconf;
    char *folder;          /* its configuration's */
    GHashTable *settings;  /* of main.cf, defaults too */
    GHashTable *overrides; /* of master.cf, "SERVICE/TYPE/NAME" */
    GPtrArray *services;   /* of PostfixService */
} Postfix;

/** The instance of @folder; the first one where that is NULL. NULL: it cannot be told; the error
 *  says why. (transfer full) */
Postfix *postfix_read(CheckRun *run, const char *postconf, const char *folder, GError **error);
void postfix_free(Postfix *postfix);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Postfix, postfix_free)

/** What is in force in main.cf; "" where nothing is. (borrowed) */
const char *postfix_setting(const Postfix *postfix, const char *name);
gboolean postfix_flag(const Postfix *postfix, const char *name);
/** What is in force for a service; NULL where master.cf sets nothing. (borrowed) */
const char *postfix_override(const Postfix *postfix, const char *service, const char *name);
/** NULL where there is none. (borrowed) */
const PostfixService *postfix_service(const Postfix *postfix, const char *name, const char *type);
/** TRUE where @destination, "transport:nexthop", is by @transport. */
gboolean postfix_goes_by(const char *destination, const char *transport);
/** The command of a service that runs sealpipe-pipe; NULL of any other. (transfer full) */
GStrv postfix_words(const PostfixService *service);
/** What stands behind "@name=" ahead of the command; NULL where it is not there. (transfer full) */
char *postfix_attribute(const PostfixService *service, const char *name);

/** Puts what is wrong with the service that runs sealpipe-pipe. */
void postfix_check_pipe(Postfix *postfix, const PostfixService *service, char *const *words);
/** The same of two instances: @out is the one that sends out. */
void postfix_check_first(Postfix *postfix, const PostfixService *service);
void postfix_check_out(Postfix *postfix, Postfix *out, const PostfixService *service);
/** The same of a content filter. */
void postfix_check_filter(Postfix *postfix, const PostfixService *service);
/** The same of both ways, in @postfix, which people here mean by @which. */
void postfix_check_bounces(Postfix *postfix, const char *which);
