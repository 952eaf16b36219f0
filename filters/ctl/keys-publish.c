/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-publish.c: `sealctl keys publish`: public keys into a directory: those with which mail of
 * addresses is signed here, or what the local sources have for the directory's own domains.
 */
#include "filters/ctl/keys.h"

#include <string.h>

enum {
    MAX_ROWS = 1000, /* of each list; the others are counted */
    MAX_SILENT = 3,  /* failures in a row of a directory that cannot be reached */
};

/* -------------------------------------------------------------------------------------------
 * Those that are named
 */

static gboolean add_own(SealDispatcher *dispatcher, const char *word, GPtrArray *keys,
                        GError **error)
{
    g_autoptr(SealAddress) address = seal_address_parse(word, error);
    guint before = keys->len;

    if (!address || !seal_dispatcher_own_keys(dispatcher, address, keys, error))
        return FALSE;
    if (keys->len > before)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "mail of %s is signed with no key here", word);
    return FALSE;
}

static gboolean put_named(SealDispatcher *dispatcher, const char *to, GPtrArray *keys, gboolean dry,
                          SealOut *out, GError **error)
{
    guint added = 0;

    if (dry)
        return seal_dispatcher_rehearse_keys(dispatcher, to, keys, error);
    if (!seal_dispatcher_put_keys(dispatcher, to, keys, &added, error))
        return FALSE;
    seal_out_number(out, "added", added);
    return TRUE;
}

static int publish_named(const CtlOptions *options, const char *to, char **words, gboolean dry,
                         SealOut *out, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};

    if (!ctl_keys_open(&opened, options, error))
        return CTL_PROBLEM;
    for (; *words; words++) {
        if (!add_own(opened.dispatcher, *words, keys, error))
            return CTL_PROBLEM;
    }
    if (!put_named(opened.dispatcher, to, keys, dry, out, error))
        return CTL_PROBLEM;
    seal_out_list(out, "keys");
    for (guint i = 0; i < keys->len; i++) {
        seal_out_row(out, "keys");
        ctl_key_put(g_ptr_array_index(keys, i), SEAL_STANDING_NONE, options, out);
        seal_out_text(out, dry ? "would_be_written_to" : "written_to", "%s", to);
        seal_out_end_row(out);
    }
    return CTL_OK;
}

/* -------------------------------------------------------------------------------------------
 * The organisation's own
 */

typedef struct {
    const CtlOptions *options;
    SealDispatcher *dispatcher;
    SealOut *out;
    const char *to;
    gboolean dry;
    /* Of one address. */
    const SealAddress *address;
    GPtrArray *fit;  /* of SealKey, each once */
    GPtrArray *left; /* likewise */
    GPtrArray *whys; /* of char *, of each that is left */
    /* What has come of it. */
    guint done; /* addresses */
    guint found;
    guint added;
    guint known;
    guint left_out;
    guint failed;
    guint silent; /* failures in a row for which the directory is at fault */
    char *first;  /* the first failure */
} Publishing;

static void begin_row(const Publishing *publishing, const char *list, const SealKey *key)
{
    SealOut *out = publishing->out;
    g_autofree char *fingerprint =
        key ? ctl_key_fingerprint(key, publishing->options) : g_strdup("");

    seal_out_row(out, list);
    seal_out_text(out, "address", "%s", seal_address_text(publishing->address));
    seal_out_text(out, "format", "%s", key ? seal_key_format(key) : "");
    seal_out_text(out, "fingerprint", "%s", fingerprint);
}

static void tell_left(Publishing *publishing, const SealKey *key, const char *why)
{
    if (++publishing->left_out > MAX_ROWS)
        return;
    begin_row(publishing, "left_out", key);
    seal_out_text(publishing->out, "text", "%s", why);
    seal_out_end_row(publishing->out);
}

static void tell_failure(Publishing *publishing, const SealKey *key, const GError *problem)
{
    if (!publishing->first)
        publishing->first =
            g_strdup_printf("%s: %s", seal_address_text(publishing->address), problem->message);
    if (++publishing->failed > MAX_ROWS)
        return;
    begin_row(publishing, "problems", key);
    seal_out_text(publishing->out, "text", "%s", problem->message);
    seal_out_end_row(publishing->out);
}

static void tell_written(Publishing *publishing, const SealKey *key, gboolean added)
{
    const char *what = publishing->dry ? "would be written" : added ? "written" : "there already";
    g_autofree char *until = seal_text_day(seal_key_valid_until(key));

    publishing->added += added;
    publishing->known += !added;
    if (publishing->added + publishing->known > MAX_ROWS)
        return;
    begin_row(publishing, "keys", key);
    seal_out_text(publishing->out, "origin", "%s", seal_key_source(key));
    seal_out_text(publishing->out, "trust", "%s", seal_trust_name(seal_key_trust(key)));
    seal_out_text(publishing->out, "valid_until", "%s", until);
    seal_out_text(publishing->out, "result", "%s", what);
    seal_out_end_row(publishing->out);
}

/* Several sources may have it. */
static void take_key(SealKey *key, const char *why, gpointer user_data)
{
    Publishing *publishing = user_data;

    if (!why && !ctl_key_is_among(publishing->fit, key))
        g_ptr_array_add(publishing->fit, seal_key_ref(key));
    if (!why || ctl_key_is_among(publishing->left, key))
        return;
    g_ptr_array_add(publishing->left, seal_key_ref(key));
    g_ptr_array_add(publishing->whys, g_strdup(why));
}

static gboolean is_directorys(const GError *problem)
{
    return g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE) ||
           g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_CONFIG);
}

static void publish_key(Publishing *publishing, SealKey *key)
{
    g_autoptr(GError) problem = NULL;
    gboolean added = FALSE;

    publishing->found++;
    if (seal_dispatcher_publish_key(publishing->dispatcher, publishing->to, key,
                                    publishing->address, publishing->dry, &added, &problem))
        tell_written(publishing, key, added);
    else
        tell_failure(publishing, key, problem);
    publishing->silent = problem && is_directorys(problem) ? publishing->silent + 1 : 0;
}

static void settle_address(Publishing *publishing)
{
    GPtrArray *left = publishing->left;

    for (guint i = 0; i < publishing->fit->len; i++)
        publish_key(publishing, g_ptr_array_index(publishing->fit, i));
    for (guint i = 0; i < left->len; i++) {
        if (!ctl_key_is_among(publishing->fit, g_ptr_array_index(left, i)))
            tell_left(publishing, g_ptr_array_index(left, i),
                      g_ptr_array_index(publishing->whys, i));
    }
    if (publishing->fit->len + left->len == 0)
        tell_left(publishing, NULL,
                  "no key source that is asked for the keys of recipients and may be trusted as "
                  "verified has a key of its own");
}

static void publish_address(Publishing *publishing, SealAddress *address)
{
    g_autoptr(GPtrArray) fit = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GPtrArray) left = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GPtrArray) whys = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) problem = NULL;

    publishing->address = address;
    publishing->fit = fit;
    publishing->left = left;
    publishing->whys = whys;
    publishing->done++;
    if (seal_dispatcher_publish_judge(publishing->dispatcher, publishing->to, address, take_key,
                                      publishing, &problem)) {
        settle_address(publishing);
        return;
    }
    tell_failure(publishing, NULL, problem);
    publishing->silent = is_directorys(problem) ? publishing->silent + 1 : 0;
}

static void put_summary(const Publishing *publishing, guint addresses)
{
    SealOut *out = publishing->out;

    seal_out_text(out, publishing->dry ? "would_be_written_to" : "written_to", "%s",
                  publishing->to);
    seal_out_number(out, "addresses", addresses);
    seal_out_number(out, "found", publishing->found);
    if (!publishing->dry) {
        seal_out_number(out, "added", publishing->added);
        seal_out_number(out, "known", publishing->known);
    }
    seal_out_number(out, "left", publishing->left_out);
    seal_out_number(out, "failed", publishing->failed);
    if (addresses > publishing->done)
        seal_out_number(out, "not_tried", addresses - publishing->done);
}

static int conclude(const Publishing *publishing, guint addresses, GError **error)
{
    g_autofree char *more = publishing->failed > 1
                                ? g_strdup_printf("; and %u more", publishing->failed - 1)
                                : g_strdup("");

    if (addresses > publishing->done)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s%s; %u addresses were not tried",
                    publishing->first, more, addresses - publishing->done);
    else if (publishing->failed > 0)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "%s%s", publishing->first, more);
    return publishing->failed > 0 ? CTL_PROBLEM : CTL_OK;
}

static int publish_all(Publishing *publishing, GPtrArray *addresses, GError **error)
{
    CtlBar bar = {0};

    seal_out_list(publishing->out, "keys");
    seal_out_list(publishing->out, "left_out");
    seal_out_list(publishing->out, "problems");
    for (guint i = 0; i < addresses->len && publishing->silent < MAX_SILENT; i++) {
        publish_address(publishing, g_ptr_array_index(addresses, i));
        ctl_bar_draw(&bar, publishing->done, addresses->len, FALSE);
    }
    ctl_bar_draw(&bar, publishing->done, addresses->len, TRUE);
    put_summary(publishing, addresses->len);

    int status = conclude(publishing, addresses->len, error);
    g_free(publishing->first);
    return status;
}

static int compare_addresses(gconstpointer a, gconstpointer b)
{
    return strcmp(seal_address_key(*(SealAddress *const *)a),
                  seal_address_key(*(SealAddress *const *)b));
}

static int publish_own(const CtlOptions *options, const char *to, gboolean dry, SealOut *out,
                       GError **error)
{
    g_autoptr(GPtrArray) addresses =
        g_ptr_array_new_with_free_func((GDestroyNotify)seal_address_unref);
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    const char *const *domains = NULL;

    if (!ctl_keys_open(&opened, options, error) ||
        !seal_dispatcher_publish_domains(opened.dispatcher, to, &domains, error))
        return CTL_PROBLEM;
    if (!*domains)
        return ctl_misuse(error,
                          "name the addresses with whose keys mail is signed here; or set "
                          "domains= of the key source %s, and the keys of the local sources "
                          "for addresses in them are published",
                          to);
    if (!seal_dispatcher_publish_addresses(opened.dispatcher, to, addresses, error))
        return CTL_PROBLEM;
    g_ptr_array_sort(addresses, compare_addresses);

    g_autofree char *all = g_strjoinv(", ", (char **)domains);
    Publishing publishing = {
        .options = options, .dispatcher = opened.dispatcher, .out = out, .to = to, .dry = dry};
    if (addresses->len > 0)
        return publish_all(&publishing, addresses, error);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "no local key source has a key for %s", all);
    return CTL_PROBLEM;
}

/* -------------------------------------------------------------------------------------------
 * The command line
 */

int ctl_keys_publish(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_autofree char *to = NULL;
    gboolean ldap = FALSE, dry = FALSE;
    char **words = NULL;
    const GOptionEntry entries[] = {
        {"to", 0, 0, G_OPTION_ARG_STRING, &to, NULL, NULL},
        {"ldap", 0, 0, G_OPTION_ARG_NONE, &ldap, NULL, NULL},
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &dry, NULL, NULL},
        {0},
    };

    if (!ctl_parse_words(argc, argv, entries, 0, G_MAXUINT, &words, error))
        return CTL_USAGE;
    if (!*words && !to && !ldap)
        return ctl_misuse(error, "name the addresses with whose keys mail is signed here; or, with "
                                 "--ldap, none of them, for the organisation's own keys");
    if (to && ldap && !g_str_equal(to, "ldap"))
        return ctl_misuse(error, "--ldap and --to %s are two places", to);
    if (*words)
        return publish_named(options, to ? to : "ldap", words, dry, out, error);
    return publish_own(options, to ? to : "ldap", dry, out, error);
}
