/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-user.c: what goes when root becomes somebody else. tests/mta/service.py has the programs.
 */
#include "core/base/user.h"

#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const ROOTS[] = {
    "TMPDIR",          "TMP",           "TEMP",     "XDG_RUNTIME_DIR", "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME", "XDG_DATA_HOME", "GNUPGHOME"};

/* In a child: there is no way back. */
static int become(const struct passwd *user)
{
    for (guint i = 0; i < G_N_ELEMENTS(ROOTS); i++)
        g_setenv(ROOTS[i], "/root", TRUE);
    g_setenv("HOME", "/root", TRUE);
    g_setenv("OTHER", "stays", TRUE);
    if (!seal_user_become(user->pw_uid, NULL))
        return 1;
    for (guint i = 0; i < G_N_ELEMENTS(ROOTS); i++) {
        if (g_getenv(ROOTS[i]))
            return 2;
    }
    if (g_strcmp0(g_getenv("HOME"), user->pw_dir) != 0 || !g_getenv("OTHER"))
        return 3;
    return geteuid() == user->pw_uid && prctl(PR_GET_DUMPABLE) == 0 ? 0 : 4;
}

static void test_become(void)
{
    const struct passwd *user = getpwnam("daemon");
    int status = 0;

    if (geteuid() != 0 || !user) {
        g_test_skip("only root becomes somebody else");
        return;
    }
    pid_t child = fork();
    if (child == 0)
        _exit(become(user));
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static void test_find(void)
{
    g_autoptr(GError) error = NULL;
    uid_t user = 1;

    g_assert_true(seal_user_find("root", &user, NULL));
    g_assert_cmpuint(user, ==, 0);
    user = 1;
    g_assert_true(seal_user_find("0", &user, NULL));
    g_assert_cmpuint(user, ==, 0);
    g_assert_false(seal_user_find("no such user", &user, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_false(seal_user_find("4294967295", &user, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/user/find", test_find);
    g_test_add_func("/user/become", test_become);
    return g_test_run();
}
