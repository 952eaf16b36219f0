/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-pgp.h"

#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>

static GBytes *run(const char *home, const char *const *argv, gboolean *ok)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    GBytes *out = NULL;
    g_autoptr(GBytes) err = NULL;

    if (home)
        g_subprocess_launcher_setenv(launcher, "GNUPGHOME", home, TRUE);
    g_autoptr(GSubprocess) child = g_subprocess_launcher_spawnv(launcher, argv, &error);
    g_assert_no_error(error);
    g_subprocess_communicate(child, NULL, NULL, &out, &err, &error);
    g_assert_no_error(error);
    *ok = g_subprocess_get_if_exited(child) && g_subprocess_get_exit_status(child) == 0;
    if (!*ok)
        g_test_message("%s: %.*s", argv[0], (int)g_bytes_get_size(err),
                       (const char *)g_bytes_get_data(err, NULL));
    return out;
}

GBytes *gpg(Pgp *pgp, const char *home, const char *first, ...)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    va_list args;
    gboolean ok;

    g_ptr_array_add(argv, (gpointer) "gpg");
    g_ptr_array_add(argv, (gpointer) "--batch");
    g_ptr_array_add(argv, (gpointer) "--yes");
    va_start(args, first);
    for (const char *word = first; word; word = va_arg(args, const char *))
        g_ptr_array_add(argv, (gpointer)word);
    va_end(args);
    g_ptr_array_add(argv, NULL);
    GBytes *out = run(home, (const char *const *)argv->pdata, &ok);
    g_assert_true(ok);
    return out;
}

GBytes *gpg_decrypt(Pgp *pgp, const char *home, const char *path)
{
    const char *argv[] = {"gpg", "--batch", "--decrypt", path, NULL};
    gboolean ok;

    return run(home, argv, &ok);
}

void gpg_generate(Pgp *pgp, const char *home, const char *user_id, const char *passphrase)
{
    g_bytes_unref(gpg(pgp, home, "--pinentry-mode", "loopback", "--passphrase",
                      passphrase ? passphrase : "", "--quick-gen-key", user_id, "future-default",
                      "default", "never", NULL));
}

GBytes *gpg_export(Pgp *pgp, const char *home, const char *user_id, gboolean armor)
{
    return gpg(pgp, home, armor ? "--armor" : "--no-armor", "--export", user_id, NULL);
}

char *pgp_write(Pgp *pgp, const char *name, const void *data, gsize length)
{
    char *path = g_build_filename(pgp->dir, name, NULL);

    g_assert_true(g_file_set_contents(path, data, (gssize)length, NULL));
    return path;
}

void pgp_prepare(Pgp *pgp)
{
    g_autofree char *conf = NULL;
    g_autofree char *state = NULL;

    /* A socket's path is short. */
    pgp->dir = g_dir_make_tmp("sp-XXXXXX", NULL);
    pgp->theirs = g_build_filename(pgp->dir, "theirs", NULL);
    pgp->ours = g_build_filename(pgp->dir, "ours", NULL);
    conf = g_build_filename(pgp->dir, "conf.d", NULL);
    state = g_build_filename(pgp->dir, "state", NULL);
    g_assert_cmpint(g_mkdir(pgp->theirs, 0700), ==, 0);
    g_assert_cmpint(g_mkdir(pgp->ours, 0700), ==, 0);
    g_assert_cmpint(g_mkdir(conf, 0755), ==, 0);
    g_assert_cmpint(g_mkdir(state, 0700), ==, 0);
}

gboolean pgp_open(Pgp *pgp, const char *settings, GError **error)
{
    g_autofree char *text =
        g_strdup_printf("[core]\nspool_dir=%s\nstate_dir=%s/state\nlog_target=%s/log\n"
                        "[policy]\nformats=pgp\n[module pgp]\n%s\n",
                        pgp->dir, pgp->dir, pgp->dir, settings ? settings : "");
    g_autofree char *conf = g_build_filename(pgp->dir, "conf.d", NULL);

    g_clear_pointer(&pgp->dispatcher, seal_dispatcher_free);
    g_free(pgp_write(pgp, "conf.d/10-test.conf", text, strlen(text)));
    pgp->dispatcher = seal_dispatcher_new(conf, NULL, error);
    if (!pgp->dispatcher)
        return FALSE;
    pgp->format = seal_dispatcher_format(pgp->dispatcher, "pgp", &pgp->module);
    g_assert_nonnull(pgp->format);
    return TRUE;
}

void pgp_start(Pgp *pgp)
{
    g_autoptr(GError) error = NULL;

    pgp_prepare(pgp);
    g_autofree char *settings = g_strdup_printf("home=%s", pgp->ours);
    pgp_open(pgp, settings, &error);
    g_assert_no_error(error);
}

static void stop_agent(const char *home)
{
    const char *argv[] = {"gpgconf", "--kill", "all", NULL};
    gboolean ok;

    g_bytes_unref(run(home, argv, &ok));
}

void pgp_end(Pgp *pgp)
{
    const char *argv[] = {"rm", "-rf", pgp->dir, NULL};
    gboolean ok;

    g_clear_pointer(&pgp->dispatcher, seal_dispatcher_free);
    if (!pgp->dir)
        return;
    stop_agent(pgp->theirs);
    stop_agent(pgp->ours);
    g_bytes_unref(run(NULL, argv, &ok));
    g_free(pgp->theirs);
    g_free(pgp->ours);
    g_clear_pointer(&pgp->dir, g_free);
}

gboolean pgp_logged(Pgp *pgp, const char *text)
{
    g_autofree char *path = g_build_filename(pgp->dir, "log", NULL);
    g_autofree char *log = NULL;

    return g_file_get_contents(path, &log, NULL, NULL) && strstr(log, text);
}

GPtrArray *pgp_keys(Pgp *pgp, GBytes *data, GError **error)
{
    SealOrigin origin = {
        .size = sizeof origin, .source = "test", .place = "place", .trust = SEAL_TRUST_VERIFIED};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!pgp->format->read(pgp->module, data, &origin, keys, error) && keys->len == 0)
        return NULL;
    return g_steal_pointer(&keys);
}

SealKey *pgp_key(Pgp *pgp, GBytes *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) keys = pgp_keys(pgp, data, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    return seal_key_ref(g_ptr_array_index(keys, 0));
}

SealKey *pgp_home_key(Pgp *pgp, const char *text)
{
    g_autoptr(SealAddress) address = seal_address_parse(text, NULL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) error = NULL;

    g_assert_true(pgp->format->signers(pgp->module, address, NULL, keys, &error));
    g_assert_no_error(error);
    return keys->len == 1 ? seal_key_ref(g_ptr_array_index(keys, 0)) : NULL;
}

char *pgp_judge(Pgp *pgp, SealKey *key, SealPurpose purpose, gint64 at, char **text)
{
    return pgp_judge_for(pgp, key, NULL, purpose, at, text);
}

char *pgp_judge_for(Pgp *pgp, SealKey *key, const char *whose, SealPurpose purpose, gint64 at,
                    char **text)
{
    g_autoptr(SealAddress) address = whose ? seal_address_parse(whose, NULL) : NULL;
    g_autoptr(SealDecision) decision = seal_decision_new("key", "test");
    g_autoptr(GError) error = NULL;

    g_assert_true(pgp->format->usable(pgp->module, key, address, purpose, at, decision, &error));
    g_assert_no_error(error);
    if (text)
        *text = g_strdup(seal_decision_text(decision));
    g_assert_cmpint(seal_decision_verdict(decision), ==,
                    g_str_equal(seal_decision_code(decision), "usable") ? SEAL_VERDICT_PASS
                                                                        : SEAL_VERDICT_SKIP);
    return g_strdup(seal_decision_code(decision));
}

SealDetection *pgp_look(Pgp *pgp, const void *message, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealContent) content = seal_content_new_copy(message, length);
    g_autoptr(SealMessage) parsed = seal_message_new(content, &error);
    g_assert_no_error(error);
    SealDetection *detection = seal_detection_new();

    g_assert_true(
        pgp->format->detect(pgp->module, seal_message_entity(parsed), NULL, detection, &error));
    g_assert_no_error(error);
    return detection;
}

GBytes *pgp_make(Pgp *pgp, const char *entity, gsize length, GPtrArray *keys, SealKey *signer,
                 gboolean hide, GError **error)
{
    g_autoptr(SealContent) content = seal_content_new_copy(entity, length);
    SealSealing sealing = {
        .size = sizeof sealing, .entity = content, .keys = keys, .signer = signer, .hide = hide};
    g_autoptr(SealContent) made = keys ? pgp->format->encrypt(pgp->module, &sealing, NULL, error)
                                       : pgp->format->sign(pgp->module, &sealing, NULL, error);

    return made ? seal_content_to_bytes(made, G_MAXINT32, error) : NULL;
}

GBytes *pgp_armor_of(GBytes *entity, const char *label)
{
    g_autofree char *begin = g_strdup_printf("-----BEGIN PGP %s-----", label);
    g_autofree char *end = g_strdup_printf("-----END PGP %s-----\n", label);
    gsize size;
    const char *data = g_bytes_get_data(entity, &size);
    const char *from = g_strstr_len(data, (gssize)size, begin);
    const char *to = g_strstr_len(data, (gssize)size, end);

    g_assert_nonnull(from);
    g_assert_nonnull(to);
    return g_bytes_new(from, (gsize)(to - from) + strlen(end));
}
