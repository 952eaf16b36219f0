/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * remind.c: `sealctl keys remind`: tells in time that keys end: the administrator of all of them,
 * and, where the configuration says so, their owners.
 */
#include "filters/ctl/keys.h"
#include "filters/ctl/remind/letter.h"
#include "filters/ctl/remind/memory.h"
#include "filters/ctl/remind/post.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SENDMAIL "/usr/sbin/sendmail"
#define MEMORY   "reminders"
#define DAY      ((gint64)86400)

enum {
    MAX_OWNERS = 500, /* mails of one run; the others come with the next */
    MAX_NAMES = 20,   /* of one key */
    MAX_INSTEAD = 16384,
};

const CtlOption CTL_REMIND_OPTIONS[] = {
    {"-n, --dry-run", NULL, "say what would be said, and send nothing"},
    {"--sendmail", "PROGRAM", "the mail server's program that takes the mails; " SENDMAIL},
    {NULL},
};

/* A mail to somebody. */
typedef struct {
    const char *scope; /* REMIND_ADMIN, or an owner's address as it is compared */
    SealAddress *owner;
    GArray *items; /* RemindItem */
} Mail;

/* One run. */
typedef struct {
    gboolean dry;
    gint64 now;
    SealOut *out;
    SealExpirySettings settings;
    SealAddress *from;
    char *host;
    GPtrArray *endings; /* SealEnding */
    char *trouble;
    RemindMemory *memory;
    char *damage;
    char *path;
    int lock;
    char *instead;
    GPtrArray *mails;   /* Mail */
    GHashTable *owners; /* by address, of these: Mail */
    guint left_out;
    GError *problem; /* the first */
} Run;

static void mail_free(gpointer data)
{
    Mail *mail = data;

    g_clear_pointer(&mail->owner, seal_address_unref);
    g_array_unref(mail->items);
    g_free(mail);
}

static void run_clear(Run *run)
{
    seal_expiry_settings_clear(&run->settings);
    g_clear_pointer(&run->from, seal_address_unref);
    g_free(run->host);
    g_clear_pointer(&run->owners, g_hash_table_unref);
    g_clear_pointer(&run->mails, g_ptr_array_unref);
    g_clear_pointer(&run->endings, g_ptr_array_unref);
    g_free(run->trouble);
    remind_memory_free(run->memory);
    g_free(run->damage);
    g_free(run->path);
    if (run->lock >= 0)
        close(run->lock);
    g_free(run->instead);
    g_clear_error(&run->problem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

/* -------------------------------------------------------------------------------------------
 * What is to be known first
 */

static gboolean is_off(const Run *run)
{
    return run->settings.mail_to->len == 0;
}

static gboolean find_author(Run *run, GError **error)
{
    g_autofree char *postmaster = g_strconcat("postmaster@", g_get_host_name(), NULL);
    g_autoptr(SealAddress) own = seal_address_parse(postmaster, NULL);

    if (own && remind_can_write_to(own))
        run->host = g_strdup(seal_address_domain(own));
    run->from =
        run->settings.mail_from ? seal_address_ref(run->settings.mail_from) : g_steal_pointer(&own);
    if (run->from && remind_can_write_to(run->from))
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                "there is no address that these mails could be from: set [expiry] mail_from, of "
                "ASCII alone (this host's name is \"%s\")",
                g_get_host_name());
    return FALSE;
}

static gboolean check_mail_to(const Run *run, GError **error)
{
    for (guint i = 0; i < run->settings.mail_to->len; i++) {
        const SealAddress *address = g_ptr_array_index(run->settings.mail_to, i);

        if (remind_can_write_to(address))
            continue;
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                    "[expiry] mail_to: \"%s\" has letters beyond ASCII, or begins with a hyphen: "
                    "not every mail server takes mail to it; name another one",
                    seal_address_text(address));
        return FALSE;
    }
    return TRUE;
}

/* Lines that do not steer a terminal, in UTF-8. */
static gboolean read_instead(Run *run, GError **error)
{
    const char *path = run->settings.owners_text;
    g_autoptr(GBytes) bytes = path ? seal_file_read(path, MAX_INSTEAD, error) : NULL;

    if (!path)
        return TRUE;
    if (!bytes) {
        g_prefix_error(error, "[expiry] owners_text: ");
        return FALSE;
    }
    gsize size = 0;
    const char *text = g_bytes_get_data(bytes, &size);
    if (size > 0 && g_utf8_validate(text, (gssize)size, NULL)) {
        run->instead = g_strndup(text, size);
        return TRUE;
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                "[expiry] owners_text: %s should be a text in UTF-8", path);
    return FALSE;
}

/* Two runs at a time would say all twice. In another user's folder a file of ours would be in his
 * way for good. */
static gboolean lock_memory(Run *run, const char *state_dir, GError **error)
{
    g_autofree char *path = g_strconcat(run->path, ".lock", NULL);
    struct stat info;

    errno = 0;
    if (stat(state_dir, &info) == 0 && info.st_uid == geteuid())
        run->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (run->lock >= 0 && flock(run->lock, LOCK_EX | LOCK_NB) == 0)
        return TRUE;
    int why = errno;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                why == EWOULDBLOCK
                    ? "%s: another `sealctl keys remind` is at work"
                    : "%s cannot be opened, so that nothing can be remembered: run it as root or "
                      "as the user whose [core] state_dir is",
                path);
    return FALSE;
}

static gboolean open_memory(Run *run, const char *state_dir, GError **error)
{
    run->path = g_build_filename(state_dir, MEMORY, NULL);
    if (!run->dry && !lock_memory(run, state_dir, error))
        return FALSE;
    run->memory = remind_memory_read(run->path, &run->damage, error);
    return run->memory != NULL;
}

static void add_trouble(Run *run, const char *text)
{
    char *before = run->trouble;

    if (!text)
        return;
    run->trouble = before ? g_strdup_printf("%s; %s", before, text) : g_strdup(text);
    g_free(before);
}

static gboolean find_endings(Run *run, SealDispatcher *dispatcher, GError **error)
{
    gint most = g_array_index(run->settings.days, gint, 0);
    g_auto(SealLooking) looking = {0};
    g_autofree char *trouble = NULL;

    if (!seal_dispatcher_list_endings(dispatcher, run->now + most * DAY + 1, &looking,
                                      &run->endings, &trouble, error))
        return FALSE;
    add_trouble(run, trouble);
    add_trouble(run, looking.trouble);
    if (looking.hidden)
        add_trouble(run, "a key source does not tell this user what it has: run it as root");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Who is told what
 */

/* What it is remembered by. (transfer full) */
static char *ending_id(const SealEnding *ending)
{
    return ending->key ? g_strdup_printf("%s:%s", seal_key_format(ending->key),
                                         seal_key_fingerprint(ending->key))
                       : g_strdup_printf("check:%s", ending->check);
}

static gboolean is_others(const SealEnding *ending)
{
    return ending->what == SEAL_ENDING_AUTHORITY || ending->what == SEAL_ENDING_RECIPIENT;
}

/* What others' keys ended long before anybody asked is no news, unless what was said is lost. */
static gboolean is_history(const Run *run, const SealEnding *ending, const char *scope,
                           const char *id)
{
    gint most = g_array_index(run->settings.days, gint, 0);

    return is_others(ending) && !run->damage && ending->until < run->now - most * DAY &&
           remind_memory_said(run->memory, scope, id, ending->until) == REMIND_EARLY;
}

static gboolean is_due(const Run *run, const SealEnding *ending, const char *scope, gint step)
{
    g_autofree char *id = ending_id(ending);

    return step < remind_memory_said(run->memory, scope, id, ending->until) &&
           !is_history(run, ending, scope, id) &&
           !remind_memory_wrote(run->memory, scope, run->now);
}

static Mail *mail_new(Run *run, const char *scope, SealAddress *owner)
{
    Mail *mail = g_new0(Mail, 1);

    mail->scope = scope;
    mail->owner = owner ? seal_address_ref(owner) : NULL;
    mail->items = g_array_new(FALSE, FALSE, sizeof(RemindItem));
    g_ptr_array_add(run->mails, mail);
    return mail;
}

static void add_item(Mail *mail, const SealEnding *ending, gint step)
{
    const RemindItem item = {ending, step};

    g_array_append_val(mail->items, item);
}

/* A key that is believed to be his: else anybody could have us write to anybody. */
static gboolean is_owned(const SealEnding *ending)
{
    return ending->what == SEAL_ENDING_RECIPIENT && !ending->successor &&
           seal_key_trust(ending->key) >= SEAL_TRUST_VERIFIED;
}

static void tell_owner(Run *run, const SealEnding *ending, SealAddress *owner, gint step)
{
    const char *scope = seal_address_key(owner);
    Mail *mail = g_hash_table_lookup(run->owners, scope);

    if (!is_due(run, ending, scope, step))
        return;
    if (!remind_can_write_to(owner) || (!mail && g_hash_table_size(run->owners) >= MAX_OWNERS)) {
        run->left_out++;
        return;
    }
    if (!mail) {
        mail = mail_new(run, scope, owner);
        g_hash_table_insert(run->owners, (char *)seal_address_key(mail->owner), mail);
    }
    add_item(mail, ending, step);
}

/* Whom it names; where it names nobody, whom it was given to. */
static void tell_owners(Run *run, const SealEnding *ending, gint step)
{
    GPtrArray *addresses = seal_key_addresses(ending->key);
    const char *const *bound = seal_key_bound(ending->key);

    for (guint i = 0; i < MIN(addresses->len, MAX_NAMES); i++)
        tell_owner(run, ending, g_ptr_array_index(addresses, i), step);
    for (guint i = 0; addresses->len == 0 && i < MAX_NAMES && bound && bound[i]; i++) {
        g_autoptr(SealAddress) owner = *bound[i] == '@' ? NULL : seal_address_parse(bound[i], NULL);

        if (owner)
            tell_owner(run, ending, owner, step);
    }
}

static void put_ending(const Run *run, const SealEnding *ending, gint step, gboolean due)
{
    g_autofree char *names = ending->key ? ctl_key_addresses(ending->key) : g_strdup("");
    g_autofree char *until = ending->until > 0 ? seal_text_day(ending->until) : g_strdup("");
    SealOut *out = run->out;

    seal_out_row(out, "keys");
    seal_out_text(out, "what", "%s", seal_ending_name(ending->what));
    seal_out_text(out, "address", "%s", *names ? names : ending->text);
    seal_out_text(out, "format", "%s", ending->key ? seal_key_format(ending->key) : ending->check);
    seal_out_text(out, "fingerprint", "%s", ending->key ? seal_key_fingerprint(ending->key) : "");
    seal_out_text(out, "until", "%s", until);
    seal_out_number(out, "step", step);
    seal_out_boolean(out, "due", due);
    seal_out_text(out, "replaced_by", "%s",
                  ending->successor ? seal_key_fingerprint(ending->successor) : "");
    seal_out_end_row(out);
}

static void gather_mails(Run *run)
{
    Mail *admin = NULL;

    seal_out_list(run->out, "keys");
    for (guint i = 0; i < run->endings->len; i++) {
        const SealEnding *ending = g_ptr_array_index(run->endings, i);
        gint step = remind_step(run->settings.days, ending->until, run->now);
        gboolean due = is_due(run, ending, REMIND_ADMIN, step);

        if (step == REMIND_EARLY)
            continue;
        put_ending(run, ending, step, due);
        if (is_off(run))
            continue;
        if (due && !admin)
            admin = mail_new(run, REMIND_ADMIN, NULL);
        if (due)
            add_item(admin, ending, step);
        if (run->settings.owners && is_owned(ending))
            tell_owners(run, ending, step);
    }
}

/* -------------------------------------------------------------------------------------------
 * Telling
 */

static char *make_letter(const Run *run, const Mail *mail, GPtrArray *to, const char *id)
{
    const RemindLetter letter = {
        .from = run->from,
        .to = to,
        .id = id,
        .host = run->host,
        .now = run->now,
        .items = mail->items,
        .trouble = run->trouble,
        .damage = run->damage,
        .instead = run->instead,
        .mended = run->from,
    };

    return mail->owner ? remind_letter_to_owner(&letter) : remind_letter_to_admin(&letter);
}

static gboolean send_mail(const Run *run, const Mail *mail, RemindPost *post, GError **error)
{
    g_autoptr(GPtrArray) owner = g_ptr_array_new();
    g_autofree char *id = g_uuid_string_random();

    if (mail->owner)
        g_ptr_array_add(owner, mail->owner);
    GPtrArray *to = mail->owner ? owner : run->settings.mail_to;
    g_autofree char *message = make_letter(run, mail, to, id);
    return remind_post_send(post, run->from, to, message, error);
}

static void remember_mail(Run *run, const Mail *mail)
{
    for (guint i = 0; i < mail->items->len; i++) {
        const RemindItem *item = &g_array_index(mail->items, RemindItem, i);
        g_autofree char *id = ending_id(item->ending);

        remind_memory_say(run->memory, mail->scope, id, item->ending->until, item->step);
    }
    remind_memory_write_to(run->memory, mail->scope, run->now);
}

static void put_mail(const Run *run, const Mail *mail, const char *result, const char *problem)
{
    g_autofree char *to = NULL;
    g_autoptr(GString) list = g_string_new(NULL);

    for (guint i = 0; !mail->owner && i < run->settings.mail_to->len; i++)
        g_string_append_printf(list, "%s%s", i > 0 ? ", " : "",
                               seal_address_text(g_ptr_array_index(run->settings.mail_to, i)));
    to = g_strdup(mail->owner ? seal_address_text(mail->owner) : list->str);
    seal_out_row(run->out, "mails");
    seal_out_text(run->out, "to", "%s", to);
    seal_out_number(run->out, "keys", mail->items->len);
    seal_out_text(run->out, "result", "%s", result);
    seal_out_text(run->out, "problem", "%s", problem);
    seal_out_end_row(run->out);
}

/* What was told is written down before the next one: whoever is interrupted says nothing twice but
 * the one mail. */
static gboolean tell_mail(Run *run, const Mail *mail, RemindPost *post, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (run->dry) {
        put_mail(run, mail, "would be sent", "");
        return TRUE;
    }
    if (!send_mail(run, mail, post, &problem)) {
        put_mail(run, mail, "failed", problem->message);
        if (!run->problem)
            run->problem = g_steal_pointer(&problem);
        return TRUE;
    }
    put_mail(run, mail, "sent", "");
    remember_mail(run, mail);
    return remind_memory_write(run->memory, run->path, error);
}

/* Of what is not there any more nothing need be known, unless it could not be looked at. */
static void forget_gone(Run *run)
{
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < run->endings->len; i++) {
        const SealEnding *ending = g_ptr_array_index(run->endings, i);
        g_autofree char *id = ending_id(ending);

        if (is_history(run, ending, REMIND_ADMIN, id))
            remind_memory_say(run->memory, REMIND_ADMIN, id, ending->until, 0);
        g_hash_table_add(ids, g_steal_pointer(&id));
    }
    if (!run->trouble)
        remind_memory_keep(run->memory, ids);
}

static gboolean tell_all(Run *run, RemindPost *post, GError **error)
{
    gather_mails(run);
    seal_out_list(run->out, "mails");
    forget_gone(run);
    /* Where this fails, all would be said anew each time. */
    if (!run->dry && !remind_memory_write(run->memory, run->path, error))
        return FALSE;
    for (guint i = 0; i < run->mails->len; i++) {
        if (!tell_mail(run, g_ptr_array_index(run->mails, i), post, error))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The command
 */

static void put_notes(const Run *run)
{
    if (run->damage)
        seal_out_text(run->out, "memory", "%s; all is said that is due, and it is begun anew",
                      run->damage);
    if (run->left_out > 0)
        seal_out_number(run->out, "owners_left_out", run->left_out);
    if (run->trouble)
        seal_out_text(run->out, "not_looked_at", "%s", run->trouble);
}

static int end_run(Run *run, GError **error)
{
    put_notes(run);
    if (run->problem) {
        g_propagate_error(error, g_steal_pointer(&run->problem));
        g_prefix_error(error, "it is tried again at the next run: ");
        return CTL_PROBLEM;
    }
    if (!run->trouble)
        return CTL_OK;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "not all could be looked at: %s",
                run->trouble);
    return CTL_PROBLEM;
}

static int remind_all(Run *run, const CtlOpened *opened, RemindPost *post, GError **error)
{
    if (!seal_dispatcher_expiry_settings(opened->dispatcher, &run->settings, error))
        return CTL_PROBLEM;
    if (is_off(run)) {
        seal_out_text(run->out, "notice",
                      "nobody is reminded: [expiry] mail_to in the configuration names nobody");
        if (!run->dry)
            return CTL_OK;
    }
    if ((!is_off(run) && !find_author(run, error)) || !check_mail_to(run, error) ||
        !read_instead(run, error) ||
        !open_memory(run, seal_service_state_dir(opened->service), error) ||
        !find_endings(run, opened->dispatcher, error) || !tell_all(run, post, error))
        return CTL_PROBLEM;
    return end_run(run, error);
}

int ctl_keys_remind(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Run) run = {
        .out = out,
        .now = g_get_real_time() / G_USEC_PER_SEC,
        .mails = g_ptr_array_new_with_free_func(mail_free),
        .owners = g_hash_table_new(g_str_hash, g_str_equal),
        .lock = -1,
    };
    g_autofree char *sendmail = NULL;
    g_autoptr(RemindPost) post = NULL;
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    char **words = NULL;
    const GOptionEntry entries[] = {
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &run.dry, NULL, NULL},
        {"sendmail", 0, 0, G_OPTION_ARG_FILENAME, &sendmail, NULL, NULL},
        {NULL},
    };

    if (!ctl_parse_words(argc, argv, entries, 0, 0, &words, error))
        return CTL_USAGE;
    if (sendmail && !g_path_is_absolute(sendmail))
        return ctl_misuse(error, "--sendmail takes an absolute path, not \"%s\"", sendmail);
    if (!run.dry && !(post = remind_post_open(sendmail ? sendmail : SENDMAIL, error)))
        return CTL_PROBLEM;
    return ctl_keys_open(&opened, options, error) ? remind_all(&run, &opened, post, error)
                                                  : CTL_PROBLEM;
}
