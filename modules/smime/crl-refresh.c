/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crl-refresh.c: fetches the lists that are wanted. One that is not believed changes nothing: what
 * is there stays. Only one process at a time does this.
 */
#include "crl.h"

#include <openssl/err.h>

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gmodule.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FORGET = 30 * 24 * 3600, /* seconds after it was last wanted */
    LOOK_AGAIN = 5,          /* seconds: whether something has come to be wanted */
    SKEW = 300,              /* likewise, that clocks may differ */
    MAX_CHAIN = 32,          /* certificates */
    MAX_SEEN = 2 * SMIME_MAX_WANTED,
    LEFT_OVER = 3600, /* seconds; the next likewise */
    SAID_FOR = 24 * 3600,
    FIRST_TRY = 20,  /* for a list that has not failed or been slow */
    SLOW_HOST = 4,   /* to say nothing of use */
    HOST_TIME = 60,  /* for all that one host fails to give in a round */
    CA_TIME = 60,    /* for all lists of one CA */
    ROUND_TIME = 300 /* for all; what is left comes in the next one */
};

/* In which order they are fetched. */
typedef enum {
    RANK_NEW,
    RANK_GOOD,
    RANK_SLOW, /* it has failed, or taken long */
} Rank;

/* One that has its turn. */
typedef struct {
    char *id;
    Rank rank;
    gint64 at; /* when it was tried last */
} Turn;

/* One list that is wanted. */
typedef struct {
    char *id;
    char *path; /* of the list; the next two likewise */
    char *wanted;
    char *tried;
    GStrv urls;
    SmimeCerts *chain; /* the first has the URLs */
    X509 *issuer;
    GKeyFile *note; /* what came of it: from, failures, at, etag, modified, url, slow */
    gint64 due;
} Wanted;

/* One call. */
typedef struct {
    SealModule *self;
    SmimeModule *module;
    SmimeFetcher fetch;
    gboolean all;
    gboolean look; /* whether they are there, and no more */
    gint64 now;
    GCancellable *cancellable;
    SealOut *out;
    GHashTable *spent; /* seconds, by host and by get_issuer() */
    gint64 begun;      /* microseconds; of a clock that is not set */
    guint put_off;
    char *folder;
    guint tried;
    guint failed;
    guint lacking; /* of those put off: not there, or out of date */
    char *lack;    /* the first of them */
    gint64 next;
    GError *first;
} Round;

static void wanted_free(Wanted *wanted)
{
    g_free(wanted->id);
    g_free(wanted->path);
    g_free(wanted->wanted);
    g_free(wanted->tried);
    g_strfreev(wanted->urls);
    smime_certs_free(wanted->chain);
    g_key_file_unref(wanted->note);
    g_free(wanted);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Wanted, wanted_free)

/* -------------------------------------------------------------------------------------------
 * What is written down
 */

static gboolean load_note(GKeyFile *file, const char *path)
{
    g_autoptr(GBytes) data = seal_file_read(path, SMIME_MAX_NOTE, NULL);

    return data && g_key_file_load_from_bytes(file, data, G_KEY_FILE_NONE, NULL);
}

static Rank rank_note(GKeyFile *note)
{
    if (!g_key_file_has_group(note, "tried"))
        return RANK_NEW;
    return g_key_file_get_integer(note, "tried", "failures", NULL) > 0 ||
                   g_key_file_get_boolean(note, "tried", "slow", NULL)
               ? RANK_SLOW
               : RANK_GOOD;
}

/* Two certificates at least, or NULL. */
static SmimeCerts *decode_chain(GKeyFile *file)
{
    g_auto(GStrv) texts = g_key_file_get_string_list(file, "wanted", "chain", NULL, NULL);
    g_autoptr(SmimeCerts) chain = sk_X509_new_null();
    gboolean ok = chain && texts && g_strv_length(texts) <= MAX_CHAIN;

    for (guint i = 0; ok && texts[i]; i++) {
        gsize length = 0;
        g_autofree guchar *der = g_base64_decode(texts[i], &length);
        const guint8 *at = der;
        X509 *cert = d2i_X509(NULL, &at, (long)length);

        ok = cert && X509_add_cert(chain, cert, X509_ADD_FLAG_DEFAULT);
        if (!ok)
            X509_free(cert);
    }
    ERR_clear_error();
    return ok && sk_X509_num(chain) > 1 ? g_steal_pointer(&chain) : NULL;
}

static gint64 compute_due(const Wanted *wanted, gint64 now)
{
    gint64 tried = g_key_file_get_int64(wanted->note, "tried", "at", NULL);
    int failures = g_key_file_get_integer(wanted->note, "tried", "failures", NULL);

    if (tried > now) /* by a clock that was set since */
        return 0;
    if (failures > 0)
        return smime_due_again((guint)failures, tried);
    if (!g_file_test(wanted->path, G_FILE_TEST_EXISTS))
        return 0;
    return smime_due_after(g_key_file_get_int64(wanted->note, "tried", "from", NULL),
                           g_key_file_get_int64(wanted->note, "tried", "until", NULL), tried);
}

/* NULL where it is none, or broken. */
static Wanted *load_wanted(const Round *round, const char *id)
{
    g_autoptr(Wanted) wanted = g_new0(Wanted, 1);
    g_autoptr(GKeyFile) file = g_key_file_new();

    wanted->id = g_strdup(id);
    wanted->path = g_strdup_printf("%s/%s.crl", round->folder, id);
    wanted->wanted = g_strdup_printf("%s/" SMIME_WANTED "/%s", round->folder, id);
    wanted->tried = g_strconcat(wanted->wanted, SMIME_TRIED, NULL);
    wanted->note = g_key_file_new();
    if (!load_note(file, wanted->wanted))
        return NULL;
    wanted->chain = decode_chain(file);
    wanted->urls = wanted->chain ? smime_points_of(sk_X509_value(wanted->chain, 0)) : NULL;
    if (!wanted->urls)
        return NULL;
    wanted->issuer = sk_X509_value(wanted->chain, 1);
    g_autofree char *name = smime_points_id((const char *const *)wanted->urls, wanted->issuer);
    if (!g_str_equal(name, id))
        return NULL;
    load_note(wanted->note, wanted->tried);
    wanted->due = compute_due(wanted, round->now);
    return g_steal_pointer(&wanted);
}

static void save_note(const Round *round, Wanted *wanted)
{
    gsize size = 0;
    g_autoptr(GError) problem = NULL;
    g_autofree char *data = NULL;

    g_key_file_set_int64(wanted->note, "tried", "at", round->now);
    data = g_key_file_to_data(wanted->note, &size, NULL);
    if (!seal_file_save(wanted->tried, data, size, 0600, &problem))
        seal_module_warn(round->self, "%s", problem->message);
}

/* -------------------------------------------------------------------------------------------
 * Whether what came is believed
 */

static SmimeList *read_list(const Round *round, const char *path)
{
    g_autoptr(GBytes) data = seal_file_read(path, round->module->crl_most, NULL);
    gsize size = 0;
    const guint8 *octets = data ? g_bytes_get_data(data, &size) : NULL;

    return octets ? smime_list_new(octets, size, NULL) : NULL;
}

static const char *find_fault(const Round *round, const Wanted *wanted, SmimeList *list)
{
    gint64 from = smime_list_from(list), until = smime_list_until(list);
    g_autoptr(SmimeList) there = read_list(round, wanted->path);

    if (!smime_list_is_signed_by(list, wanted->issuer))
        return "it is not signed by who issued the certificate";
    if (!(X509_get_key_usage(wanted->issuer) & KU_CRL_SIGN))
        return "who issued the certificate is not for signing lists: its keyUsage lacks cRLSign";
    if (smime_list_unfit(list))
        return smime_list_unfit(list);
    if (from == 0 || from > round->now + SKEW)
        return "it was issued in the future, or does not say when";
    if (until != 0 && (until < round->now || until < from))
        return "it should have been renewed by now";
    if (there && smime_list_is_signed_by(there, wanted->issuer) && smime_list_is_older(list, there))
        return "it is older than the one that is here";
    return NULL;
}

static SmimeList *judge_body(const Round *round, const Wanted *wanted, const SmimeFetch *fetch,
                             GError **error)
{
    g_autoptr(SmimeList) list = smime_list_new(fetch->body->data, fetch->body->len, NULL);
    const char *fault = list ? find_fault(round, wanted, list) : "it is no revocation list";

    if (!fault)
        return g_steal_pointer(&list);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: what came is not used: %s",
                fetch->url, fault);
    return NULL;
}

static void set_or_remove(GKeyFile *note, const char *key, const char *value)
{
    if (value)
        g_key_file_set_string(note, "tried", key, value);
    else
        g_key_file_remove_key(note, "tried", key, NULL);
}

static gboolean take_body(Round *round, Wanted *wanted, const SmimeFetch *fetch, GError **error)
{
    g_autoptr(SmimeList) list = judge_body(round, wanted, fetch, error);

    if (!list || !seal_file_save(wanted->path, fetch->body->data, fetch->body->len, 0600, error))
        return FALSE;
    g_key_file_set_int64(wanted->note, "tried", "from", smime_list_from(list));
    g_key_file_set_int64(wanted->note, "tried", "until", smime_list_until(list));
    set_or_remove(wanted->note, "url", fetch->url);
    set_or_remove(wanted->note, "etag", fetch->new_etag);
    set_or_remove(wanted->note, "modified", fetch->new_modified);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Fetching
 */

static gboolean fail_url(const char *url, const char *why, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", url, why);
    return FALSE;
}

/* What a proxy resolves cannot be looked at here: what is written as an address can. */
static gboolean check_url(const Round *round, const char *url, char **host, GError **error)
{
    gboolean inside = seal_module_boolean(round->self, "crl_inside");
    const char *why = NULL;

    if (!smime_point_is_fit(url, inside, &why))
        return fail_url(url, why, error);
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_ENCODED, NULL);
    *host = uri ? g_ascii_strdown(g_uri_get_host(uri), -1) : NULL;
    const char *kind = *host && !inside ? smime_host_inside(*host) : NULL;
    if (*host && !kind)
        return TRUE;
    g_autofree char *text = g_strdup_printf(
        "its host is %s; with crl_inside=true it would be asked", kind ? kind : "missing");
    return fail_url(url, text, error);
}

/* Only for the same octets from the same place is "unchanged" an answer. */
static void set_known(const Round *round, const Wanted *wanted, SmimeFetch *fetch, char **etag,
                      char **modified)
{
    g_autofree char *url = g_key_file_get_string(wanted->note, "tried", "url", NULL);

    if (round->all || g_strcmp0(url, fetch->url) != 0 ||
        !g_file_test(wanted->path, G_FILE_TEST_EXISTS))
        return;
    fetch->etag = *etag = g_key_file_get_string(wanted->note, "tried", "etag", NULL);
    fetch->modified = *modified = g_key_file_get_string(wanted->note, "tried", "modified", NULL);
}

static guint get_spent(const Round *round, const char *key)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(round->spent, key));
}

static void add_spent(Round *round, const char *key, guint seconds)
{
    g_hash_table_replace(round->spent, g_strdup(key),
                         GUINT_TO_POINTER(get_spent(round, key) + seconds));
}

/* As no host is named. (transfer full) */
static char *get_issuer(const char *id)
{
    return g_strdup_printf("@%.*s", SMIME_ISSUER_DIGITS, id);
}

/* Rounded. */
static guint seconds_since(gint64 begun)
{
    return (guint)((g_get_monotonic_time() - begun + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC);
}

/* In @seconds at most. */
static gboolean fetch_url(Round *round, Wanted *wanted, const char *url, gint64 seconds,
                          const char **result, GError **error)
{
    const char *proxy = seal_module_string(round->self, "crl_proxy");
    g_autofree char *host = NULL, *etag = NULL, *modified = NULL;
    g_autoptr(GByteArray) body = g_byte_array_new();
    SmimeFetch fetch = {
        .url = url,
        .proxy = proxy && *proxy ? proxy : NULL,
        .inside = seal_module_boolean(round->self, "crl_inside"),
        .most = round->module->crl_most,
        .deadline = seconds,
        .body = body,
    };

    if (!check_url(round, url, &host, error))
        return FALSE;
    if (get_spent(round, host) >= HOST_TIME)
        return fail_url(url, "its host was slow or could not be reached just now", error);
    set_known(round, wanted, &fetch, &etag, &modified);
    gint64 begun = g_get_monotonic_time();
    gboolean ok = round->fetch(&fetch, error);
    guint took = seconds_since(begun);
    /* Who takes long to say nothing keeps the others waiting once only. */
    if (!ok)
        add_spent(round, host, took >= SLOW_HOST ? HOST_TIME : took);
    ok = ok && (fetch.unchanged || take_body(round, wanted, &fetch, error));
    *result = fetch.unchanged ? "unchanged" : "fetched";
    g_free(fetch.new_etag);
    g_free(fetch.new_modified);
    return ok;
}

static void say_row(const Round *round, const char *what, const char *result, gint64 until,
                    const char *problem)
{
    g_autofree char *day = until > 0 ? seal_text_day(until) : g_strdup("");

    seal_out_row(round->out, "refreshed");
    seal_out_text(round->out, "what", "%s", what);
    seal_out_text(round->out, "result", "%s", result);
    seal_out_text(round->out, "until", "%s", day);
    seal_out_text(round->out, "problem", "%s", problem);
    seal_out_end_row(round->out);
}

/* From the first of its places that gives one; each leaves time for those after it. Which it was,
 * or NULL. */
static const char *fetch_first(Round *round, Wanted *wanted, const char **result, GError **error)
{
    gint64 whole = seal_module_number(round->self, "crl_deadline");
    gint64 left = rank_note(wanted->note) == RANK_SLOW ? whole : MIN(whole, FIRST_TRY);
    guint places = MIN(g_strv_length(wanted->urls), SMIME_MAX_POINTS);

    for (guint i = 0; i < places; i++) {
        gint64 begun = g_get_monotonic_time(), share = left / (places - i);
        gboolean ok =
            fetch_url(round, wanted, wanted->urls[i], MAX(share, 1), result, *error ? NULL : error);

        if (ok)
            return wanted->urls[i];
        left -= MIN(left, seconds_since(begun));
    }
    return NULL;
}

static void fetch_wanted(Round *round, Wanted *wanted)
{
    g_autoptr(GError) first = NULL;
    g_autofree char *issuer = get_issuer(wanted->id);
    const char *result = "failed";
    gint64 begun = g_get_monotonic_time();
    const char *from = fetch_first(round, wanted, &result, &first);
    const char *url = from ? from : wanted->urls[0];
    gboolean ok = from != NULL;
    guint took = seconds_since(begun);

    add_spent(round, issuer, took);
    g_key_file_set_boolean(wanted->note, "tried", "slow", took >= FIRST_TRY / 2);
    int failures = g_key_file_get_integer(wanted->note, "tried", "failures", NULL);
    g_key_file_set_integer(wanted->note, "tried", "failures", ok ? 0 : MIN(failures, 1000) + 1);
    set_or_remove(wanted->note, "problem", ok ? NULL : first->message);
    save_note(round, wanted);
    wanted->due = compute_due(wanted, round->now);
    say_row(round, url, ok ? result : "failed",
            g_key_file_get_int64(wanted->note, "tried", "until", NULL), ok ? "" : first->message);
    round->tried++;
    round->failed += ok ? 0 : 1;
    if (!ok && !round->first)
        round->first = g_steal_pointer(&first);
}

/* -------------------------------------------------------------------------------------------
 * All of them
 */

static void drop_wanted(Round *round, const Wanted *wanted)
{
    g_unlink(wanted->path);
    g_unlink(wanted->tried);
    g_unlink(wanted->wanted);
    say_row(round, wanted->urls[0], "dropped", 0, "");
}

/* So that it takes no room. */
static void drop_broken(const Round *round, const char *id)
{
    g_autofree char *path = g_build_filename(round->folder, SMIME_WANTED, id, NULL);
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_mtime + LEFT_OVER < round->now)
        g_unlink(path);
}

static gboolean is_current(const Round *round, const Wanted *wanted)
{
    gint64 until = g_key_file_get_int64(wanted->note, "tried", "until", NULL);

    return g_file_test(wanted->path, G_FILE_TEST_EXISTS) && (until == 0 || until >= round->now);
}

/* Whether a current list is there. */
static void look_at(Round *round, const Wanted *wanted)
{
    g_autofree char *problem = g_key_file_get_string(wanted->note, "tried", "problem", NULL);

    round->tried++;
    if (is_current(round, wanted))
        return;
    if (round->failed++ == 0)
        g_set_error(&round->first, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s",
                    problem ? problem : wanted->urls[0]);
}

static gboolean is_time_up(const Round *round, const char *id)
{
    g_autofree char *issuer = get_issuer(id);

    return seconds_since(round->begun) >= ROUND_TIME || get_spent(round, issuer) >= CA_TIME;
}

/* One that is there and current can wait; else it is needed now. */
static void put_off(Round *round, const Wanted *wanted)
{
    round->put_off++;
    round->next = round->now;
    if (!is_current(round, wanted) && round->lacking++ == 0)
        round->lack = g_strdup(wanted->urls[0]);
}

static void visit_wanted(Round *round, const char *id)
{
    g_autoptr(Wanted) wanted = load_wanted(round, id);
    struct stat st;

    if (!wanted && !round->look)
        drop_broken(round, id);
    if (!wanted || stat(wanted->wanted, &st) != 0)
        return;
    if (round->look) {
        look_at(round, wanted);
        return;
    }
    gboolean due = round->all || wanted->due <= round->now;
    /* Who has written it down may not be who should. */
    if (st.st_mtime + FORGET < round->now ||
        (due && !smime_chain_leads(round->self, wanted->chain))) {
        drop_wanted(round, wanted);
        return;
    }
    if (due && is_time_up(round, id)) {
        put_off(round, wanted);
        return;
    }
    if (due)
        fetch_wanted(round, wanted);
    round->next = MIN(round->next, wanted->due);
}

static Turn *turn_new(const char *folder, const char *id)
{
    g_autoptr(GKeyFile) note = g_key_file_new();
    g_autofree char *path = g_strdup_printf("%s/%s" SMIME_TRIED, folder, id);
    Turn *turn = g_new0(Turn, 1);

    load_note(note, path);
    turn->id = g_strdup(id);
    turn->rank = rank_note(note);
    turn->at = g_key_file_get_int64(note, "tried", "at", NULL);
    return turn;
}

static void turn_free(gpointer data)
{
    Turn *turn = data;

    g_free(turn->id);
    g_free(turn);
}

static int compare_turns(gconstpointer one, gconstpointer other)
{
    const Turn *a = *(Turn *const *)one, *b = *(Turn *const *)other;

    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static void visit_all(Round *round)
{
    g_autofree char *path = g_build_filename(round->folder, SMIME_WANTED, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    g_autoptr(GPtrArray) turns = g_ptr_array_new_with_free_func(turn_free);

    for (const char *name; dir && (name = g_dir_read_name(dir)) && turns->len < MAX_SEEN;) {
        if (smime_points_is_id(name))
            g_ptr_array_add(turns, turn_new(path, name));
    }
    g_ptr_array_sort(turns, compare_turns);
    for (guint i = 0; i < turns->len; i++) {
        const Turn *turn = g_ptr_array_index(turns, i);

        if (g_cancellable_is_cancelled(round->cancellable))
            return;
        visit_wanted(round, turn->id);
    }
}

/* What a process left that was ended in the middle, and lists that nobody wants. */
static void sweep_folder(const Round *round, const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);

    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autofree char *id = g_strndup(name, SMIME_ID_DIGITS);
        g_autofree char *wanted = g_build_filename(round->folder, SMIME_WANTED, id, NULL);
        struct stat st;

        if (strlen(name) > SMIME_ID_DIGITS && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
            st.st_mtime + LEFT_OVER < round->now &&
            (strstr(name, ".new.") || !g_file_test(wanted, G_FILE_TEST_EXISTS)))
            g_unlink(path);
    }
}

static gboolean load_fetcher(Round *round, GError **error)
{
    static SmimeFetcher loaded;
    GModule *library = loaded ? NULL : g_module_open(SMIME_FETCH_PATH, G_MODULE_BIND_LOCAL);

    if (!loaded && (!library || !g_module_symbol(library, SMIME_FETCHER, (gpointer *)&loaded))) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_MODULE, "%s", g_module_error());
        return FALSE;
    }
    if (library)
        g_module_make_resident(library);
    round->fetch = loaded;
    return TRUE;
}

/* -1: another process is at it, or, with an error, nobody can be. */
static int lock_folder(const Round *round, GError **error)
{
    g_autofree char *path = g_build_filename(round->folder, ".lock", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd >= 0 && flock(fd, round->all ? LOCK_EX : LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd < 0 || errno != EWOULDBLOCK)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* What could not be written down lately for want of room, for people, or NULL. */
static char *read_left_out(const Round *round)
{
    g_autofree char *path = g_build_filename(round->folder, SMIME_LEFT_OUT, NULL);
    struct stat st;

    if (stat(path, &st) != 0 || st.st_mtime + SAID_FOR < round->now)
        return NULL;
    g_autoptr(GBytes) data = seal_file_read(path, SMIME_MAX_NOTE, NULL);
    gsize length = 0;
    const char *text = data ? g_bytes_get_data(data, &length) : NULL;
    return length > 0 ? seal_text_line(text, length, 1000) : NULL;
}

static void say_rest(const Round *round)
{
    g_autofree char *left_out = read_left_out(round);
    g_autofree char *count = g_strdup_printf("%u others", round->put_off);

    if (round->put_off > 0)
        say_row(round, count, "put off", 0, "the time for one round, or for one CA in it, is over");
    if (left_out)
        say_row(round, SMIME_WANTED, "left out", 0, left_out);
}

/* What was tried in vain, and what is needed now and did not have its turn. One that failed before
 * and is not due again was told then. */
static gboolean judge_round(const Round *round, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (round->failed > 0)
        g_string_append_printf(text,
                               "%u of %u revocation lists could not be fetched; the first: %s",
                               round->failed, round->tried, round->first->message);
    if (round->lacking > 0)
        g_string_append_printf(text,
                               "%s%u revocation lists that are missing or out of date were put off "
                               "to the next round; the first: %s",
                               text->len > 0 ? "; " : "", round->lacking, round->lack);
    if (text->len > 0)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, text->str);
    return text->len == 0;
}

static gboolean run_round(Round *round, GError **error)
{
    g_autoptr(GError) problem = NULL;
    int lock = lock_folder(round, &problem);

    if (problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (lock < 0) {
        round->next = round->now;
        return TRUE;
    }
    visit_all(round);
    say_rest(round);
    g_autofree char *wanted = g_build_filename(round->folder, SMIME_WANTED, NULL);
    sweep_folder(round, round->folder);
    sweep_folder(round, wanted);
    close(lock);
    return judge_round(round, error);
}

char *smime_refresh_lack(SealModule *self)
{
    SmimeModule *module = seal_module_data(self);
    Round round = {
        .self = self, .module = module, .look = TRUE, .now = g_get_real_time() / G_USEC_PER_SEC};
    char *lack = NULL;
    g_autofree char *left_out = NULL;

    if (module->crl_mode == SMIME_CRL_OFF)
        return NULL;
    round.folder = smime_store_folder(self, FALSE, NULL);
    if (round.folder) {
        visit_all(&round);
        left_out = read_left_out(&round);
    }
    if (round.failed > 0)
        lack =
            g_strdup_printf("crl: of %u revocation lists that are wanted %u are missing or out of "
                            "date; the first: %s%s%s",
                            round.tried, round.failed, round.first->message, left_out ? "; " : "",
                            left_out ? left_out : "");
    else if (left_out)
        lack = g_strdup_printf("crl: %s", left_out);
    g_clear_error(&round.first);
    g_free(round.folder);
    return lack;
}

/* TRUE where nothing has come to be wanted since, and nothing is due. */
static gboolean is_idle(const Round *round)
{
    SmimeModule *module = round->module;
    g_autofree char *path = g_build_filename(round->folder, SMIME_WANTED, NULL);
    SealFileState state = {0};

    seal_file_state(path, &state);
    gboolean idle = !round->all && round->now < module->crl_due &&
                    seal_file_state_equal(&state, &module->crl_wanted) &&
                    !seal_file_state_is_young(&state, round->now);
    module->crl_wanted = state;
    return idle;
}

gboolean smime_refresh(SealModule *self, gboolean all, gint64 now, GCancellable *cancellable,
                       SealOut *out, gint64 *next, GError **error)
{
    SmimeModule *module = seal_module_data(self);
    Round round = {.self = self,
                   .module = module,
                   .all = all,
                   .now = now,
                   .cancellable = cancellable,
                   .out = out,
                   .next = G_MAXINT64};

    *next = G_MAXINT64;
    if (module->crl_mode == SMIME_CRL_OFF)
        return TRUE;
    *next = now + LOOK_AGAIN;
    if (g_cancellable_is_cancelled(cancellable))
        return TRUE;
    round.folder = smime_store_folder(self, TRUE, error);
    if (!round.folder)
        return FALSE;
    if (is_idle(&round)) {
        g_free(round.folder);
        return TRUE;
    }
    round.begun = g_get_monotonic_time();
    round.spent = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gboolean ok = load_fetcher(&round, error) && run_round(&round, error);
    module->crl_due = ok || round.failed > 0 || round.lacking > 0 ? round.next : now;
    g_hash_table_unref(round.spent);
    g_clear_error(&round.first);
    g_free(round.lack);
    g_free(round.folder);
    return ok;
}
