/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * commands.c: `sealctl license ...`: for whoever has a licence, and for whoever issues them.
 */
#include "license.h"

#include <string.h>

enum {
    FINE = 0,
    PROBLEM = 1,
    USAGE = 2,
};

static int fail_usage(GError **error, const char *text)
{
    license_fail(error, SEAL_ERROR_FAILED, "%s", text);
    return USAGE;
}

/* The options of one command. What is left are its files: none, or *@file, which is borrowed. */
static gboolean parse_options(int argc, char **argv, const GOptionEntry *entries, const char **file,
                              GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_help_enabled(context, FALSE);
    if (entries)
        g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, error))
        return FALSE;
    if (argc > 1 && g_str_equal(argv[1], "--")) {
        argv++;
        argc--;
    }
    if (argc != (file ? 2 : 1))
        return license_fail(error, SEAL_ERROR_FAILED, "%s expected, and %d found",
                            file ? "one file was" : "no file was", argc - 1);
    if (file)
        *file = argv[1];
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * For whoever has a licence
 */

static int show_answer(const LicenseAnswer *answer, SealOut *out)
{
    seal_out_text(out, "status", "%s", answer->verdict.lapsed ? "lapsed" : "valid");
    seal_out_text(out, "reason", "%s", answer->verdict.text);
    if (answer->license)
        license_show(answer->license, out);
    return answer->verdict.lapsed ? PROBLEM : FINE;
}

static int run_show(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(LicenseAnswer) answer = {0};

    if (!parse_options(argc, argv, NULL, NULL, error))
        return USAGE;
    if (!seal_module_state_dir(self, TRUE, error) ||
        !license_ask(self, NULL, LICENSE_ASKED, &answer, error))
        return PROBLEM;

    int status = show_answer(&answer, out);
    const LicenseState *state = answer.state;
    if (!answer.license && !answer.invalid)
        seal_out_text(out, "kind", "trial");
    if (state) {
        seal_out_text(out, "this_installation", "%s", state->installation);
        seal_out_number(out, "extensions", state->trials);
    }
    if (state && answer.license && answer.license->max_senders)
        seal_out_number(out, "senders", state->senders->len);
    return status;
}

/* The id that an evaluation licence is to name; made now where nothing was sent yet. */
static int run_request(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(LicenseAnswer) answer = {0};

    if (!parse_options(argc, argv, NULL, NULL, error))
        return USAGE;
    if (!seal_module_state_dir(self, TRUE, error) ||
        !license_ask(self, NULL, LICENSE_ASKED, &answer, error))
        return PROBLEM;
    if (!answer.state) {
        license_fail(error, SEAL_ERROR_KEY, "%s", answer.verdict.text);
        return PROBLEM;
    }
    seal_out_text(out, "installation", "%s", answer.state->installation);
    seal_out_number(out, "next_trial", answer.state->trials + 1);
    return FINE;
}

static int run_install(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(LicenseAnswer) answer = {0};
    g_autoptr(GBytes) bytes = NULL;
    const char *file = NULL;

    if (!parse_options(argc, argv, NULL, &file, error))
        return USAGE;
    bytes = seal_file_read(file, LICENSE_MAX_FILE, error);
    if (!bytes || !seal_module_state_dir(self, TRUE, error) ||
        !license_install(self, bytes, error) ||
        !license_ask(self, NULL, LICENSE_ASKED, &answer, error))
        return PROBLEM;
    return show_answer(&answer, out);
}

/* By on_lapse, whose words begin with the strictest. */
static const char *describe_lapse(SealModule *self)
{
    static const char *const effects[] = {
        "mail that is to be encrypted or signed is refused",
        "a problem report leaves in place of mail that is to be encrypted or signed",
        "mail that is to be encrypted or signed leaves in clear",
    };
    int on_lapse = seal_module_choice(self, "on_lapse");

    return effects[CLAMP(on_lapse, 0, 2)];
}

static void put_lapse(SealModule *self, const LicenseVerdict *verdict, SealOut *out)
{
    const char *effect = describe_lapse(self);

    if (verdict->clock)
        seal_out_finding(out, SEAL_FINDING_PROBLEM, "clock",
                         "set the clock; where it is right, the one before was not, and it holds "
                         "again once the time is past that",
                         "%s; as long as it is so no licence is valid, and %s", verdict->text,
                         effect);
    else
        seal_out_finding(out, SEAL_FINDING_PROBLEM, "licence",
                         "install another one: sealctl license install FILE", "%s; %s",
                         verdict->text, effect);
}

/* Whoever looks is told earlier than the log; a trial has no more than that from its beginning. */
static gboolean is_ending(const LicenseAnswer *answer)
{
    gboolean is_trial = !answer->license || license_is_evaluation(answer->license);
    gint64 days = is_trial ? LICENSE_WARN_DAYS : LICENSE_CHECK_DAYS;

    return answer->verdict.until - license_now() < days * LICENSE_DAY;
}

static gboolean check_license(SealModule *self, SealOut *out, GError **error)
{
    g_auto(LicenseAnswer) answer = {0};
    const LicenseVerdict *verdict = &answer.verdict;

    if (!license_ask(self, NULL, LICENSE_ASKED, &answer, error))
        return FALSE;
    if (verdict->lapsed) {
        put_lapse(self, verdict, out);
        return TRUE;
    }
    seal_out_text(out, "detail", "%s", verdict->text);
    if (is_ending(&answer))
        seal_out_finding(out, SEAL_FINDING_WARNING, "licence",
                         "get the next one in time, and install it: sealctl license install FILE",
                         "%s; then %s", verdict->text, describe_lapse(self));
    else
        seal_out_finding(out, SEAL_FINDING_OK, "licence", NULL, "%s", verdict->text);
    return TRUE;
}

/* What has lapsed for another reason than time has no end of its own, and a trial that has not
 * begun has none yet. */
static gboolean tell_until(SealModule *self, gint64 *until, char **what, GError **error)
{
    g_auto(LicenseAnswer) answer = {0};
    const gint64 now = license_now();
    const LicenseVerdict *verdict = &answer.verdict;

    if (!license_ask(self, NULL, LICENSE_REHEARSED, &answer, error))
        return FALSE;
    if (!answer.license && answer.state && answer.state->started >= now)
        return TRUE;
    *until = verdict->until;
    if (verdict->lapsed && answer.license && answer.license->valid_until < now)
        *until = answer.license->valid_until;
    *what = g_strdup(verdict->text);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * For whoever issues licences
 */

static SealSecret *ask_twice(GError **error)
{
    g_autoptr(SealSecret) first = seal_secret_ask("Passphrase: ", error);
    g_autoptr(SealSecret) second = first ? seal_secret_ask("Once more: ", error) : NULL;

    if (!second)
        return NULL;
    if (seal_secret_size(first) == seal_secret_size(second) &&
        sodium_memcmp(seal_secret_data(first), seal_secret_data(second), seal_secret_size(first)) ==
            0)
        return g_steal_pointer(&first);
    license_fail(error, SEAL_ERROR_KEY, "two different passphrases were typed; nothing was made");
    return NULL;
}

static SealSecret *find_passphrase(const char *path, gboolean twice, GError **error)
{
    g_autoptr(SealSecret) file = path ? seal_secret_read(path, error) : NULL;

    if (path)
        return file ? seal_secret_first_line(file, error) : NULL;
    return twice ? ask_twice(error) : seal_secret_ask("Passphrase: ", error);
}

static int run_keygen(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    g_autofree char *base = NULL;
    g_autofree char *file = NULL;
    const GOptionEntry entries[] = {
        {"out", 0, 0, G_OPTION_ARG_FILENAME, &base, NULL, NULL},
        {"passphrase-file", 0, 0, G_OPTION_ARG_FILENAME, &file, NULL, NULL},
        {NULL},
    };

    if (!parse_options(argc, argv, entries, NULL, error))
        return USAGE;
    if (!base)
        return fail_usage(error, "--out is needed");
    if (!license_start_sodium(error))
        return PROBLEM;

    g_autoptr(SealSecret) passphrase = find_passphrase(file, TRUE, error);
    if (!passphrase || !license_make_keys(base, passphrase, error))
        return PROBLEM;
    seal_out_text(out, "secret_key", "%s.key", base);
    seal_out_text(out, "public_key", "%s.pub", base);
    return FINE;
}

/* What --options say, where the licence does not take it as it is. */
typedef struct {
    char *key, *valid_until, *issued, *passphrase_file, *out;
} IssueOptions;

static void issue_options_clear(IssueOptions *options)
{
    g_free(options->key);
    g_free(options->valid_until);
    g_free(options->issued);
    g_free(options->passphrase_file);
    g_free(options->out);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IssueOptions, issue_options_clear)

static gboolean parse_issue(License *license, IssueOptions *options, int argc, char **argv,
                            GError **error)
{
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &options->key, NULL, NULL},
        {"kind", 0, 0, G_OPTION_ARG_FILENAME, &license->kind, NULL, NULL},
        {"licensee", 0, 0, G_OPTION_ARG_FILENAME, &license->licensee, NULL, NULL},
        {"valid-until", 0, 0, G_OPTION_ARG_FILENAME, &options->valid_until, NULL, NULL},
        {"issued", 0, 0, G_OPTION_ARG_FILENAME, &options->issued, NULL, NULL},
        {"installation", 0, 0, G_OPTION_ARG_FILENAME, &license->installation, NULL, NULL},
        {"covers", 0, 0, G_OPTION_ARG_FILENAME, &license->covers, NULL, NULL},
        {"max-senders", 0, 0, G_OPTION_ARG_INT64, &license->max_senders, NULL, NULL},
        {"trial", 0, 0, G_OPTION_ARG_INT64, &license->trial, NULL, NULL},
        {"passphrase-file", 0, 0, G_OPTION_ARG_FILENAME, &options->passphrase_file, NULL, NULL},
        {"out", 0, 0, G_OPTION_ARG_FILENAME, &options->out, NULL, NULL},
        {NULL},
    };

    if (!parse_options(argc, argv, entries, NULL, error))
        return FALSE;
    if (!options->key || !license->kind || !license->licensee || !options->valid_until ||
        !options->out)
        return license_fail(error, SEAL_ERROR_FAILED,
                            "--key, --kind, --licensee, --valid-until and --out are needed");
    if (license->max_senders < 0 || license->trial < 0)
        return license_fail(error, SEAL_ERROR_FAILED,
                            "--max-senders and --trial cannot be negative");
    return TRUE;
}

/* A day that is none is a mistake in the command line; what else is not fit is found in writing. */
static gboolean complete_license(License *license, const IssueOptions *options, GError **error)
{
    guint8 id[LICENSE_ID_SIZE];

    randombytes_buf(id, sizeof id);
    license->id = seal_text_hex(id, sizeof id);
    license->issued = license_now() / LICENSE_DAY * LICENSE_DAY;
    return (!options->issued || license_set(license, "issued", options->issued, error)) &&
           license_set(license, "valid-until", options->valid_until, error);
}

static int run_issue(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(IssueOptions) options = {0};
    g_autoptr(License) license = g_new0(License, 1);
    g_autoptr(SealSecret) passphrase = NULL;
    g_autoptr(LicenseGuarded) secret_key = NULL;
    g_autofree char *text = NULL;

    if (!parse_issue(license, &options, argc, argv, error))
        return USAGE;
    if (!license_start_sodium(error))
        return PROBLEM;
    if (!complete_license(license, &options, error))
        return USAGE;
    if (!(passphrase = find_passphrase(options.passphrase_file, FALSE, error)) ||
        !(secret_key = license_read_secret_key(options.key, passphrase, error)) ||
        !(text = license_write(license, secret_key, error)) ||
        !seal_file_save(options.out, text, strlen(text), 0644, error))
        return PROBLEM;
    license_show(license, out);
    seal_out_text(out, "file", "%s", options.out);
    return FINE;
}

static int run_verify(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    guint8 public_key[crypto_sign_PUBLICKEYBYTES];
    g_autofree char *path = NULL;
    const char *file = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(License) license = NULL;
    const GOptionEntry entries[] = {
        {"public-key", 0, 0, G_OPTION_ARG_FILENAME, &path, NULL, NULL},
        {NULL},
    };

    if (!parse_options(argc, argv, entries, &file, error))
        return USAGE;
    if (!path && !license_has_built_in_key())
        return fail_usage(error, "--public-key is needed");
    if (!license_start_sodium(error) || !(bytes = seal_file_read(file, LICENSE_MAX_FILE, error)) ||
        !license_read_public_key(path, public_key, error) ||
        !(license = license_read(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), public_key,
                                 error)))
        return PROBLEM;
    license_show(license, out);
    return FINE;
}

/* -------------------------------------------------------------------------------------------
 * Tables
 */

#define COMMAND(word, text, alone)                                                                 \
    &(const SealCommand)                                                                           \
    {                                                                                              \
        .size = sizeof(SealCommand), .name = "license " #word, .usage = text, .standalone = alone, \
        .run = run_##word                                                                          \
    }

const SealCommand *const license_commands[] = {
    COMMAND(show, "license show", FALSE),
    COMMAND(install, "license install FILE", FALSE),
    COMMAND(request, "license request", FALSE),
    COMMAND(keygen, "license keygen --out BASE [--passphrase-file FILE]", TRUE),
    COMMAND(issue,
            "license issue --key BASE.key --kind KIND --licensee NAME "
            "--valid-until YYYY-MM-DD|never [--issued YYYY-MM-DD] [--covers LIST] "
            "[--max-senders N] [--installation ID] [--trial N] [--passphrase-file FILE] "
            "--out FILE",
            TRUE),
    COMMAND(verify, "license verify [--public-key FILE] FILE", TRUE),
    NULL,
};

static const SealCheck the_check = {
    .size = sizeof the_check, .name = "license", .run = check_license, .until = tell_until};
const SealCheck *const license_checks[] = {&the_check, NULL};
