/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check.h: what the parts of `sealctl check` share. A topic looks at one thing and puts what it
 * finds; each finding that is not fine says what to do about it.
 */
#pragma once

#include "filters/ctl/ctl.h"

typedef struct CheckRun CheckRun;

typedef enum {
    CHECK_OK,
    CHECK_WARNING,   /* mail goes on, but the operator should know */
    CHECK_PROBLEM,   /* some mail waits, is refused, or leaves otherwise than it should */
    CHECK_UNCHECKED, /* it could not be looked at; never taken for fine */
} CheckState;

/** Who a topic is looked at as, and when. */
typedef enum {
    CHECK_AS_SERVICE, /* the service's user, with service and dispatcher; unchecked where these do
                         not open */
    CHECK_AS_CALLER,  /* root, as a rule: in sealctl's own process */
    CHECK_AT_END,     /* the same, when all others have said who uses what */
} CheckAs;

/** One of the things that are looked at. One whose @run is NULL is found by others, of the same
 *  @as. They run in the order of @as, all CHECK_AS_SERVICE in one child. A topic may stand there
 *  twice, once for each @as. */
typedef struct {
    const char *name;
    CheckAs as;
    void (*run)(CheckRun *run);
} CheckTopic;

/** Puts a finding. @topic is a name of the table; @remedy is what to do, a sentence without a full
 *  stop, and NULL where @state is CHECK_OK. */
void check_put(CheckRun *run, CheckState state, const char *topic, const char *remedy,
               const char *format, ...) G_GNUC_PRINTF(5, 6);
/** A problem whose text is that of @error. */
void check_put_error(CheckRun *run, const char *topic, const char *remedy, const GError *error);
/** Of a topic that needs the settings, where there are none. */
#define CHECK_NO_SETTINGS "before that, the configuration has to load"
/** @topic could not be looked at, or not all of it; the text says why. */
void check_leave(CheckRun *run, const char *topic, const char *format, ...) G_GNUC_PRINTF(3, 4);
/** @topic has said what is wrong with @path, so that what others find whose text names it, or
 *  something in it, is not told a second time. FALSE where it had said so before. */
gboolean check_explain_path(CheckRun *run, const char *topic, const char *path);
/** TRUE where @topic has a problem or a warning. */
gboolean check_has_trouble(const CheckRun *run, const char *topic);
gboolean check_has_problem(const CheckRun *run, const char *topic);

/** The configuration's folder. (borrowed) */
const char *check_conf_dir(const CheckRun *run);
/** Open in topics CHECK_AS_SERVICE, NULL in others. (borrowed) */
SealService *check_service(const CheckRun *run);
SealDispatcher *check_dispatcher(const CheckRun *run);
/** What is in force of a setting, as `sealctl config` prints it, as in ("core", "size_limit").
 *  NULL: the configuration does not load, or there is no such setting. (borrowed) */
const char *check_setting(const CheckRun *run, const char *group, const char *key);
/** Calls @visit for each rule in which @key is set to @value, with the senders that it is for, ""
 *  where it names none. Borrowed; @rule is "rule NAME". */
void check_visit_rules(const CheckRun *run, const char *key, const char *value,
                       void (*visit)(const char *rule, const char *senders, gpointer user_data),
                       gpointer user_data);
/** The service's user; NULL where that is not known. (borrowed) */
const char *check_user(const CheckRun *run);
/** A mail server's user, as whom the topic "files" is to look; twice is once. */
void check_add_peer(CheckRun *run, const char *user);
/** Those added. (borrowed, element type char *) */
GPtrArray *check_peers(const CheckRun *run);

/** Does @work in a child that has become @user, where root runs this; else, where @user is not who
 *  runs it, leaves @topic. FALSE where it was not done. */
gboolean check_as_user(CheckRun *run, const char *topic, const char *user,
                       void (*work)(CheckRun *run, gpointer data), gpointer data);
/** Does @work in a child, with what it puts heard here. FALSE where the child did not end by
 *  itself: then @topic has a problem. */
gboolean check_in_child(CheckRun *run, const char *topic,
                        void (*work)(CheckRun *run, gpointer data), gpointer data);
/** To those who read the settings: what check_setting() answers from then on. */
void check_keep_settings(CheckRun *run, SealDispatcher *dispatcher);

/** Does all of it. @topics: in the order in which they are shown; ends with a NULL name. An exit
 *  code. */
int check_run(const CheckTopic *topics, const CtlOptions *options, SealOut *out);

/* -------------------------------------------------------------------------------------------
 * What was found
 */

typedef struct {
    const CheckTopic *topic;
    CheckState state;
    char *text;
    char *remedy; /* "" where there is none */
} CheckFinding;

/** "ok", "warning", "problem", "unchecked". */
const char *check_state_name(CheckState state);
/** For people, on standard output. @findings: element type CheckFinding. */
void check_show(GPtrArray *findings);

/* -------------------------------------------------------------------------------------------
 * Topics
 */

void check_configuration(CheckRun *run);
/** Asks every module's checks; puts what they find for other topics, too. */
void check_modules(CheckRun *run);
/** Behind check_modules(). */
void check_sources(CheckRun *run);
void check_gnupg(CheckRun *run);
/** Puts findings of keeper and daemon. */
void check_daemon(CheckRun *run);
void check_clock(CheckRun *run);
void check_spool(CheckRun *run);
void check_address_keys(CheckRun *run);
void check_pipelines(CheckRun *run);
/** Whether those that the configuration enables are installed, once. */
void check_installed(CheckRun *run);
void check_versions(CheckRun *run);
void check_keys(CheckRun *run);
void check_signing(CheckRun *run);
/** Owners and modes. */
void check_files(CheckRun *run);
/** Puts findings of wiring, exim and postfix. */
void check_wiring(CheckRun *run);
