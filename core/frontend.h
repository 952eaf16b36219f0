/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * frontend.h: what the programs of this tree need of libsealpipe beyond sealpipe.h. Not installed
 * and without any promise: it may change with every commit.
 *
 * A front end opens a dispatcher, makes a job from what its MTA hands it, runs it, and turns the
 * deliveries and decisions into its MTA's language.
 */
#pragma once

#include "core/frontend-keys.h"
#include "core/frontend-tally.h"

G_BEGIN_DECLS

/* -------------------------------------------------------------------------------------------
 * The service: what every program begins with
 */

typedef struct SealService SealService;

/** Reads what can be read of [core], sends the log to where it says, and, where root runs this,
 *  becomes the user whose service it is first: [core] user, else the owner of [core] state_dir. It
 *  works with a configuration that does not load. NULL as @conf_dir means SEALPIPE_CONF, then the
 *  built-in folder. SEAL_ERROR_CONFIG where the configuration cannot be believed (see owner.h) or
 *  not be read, or where it is in doubt what state_dir is. (transfer full) */
SEAL_FRONT SealService *seal_service_open(const char *conf_dir, GError **error);
SEAL_FRONT void seal_service_free(SealService *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealService, seal_service_free)

/** Whether `sealctl suspend` holds. SEAL_ERROR_UNAVAILABLE where that cannot be told. */
SEAL_FRONT gboolean seal_service_suspended(const SealService *service, gboolean *suspended,
                                           GError **error);
/** Suspends outbound mail's handling, or resumes it. */
SEAL_FRONT gboolean seal_service_suspend(const SealService *service, gboolean suspend,
                                         GError **error);
/** *@passes: outbound mail is to pass as it came, since sealpipe is suspended, or [core] enabled is
 *  false. Where it is so, the rest of the configuration need not load. */
SEAL_FRONT gboolean seal_service_passes(const SealService *service, gboolean *passes,
                                        GError **error);
/** Who runs this, and where the log goes: rows of "checks". FALSE where one is not ready. */
SEAL_FRONT gboolean seal_service_show(const SealService *service, SealOut *out);
/** [core] deadline. */
SEAL_FRONT gint64 seal_service_deadline(const SealService *service);
/** [core] state_dir, spool_dir and run_dir. (borrowed) */
SEAL_FRONT const char *seal_service_state_dir(const SealService *service);
SEAL_FRONT const char *seal_service_spool_dir(const SealService *service);
SEAL_FRONT const char *seal_service_run_dir(const SealService *service);
/** A stream for the message, as seal_module_spool(). (transfer full) */
SEAL_FRONT GOutputStream *seal_service_spool(const SealService *service);
/** A file in [core] spool_dir without a name, open for reading and writing; -1 on error. */
SEAL_FRONT int seal_service_spool_file(const SealService *service, GError **error);

/** The configuration's folder: @conf_dir, else SEALPIPE_CONF, else the built-in one. (transfer
 *  full) */
SEAL_FRONT char *seal_service_folder(const char *conf_dir);
/** [core] user, or who runs this where it names nobody. */
SEAL_FRONT guint seal_service_user(const SealService *service);
/** [core] in_process. */
SEAL_FRONT gboolean seal_service_in_process(const SealService *service);

/** A value of a group, such as "core" or "module smime"; each path of PATHS by itself. Of each
 *  enabled module it is called first with no @setting, and the file that enables it as @value. */
typedef void (*SealSettingVisitor)(const char *group, const SealSetting *setting, const char *value,
                                   gpointer user_data);
/** Calls @visit for texts, choices, booleans and paths of [core], [daemon] and enabled modules that
 * are set, or are presets; what is wrong is passed over. Opens the modules and starts none. FALSE
 * where it cannot be told which files count. */
SEAL_FRONT gboolean seal_config_visit(const char *conf_dir, SealSettingVisitor visit,
                                      gpointer user_data, GError **error);
/** TRUE where nobody but root and the user that runs this can change what @path leads to.
 *  SEAL_ERROR_CONFIG names what others can change, SEAL_ERROR_UNAVAILABLE where it cannot be found
 *  out. */
SEAL_FRONT gboolean seal_path_check_owner(const char *path, GError **error);

/** Has root become the user @name for good, with all groups of his, and forget what is root's in
 *  the environment. */
SEAL_FRONT gboolean seal_user_become_named(const char *name, GError **error);

/** What becomes of a sandbox that cannot be had. */
typedef enum {
    SEAL_SANDBOX_REQUIRED,  /**< nothing is done then */
    SEAL_SANDBOX_AVAILABLE, /**< it is logged, and done without */
    SEAL_SANDBOX_OFF,       /**< none is wanted */
} SealSandbox;

/** Whether the daemon's workers may use the network. */
typedef enum {
    SEAL_NETWORK_AUTO, /**< where a module needs it */
    SEAL_NETWORK_TRUE,
    SEAL_NETWORK_FALSE,
} SealNetwork;

/** What the daemon has to know before it opens a service. Strings belong to the struct. */
typedef struct {
    char *conf_dir;
    char *run_dir;
    char *digest;    /**< another one where any setting of the whole configuration is */
    gint64 deadline; /**< seconds */
    guint workers;
    guint socket_mode;
    guint user;  /**< [core] user; G_MAXUINT: who runs this */
    guint group; /**< of the socket: that of [core] user; G_MAXUINT: who runs this */
    char *keys_user;
    guint recycle; /**< messages for each worker */
    guint queue;
    gboolean in_process; /**< mail is handled without it, too */
    GStrv peers;
    GStrv submission_peers;
    GStrv inbound_peers;
    SealSandbox sandbox;
    SealNetwork network;
    gboolean refresh; /**< a process of its own fetches what modules want */
    GStrv readable;   /**< more files and folders that they may read */
} SealDaemonSettings;

/** Reads [daemon], and [core] beside it, and sends the log where that says. SEAL_ERROR_CONFIG, with
 * file and line. */
SEAL_FRONT gboolean seal_daemon_settings_read(const char *conf_dir, SealDaemonSettings *settings,
                                              GError **error);
SEAL_FRONT void seal_daemon_settings_clear(SealDaemonSettings *settings);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SealDaemonSettings, seal_daemon_settings_clear)

/* -------------------------------------------------------------------------------------------
 * The dispatcher: configuration, modules and pipeline, ready for jobs
 */

/** The process that keeps private keys. */
typedef struct SealKeeper SealKeeper;

/** Reads conf.d and loads the private half of each module that is enabled, and nothing else of
 *  them, as whoever this is. NULL folders as below. (transfer full) */
SEAL_FRONT SealKeeper *seal_keeper_open(const char *conf_dir, const char *module_dir,
                                        GError **error);
SEAL_FRONT void seal_keeper_free(SealKeeper *keeper);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealKeeper, seal_keeper_free)
/** A file with what is no secret of them, for seal_dispatcher_prepare(); -1 on error. */
SEAL_FRONT int seal_keeper_list(SealKeeper *keeper, GError **error);
/** Has it decrypt content keys as well, whether there is an inbound pipeline or not: for a keeper
 * of sealctl's own, which root starts to open what root has sealed. */
SEAL_FRONT void seal_keeper_let_open(SealKeeper *keeper);
/** Answers at @socket until the other end is closed. */
SEAL_FRONT void seal_keeper_serve(SealKeeper *keeper, int socket);
/** TRUE where the files that private keys were read from, or their folders, have changed since;
 * they need not be readable any more. @sum is another one for each state that they are in. */
SEAL_FRONT gboolean seal_keeper_look(const SealKeeper *keeper, guint64 *sum);

/** Those who tend to what private keys need besides, under the keys' user. */
typedef struct SealTender SealTender;

/** Reads conf.d and opens the modules that it enables. NULL as @module_dir as below. (transfer
 *  full) */
SEAL_FRONT SealTender *seal_tender_open(const char *conf_dir, const char *module_dir,
                                        GError **error);
SEAL_FRONT void seal_tender_free(SealTender *tender);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealTender, seal_tender_free)
/** How many there are. */
SEAL_FRONT guint seal_tender_count(const SealTender *tender);
/** Makes a folder for all of them in @parent, which lets its group through, as whoever this is; it
 *  is removed with the tender, in this process. What others have left there goes. (borrowed) */
SEAL_FRONT const char *seal_tender_make_folder(SealTender *tender, const char *parent,
                                               GError **error);
/** Has one of them do its work, until @end can be read. */
SEAL_FRONT gboolean seal_tender_run(SealTender *tender, guint which, int end,
                                    void (*ready)(gpointer user_data), gpointer user_data,
                                    GError **error);

/** Reads conf.d, loads the modules that it enables and checks that all fits together. NULL folders
 *  mean SEALPIPE_CONF and SEALPIPE_MODULES, then the built-in ones. SEAL_ERROR_CONFIG and
 *  SEAL_ERROR_MODULE name file and line. (transfer full) */
SEAL_FRONT SealDispatcher *seal_dispatcher_new(const char *conf_dir, const char *module_dir,
                                               GError **error);
/** The same of a service that is open, and outlives it. */
SEAL_FRONT SealDispatcher *seal_dispatcher_open(SealService *service, const char *module_dir,
                                                GError **error);
/** The same but for what each process that works needs of its own: seal_dispatcher_attach() is
 *  called in each, behind the fork. @listed: of seal_keeper_list(), or -1: private keys are here.
 * @tended: of seal_tender_make_folder(), or NULL.
 */
SEAL_FRONT SealDispatcher *seal_dispatcher_prepare(SealService *service, const char *module_dir,
                                                   int listed, const char *tended, GError **error);
/** Has private keys used where seal_keeper_serve() is at the other end of @socket. */
SEAL_FRONT void seal_dispatcher_ask_at(SealDispatcher *dispatcher, int socket);
/** TRUE where nobody answers there any more. */
SEAL_FRONT gboolean seal_dispatcher_lost_keys(const SealDispatcher *dispatcher);
/** The same of what the modules have read, but for what they follow themselves. */
SEAL_FRONT gboolean seal_dispatcher_look(const SealDispatcher *dispatcher, guint64 *sum);
/** TRUE where one of them has found so much changed that beginning anew is worth its time. */
SEAL_FRONT gboolean seal_dispatcher_is_worn(const SealDispatcher *dispatcher);
SEAL_FRONT gboolean seal_dispatcher_attach(SealDispatcher *dispatcher, GError **error);
SEAL_FRONT void seal_dispatcher_free(SealDispatcher *dispatcher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealDispatcher, seal_dispatcher_free)

/** What a process that works does with a file or folder. */
typedef enum {
    SEAL_PATH_READ,
    SEAL_PATH_WRITE,  /**< and makes files and folders in it */
    SEAL_PATH_SECRET, /**< nothing, where private keys are another process's */
} SealPathUse;
typedef void (*SealPathVisitor)(const char *path, SealPathUse use, gpointer user_data);
/** Calls @visit for all that the configuration names, itself too. What is named need not be there,
 *  and a file may be replaced by another one. */
SEAL_FRONT void seal_dispatcher_visit_paths(const SealDispatcher *dispatcher, SealPathVisitor visit,
                                            gpointer user_data);
/** The first enabled module that says that its look-ups need the network; NULL where none does.
 *  (borrowed) */
SEAL_FRONT const char *seal_dispatcher_networker(const SealDispatcher *dispatcher);

/** Has what is done in each of its formats counted there by itself; by one process at a time. */
SEAL_FRONT void seal_dispatcher_name_formats(const SealDispatcher *dispatcher, SealTally *tally);

/** [core] enabled. */
SEAL_FRONT gboolean seal_dispatcher_configured(const SealDispatcher *dispatcher);
/** [core] deadline. */
SEAL_FRONT gint64 seal_dispatcher_deadline(const SealDispatcher *dispatcher);
/** For programs whose standard error is not theirs: SEAL_ERROR_CONFIG, with file and line, where
 *  [core] log_target is stderr; the log goes elsewhere from then on. */
SEAL_FRONT gboolean seal_dispatcher_refuse_stderr(SealDispatcher *dispatcher, GError **error);
/** An enabled Format, its module in @module; NULL where there is none. (borrowed) */
SEAL_FRONT const SealFormat *seal_dispatcher_format(SealDispatcher *dispatcher, const char *name,
                                                    SealModule **module);
/** An enabled key source, likewise. (borrowed) */
SEAL_FRONT const SealSource *seal_dispatcher_source(SealDispatcher *dispatcher, const char *name,
                                                    SealModule **module);
/** An enabled module's command, likewise. (borrowed) */
SEAL_FRONT const SealCommand *seal_dispatcher_command(SealDispatcher *dispatcher, const char *name,
                                                      SealModule **module);
/** Does what @command says: see SealCommand. @module is NULL for a standalone one. Where the answer
 * is not 0, an error says why, unless the answer itself tells. */
SEAL_FRONT int seal_command_run(const SealCommand *command, SealModule *module, int argc,
                                char **argv, SealOut *out, GError **error);
/** What seal_out_finding() was given. */
typedef struct {
    char *check; /**< the check that found it, "" where none has */
    SealFindingState state;
    char *topic;
    char *remedy; /**< "" where there is none */
    char *text;
} SealFinding;
/** (borrowed, element type SealFinding) */
SEAL_FRONT GPtrArray *seal_out_findings(SealOut *out);
/** Says of the findings from @first on which @check they are of. FALSE where one is a problem. */
SEAL_FRONT gboolean seal_out_claim_findings(SealOut *out, guint first, const char *check);

/** Asks every module's checks: a row of "checks" for each, and of "warnings" for what the operator
 *  may not have meant. All that is wrong is among the findings of @out as well. FALSE where one is
 *  not ready. */
SEAL_FRONT gboolean seal_dispatcher_check_modules(SealDispatcher *dispatcher, SealOut *out);
/** What is in force and where it was written: a row of "settings" for each setting. */
SEAL_FRONT void seal_dispatcher_show_config(SealDispatcher *dispatcher, SealOut *out);
/** A stream for the message, as seal_module_spool(). (transfer full) */
SEAL_FRONT GOutputStream *seal_dispatcher_spool(SealDispatcher *dispatcher);

/* -------------------------------------------------------------------------------------------
 * Jobs
 */

/** What was decided. */
typedef enum {
    SEAL_VERDICT_NONE = 0, /**< nothing was: counts as DEFER */
    SEAL_VERDICT_PASS,     /**< yes; go on */
    SEAL_VERDICT_SKIP,     /**< this one will not do; try the next */
    SEAL_VERDICT_UNABLE,   /**< this recipient cannot be sealed for; its policy says what follows */
    SEAL_VERDICT_SEALED,   /**< encrypted to the recipient */
    SEAL_VERDICT_SIGNED,   /**< signed, in clear as policy allows */
    SEAL_VERDICT_PLAIN,    /**< in clear, as policy allows */
    SEAL_VERDICT_REPORT,   /**< a problem report goes in its place */
    SEAL_VERDICT_REFUSE,   /**< not sent, for good */
    SEAL_VERDICT_DEFER,    /**< not sent now */
} SealVerdict;

typedef enum {
    SEAL_DIRECTION_OUTBOUND,
    SEAL_DIRECTION_INBOUND,
} SealDirection;

/** What a front end says of a job. */
typedef struct {
    SealDirection direction;
    const char *id;     /**< the MTA's, or NULL: one is made up */
    const char *sender; /**< "" and "<>" are the null sender; NULL: Return-path, else From */
    const char *const *recipients; /**< NULL-terminated, at least one */
    SealContent *message;          /**< NULL where only addresses are asked about */
    gboolean header_only;          /**< @message is the header block alone */
    guint64 body_size;             /**< then, of the body, in octets with CRLF; 0: not known */
    gboolean submitted;            /**< by somebody who may use this server, as the MTA knows */
    gboolean submission_unknown;   /**< the front end cannot tell whether; for questions only */
    const char *login;             /**< who logged in to submit it; NULL and "" where nobody did */
    gboolean names_login;          /**< the MTA names logins: without one, nobody has logged in */
    const char *unproven; /**< why it is not @submitted, for people; NULL: the MTA did not say so */
    const char *const *authors; /**< whom its word may make the author: addresses and @domains,
                                     NULL-terminated; NULL: anybody */
    gboolean one_output;        /**< the front end can hand back one message only */
    gboolean any_size;  /**< the front end could only defer what is larger than [core] size_limit,
                             and whoever is given it says at once that it is too large */
    gboolean rehearsal; /**< for seal_dispatcher_explain() alone: nothing is written down, and
                             nothing of what comes of it may leave */
} SealJobSpec;

/** SEAL_ERROR_ADDRESS names the address that does not parse. A message that is malformed or passes
 * a bound makes a job all the same, which then refuses every recipient. (transfer full) */
SEAL_FRONT SealJob *seal_job_new(const SealJobSpec *spec, GError **error);
SEAL_FRONT void seal_job_free(SealJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealJob, seal_job_free)

/** Plans, applies and passes the gate. TRUE: every recipient has a result, and every delivery may
 *  leave. FALSE: nothing may; all recipients are deferred. */
SEAL_FRONT gboolean seal_dispatcher_run(SealDispatcher *dispatcher, SealJob *job,
                                        GCancellable *cancellable, GError **error);
/** Plans only: afterwards each recipient's result is what would become of a message to it, as far
 *  as can be told without one. FALSE: cannot tell. */
SEAL_FRONT gboolean seal_dispatcher_check(SealDispatcher *dispatcher, SealJob *job,
                                          GCancellable *cancellable, GError **error);

/** Runs @job, which is a rehearsal, and says all that was decided on its way. In @out: "id",
 *  "octets", "sender", "author", "no_author" (why there is none), "submitted", "login", "came"
 *  (plain, signed, encrypted, malformed) and "bounce"; and rows.
 *
 *  Rows of "recipients" have recipient, result, code, reason, detail (for the operator alone),
 *  status, delivery (0: nothing leaves), named (in To or Cc), rule, and of its policy encrypt,
 * sign, formats, fallback, min_trust, already_sealed and archive_to.
 *
 *  Rows of "decisions", in their order, have recipient or delivery (which it was made for), step,
 *  subject, verdict, code and text; of a source or key purpose, format and source as well; of a key
 *  key, label, origin, place, trust, proof, until and used. Steps are rule, stage, source, problem
 *  (what a source said), key, format, step (of the pipeline, with what leaves), gate, result, and
 *  what else the log has of them.
 *
 *  Rows of "deliveries" have delivery, what, recipients, format, keys, hidden, signer, signature
 *  (detached, opaque, combined with the encryption, or ""), octets and note; rows of "parts"
 *  delivery, encrypted (it is within), depth, type, encoding and octets.
 *
 *  FALSE: all are deferred, and the error says why; what is in @out counts all the same. */
SEAL_FRONT gboolean seal_dispatcher_explain(SealDispatcher *dispatcher, SealJob *job, SealOut *out,
                                            GError **error);

/** Opens what would leave sealed again, as its Format can: a row of "opened" in @out for each:
 *  delivery, format, opened, same (it is what was sealed) and text. A private key that is not here
 *  is no problem; FALSE where what was opened is something else. */
SEAL_FRONT gboolean seal_dispatcher_reopen(SealDispatcher *dispatcher, SealJob *job, SealOut *out);

/** (borrowed, element type SealDelivery) What leaves; empty before seal_dispatcher_run(). */
SEAL_FRONT GPtrArray *seal_job_deliveries(const SealJob *job);
/** (borrowed, element type SealRecipient) */
SEAL_FRONT GPtrArray *seal_job_recipients(const SealJob *job);
/** What became of a recipient: SEALED, SIGNED, PLAIN, REPORT, REFUSE or DEFER. */
SEAL_FRONT SealVerdict seal_recipient_result(const SealRecipient *recipient);
/** The name of the rule that won; "" for [policy] alone. (borrowed) */
SEAL_FRONT const char *seal_recipient_rule(const SealRecipient *recipient);
/** Why, for people. (borrowed) */
SEAL_FRONT const char *seal_recipient_reason(const SealRecipient *recipient);
/** The enhanced status code (RFC 3463) of what is refused; "" for anything else. (borrowed) */
SEAL_FRONT const char *seal_recipient_status(const SealRecipient *recipient);
/** While a job runs, @tell hears each time that it moves on how long it may take from then, in
 *  microseconds: the least of [core] deadline and what is left of all that it has. NULL: nobody. */
SEAL_FRONT void seal_clock_listen(void (*tell)(gint64 usec));
/** The keys that a delivery is encrypted to. (borrowed, element type SealKey) */
SEAL_FRONT GPtrArray *seal_delivery_keys(const SealDelivery *delivery);

/* -------------------------------------------------------------------------------------------
 * Decisions, to be rendered
 */

SEAL_FRONT SealDecision *seal_decision_new(const char *step, const char *subject);
SEAL_FRONT void seal_decision_free(SealDecision *decision);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealDecision, seal_decision_free)
SEAL_FRONT SealVerdict seal_decision_verdict(const SealDecision *decision);
SEAL_FRONT const char *seal_decision_step(const SealDecision *decision);
SEAL_FRONT const char *seal_decision_subject(const SealDecision *decision);
SEAL_FRONT const char *seal_decision_code(const SealDecision *decision);
SEAL_FRONT const char *seal_decision_key(const SealDecision *decision);
SEAL_FRONT const char *seal_decision_text(const SealDecision *decision);
/** The word for a verdict in logs: "sealed", "deferred". */
SEAL_FRONT const char *seal_verdict_name(SealVerdict verdict);

/* -------------------------------------------------------------------------------------------
 * The process
 */

/** No core dumps, and no other process may look into this one: a secret may be in memory. Nothing
 *  in a build with sanitizers. */
SEAL_FRONT void seal_secret_guard_process(void);
/** Opens a file of the command line, where @path is one, for the next seal_file_read() of it:
 * before root becomes another user, who may not. */
SEAL_FRONT void seal_file_keep(const char *path);
/** The names in @dir that end in @suffix ("" for all) and do not begin with a dot, in lexical
 *  order; at most 100,000. (transfer full, element type char *) */
SEAL_FRONT GPtrArray *seal_dir_list(const char *dir, const char *suffix, GError **error);
/** Content over @length octets of @fd, a regular file, which it takes over. It is read as it is
 *  needed, never mapped. (transfer full) */
SEAL_FRONT SealContent *seal_content_new_file(int fd, guint64 length);
/** Calls @visit for each piece of @content in turn: @size octets of @fd behind @from or, where @fd
 *  is -1, at @data. FALSE as soon as one returns that. */
typedef gboolean (*SealPieceVisitor)(int fd, guint64 from, const guint8 *data, guint64 size,
                                     gpointer user_data);
SEAL_FRONT gboolean seal_content_visit(SealContent *content, SealPieceVisitor visit,
                                       gpointer user_data);
/** Reads to the end, or until @size octets are there. Returns how many, -1 with errno set. */
SEAL_FRONT gssize seal_fd_read(int fd, void *data, gsize size);
/** Writes all of it; FALSE with errno set. */
SEAL_FRONT gboolean seal_fd_write(int fd, const void *data, gsize size);

/* -------------------------------------------------------------------------------------------
 * Messages
 */

typedef struct SealMessage SealMessage;

/** Finds the header block; SEAL_ERROR_MESSAGE where there is not one octet or the header is
 *  malformed, SEAL_ERROR_LIMIT where a bound is passed. (transfer full) */
SEAL_FRONT SealMessage *seal_message_new(SealContent *content, GError **error);
SEAL_FRONT void seal_message_free(SealMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealMessage, seal_message_free)
/** Appends whom To, Cc and Bcc name (element type char *), each as often as they do. */
SEAL_FRONT gboolean seal_message_recipients(SealMessage *message, GPtrArray *texts, GError **error);
/** The MIME view of the whole. (borrowed) */
SEAL_FRONT SealEntity *seal_message_entity(SealMessage *message);

/* -------------------------------------------------------------------------------------------
 * Answers, and modules without a configuration. NULL as @module_dir means SEALPIPE_MODULES, then
 * the built-in folder.
 */

SEAL_FRONT SealOut *seal_out_new(void);
SEAL_FRONT void seal_out_free(SealOut *out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealOut, seal_out_free)
/** What was put into it, as a{sv}; lists are aa{sv}. Nothing can be put into it afterwards.
 *  (transfer full) */
SEAL_FRONT GVariant *seal_out_finish(SealOut *out);

/** The modules in the folder, by name. (transfer full, element type char *) */
SEAL_FRONT GPtrArray *seal_module_names(const char *module_dir, GError **error);
/** Opens and checks a module without starting it. (borrowed) */
SEAL_FRONT const SealModuleDescriptor *seal_module_peek(const char *module_dir, const char *name,
                                                        GError **error);
/** A command of a module that needs no configuration; NULL where it has none of that name, or
 *  cannot be opened. (borrowed) */
SEAL_FRONT const SealCommand *seal_module_standalone(const char *module_dir, const char *name,
                                                     const char *command, GError **error);

/* -------------------------------------------------------------------------------------------
 * The log. A front end logs once what core returned.
 */

/** Before the configuration is read, everything goes to syslog; a dispatcher sets the target that
 *  [core] log_target names. @by (borrowed) says in each line which program wrote it. @to_stderr
 *  sends a copy there, for --debug. */
SEAL_FRONT void seal_log_open(const char *by, gboolean to_stderr);
/** Where the log goes, "syslog", "journal" or "file", for who writes to it besides; "syslog" for
 *  standard error. *@level: what is less grave is not written, 0 for errors to 3 for all. *@file is
 *  the file's descriptor, or -1. */
SEAL_FRONT const char *seal_log_target(int *level, int *file);
/** Writes a line `warning="..."`. */
SEAL_FRONT void seal_log_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);
/** Likewise `error="..."`: something does not work. */
SEAL_FRONT void seal_log_failure(const char *format, ...) G_GNUC_PRINTF(1, 2);
/** Likewise `notice="..."`, at log_level=info: nothing is wrong. */
SEAL_FRONT void seal_log_notice(const char *format, ...) G_GNUC_PRINTF(1, 2);
/** TRUE where another file stands in the place of the log's, as after a rotation: this process goes
 *  on writing to the one before. */
SEAL_FRONT gboolean seal_log_is_behind(void);
/** One line for each recipient, and at log_level=debug one for each decision. */
SEAL_FRONT void seal_log_job(SealJob *job);
/** Likewise for a question, which comes ahead of each message: that it will be handled is said at
 *  log_level=debug alone. */
SEAL_FRONT void seal_log_answer(SealJob *job);
/** While [core] enabled is false: says so once, and one line for each recipient. @sender may be
 *  NULL. */
SEAL_FRONT void seal_log_disabled(const char *id, const char *sender,
                                  const char *const *recipients);
/** All are deferred: an error outside of a job. One line for each recipient, or one without where
 *  @recipients is NULL or empty. @id and @sender may be NULL. */
SEAL_FRONT void seal_log_error(const char *id, const char *sender, const char *const *recipients,
                               const GError *error);
/** One line: a recipient who is refused before there is a job. */
SEAL_FRONT void seal_log_refused(const char *id, const char *sender, const char *recipient,
                                 const GError *error);

/* -------------------------------------------------------------------------------------------
 * The ledger: what became of mail, day by day, without mailboxes
 */

/** A line of it: so many recipients of one message, in one domain. Texts are "" where there is
 *  nothing to say. (borrowed) */
typedef struct {
    const char *by;     /**< which program: as `by=` in the log */
    const char *domain; /**< the recipients' */
    const char *result; /**< as seal_verdict_name() has it */
    const char *format; /**< of the key that sealed or signed */
    const char *rule;   /**< the name of the rule that won; "" for [policy] alone */
    const char *code;   /**< why, in a word */
    const char *sender; /**< the sender's domain */
    guint count;
} SealLedgerEntry;

/** Hears of each line, and ahead of those of a day with NULL of that day. Days are since 1970. */
typedef void (*SealLedgerVisitor)(gint64 day, const SealLedgerEntry *entry, gpointer user_data);

/** What is wrong with what was read. */
typedef struct {
    gint64 damaged;     /**< lines that are none */
    gint64 unread;      /**< days whose file cannot be read */
    gint64 missing;     /**< lines that could not be written, up to missing_day, as far as known */
    gint64 missing_day; /**< when the last of these was; -1: never */
} SealLedgerFaults;

/** Calls @visit for the days from @first to @last, in order. SEAL_ERROR_UNAVAILABLE where there is
 *  no ledger in @state_dir, or it is not for this user to read, says what to do. */
SEAL_FRONT gboolean seal_ledger_read(const char *state_dir, gint64 first, gint64 last,
                                     SealLedgerVisitor visit, gpointer user_data,
                                     SealLedgerFaults *faults, GError **error);
/** [core] ledger_days. */
SEAL_FRONT gint64 seal_service_ledger_days(const SealService *service);

G_END_DECLS
