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

/* The options of one command; what is left are its files. */
static gboolean parse(int *argc, char ***argv, const GOptionEntry *entries, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_help_enabled(context, FALSE);
    if (entries)
        g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc > 1 && g_str_equal((*argv)[1], "--")) {
        (*argv)++;
        (*argc)--;
    }
    return TRUE;
}

static int usage(GError **error, const char *text)
{
    if (!error || !*error)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s", text);
    return USAGE;
}

static int no_arguments(int argc, char **argv, GError **error)
{
    return parse(&argc, &argv, NULL, error) && argc == 1 ? FINE
                                                         : usage(error, "it takes no arguments");
}

/* -------------------------------------------------------------------------------------------
 * Show, request
 */

static void put_day(SealOut *out, const char *key, gint64 time)
{
    g_autofree char *day = license_format_day(time);

    seal_out_text(out, key, "%s", day);
}

static void put_license(SealOut *out, const License *license)
{
    seal_out_text(out, "kind", "%s", license->kind);
    seal_out_text(out, "licensee", "%s", license->licensee);
    seal_out_text(out, "id", "%s", license->id);
    put_day(out, "issued", license->issued);
    put_day(out, "valid_until", license->valid_until);
    if (license->covers) {
        g_autofree char *covers = g_strjoinv(";", license->covers);
        seal_out_text(out, "covers", "%s", covers);
    }
    if (license->max_senders)
        seal_out_number(out, "max_senders", license->max_senders);
    if (license->trial)
        seal_out_number(out, "trial", license->trial);
    if (license->installation)
        seal_out_text(out, "installation", "%s", license->installation);
}

static int show(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(LicenseVerdict) verdict = {0};
    g_autoptr(License) license = NULL;
    g_autoptr(LicenseState) state = NULL;
    g_autofree char *invalid = NULL;
    g_autofree char *dir = NULL;

    if (no_arguments(argc, argv, error))
        return USAGE;
    if (!seal_module_become_owner(self, error) ||
        !license_current(self, &license, &invalid, error) ||
        !license_ask(self, NULL, FALSE, &verdict, error) || !(dir = license_dir(self, error)))
        return PROBLEM;
    seal_out_text(out, "status", "%s", verdict.lapsed ? "lapsed" : "valid");
    seal_out_text(out, "reason", "%s", verdict.text);
    if (license)
        put_license(out, license);
    else if (!invalid)
        seal_out_text(out, "kind", "trial");
    if (license_state_read(dir, &state, NULL) && state) {
        seal_out_text(out, "this_installation", "%s", state->installation);
        seal_out_number(out, "extensions", state->trials);
        if (license && license->max_senders)
            seal_out_number(out, "senders", state->senders->len);
    }
    return verdict.lapsed ? PROBLEM : FINE;
}

/* The id that an evaluation licence is to name; made now where nothing was sent yet. */
static int request(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(LicenseVerdict) verdict = {0};
    g_autoptr(LicenseState) state = NULL;
    g_autofree char *dir = NULL;

    if (no_arguments(argc, argv, error))
        return USAGE;
    if (!seal_module_become_owner(self, error) ||
        !license_ask(self, NULL, FALSE, &verdict, error) || !(dir = license_dir(self, error)) ||
        !license_state_read(dir, &state, error))
        return PROBLEM;
    if (!state) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, verdict.text);
        return PROBLEM;
    }
    seal_out_text(out, "installation", "%s", state->installation);
    seal_out_number(out, "next_trial", state->trials + 1);
    return FINE;
}

/* -------------------------------------------------------------------------------------------
 * Install
 */

/* What the licence would do here, on a state that is thrown away. */
static gboolean try_license(const License *license, const char *dir, GError **error)
{
    g_auto(LicenseVerdict) verdict = {0};
    g_autoptr(LicenseState) state = NULL;
    g_autoptr(GError) problem = NULL;

    if (!license_state_read(dir, &state, &problem) &&
        (license_is_evaluation(license) || !g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_KEY))) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (!state)
        state = license_state_new();
    license_judge(license, state, NULL, FALSE, license_now(), &verdict);
    if (!verdict.lapsed)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, verdict.text);
    return FALSE;
}

static gboolean install_bytes(SealModule *self, GBytes *bytes, License **license, GError **error)
{
    guint8 public_key[crypto_sign_PUBLICKEYBYTES];
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    g_autofree char *path = license_path(self, error);
    g_autofree char *dir = path ? license_dir(self, error) : NULL;

    if (!dir || !license_public_key(self, public_key, error) ||
        !(*license = license_read((const guint8 *)data, size, public_key, error)))
        return FALSE;

    g_autoptr(LicenseStore) store = license_store_open(dir, error);
    return store && try_license(*license, dir, error) &&
           license_save(path, data, size, 0640, error);
}

static int install(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(LicenseVerdict) verdict = {0};
    g_autoptr(License) license = NULL;
    g_autoptr(GBytes) bytes = NULL;
    gboolean missing = FALSE;

    if (!parse(&argc, &argv, NULL, error) || argc != 2)
        return usage(error, "one file is needed");
    /* Before root becomes somebody who may not read it. */
    bytes = license_load(argv[1], LICENSE_MAX_FILE, &missing, error);
    if (!bytes || !seal_module_become_owner(self, error) ||
        !install_bytes(self, bytes, &license, error) ||
        !license_ask(self, NULL, FALSE, &verdict, error))
        return PROBLEM;
    seal_out_text(out, "status", "%s", verdict.lapsed ? "lapsed" : "valid");
    seal_out_text(out, "reason", "%s", verdict.text);
    put_license(out, license);
    return verdict.lapsed ? PROBLEM : FINE;
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
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, "the two are not the same");
    return NULL;
}

static SealSecret *passphrase_of(const char *path, gboolean twice, GError **error)
{
    g_autoptr(SealSecret) file = path ? seal_secret_read(path, error) : NULL;

    if (path)
        return file ? seal_secret_first_line(file, error) : NULL;
    return twice ? ask_twice(error) : seal_secret_ask("Passphrase: ", error);
}

static int keygen(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    g_autofree char *base = NULL;
    g_autofree char *file = NULL;
    const GOptionEntry entries[] = {
        {"out", 0, 0, G_OPTION_ARG_FILENAME, &base, NULL, NULL},
        {"passphrase-file", 0, 0, G_OPTION_ARG_FILENAME, &file, NULL, NULL},
        {NULL},
    };

    if (!parse(&argc, &argv, entries, error) || argc != 1 || !base)
        return usage(error, "--out is needed, and nothing else but --passphrase-file");

    g_autoptr(SealSecret) passphrase = passphrase_of(file, TRUE, error);
    if (!passphrase || !license_keys_make(base, passphrase, error))
        return PROBLEM;
    seal_out_text(out, "secret_key", "%s.key", base);
    seal_out_text(out, "public_key", "%s.pub", base);
    return FINE;
}

/* What --options say; strings belong to the struct. */
typedef struct {
    char *key, *kind, *licensee, *valid_until, *issued, *installation, *covers, *file, *out;
    gint64 max_senders, trial;
} Issue;

static void issue_clear(Issue *issue)
{
    char *strings[] = {issue->key,         issue->kind,   issue->licensee,
                       issue->valid_until, issue->issued, issue->installation,
                       issue->covers,      issue->file,   issue->out};

    for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
        g_free(strings[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Issue, issue_clear)

static gboolean parse_issue(Issue *issue, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &issue->key, NULL, NULL},
        {"kind", 0, 0, G_OPTION_ARG_FILENAME, &issue->kind, NULL, NULL},
        {"licensee", 0, 0, G_OPTION_ARG_FILENAME, &issue->licensee, NULL, NULL},
        {"valid-until", 0, 0, G_OPTION_ARG_FILENAME, &issue->valid_until, NULL, NULL},
        {"issued", 0, 0, G_OPTION_ARG_FILENAME, &issue->issued, NULL, NULL},
        {"installation", 0, 0, G_OPTION_ARG_FILENAME, &issue->installation, NULL, NULL},
        {"covers", 0, 0, G_OPTION_ARG_FILENAME, &issue->covers, NULL, NULL},
        {"max-senders", 0, 0, G_OPTION_ARG_INT64, &issue->max_senders, NULL, NULL},
        {"trial", 0, 0, G_OPTION_ARG_INT64, &issue->trial, NULL, NULL},
        {"passphrase-file", 0, 0, G_OPTION_ARG_FILENAME, &issue->file, NULL, NULL},
        {"out", 0, 0, G_OPTION_ARG_FILENAME, &issue->out, NULL, NULL},
        {NULL},
    };

    return parse(argc, argv, entries, error) && *argc == 1 && issue->key && issue->kind &&
           issue->licensee && issue->valid_until && issue->out && issue->max_senders >= 0 &&
           issue->trial >= 0;
}

static gboolean set_days(License *license, const Issue *issue, GError **error)
{
    gboolean ok = TRUE;

    license->issued = license_now() / LICENSE_DAY * LICENSE_DAY;
    license->valid_until = G_MAXINT64;
    if (issue->issued)
        ok = license_parse_day(issue->issued, &license->issued);
    if (ok && !g_str_equal(issue->valid_until, "never"))
        ok = license_parse_day(issue->valid_until, &license->valid_until);
    if (!ok)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED, "a day is YYYY-MM-DD");
    return ok;
}

static License *license_of(const Issue *issue, GError **error)
{
    g_autoptr(License) license = g_new0(License, 1);
    guint8 id[LICENSE_ID_SIZE];

    if (sodium_init() < 0 || !set_days(license, issue, error))
        return NULL;
    randombytes_buf(id, sizeof id);
    license->id = license_hex(id, sizeof id);
    license->kind = g_strdup(issue->kind);
    license->licensee = g_strdup(issue->licensee);
    license->covers = issue->covers ? g_strsplit(issue->covers, ";", -1) : NULL;
    license->installation = g_strdup(issue->installation);
    license->max_senders = issue->max_senders;
    license->trial = issue->trial;
    return g_steal_pointer(&license);
}

static char *sign(const License *license, const Issue *issue, GError **error)
{
    g_autoptr(SealSecret) passphrase = passphrase_of(issue->file, FALSE, error);
    guint8 *secret_key = passphrase ? sodium_malloc(crypto_sign_SECRETKEYBYTES) : NULL;
    char *text = NULL;

    if (secret_key && license_keys_open(issue->key, passphrase, secret_key, error))
        text = license_write(license, secret_key, error);
    sodium_free(secret_key);
    return text;
}

static int issue(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Issue) issue = {0};
    g_autoptr(License) license = NULL;
    g_autofree char *text = NULL;

    if (!parse_issue(&issue, &argc, &argv, error))
        return usage(error, "--key, --kind, --licensee, --valid-until and --out are needed");
    license = license_of(&issue, error);
    if (!license)
        return USAGE;
    text = sign(license, &issue, error);
    if (!text || !license_save(issue.out, text, strlen(text), 0644, error))
        return PROBLEM;
    put_license(out, license);
    seal_out_text(out, "file", "%s", issue.out);
    return FINE;
}

static gboolean verification_key(const char *path, guint8 *public_key, GError **error)
{
    if (path)
        return license_public_key_read(path, public_key, error);
    if (*LICENSE_BUILT_IN_KEY)
        return license_public_key_parse(LICENSE_BUILT_IN_KEY, public_key, error);
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED, "--public-key is needed");
    return FALSE;
}

static int verify(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    guint8 public_key[crypto_sign_PUBLICKEYBYTES];
    g_autofree char *path = NULL;
    gboolean missing = FALSE;
    const GOptionEntry entries[] = {
        {"public-key", 0, 0, G_OPTION_ARG_FILENAME, &path, NULL, NULL},
        {NULL},
    };

    if (!parse(&argc, &argv, entries, error) || argc != 2)
        return usage(error, "one file is needed");
    if (!path && !*LICENSE_BUILT_IN_KEY)
        return usage(error, "--public-key is needed");

    g_autoptr(GBytes) bytes = license_load(argv[1], LICENSE_MAX_FILE, &missing, error);
    if (!bytes || !verification_key(path, public_key, error))
        return PROBLEM;
    g_autoptr(License) license =
        license_read(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), public_key, error);
    if (!license)
        return PROBLEM;
    put_license(out, license);
    return FINE;
}

/* -------------------------------------------------------------------------------------------
 * Tables
 */

static gboolean check(SealModule *self, SealOut *out, GError **error)
{
    g_auto(LicenseVerdict) verdict = {0};

    if (!license_ask(self, NULL, FALSE, &verdict, error))
        return FALSE;
    if (!verdict.lapsed) {
        seal_out_text(out, "detail", "%s", verdict.text);
        return TRUE;
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                "%s; install another one: sealctl license install FILE", verdict.text);
    return FALSE;
}

#define COMMAND(word, text, alone)                                                                 \
    static const SealCommand word##_command = {.size = sizeof(SealCommand),                        \
                                               .name = "license " #word,                           \
                                               .usage = text,                                      \
                                               .standalone = alone,                                \
                                               .run = word}

COMMAND(show, "license show", FALSE);
COMMAND(install, "license install FILE", FALSE);
COMMAND(request, "license request", FALSE);
COMMAND(keygen, "license keygen --out BASE [--passphrase-file FILE]", TRUE);
COMMAND(issue,
        "license issue --key BASE.key --kind KIND --licensee NAME --valid-until YYYY-MM-DD|never "
        "[--issued YYYY-MM-DD] [--covers LIST] [--max-senders N] [--installation ID] [--trial N] "
        "[--passphrase-file FILE] --out FILE",
        TRUE);
COMMAND(verify, "license verify [--public-key FILE] FILE", TRUE);

const SealCommand *const license_commands[] = {
    &show_command,
    &install_command,
    &request_command,
    &keygen_command,
    &issue_command,
    &verify_command,
    NULL,
};

static const SealCheck the_check = {.size = sizeof the_check, .name = "license", .run = check};
const SealCheck *const license_checks[] = {&the_check, NULL};
