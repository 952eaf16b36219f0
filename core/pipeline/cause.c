/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cause.c: that one format has no key is not the whole of it where another has one that expired
 * yesterday.
 */
#include "core/pipeline/cause.h"

#include "core/plugin/decision.h"

#include <string.h>

enum {
    MAX_TEXT = 300, /* so that the rule finds room in an SMTP reply behind it */
    KEY_ID = 16,    /* characters of a fingerprint that people know a key by */
};

/* From what is only to be renewed to what never was of use. */
static const struct {
    const char *code;
    guint rank;
} RANKS[] = {
    {"pending", 96},
    {SEAL_CODE_IN_DOUBT, 94},
    {SEAL_CODE_UNSUPPORTED, 92},
    {"expired", 90},
    {"revoked", 88},
    {"not-yet-valid", 86},
    {"disabled", 84},
    {"chain-expired", 80},
    {"weak-chain", 78},
    {"untrusted", 76},
    {"trust", 74},
    {"weak-key", 70},
    {"key-usage", 68},
    {"ext-key-usage", 68},
    {"no-encryption-key", 66},
    {"no-signing-key", 66},
    {"no-secret-key", 66},
    {"purpose", 66},
    {"algorithm", 64},
    {"user-id", 50},
    {"rejected", 48},
    {"address", 50},
    {"flooded", 46},
    {"invalid", 44},
    {"unavailable", 20},
    /* Most likely it has nothing for the address, and what is not known is no reason. */
    {"source-trust", 0},
};

enum { RANK_UNKNOWN = 60 }; /* a module's own */

void seal_cause_clear(SealCause *cause)
{
    g_clear_pointer(&cause->text, g_free);
}

guint seal_cause_rank(const char *code)
{
    for (guint i = 0; code && i < G_N_ELEMENTS(RANKS); i++) {
        if (g_str_equal(RANKS[i].code, code))
            return RANKS[i].rank;
    }
    return code ? RANK_UNKNOWN : 0;
}

static gboolean passes_over(const SealDecision *decision)
{
    const char *step = seal_decision_step(decision);
    const SealAbout *about = seal_decision_peek_about(decision);

    if (about && about->is_extra)
        return FALSE;
    return seal_decision_verdict(decision) == SEAL_VERDICT_SKIP && seal_decision_text(decision) &&
           (g_str_equal(step, "key") || g_str_equal(step, "source"));
}

/* NULL: there is none. */
static const SealDecision *find_best(GPtrArray *decisions, guint from, guint *most)
{
    const SealDecision *best = NULL;

    *most = 0;
    for (guint i = from; i < decisions->len; i++) {
        const SealDecision *decision = g_ptr_array_index(decisions, i);
        guint rank = passes_over(decision) ? seal_cause_rank(seal_decision_code(decision)) : 0;

        if (rank > *most) {
            best = decision;
            *most = rank;
        }
    }
    return best;
}

gboolean seal_cause_has(GPtrArray *decisions, guint from, const char *code)
{
    for (guint i = from; i < decisions->len; i++) {
        const SealDecision *decision = g_ptr_array_index(decisions, i);

        if (passes_over(decision) && g_strcmp0(seal_decision_code(decision), code) == 0)
            return TRUE;
    }
    return FALSE;
}

guint seal_cause_rank_of(GPtrArray *decisions, guint from)
{
    guint most;

    find_best(decisions, from, &most);
    return most;
}

static char *text_of(const SealDecision *decision)
{
    const char *text = seal_decision_text(decision);
    const char *key = seal_decision_key(decision);
    const char *address = seal_decision_subject(decision);
    gboolean has_address = strstr(text, address) != NULL;

    if (!key || (strstr(text, key) && has_address))
        return g_strdup(text);
    return g_strdup_printf("%s (key %.*s%s%s)", text, KEY_ID, key, has_address ? "" : " for ",
                           has_address ? "" : address);
}

SealCause seal_cause_find(GPtrArray *decisions, guint from, const char *none)
{
    guint most;
    const SealDecision *best = find_best(decisions, from, &most);

    if (!best)
        return (SealCause){0, g_strdup(none)};
    g_autofree char *text = text_of(best);
    /* That a source was left out says why there is no key, and that there is none must be said. */
    if (most < seal_cause_rank("invalid"))
        return (SealCause){most, g_strdup_printf("%s: %s", none, text)};
    return (SealCause){most, g_steal_pointer(&text)};
}

/* Appends @text where it fits, or is the first. */
static void append_text(GString *all, const char *text)
{
    if (all->len == 0) {
        g_autofree char *line = seal_text_line(text, strlen(text), MAX_TEXT);
        g_string_append(all, line);
    } else if (all->len + 2 + strlen(text) <= MAX_TEXT) {
        g_string_append_printf(all, "; %s", text);
    }
}

char *seal_cause_tell(const SealCause *causes, guint count)
{
    GString *all = g_string_new(NULL);
    guint most = 0, told = 0;

    for (guint i = 0; i < count; i++)
        most = MAX(most, causes[i].rank);
    for (guint rank = most + 1; rank > 0 && told < (most > 0 ? 2 : count); rank--) {
        for (guint i = 0; i < count; i++) {
            /* Beside what tells something, that there is nothing tells nothing. */
            if (causes[i].rank != rank - 1 || (most > 0 && causes[i].rank == 0))
                continue;
            append_text(all, causes[i].text);
            told++;
        }
    }
    return g_string_free(all, FALSE);
}
