/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * context.c: GPGME's start, the homes that gpg gets, and what it reports. GPGME says Success when
 * gpg has died, so that nothing counts but what gpg itself has reported to the end.
 */
#include "context.h"
#include "agent.h"
#include "home.h"

#include <string.h>

/* Nobody else uses a home of our own, and the kernel has random octets at any time: gpg takes more
 * from it whether or not it has kept some in a file. */
#define QUICK "lock-never\nno-random-seed-file\n"

/* Where others tend to the home and its agent. */
#define TENDED "no-autostart\nno-auto-check-trustdb\n"

/* Of a home of our own. gpg 2.4 lists user ids that their key's owner never certified, and 2.2 does
 * not: such are dropped by both. */
#define OPTIONS "no-allow-non-selfsigned-uid\n" QUICK

gboolean pgp_fail_gpgme(GError **error, SealError code, const char *what, gpgme_error_t problem)
{
    char text[160] = "";

    gpgme_strerror_r(problem, text, sizeof text);
    g_set_error(error, SEAL_ERROR, code, "%s: %s", what, text);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What gpg reports
 */

static void note_encryption(PgpStatus *status, const char *arguments)
{
    g_auto(GStrv) words = g_strsplit(arguments, " ", 4);

    if (g_strv_length(words) >= 2) {
        status->integrity = g_ascii_strtoull(words[0], NULL, 10) > 0 ||
                            (words[2] && g_ascii_strtoull(words[2], NULL, 10) > 0);
        status->cipher = (guint)g_ascii_strtoull(words[1], NULL, 10);
    }
}

/* "SIG_CREATED <type> <key algorithm> <hash> <class> <time> <fingerprint>" */
static void note_signature(PgpStatus *status, const char *arguments)
{
    g_auto(GStrv) words = g_strsplit(arguments, " ", 7);

    status->signatures++;
    if (g_strv_length(words) >= 6) {
        status->hash = (guint)g_ascii_strtoull(words[2], NULL, 10);
        g_autofree char *lower = g_ascii_strdown(words[5], -1);
        g_strlcpy(status->signer, lower, sizeof status->signer);
    }
}

static gpgme_error_t note_status(void *data, const char *keyword, const char *arguments)
{
    PgpStatus *status = data;

    if (g_str_equal(keyword, "IMPORT_RES"))
        status->import_ended = TRUE;
    else if (g_str_equal(keyword, "ERROR") && g_str_has_prefix(arguments, "keylist.getkey "))
        status->no_such_key = TRUE;
    else if (g_str_equal(keyword, "BEGIN_ENCRYPTION"))
        note_encryption(status, arguments);
    else if (g_str_equal(keyword, "END_ENCRYPTION"))
        status->end_encryption = TRUE;
    else if (g_str_equal(keyword, "GOODSIG") || g_str_equal(keyword, "BADSIG") ||
             g_str_equal(keyword, "ERRSIG") || g_str_equal(keyword, "EXPSIG") ||
             g_str_equal(keyword, "EXPKEYSIG") || g_str_equal(keyword, "REVKEYSIG") ||
             g_str_equal(keyword, "NODATA") || g_str_equal(keyword, "FAILURE"))
        status->told = TRUE;
    else if (g_str_equal(keyword, "SIG_CREATED"))
        note_signature(status, arguments);
    return 0;
}

/* -------------------------------------------------------------------------------------------
 * Life
 */

PgpEngine *pgp_engine_new(SealModule *self, const char *home, gboolean tended,
                          SealSecret *passphrase)
{
    PgpEngine *engine = g_new0(PgpEngine, 1);

    engine->self = self;
    engine->home = g_strdup(home);
    engine->tended = tended;
    engine->passphrase = passphrase;
    return engine;
}

void pgp_engine_free(PgpEngine *engine)
{
    if (!engine)
        return;
    seal_folder_free(engine->joined);
    seal_folder_free(engine->folder);
    g_free(engine->home);
    seal_secret_free(engine->passphrase);
    g_free(engine);
}

/* Asks GPGME for as few children as it can do with: gpgconf is not asked where gpg is, and the home
 * goes through the environment, since setting it in the context has gpg's version asked again. */
static gboolean start_gpgme(GError **error)
{
    static gsize once = 0;

    if (g_once_init_enter(&once)) {
        gboolean ok = gpgme_set_global_flag("disable-gpgconf", "1") == 0 &&
                      gpgme_set_global_flag("gpg-name", "gpg") == 0 &&
                      gpgme_check_version("1.18.0") != NULL;
        g_once_init_leave(&once, ok ? 1 : 2);
    }
    if (once == 1)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MODULE,
                        "GPGME cannot start, or is older than 1.18.0");
    return FALSE;
}

/* GPGME runs gpg for its version where it has not yet done so. */
gboolean pgp_engine_prepare(GError **error)
{
    if (!start_gpgme(error))
        return FALSE;
    gpgme_error_t problem = gpgme_engine_check_version(GPGME_PROTOCOL_OpenPGP);
    return !problem || pgp_fail_gpgme(error, SEAL_ERROR_FAILED, "gpg cannot be used", problem);
}

/* gpg speaks to nobody but us, and reads a dozen files for any language but this one. */
static void set_environment(const char *home)
{
    if (g_strcmp0(g_getenv("GNUPGHOME"), home) != 0)
        g_setenv("GNUPGHOME", home, TRUE);
    if (g_strcmp0(g_getenv("LC_ALL"), "C") != 0)
        g_setenv("LC_ALL", "C", TRUE);
}

gboolean pgp_context_write_options(const SealFolder *folder, const char *options, GError **error)
{
    g_autofree char *path = g_build_filename(seal_folder_path(folder), "gpg.conf", NULL);

    return g_file_set_contents(path, options, -1, error);
}

gboolean pgp_context_make_folder(PgpEngine *engine, GError **error)
{
    g_autoptr(SealFolder) folder =
        engine->folder ? NULL : seal_module_make_folder(engine->self, error);

    if (!folder)
        return engine->folder != NULL;
    if (!pgp_context_write_options(folder, OPTIONS, error))
        return FALSE;
    engine->folder = g_steal_pointer(&folder);
    return TRUE;
}

/* Of what others keep for us: gpg wants to write beside it, and finds the agent in its home. */
static gboolean make_joined(PgpEngine *engine, GError **error)
{
    g_autoptr(SealFolder) folder =
        engine->joined ? NULL : seal_module_make_folder(engine->self, error);

    if (!folder)
        return engine->joined != NULL;
    if (!pgp_context_write_options(folder, OPTIONS TENDED, error) ||
        !pgp_agent_join(seal_folder_path(folder), engine->home, error))
        return FALSE;
    engine->joined = g_steal_pointer(&folder);
    return TRUE;
}

/* A context in @home that reports gpg's status lines to @status. */
gboolean pgp_context_open_in(const char *home, PgpStatus *status, PgpLoop *loop, gpgme_ctx_t *ctx,
                             GError **error)
{
    if (!pgp_engine_prepare(error))
        return FALSE;
    set_environment(home);

    gpgme_error_t problem = gpgme_new(ctx);
    if (!problem)
        problem = gpgme_set_ctx_flag(*ctx, "full-status", "1");
    if (problem)
        return pgp_fail_gpgme(error, SEAL_ERROR_FAILED, "gpg cannot be used", problem);
    gpgme_set_offline(*ctx, 1);
    gpgme_set_armor(*ctx, 1);
    gpgme_set_status_cb(*ctx, note_status, status);
    pgp_loop_init(loop, *ctx);
    return TRUE;
}

/* @in_home: gpg needs what is in the operator's home, if there is one; else in one of our own. A
 * home without a ring has nothing that is needed, and gpg would make one there, which would then
 * say of everybody that he has no key. */
gboolean pgp_context_open(PgpEngine *engine, gboolean in_home, PgpStatus *status, PgpLoop *loop,
                          gpgme_ctx_t *ctx, GError **error)
{
    g_autofree char *ring = in_home && engine->home ? pgp_home_ring(engine->home, NULL) : NULL;

    if (!ring)
        return pgp_context_make_folder(engine, error) &&
               pgp_context_open_in(seal_folder_path(engine->folder), status, loop, ctx, error);
    if (!engine->tended)
        return pgp_context_open_in(engine->home, status, loop, ctx, error);
    return make_joined(engine, error) &&
           pgp_context_open_in(seal_folder_path(engine->joined), status, loop, ctx, error);
}

gboolean pgp_context_import(const char *home, const GByteArray *octets, const char *what,
                            GCancellable *cancellable, GError **error)
{
    g_auto(gpgme_data_t) data = NULL;
    g_auto(PgpLoop) loop = {0};
    g_auto(gpgme_ctx_t) ctx = NULL;
    PgpStatus status = {0};

    if (!pgp_context_open_in(home, &status, &loop, &ctx, error))
        return FALSE;
    gpgme_error_t problem =
        gpgme_data_new_from_mem(&data, (const char *)octets->data, octets->len, 0);
    if (!problem)
        problem = gpgme_op_import_start(ctx, data);
    if (!problem)
        problem = pgp_loop_run(&loop, ctx, cancellable);
    if (!problem && status.import_ended)
        return TRUE;
    return pgp_fail_gpgme(error, SEAL_ERROR_UNAVAILABLE, what, problem);
}
