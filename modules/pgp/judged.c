/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * judged.c: a judgement is of a key's octets, and of one in the home, of what else the home says.
 * It holds as long as these are the same and no time has passed that could change it. Keys are told
 * from one another by their octets alone: what was merged, or read anew, is another one where
 * anything differs.
 */
#include "judged.h"
#include "home.h"

#include <stdlib.h>

enum {
    MOST = 500,    /* that are remembered */
    LASTING = 600, /* seconds: gpg itself, and its options for the whole system, may change */
    DOUBTFUL = 1,  /* seconds: it may have changed again within one tick of the file's clock */
    SETTLED = 2,   /* seconds after which that cannot be */
    REFUSED = 10,  /* seconds: what gpg does not take may be from a clock that is ahead */
    DRIFT = 1,     /* seconds by which clocks may differ before one of them was set */
};

typedef struct {
    char *name;
    PgpJudgement *judgement;
    char *state; /* of the home; NULL: it is not in there */
    gint64 since;
    gint64 until;
    gint64 ticks; /* seconds of a clock that nobody sets, then */
    GList link;
} Entry;

struct PgpJudged {
    char *home;
    GHashTable *entries; /* by name */
    GQueue order;        /* the last one used first */
};

static void entry_free(gpointer data)
{
    Entry *entry = data;

    pgp_judgement_unref(entry->judgement);
    g_free(entry->state);
    g_free(entry->name);
    g_free(entry);
}

PgpJudged *pgp_judged_new(const char *home)
{
    PgpJudged *judged = g_new0(PgpJudged, 1);

    judged->home = g_strdup(home);
    judged->entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_free);
    g_queue_init(&judged->order);
    return judged;
}

void pgp_judged_free(PgpJudged *judged)
{
    if (!judged)
        return;
    g_hash_table_unref(judged->entries);
    g_free(judged->home);
    g_free(judged);
}

static gint64 now_seconds(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

static gint64 now_ticks(void)
{
    return g_get_monotonic_time() / G_USEC_PER_SEC;
}

/* When the first of its subkeys ends. */
static gint64 next_expiry(const PgpJudgement *judgement, gint64 now)
{
    gint64 next = G_MAXINT64;

    for (guint i = 0; i < judgement->subkeys->len; i++) {
        const PgpJudgedSubkey *subkey = &g_array_index(judgement->subkeys, PgpJudgedSubkey, i);

        if (subkey->expires > now)
            next = MIN(next, subkey->expires);
        if (subkey->created > now)
            next = MIN(next, subkey->created);
    }
    return next;
}

static gint64 lasting(const PgpJudgement *judgement)
{
    return judgement->known && !judgement->invalid && judgement->addresses->len > 0 ? LASTING
                                                                                    : REFUSED;
}

static void forget_entry(PgpJudged *judged, Entry *entry)
{
    g_queue_unlink(&judged->order, &entry->link);
    g_hash_table_remove(judged->entries, entry->name);
}

static gboolean holds(const Entry *entry, const char *state)
{
    gint64 now = now_seconds(), passed = now - entry->since;

    return passed >= 0 && now < entry->until &&
           llabs(now_ticks() - entry->ticks - passed) <= DRIFT &&
           g_strcmp0(entry->state, state) == 0;
}

static void remember(PgpJudged *judged, const char *name, PgpJudgement *judgement, char *state,
                     gint64 newest)
{
    Entry *entry = g_new0(Entry, 1);
    gint64 now = now_seconds();

    entry->name = g_strdup(name);
    entry->judgement = pgp_judgement_ref(judgement);
    entry->state = state;
    entry->since = now;
    entry->ticks = now_ticks();
    entry->until = MIN(now + lasting(judgement), next_expiry(judgement, now));
    if (state && newest + SETTLED > now)
        entry->until = MIN(entry->until, now + DOUBTFUL);
    entry->link.data = entry;
    g_hash_table_insert(judged->entries, entry->name, entry);
    g_queue_push_head_link(&judged->order, &entry->link);
    if (judged->order.length > MOST)
        forget_entry(judged, g_queue_peek_tail(&judged->order));
}

static void set_judgement(PgpKey *key, PgpJudgement *judgement)
{
    pgp_judgement_ref(judgement);
    pgp_judgement_unref(key->judgement);
    key->judgement = judgement;
}

/* The judgement that is remembered by that name, if it still holds. */
static PgpJudgement *recall(PgpJudged *judged, const char *name, const char *state)
{
    Entry *entry = g_hash_table_lookup(judged->entries, name);

    if (entry && holds(entry, state)) {
        g_queue_unlink(&judged->order, &entry->link);
        g_queue_push_head_link(&judged->order, &entry->link);
        return entry->judgement;
    }
    if (entry)
        forget_entry(judged, entry);
    return NULL;
}

/* The home is looked at before gpg is asked: what changes meanwhile is seen the next time. */
gboolean pgp_judge(PgpJudged *judged, PgpEngine *engine, PgpKey *key, GError **error)
{
    g_autofree char *name =
        g_strdup_printf("%s %d %d", pgp_key_digest(key), key->in_home, key->merged);
    gint64 newest = 0;
    g_autofree char *state =
        key->in_home && judged->home ? pgp_home_full_state(judged->home, &newest) : NULL;
    PgpJudgement *known = recall(judged, name, state);

    if (known) {
        set_judgement(key, known);
        return TRUE;
    }
    g_autoptr(PgpJudgement) judgement = pgp_engine_judge(engine, key, error);
    if (!judgement)
        return FALSE;
    set_judgement(key, judgement);
    remember(judged, name, judgement, g_steal_pointer(&state), newest);
    return TRUE;
}

PgpJudgement *pgp_judge_vouchers(PgpJudged *judged, PgpEngine *engine, PgpKey *key,
                                 GPtrArray *vouchers, gint64 clock, GError **error)
{
    g_autoptr(GString) name = g_string_new(pgp_key_digest(key));

    for (guint i = 0; i < vouchers->len; i++)
        g_string_append_printf(name, " %s", pgp_key_digest(g_ptr_array_index(vouchers, i)));
    g_string_append_printf(name, " %" G_GINT64_FORMAT, clock);
    PgpJudgement *known = recall(judged, name->str, NULL);
    if (known)
        return pgp_judgement_ref(known);
    PgpJudgement *judgement = pgp_engine_ask_vouchers(engine, key, vouchers, clock, error);
    if (judgement)
        remember(judged, name->str, judgement, NULL, 0);
    return judgement;
}
