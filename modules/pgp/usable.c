/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * usable.c: the rules by which a key may serve: each refusal names the key and what is wrong with
 * it, in a way that its owner can act upon.
 */
#include "pgp.h"

/* What is asked, and where the answer goes. */
typedef struct {
    SealKey *key;
    PgpKey *native;
    SealAddress *address; /* whose it is to be, or NULL */
    SealPurpose purpose;
    gint64 at;
    SealDecision *decision;
    const char *home; /* or NULL */
} Question;

G_GNUC_PRINTF(3, 4)
static gboolean refuse_key(Question *question, const char *code, const char *format, ...)
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

/* It may be fit, but not here. */
static gboolean refuse_unsupported(Question *question, const char *what)
{
    seal_decision_set_usable(question->decision, SEAL_KEY_UNSUPPORTED, SEAL_CODE_UNSUPPORTED,
                             "the key %s of %s %s, which gpg here cannot use",
                             seal_key_fingerprint(question->key), seal_key_label(question->key),
                             what);
    return FALSE;
}

static const char *purpose_name(const Question *question)
{
    return question->purpose == SEAL_PURPOSE_ENCRYPT ? "encryption" : "signatures";
}

static gboolean refuse_without_subkey(Question *question, const char *lack)
{
    return refuse_key(question,
                      question->purpose == SEAL_PURPOSE_ENCRYPT ? "no-encryption-key"
                                                                : "no-signing-key",
                      "has no %s for %s", lack, purpose_name(question));
}

/* -------------------------------------------------------------------------------------------
 * What can be told without gpg
 */

static gint find_address(GPtrArray *texts, const SealAddress *wanted, guint from)
{
    for (guint i = from; i < texts->len; i++) {
        g_autoptr(SealAddress) address = seal_address_parse(g_ptr_array_index(texts, i), NULL);

        if (address && seal_address_equal(address, wanted))
            return (gint)i;
    }
    return -1;
}

/* Of a key that nobody here can verify, what it says itself, as far as it makes it unfit. */
static gboolean check_claims(Question *question)
{
    const PgpKey *key = question->native;

    if (key->says_revoked)
        return refuse_key(question, "revoked", "was revoked");
    if (key->valid_until <= question->at) {
        g_autofree char *date = seal_text_day(key->valid_until);
        return refuse_key(question, "expired", "expired on %s", date);
    }
    if (question->address && find_address(key->addresses, question->address, 0) < 0)
        return refuse_key(question, "user-id", "is not one of %s",
                          seal_address_text(question->address));
    return refuse_unsupported(question, key->unsupported);
}

static gboolean check_form(Question *question)
{
    PgpKey *key = question->native;

    if (key->is_revocation)
        return refuse_key(question, "revoked", "is a revocation alone");
    if (question->purpose == SEAL_PURPOSE_ISSUE)
        return refuse_key(question, "purpose",
                          "cannot vouch for other keys: that is for S/MIME alone");
    if (key->flooded)
        return refuse_key(
            question, "flooded",
            "is flooded: it has more user ids, subkeys or signatures than a key can need");
    if (key->unsupported)
        return check_claims(question);
    if (key->revoked_by_other)
        return refuse_key(question, "revoked", "was revoked by a key that it names as its revoker");
    if (!(seal_key_purposes(question->key) &
          (question->purpose == SEAL_PURPOSE_VERIFY ? SEAL_PURPOSE_SIGN : question->purpose)))
        return refuse_without_subkey(question, "subkey");
    if (question->purpose == SEAL_PURPOSE_ENCRYPT && !key->preferences.aes)
        return refuse_key(
            question, "algorithm",
            key->preferences.has_ciphers
                ? "does not have AES among its preferred ciphers"
                : "names no preferred ciphers, so that its owner may not be able to decrypt AES");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * What gpg has verified
 */

static gboolean check_primary(Question *question)
{
    const PgpJudgement *judgement = question->native->judgement;

    if (!judgement->known || judgement->subkeys->len == 0)
        return refuse_key(question, "invalid",
                          question->native->in_home
                              ? "is no longer in home, or gpg finds nothing valid in it"
                              : "is broken, or has no valid user id");
    if (judgement->revoked)
        return refuse_key(question, "revoked", "was revoked");
    if (judgement->disabled)
        return refuse_key(question, "disabled", "was disabled in home");

    const PgpJudgedSubkey *primary = &g_array_index(judgement->subkeys, PgpJudgedSubkey, 0);
    if (judgement->invalid || primary->dead)
        return refuse_key(question, "invalid", "is not valid: gpg rejects its primary key");
    if (primary->created > question->at) {
        g_autofree char *date = seal_text_day(primary->created);
        return refuse_key(question, "not-yet-valid", "is valid only from %s", date);
    }
    if (primary->expires && primary->expires <= question->at) {
        g_autofree char *date = seal_text_day(primary->expires);
        return refuse_key(question, "expired", "expired on %s", date);
    }
    return TRUE;
}

/* gpg does not say, through GPGME, when a user id's signature has expired. */
static gint64 bound_until(const PgpKey *key, const SealAddress *address)
{
    gint64 until = 0;

    for (gint i = find_address(key->addresses, address, 0); i >= 0;
         i = find_address(key->addresses, address, (guint)i + 1))
        until = MAX(until, g_array_index(key->bound_until, gint64, i));
    return until;
}

/* Only the address in question: anybody can add a user id to a copy of somebody's key. */
static gboolean check_address(Question *question)
{
    const PgpKey *key = question->native;

    if (!question->address)
        return TRUE;
    if (find_address(key->judgement->addresses, question->address, 0) >= 0) {
        gint64 until = bound_until(key, question->address);
        if (until > question->at)
            return TRUE;
        g_autofree char *date = seal_text_day(until);
        return refuse_key(question, "user-id", "is not one of %s any more: that ended on %s",
                          seal_address_text(question->address), date);
    }
    return refuse_key(question, "user-id",
                      "is not one of %s: it has no user id with that address that its owner has "
                      "validly signed and not revoked",
                      seal_address_text(question->address));
}

static gboolean serves_purpose(const Question *question, const PgpJudgedSubkey *subkey)
{
    return question->purpose == SEAL_PURPOSE_ENCRYPT ? subkey->encrypts : subkey->signs;
}

static gboolean is_live(const Question *question, const PgpJudgedSubkey *subkey)
{
    return !subkey->dead && subkey->created <= question->at &&
           (!subkey->expires || subkey->expires > question->at);
}

/* That others have theirs there and this one has not is an answer. With none at all, nobody can
 * tell whether it never was, or the folder is not what was set up. */
static gboolean refuse_without_secret(Question *question)
{
    g_autofree char *lack = question->home ? pgp_home_lacks_secrets(question->home) : NULL;

    if (!lack)
        return refuse_key(question, "no-secret-key", "has no secret key in home");
    return refuse_key(question, SEAL_CODE_IN_DOUBT,
                      "cannot sign: %s; mount it, or restore it from a backup", lack);
}

/* The one that lives may be of a kind that gpg leaves out. */
static const PgpSubkey *find_unknown(const Question *question)
{
    GArray *subkeys = question->native->subkeys;

    for (guint i = 1; question->purpose == SEAL_PURPOSE_ENCRYPT && i < subkeys->len; i++) {
        const PgpSubkey *subkey = &g_array_index(subkeys, PgpSubkey, i);

        if (!subkey->known && subkey->created <= question->at &&
            subkey->encrypts_until > question->at)
            return subkey;
    }
    return NULL;
}

/* One that is dead hides no other that lives. */
static gboolean check_subkeys(Question *question)
{
    GArray *subkeys = question->native->judgement->subkeys;
    gint64 expired = 0;
    gboolean any = FALSE, secret_lacks = FALSE;

    for (guint i = 0; i < subkeys->len; i++) {
        const PgpJudgedSubkey *subkey = &g_array_index(subkeys, PgpJudgedSubkey, i);

        if (!serves_purpose(question, subkey))
            continue;
        any = TRUE;
        if (!is_live(question, subkey)) {
            if (!subkey->dead && subkey->expires && subkey->expires <= question->at)
                expired = MAX(expired, subkey->expires);
        } else if (question->purpose == SEAL_PURPOSE_SIGN && !subkey->secret) {
            secret_lacks = TRUE;
        } else {
            return TRUE;
        }
    }
    if (secret_lacks)
        return refuse_without_secret(question);
    const PgpSubkey *unknown = find_unknown(question);
    if (unknown) {
        g_autofree char *name = pgp_algorithm_name(unknown->algorithm);
        g_autofree char *what = g_strdup_printf("encrypts with %s alone", name);
        return refuse_unsupported(question, what);
    }
    if (expired) {
        g_autofree char *date = seal_text_day(expired);
        return refuse_key(question, "expired", "has no live subkey for %s: the last expired on %s",
                          purpose_name(question), date);
    }
    return refuse_without_subkey(question, any ? "live subkey" : "subkey");
}

gboolean pgp_usable(SealModule *self, SealKey *key, SealAddress *address, SealPurpose purpose,
                    gint64 at, SealDecision *decision, GError **error)
{
    PgpModule *module = seal_module_data(self);
    Question question = {key, seal_key_native(key), address, purpose, at, decision, module->home};

    if (!check_form(&question))
        return TRUE;
    if (!pgp_judge(module->judged, module->engine, question.native, error))
        return FALSE;
    if (check_primary(&question) && check_address(&question) && check_subkeys(&question))
        seal_decision_set_usable(decision, SEAL_KEY_USABLE, "usable", "the key %s of %s is valid",
                                 seal_key_fingerprint(key), seal_key_label(key));
    return TRUE;
}
