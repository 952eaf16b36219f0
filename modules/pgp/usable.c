/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * usable.c: the rules by which a key may serve: each refusal names the key and what is wrong with
 * it, in a way that its owner can act upon.
 */
#include "pgp.h"

/* What is in the home may change, there or in gpg's trust database. */
static const gint64 FRESH = 10 * G_USEC_PER_SEC;

/* What is asked, and where the answer goes. */
typedef struct {
    SealKey *key;
    PgpKey *native;
    SealPurpose purpose;
    gint64 at;
    SealDecision *decision;
} Question;

G_GNUC_PRINTF(3, 4)
static gboolean find_unusable(Question *question, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    seal_decision_set_usable(question->decision, SEAL_KEY_UNUSABLE, code, "the key %s of %s %s",
                             seal_key_fingerprint(question->key), seal_key_label(question->key),
                             why);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What can be told without gpg
 */

static gboolean check_form(Question *question)
{
    PgpKey *key = question->native;

    if (question->purpose == SEAL_PURPOSE_ISSUE)
        return find_unusable(question, "purpose", "cannot vouch for others here");
    if (key->flooded)
        return find_unusable(
            question, "flooded",
            "is flooded: it has more certifications and subkeys than a key can need");
    if (key->revoked_by_other)
        return find_unusable(question, "revoked",
                             "was revoked by somebody whom it has named for that");
    if (!(seal_key_purposes(question->key) & question->purpose))
        return question->purpose == SEAL_PURPOSE_ENCRYPT
                   ? find_unusable(question, "no-encryption-key", "has no subkey for encryption")
                   : find_unusable(question, "no-signing-key", "has no subkey for signatures");
    if (question->purpose == SEAL_PURPOSE_ENCRYPT && !key->preferences.aes)
        return find_unusable(question, "algorithm",
                             key->preferences.has_ciphers
                                 ? "does not have AES among its preferred ciphers"
                                 : "does not say that its owner can decrypt AES");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * What gpg has verified
 */

static gboolean check_primary(Question *question)
{
    const PgpJudgement *judgement = question->native->judgement;

    if (!judgement->known || judgement->subkeys->len == 0)
        return find_unusable(question, "invalid",
                             question->native->in_home
                                 ? "is no longer in home, or nothing in it is valid"
                                 : "has no valid user id, or is broken");
    if (judgement->revoked)
        return find_unusable(question, "revoked", "was revoked");
    if (judgement->disabled)
        return find_unusable(question, "disabled", "was disabled in home");

    const PgpJudgedSubkey *primary = &g_array_index(judgement->subkeys, PgpJudgedSubkey, 0);
    if (judgement->invalid || primary->dead)
        return find_unusable(question, "invalid", "is not valid in gpg's judgement");
    if (primary->created > question->at) {
        g_autofree char *date = seal_text_day(primary->created);
        return find_unusable(question, "not-yet-valid", "is valid only from %s", date);
    }
    if (primary->expires && primary->expires <= question->at) {
        g_autofree char *date = seal_text_day(primary->expires);
        return find_unusable(question, "expired", "expired on %s", date);
    }
    return TRUE;
}

/* Every address that it claims, since nobody says here which of them is asked about. */
static gboolean check_addresses(Question *question)
{
    GPtrArray *claimed = question->native->addresses;

    for (guint i = 0; i < claimed->len; i++) {
        const char *address = g_ptr_array_index(claimed, i);

        if (!g_ptr_array_find_with_equal_func(question->native->judgement->addresses, address,
                                              g_str_equal, NULL))
            return find_unusable(question, "user-id",
                                 "has a user id with %s that it has not validly signed", address);
    }
    return TRUE;
}

static gboolean subkey_serves(const Question *question, const PgpJudgedSubkey *subkey)
{
    return question->purpose == SEAL_PURPOSE_ENCRYPT ? subkey->encrypts : subkey->signs;
}

static gboolean subkey_lives(const Question *question, const PgpJudgedSubkey *subkey)
{
    return !subkey->dead && subkey->created <= question->at &&
           (!subkey->expires || subkey->expires > question->at);
}

/* One that is dead hides no other that lives. */
static gboolean check_subkeys(Question *question)
{
    const char *purpose = question->purpose == SEAL_PURPOSE_ENCRYPT ? "encryption" : "signatures";
    GArray *subkeys = question->native->judgement->subkeys;
    gint64 expired = 0;
    gboolean any = FALSE, secret_lacks = FALSE;

    for (guint i = 0; i < subkeys->len; i++) {
        const PgpJudgedSubkey *subkey = &g_array_index(subkeys, PgpJudgedSubkey, i);

        if (!subkey_serves(question, subkey))
            continue;
        any = TRUE;
        if (!subkey_lives(question, subkey)) {
            if (!subkey->dead && subkey->expires && subkey->expires <= question->at)
                expired = MAX(expired, subkey->expires);
        } else if (question->purpose == SEAL_PURPOSE_SIGN && !subkey->secret) {
            secret_lacks = TRUE;
        } else {
            return TRUE;
        }
    }
    if (secret_lacks)
        return find_unusable(question, "no-secret-key", "has no secret part in home");
    if (expired) {
        g_autofree char *date = seal_text_day(expired);
        return find_unusable(question, "expired",
                             "has no live subkey for %s: the last expired on %s", purpose, date);
    }
    return find_unusable(question,
                         question->purpose == SEAL_PURPOSE_ENCRYPT ? "no-encryption-key"
                                                                   : "no-signing-key",
                         any ? "has no live subkey for %s" : "has no subkey for %s", purpose);
}

static gboolean is_fresh(const PgpKey *key)
{
    return key->judgement && (!key->in_home || g_get_monotonic_time() - key->judged < FRESH);
}

gboolean pgp_usable(SealModule *self, SealKey *key, SealPurpose purpose, gint64 at,
                    SealDecision *decision, GError **error)
{
    PgpModule *module = seal_module_data(self);
    Question question = {key, seal_key_native(key), purpose, at, decision};

    if (!check_form(&question))
        return TRUE;
    if (!is_fresh(question.native) && !pgp_engine_judge(module->engine, question.native, error))
        return FALSE;
    if (check_primary(&question) && check_addresses(&question) && check_subkeys(&question))
        seal_decision_set_usable(decision, SEAL_KEY_USABLE, "usable", "the key %s of %s is valid",
                                 seal_key_fingerprint(key), seal_key_label(key));
    return TRUE;
}
