/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-add.c: `sealctl keys add`.
 */
#include "filters/ctl/keys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_ROWS = 1000, /* of each list; the others are counted */
    MAX_WRONG = 100, /* of them, entries of one file that are not kept */
    MAX_TRIES = 3,   /* to type a passphrase */
    MAX_HEAD = 4096, /* of what should be a table */
};

typedef struct {
    SealDispatcher *dispatcher;
    SealOut *out;
    const char *source;
    SealTrust trust;
    char **addresses;
    SealSecret *passphrase;
    gboolean named; /* the passphrase has a file: nobody is asked */
    gboolean server;
    gboolean dry;
    /* What has come of it. */
    guint files;
    guint keys;
    guint added;
    guint changed;
    guint intermediates;
    guint left;
    guint notes; /* rows of what is left out */
    guint failed;
    guint problems; /* rows of them */
    guint installed;
    char *first; /* the first failure */
    CtlBar bar;
} Adding;

/* What one file has come to. */
typedef struct {
    Adding *adding;
    const CtlFile *file;
    GPtrArray *entries; /* of Entry */
    GHashTable *kept;   /* "format fingerprint" to SealPut, of a file that is read again too */
    guint added;
    guint wrong;   /* rows of what is not kept */
    gboolean shut; /* something takes another passphrase */
} Result;

typedef struct {
    SealImported what;
    char *format;
    char *entry;
    char *text;
    SealKey *key;
    SealPut kept;
} Entry;

static void entry_free(gpointer data)
{
    Entry *entry = data;

    g_free(entry->format);
    g_free(entry->entry);
    g_free(entry->text);
    seal_key_unref(entry->key);
    g_free(entry);
}

/* -------------------------------------------------------------------------------------------
 * Rows
 */

/* FALSE: there are so many that this one is counted alone. */
static gboolean begin_row(const Result *result, const char *list, guint so_far, const Entry *entry)
{
    SealOut *out = result->adding->out;

    if (so_far > MAX_ROWS)
        return FALSE;
    seal_out_row(out, list);
    seal_out_text(out, "file", "%s", result->file->label);
    seal_out_text(out, "entry", "%s", entry->entry ? entry->entry : "");
    return TRUE;
}

static gboolean is_intermediate(const SealKey *key)
{
    return seal_key_addresses(key)->len == 0 && !*seal_key_domains(key) && !*seal_key_bound(key);
}

/* What has become of a key; where nothing is kept, or the source does not say, nothing. */
static const char *kept_word(SealPut kept)
{
    static const char *const words[] = {"", "known", "changed", "added"};

    return (guint)kept < G_N_ELEMENTS(words) ? words[kept] : "";
}

static void tell_key(const Result *result, const Entry *entry)
{
    Adding *adding = result->adding;
    g_autofree char *addresses = ctl_key_addresses(entry->key);
    g_autofree char *until = seal_text_day(seal_key_valid_until(entry->key));

    adding->intermediates += is_intermediate(entry->key);
    adding->changed += entry->kept == SEAL_PUT_CHANGED;
    if (!begin_row(result, "keys", ++adding->keys, entry))
        return;
    seal_out_text(adding->out, "address", "%s", addresses);
    seal_out_text(adding->out, "format", "%s", entry->format);
    seal_out_text(adding->out, "fingerprint", "%s", seal_key_fingerprint(entry->key));
    seal_out_text(adding->out, "valid_until", "%s", until);
    seal_out_text(adding->out, "kept", "%s", kept_word(entry->kept));
    seal_out_end_row(adding->out);
}

static void tell_left(Result *result, const Entry *entry)
{
    Adding *adding = result->adding;

    adding->left++;
    if (++result->wrong > MAX_WRONG || !begin_row(result, "left_out", ++adding->notes, entry))
        return;
    seal_out_text(adding->out, "format", "%s", entry->format ? entry->format : "");
    seal_out_text(adding->out, "note", "%s%s", entry->text,
                  !g_str_equal(entry->text, "a private key") ? ""
                  : adding->server
                      ? "; without -n it is put where the service finds it, if it opens there"
                      : ", left out: its certificate is what is wanted here; to sign with it: "
                        "sealctl keys add --server");
    seal_out_end_row(adding->out);
}

/* For standard error, where names from outside must not steer a terminal. */
static void note_first(const Result *result, const Entry *entry)
{
    g_autofree char *text =
        g_strdup_printf("%s: %s%s%s", result->file->label, entry->entry ? entry->entry : "",
                        entry->entry ? ": " : "", entry->text);

    if (!result->adding->first)
        result->adding->first = seal_text_line(text, strlen(text), G_MAXSIZE);
}

static void tell_failure(Result *result, const Entry *entry)
{
    Adding *adding = result->adding;

    note_first(result, entry);
    adding->failed++;
    if (++result->wrong > MAX_WRONG || !begin_row(result, "problems", ++adding->problems, entry))
        return;
    seal_out_text(adding->out, "problem", "%s", entry->text);
    seal_out_end_row(adding->out);
}

static void fail_file(Result *result, const char *why)
{
    const Entry entry = {.text = (char *)why};

    tell_failure(result, &entry);
}

static void tell_entries(Result *result)
{
    for (guint i = 0; i < result->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(result->entries, i);

        if (entry->what == SEAL_IMPORT_KEY)
            tell_key(result, entry);
        else if (entry->what == SEAL_IMPORT_FAILED)
            tell_failure(result, entry);
        else if (!result->adding->server || result->adding->dry)
            tell_left(result, entry);
    }
}

/* -------------------------------------------------------------------------------------------
 * Java's key stores, which are known by their first words alone
 */

static guint32 read_word(const guint8 *at)
{
    return (guint32)at[0] << 24 | (guint32)at[1] << 16 | (guint32)at[2] << 8 | at[3];
}

/* Version, salt of 20 octets, iterations; then, but for UBER, an entry's type or the end. */
static const char *bouncy_name(const guint8 *data, gsize size)
{
    if (size < 33 || read_word(data + 4) != 20 || read_word(data + 28) > 0xffff)
        return NULL;
    if (read_word(data) == 2)
        return "BKS";
    return read_word(data) != 1 ? NULL : data[32] <= 4 ? "BKS" : "UBER";
}

static const char *java_name(GBytes *bytes)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);

    if (size < 8)
        return NULL;
    if (read_word(data) == 0xfeedfeed)
        return "JKS";
    return read_word(data) == 0xcececece ? "JCEKS" : bouncy_name(data, size);
}

static char *java_advice(const char *name, const char *path)
{
    gboolean bouncy = g_str_equal(name, "BKS") || g_str_equal(name, "UBER");

    return g_strdup_printf(
        "it is a key store of the kind %s, which Java's programs alone read; keytool makes PKCS#12 "
        "of it: keytool -importkeystore -srckeystore %s -srcstoretype %s -destkeystore NEW.p12 "
        "-deststoretype PKCS12%s",
        name, path, name,
        bouncy ? " -providerclass org.bouncycastle.jce.provider.BouncyCastleProvider "
                 "-providerpath BCPROV.jar"
               : "");
}

/* -------------------------------------------------------------------------------------------
 * One file
 */

/* With another passphrase, what was added at the first reading is there at the second. */
static SealPut note_kept(const Result *result, const SealImportEntry *found)
{
    g_autofree char *id = g_strdup_printf("%s %s", found->format, seal_key_fingerprint(found->key));
    guint before = GPOINTER_TO_UINT(g_hash_table_lookup(result->kept, id));
    guint kept = MAX(before, (guint)found->kept);

    g_hash_table_insert(result->kept, g_steal_pointer(&id), GUINT_TO_POINTER(kept));
    return (SealPut)kept;
}

static void take_entry(const SealImportEntry *found, gpointer user_data)
{
    Result *result = user_data;
    Entry *entry = g_new0(Entry, 1);

    entry->what = found->what;
    entry->format = g_strdup(found->format);
    entry->entry = g_strdup(found->entry);
    entry->text = g_strdup(found->problem ? found->problem->message : found->text);
    entry->key = found->key ? seal_key_ref(found->key) : NULL;
    entry->kept = found->key ? note_kept(result, found) : SEAL_PUT_UNTOLD;
    g_ptr_array_add(result->entries, entry);
    if (found->problem && g_error_matches(found->problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE))
        result->shut = TRUE;
}

/* (transfer full) Those of the command line, and the table's. */
static char **whose(const Adding *adding, const CtlFile *file)
{
    g_autoptr(GStrvBuilder) list = g_strv_builder_new();

    for (char **address = adding->addresses; address && *address; address++)
        g_strv_builder_add(list, *address);
    if (file->address)
        g_strv_builder_add(list, file->address);
    return g_strv_builder_end(list);
}

static gboolean read_entries(Result *result, GError **error)
{
    const Adding *adding = result->adding;
    g_auto(GStrv) bound = whose(adding, result->file);
    g_autofree char *place = g_canonicalize_filename(result->file->path, NULL);
    const SealShelving how = {.source = adding->source,
                              .place = place,
                              .trust = adding->trust,
                              .bound = (const char *const *)bound,
                              .passphrase = adding->passphrase,
                              .dry = adding->dry};
    guint added = 0;

    result->shut = FALSE;
    g_ptr_array_set_size(result->entries, 0);
    if (!seal_dispatcher_add_keys(adding->dispatcher, result->file->data, &how, take_entry, result,
                                  &added, error))
        return FALSE;
    result->added += added;
    return TRUE;
}

/* FALSE where nobody can be asked, or says nothing. */
static gboolean ask_passphrase(const Result *result)
{
    g_autofree char *shown = seal_text_line(result->file->path, strlen(result->file->path), 200);
    g_autofree char *prompt = g_strdup_printf("Passphrase for %s: ", shown);
    gboolean may_ask = !result->adding->named && isatty(STDIN_FILENO);
    SealSecret *secret = may_ask ? seal_secret_ask(prompt, NULL) : NULL;

    if (!secret)
        return FALSE;
    seal_secret_free(result->adding->passphrase);
    result->adding->passphrase = secret;
    return TRUE;
}

static void put_installed(const char *format, guint count, const char *where, gpointer user_data)
{
    const Result *result = user_data;
    Adding *adding = result->adding;
    const Entry entry = {0};

    adding->installed += count;
    if (!begin_row(result, "installed", adding->installed, &entry))
        return;
    seal_out_text(adding->out, "format", "%s", format);
    seal_out_number(adding->out, "count", count);
    seal_out_text(adding->out, "where", "%s", where);
    seal_out_end_row(adding->out);
}

static void install_file(Result *result)
{
    const Adding *adding = result->adding;
    g_autofree char *name = g_path_get_basename(result->file->path);
    g_autoptr(GError) problem = NULL;

    if (!seal_dispatcher_install_keys(adding->dispatcher, result->file->data, adding->passphrase,
                                      name, put_installed, result, &problem))
        fail_file(result, problem->message);
}

/* But for what goes between the words of its first line that says anything. */
static gboolean looks_like_table(GBytes *data)
{
    gsize size = 0;
    const char *octets = g_bytes_get_data(data, &size);
    g_autofree char *text = g_strndup(octets ? octets : "", MIN(size, MAX_HEAD));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    char **line = lines;

    while (*line && (!*g_strstrip(*line) || **line == '#'))
        line++;
    char *end = *line ? strpbrk(*line, " ,;") : NULL;
    if (!end)
        return FALSE;
    *end = '\0';
    g_autofree char *bound = seal_key_bind_to(*line);
    return bound != NULL;
}

/* A README may stand in a folder; what was named should be a key. */
static void tell_nothing(Result *result)
{
    static char nothing[] = "nothing in it is a key of an enabled format";
    static char table[] =
        "nothing in it is a key of an enabled format; it looks like a table: between address and "
        "file goes a tabulator";
    const Entry entry = {.text = looks_like_table(result->file->data) ? table : nothing};

    if (result->file->found)
        tell_left(result, &entry);
    else
        tell_failure(result, &entry);
}

static void add_entries(Result *result)
{
    Adding *adding = result->adding;
    const char *java = java_name(result->file->data);
    g_autoptr(GError) problem = NULL;
    gboolean ok;

    if (java) {
        g_autofree char *advice = java_advice(java, result->file->path);
        fail_file(result, advice);
        return;
    }
    ok = read_entries(result, &problem);
    for (guint i = 0; ok && result->shut && i < MAX_TRIES && ask_passphrase(result); i++)
        ok = read_entries(result, &problem);
    if (!ok) {
        fail_file(result, problem->message);
        return;
    }
    adding->added += result->added;
    guint failed = adding->failed;
    tell_entries(result);
    if (result->entries->len == 0 && !adding->server)
        tell_nothing(result);
    /* A file is wrong as a whole, or not at all. */
    if (adding->server && !adding->dry && adding->failed == failed)
        install_file(result);
}

static void tell_folder(Result *result)
{
    static char text[] = "a folder, which is not looked into";
    const Entry entry = {.text = text};

    tell_left(result, &entry);
}

static void add_file(Adding *adding, const CtlFile *file)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(entry_free);
    g_autoptr(GHashTable) kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Result result = {.adding = adding, .file = file, .entries = entries, .kept = kept};

    if (file->folder) {
        tell_folder(&result);
        return;
    }
    adding->files++;
    if (file->data)
        add_entries(&result);
    else
        fail_file(&result, file->problem->message);
}

/* -------------------------------------------------------------------------------------------
 * All of them
 */

static void put_summary(const Adding *adding)
{
    SealOut *out = adding->out;
    guint told = adding->added + adding->changed;

    seal_out_number(out, "files", adding->files);
    seal_out_number(out, "found", adding->keys);
    if (!adding->dry) {
        seal_out_number(out, "added", adding->added);
        seal_out_number(out, "changed", adding->changed);
        seal_out_number(out, "known", adding->keys - MIN(told, adding->keys));
    }
    seal_out_number(out, "intermediates", adding->intermediates);
    seal_out_number(out, "left", adding->left);
    if (adding->server)
        seal_out_number(out, "private_keys", adding->installed);
    seal_out_number(out, "failed", adding->failed);
}

static int add_all(Adding *adding, CtlFiles *files, GError **error)
{
    g_auto(CtlFile) file = {0};
    guint count = ctl_files_count(files);

    seal_out_list(adding->out, "keys");
    seal_out_list(adding->out, "left_out");
    seal_out_list(adding->out, "problems");
    while (ctl_files_next(files, &file)) {
        add_file(adding, &file);
        ctl_bar_draw(&adding->bar, adding->files, count, FALSE);
    }
    ctl_bar_draw(&adding->bar, adding->files, count, TRUE);
    put_summary(adding);
    if (adding->failed == 0 && adding->files > 0)
        return CTL_OK;
    if (adding->files == 0)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, "there is no file in it");
    else if (adding->failed == 1)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, adding->first);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "%s; and %u more", adding->first,
                    adding->failed - 1);
    return CTL_PROBLEM;
}

/* -------------------------------------------------------------------------------------------
 * The command line
 */

static gboolean check_addresses(const Adding *adding, GError **error)
{
    for (char **address = adding->addresses; address && *address; address++) {
        g_autofree char *bound = seal_key_bind_to(*address);
        g_autofree char *problem = ctl_bind_problem(*address);

        if (problem)
            return ctl_misuse(error, "%s", problem) == CTL_OK;
        if (*bound == '@' && adding->trust != SEAL_TRUST_MANUAL)
            return ctl_misuse(error,
                              "a key is for all of %s on your own word alone: --trust manual "
                              "goes with that",
                              bound) == CTL_OK;
    }
    return TRUE;
}

static gboolean read_passphrase(Adding *adding, const char *path, GError **error)
{
    g_autoptr(SealSecret) file = path ? seal_secret_read(path, error) : NULL;

    adding->named = path != NULL;
    if (path && !file)
        return FALSE;
    adding->passphrase = file ? seal_secret_first_line(file, error) : NULL;
    return !path || adding->passphrase;
}

/* What reads files does so before root is somebody else. */
static int run_add(Adding *adding, const CtlOptions *options, const char *passphrase, char **paths,
                   GError **error)
{
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    g_autoptr(CtlFiles) files = NULL;

    if (!read_passphrase(adding, passphrase, error) ||
        !(files = ctl_files_open(paths, adding->server, error)) ||
        !ctl_keys_open(&opened, options, error))
        return CTL_PROBLEM;
    adding->dispatcher = opened.dispatcher;
    return add_all(adding, files, error);
}

int ctl_keys_add(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_autofree char *trust = NULL, *source = NULL, *passphrase = NULL;
    g_auto(GStrv) addresses = NULL;
    Adding adding = {.out = out};
    char **paths = NULL;
    const GOptionEntry entries[] = {
        {"trust", 0, 0, G_OPTION_ARG_STRING, &trust, NULL, NULL},
        {"address", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &addresses, NULL, NULL},
        {"passphrase-file", 0, 0, G_OPTION_ARG_FILENAME, &passphrase, NULL, NULL},
        {"source", 0, 0, G_OPTION_ARG_STRING, &source, NULL, NULL},
        {"server", 0, 0, G_OPTION_ARG_NONE, &adding.server, NULL, NULL},
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &adding.dry, NULL, NULL},
        {0},
    };

    if (!ctl_parse_words(argc, argv, entries, 1, G_MAXUINT, &paths, error))
        return CTL_USAGE;
    adding.trust = SEAL_TRUST_MANUAL;
    adding.addresses = addresses;
    adding.source = source;
    if ((trust && !ctl_trust_read(trust, &adding.trust, error)) || !check_addresses(&adding, error))
        return CTL_USAGE;

    int status = run_add(&adding, options, passphrase, paths, error);
    seal_secret_free(adding.passphrase);
    g_free(adding.first);
    return status;
}
