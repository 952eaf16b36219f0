/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * install.c: private keys into the home, by gpg as its user.
 */
#include "context.h"
#include "pgp.h"
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AGENT_SECONDS = 10 }; /* for a question to it */

/* -------------------------------------------------------------------------------------------
 * What there is
 */

static guint count_secrets(GBytes *data, const char *label)
{
    g_auto(PgpRing) ring = {0};

    if (label)
        pgp_ring_read_armor(&ring, data, label);
    else
        pgp_ring_read_packets(&ring, data);
    return ring.secrets->len;
}

/* Appends what gpg is to import, each of it one block or ring. */
static guint find_secrets(GBytes *data, GPtrArray *parts)
{
    g_auto(PgpBlock) block = {0};
    guint all = 0;

    if (pgp_ring_is_packets(data)) {
        g_ptr_array_add(parts, g_bytes_ref(data));
        return count_secrets(data, NULL);
    }
    for (gsize at = 0; pgp_block_next(data, &at, &block);) {
        guint count = g_str_equal(block.label, "PRIVATE KEY BLOCK") && !block.laid_by
                          ? count_secrets(block.octets, block.label)
                          : 0;
        if (count > 0)
            g_ptr_array_add(parts, g_bytes_ref(block.octets));
        all += count;
    }
    return all;
}

/* -------------------------------------------------------------------------------------------
 * The agent
 */

G_GNUC_NORETURN static void become(const char *const *argv)
{
    int nowhere = open("/dev/null", O_RDWR);

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(nowhere, fd);
    setpgid(0, 0);
    alarm(AGENT_SECONDS);
    execvp(*argv, (char *const *)argv);
    _exit(127);
}

static gboolean succeeds(const char *const *argv)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0)
        become(argv);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0;
}

static gboolean has_agent(const char *home)
{
    const char *argv[] = {"gpg-agent", "--homedir", home, NULL};

    return succeeds(argv);
}

/* The one that gpg starts outlives it, and nobody else would end it. */
static void end_agent(const char *home)
{
    const char *argv[] = {"gpg-connect-agent", "--homedir", home, "--no-autostart",
                          "KILLAGENT",         "/bye",      NULL};

    succeeds(argv);
}

/* -------------------------------------------------------------------------------------------
 * Putting them there
 */

/* Whose keys nobody else has to do with can put them there himself. */
static gboolean refuse_apart(const char *home, const char *name, GError **error)
{
    struct stat st;
    const struct passwd *owner = stat(home, &st) == 0 ? getpwuid(st.st_uid) : NULL;
    const char *user = owner ? owner->pw_name : "KEYS_USER";

    g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                "[module pgp] home %s is that of [daemon] keys_user, and keys are put there as "
                "that user: setpriv --reuid=%s --regid=%s --clear-groups gpg --homedir %s --batch "
                "--import < %s",
                home, user, user, home, name);
    return FALSE;
}

static gboolean check_home(SealModule *self, const char *name, GError **error)
{
    const PgpModule *module = seal_module_data(self);
    const char *home = seal_module_string(self, "home");

    if (module->missing)
        return refuse_apart(home, name, error);
    if (home)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                        "OpenPGP private keys belong into [module pgp] home, and none is set");
    return FALSE;
}

static gboolean install_parts(SealModule *self, GPtrArray *parts, const SealSecret *passphrase,
                              guint *taken, GError **error)
{
    const PgpModule *module = seal_module_data(self);
    const char *home = seal_module_string(self, "home");
    gboolean had_agent = has_agent(home), ok = TRUE;

    for (guint i = 0; i < parts->len && ok; i++)
        ok = pgp_engine_install(module->engine, g_ptr_array_index(parts, i), passphrase, taken,
                                error);
    if (!had_agent)
        end_agent(home);
    return ok;
}

/* gpg does not undo what it has done of it: the error says how far it came. */
gboolean pgp_install(SealModule *self, GBytes *data, const SealSecret *passphrase, const char *name,
                     guint *count, char **where, GError **error)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    guint wanted = find_secrets(data, parts), taken = 0;

    *count = 0;
    if (wanted == 0)
        return TRUE;
    if (!check_home(self, name, error))
        return FALSE;
    if (!install_parts(self, parts, passphrase, &taken, error))
        return FALSE;
    if (taken < wanted) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "gpg took %u of %u private keys in %s; `gpg --homedir %s --import`, as the "
                    "service's user, says what is wrong with the others",
                    taken, wanted, name, seal_module_string(self, "home"));
        return FALSE;
    }
    *count = wanted;
    *where = g_build_filename(seal_module_string(self, "home"), "private-keys-v1.d", NULL);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * gpg
 */

static gpgme_error_t give_passphrase(void *hook, const char *hint, const char *info, int was_bad,
                                     int fd)
{
    const SealSecret *secret = hook;

    if (was_bad)
        return gpgme_error(GPG_ERR_CANCELED);
    if (secret && seal_secret_size(secret) > 0 &&
        gpgme_io_writen(fd, seal_secret_data(secret), seal_secret_size(secret)) != 0)
        return gpgme_error_from_errno(errno);
    return gpgme_io_writen(fd, "\n", 1) == 0 ? 0 : gpgme_error_from_errno(errno);
}

static gpgme_error_t run_import(gpgme_ctx_t ctx, PgpLoop *loop, GBytes *octets,
                                const SealSecret *passphrase)
{
    g_auto(gpgme_data_t) data = NULL;
    gsize size;
    const char *text = g_bytes_get_data(octets, &size);
    gpgme_error_t problem = gpgme_data_new_from_mem(&data, text, size, 0);

    if (!problem)
        problem = gpgme_set_pinentry_mode(ctx, GPGME_PINENTRY_MODE_LOOPBACK);
    gpgme_set_passphrase_cb(ctx, give_passphrase, (void *)passphrase);
    if (!problem)
        problem = gpgme_op_import_start(ctx, data);
    return problem ? problem : pgp_loop_run(loop, ctx, NULL);
}

gboolean pgp_engine_install(PgpEngine *engine, GBytes *octets, const SealSecret *passphrase,
                            guint *taken, GError **error)
{
    g_auto(PgpLoop) loop = {0};
    g_auto(gpgme_ctx_t) ctx = NULL;
    PgpStatus status = {0};

    if (!pgp_context_open_in(engine->home, &status, &loop, &ctx, error))
        return FALSE;
    gpgme_error_t problem = run_import(ctx, &loop, octets, passphrase);
    gpgme_import_result_t result = gpgme_op_import_result(ctx);
    if (problem || !status.import_ended || !result)
        return pgp_fail_gpgme(error, SEAL_ERROR_UNAVAILABLE,
                              "gpg cannot import the private keys into home", problem);
    *taken += (guint)(result->secret_imported + result->secret_unchanged);
    return TRUE;
}
