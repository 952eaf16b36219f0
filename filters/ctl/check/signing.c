/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * signing.c: the keys that mail is signed with: each is tried, wherever its private half is. One
 * whose addresses another serves has been replaced, and nothing is to be said of it.
 */
#include "filters/ctl/check/check.h"

#include <string.h>

enum {
    MAX_TRIED = 200, /* keys */
    SOON = 30,       /* days */
    DAY = 86400,
};

#define TOPIC "signing"

typedef struct {
    SealKey *key;
    char *text;
    gint64 until;
    gboolean usable;
    gboolean late; /* it did not answer */
    char *why;     /* where it is not usable */
} Signer;

static void signer_free(gpointer data)
{
    Signer *signer = data;

    seal_key_unref(signer->key);
    g_free(signer->text);
    g_free(signer->why);
    g_free(signer);
}

/* -------------------------------------------------------------------------------------------
 * Trying
 */

/* A label may be of a subject alone. (transfer full) */
static char *describe_signer(const SealEnding *ending)
{
    GPtrArray *addresses = seal_key_addresses(ending->key);
    const char *address =
        addresses->len > 0 ? seal_address_text(g_ptr_array_index(addresses, 0)) : NULL;

    return !address || strstr(ending->text, address)
               ? g_strdup(ending->text)
               : g_strdup_printf("%s (%s)", address, ending->text);
}

static void try_signer(SealDispatcher *dispatcher, Signer *signer)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealDecision) decision = seal_dispatcher_try_signer(dispatcher, signer->key, &error);

    signer->late = g_error_matches(error, SEAL_ERROR, SEAL_ERROR_DEADLINE);
    signer->usable = decision && seal_decision_verdict(decision) == SEAL_VERDICT_PASS;
    if (!signer->usable)
        signer->why = g_strdup(decision ? seal_decision_text(decision) : error->message);
}

/* What does not answer for one key makes the next wait as long. */
static gboolean is_waited_for(GPtrArray *signers, const SealKey *key)
{
    for (guint i = 0; i < signers->len; i++) {
        const Signer *signer = g_ptr_array_index(signers, i);

        if (signer->late && g_str_equal(seal_key_format(signer->key), seal_key_format(key)))
            return TRUE;
    }
    return FALSE;
}

static GPtrArray *try_signers(CheckRun *run, GPtrArray *own)
{
    GPtrArray *signers = g_ptr_array_new_with_free_func(signer_free);

    for (guint i = 0; i < own->len; i++) {
        const SealEnding *ending = g_ptr_array_index(own, i);

        if (ending->what != SEAL_ENDING_SIGNER)
            continue;
        if (signers->len == MAX_TRIED) {
            check_leave(run, TOPIC, "keys to sign with beyond the first %d", MAX_TRIED);
            break;
        }
        if (is_waited_for(signers, ending->key)) {
            check_leave(run, TOPIC, "%s: the key of %s, since another one does not answer",
                        seal_key_format(ending->key), ending->text);
            continue;
        }
        Signer *signer = g_new0(Signer, 1);
        signer->key = seal_key_ref(ending->key);
        signer->text = describe_signer(ending);
        signer->until = ending->until;
        try_signer(check_dispatcher(run), signer);
        g_ptr_array_add(signers, signer);
    }
    return signers;
}

/* Another one signs for @address, to @until or longer. */
static gboolean is_served(GPtrArray *signers, const Signer *but, SealAddress *address, gint64 until)
{
    for (guint i = 0; i < signers->len; i++) {
        const Signer *signer = g_ptr_array_index(signers, i);

        if (signer != but && signer->usable && signer->until > until &&
            seal_key_is_for(signer->key, address))
            return TRUE;
    }
    return FALSE;
}

static gboolean is_replaced(GPtrArray *signers, const Signer *signer, gint64 until)
{
    GPtrArray *addresses = seal_key_addresses(signer->key);

    for (guint i = 0; i < addresses->len; i++) {
        if (!is_served(signers, signer, g_ptr_array_index(addresses, i), until))
            return FALSE;
    }
    return addresses->len > 0;
}

/* -------------------------------------------------------------------------------------------
 * What is said of each
 */

static void put_unusable(CheckRun *run, const Signer *signer)
{
    const char *place = seal_key_place(signer->key);
    g_autofree char *day = seal_text_day(signer->until);
    gboolean expired = signer->until <= g_get_real_time() / G_USEC_PER_SEC;

    if (signer->late)
        check_put(run, CHECK_PROBLEM, TOPIC,
                  "end what does not answer: with OpenPGP the gpg-agent, see the topic gnupg",
                  "%s: %s when a signature with the key of %s was tried",
                  seal_key_format(signer->key), signer->why, signer->text);
    else if (expired && !strstr(signer->why, day))
        check_put(run, CHECK_PROBLEM, TOPIC, "renew it, or have another one take its place",
                  "%s, which signs for %s, expired on %s: %s", seal_key_format(signer->key),
                  signer->text, day, signer->why);
    else if (expired)
        check_put(run, CHECK_PROBLEM, TOPIC,
                  "renew it, or put one that is valid in its place: sealctl keys add --server",
                  "%s: %s%s%s", seal_key_format(signer->key), signer->why,
                  place ? "; it is in " : "", place ? place : "");
    else
        check_put(run, CHECK_PROBLEM, TOPIC,
                  "mend that, or put another key in its place; what it would sign waits or leaves "
                  "unsigned",
                  "%s: cannot sign with the key of %s: %s", seal_key_format(signer->key),
                  signer->text, signer->why);
}

static void put_ending(CheckRun *run, const Signer *signer, gint64 now)
{
    g_autofree char *day = seal_text_day(signer->until);

    check_put(run, CHECK_WARNING, TOPIC, "renew it in time, and put the new one beside it",
              "%s: the key of %s expires on %s, in %d days", seal_key_format(signer->key),
              signer->text, day, (int)((signer->until - now) / DAY));
}

static void look_at_signer(CheckRun *run, GPtrArray *signers, const Signer *signer, gint64 now)
{
    if (!signer->usable && !is_replaced(signers, signer, now))
        put_unusable(run, signer);
    else if (signer->usable && signer->until < now + SOON * DAY &&
             !is_replaced(signers, signer, signer->until))
        put_ending(run, signer, now);
}

/* CAs that go along with signatures. */
static void look_at_chain(CheckRun *run, const SealEnding *ending, gint64 now)
{
    g_autofree char *day = seal_text_day(ending->until);

    if (ending->what != SEAL_ENDING_CHAIN || ending->successor || ending->until > now + SOON * DAY)
        return;
    check_put(run, CHECK_WARNING, TOPIC, "get the CA's new certificate, and put it in its place",
              "the CA certificate of %s, which goes along with signatures, %s on %s", ending->text,
              ending->until <= now ? "expired" : "expires", day);
}

/* -------------------------------------------------------------------------------------------
 * What is asked for
 */

static gboolean wants_signing(CheckRun *run)
{
    const char *sign = check_setting(run, "policy", "sign");

    return sign && !g_str_equal(sign, "never");
}

static void look_at_sender(CheckRun *run, const char *rule, const char *text)
{
    g_autoptr(SealAddress) address = seal_address_parse(text, NULL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!address || strpbrk(text, "*?<>") || *text == '@' ||
        !seal_dispatcher_own_keys(check_dispatcher(run), address, keys, NULL) || keys->len > 0)
        return;
    check_put(run, CHECK_PROBLEM, TOPIC,
              "put a key of this address where mail is signed from: sealctl keys add --server; or "
              "change sign= in that rule",
              "[%s] has sign=required for %s, and there is no key that signs as that address: its "
              "mail is refused",
              rule, text);
}

static void look_at_rule(const char *rule, const char *senders, gpointer user_data)
{
    g_auto(GStrv) list = g_strsplit(senders, ";", -1);

    for (guint i = 0; list[i] && i < MAX_TRIED; i++)
        look_at_sender(user_data, rule, g_strstrip(list[i]));
}

static void look_at_any(CheckRun *run, GPtrArray *signers)
{
    const char *sign = check_setting(run, "policy", "sign");

    if (signers->len > 0 || !wants_signing(run) ||
        (check_has_trouble(run, TOPIC) && !g_str_equal(sign, "required")))
        return;
    check_put(run, g_str_equal(sign, "required") ? CHECK_PROBLEM : CHECK_WARNING, TOPIC,
              "name keys to sign with: server_keys= in [module smime], or home= in [module pgp]; "
              "or set sign=never",
              "[policy] sign=%s, and there is no key to sign with", sign);
}

/* Whoever it is for, there is nothing to do it with. */
static void look_at_keyless_rule(const char *rule, G_GNUC_UNUSED const char *senders,
                                 gpointer user_data)
{
    CheckRun *run = user_data;

    if (!check_has_problem(run, TOPIC))
        check_put(run, CHECK_PROBLEM, TOPIC,
                  "name keys to sign with: server_keys= in [module smime], or home= in [module "
                  "pgp]; or change sign= in that rule",
                  "[%s] has sign=required, and there is no key to sign with: mail that it is for "
                  "is refused",
                  rule);
}

static void put_fine(CheckRun *run, GPtrArray *signers)
{
    const Signer *first = signers->len > 0 ? g_ptr_array_index(signers, 0) : NULL;
    g_autofree char *day = first ? seal_text_day(first->until) : NULL;

    if (!first)
        check_put(run, CHECK_OK, TOPIC, NULL,
                  "there is no key to sign with, and none is asked for");
    else if (first->until == G_MAXINT64)
        check_put(run, CHECK_OK, TOPIC, NULL, "%u %s can sign, and none expires", signers->len,
                  signers->len == 1 ? "key" : "keys");
    else
        check_put(run, CHECK_OK, TOPIC, NULL,
                  "%u %s can sign; the first to expire is that of %s, on %s", signers->len,
                  signers->len == 1 ? "key" : "keys", first->text, day);
}

void check_signing(CheckRun *run)
{
    g_autofree char *trouble = NULL;
    g_autoptr(GPtrArray) own = seal_dispatcher_own_endings(check_dispatcher(run), &trouble);
    g_autoptr(GPtrArray) signers = try_signers(run, own);
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;

    if (trouble)
        check_leave(run, TOPIC, "%s", trouble);
    for (guint i = 0; i < signers->len; i++)
        look_at_signer(run, signers, g_ptr_array_index(signers, i), now);
    for (guint i = 0; i < own->len; i++)
        look_at_chain(run, g_ptr_array_index(own, i), now);
    look_at_any(run, signers);
    check_visit_rules(run, "sign", "required", look_at_rule, run);
    if (signers->len == 0 && !trouble)
        check_visit_rules(run, "sign", "required", look_at_keyless_rule, run);
    if (!check_has_trouble(run, TOPIC) && !trouble)
        put_fine(run, signers);
}
