/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-secret.c: secret files.
 */
#include "core/sealpipe.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *secret_file(const char *text, mode_t mode)
{
    char *path = NULL;
    int fd = g_file_open_tmp("sealpipe-XXXXXX", &path, NULL);

    g_assert_cmpint(write(fd, text, strlen(text)), ==, (gssize)strlen(text));
    g_assert_cmpint(fchmod(fd, mode), ==, 0);
    close(fd);
    return path;
}

static void test_read(void)
{
    static const struct {
        const char *text;
        const char *line;
    } rows[] = {
        {"pass", "pass"}, {"pass\n", "pass"},    {"pass\r\nmore\n", "pass"},
        {"", ""},         {"\nsecond line", ""}, {" pass ", " pass "},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = secret_file(rows[i].text, 0640);
        g_autoptr(SealSecret) secret = seal_secret_read(path, NULL);
        g_autoptr(SealSecret) line = seal_secret_first_line(secret, NULL);

        g_assert_cmpmem(seal_secret_data(secret), seal_secret_size(secret), rows[i].text,
                        strlen(rows[i].text));
        g_assert_cmpmem(seal_secret_data(line), seal_secret_size(line), rows[i].line,
                        strlen(rows[i].line));
        unlink(path);
    }
}

static void test_refused(void)
{
    g_autofree char *open_path = secret_file("pass", 0644);
    g_autoptr(GString) large = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    g_assert_null(seal_secret_read(open_path, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, "0640"));
    g_assert_null(strstr(error->message, "pass\""));
    unlink(open_path);

    for (int i = 0; i < 70000; i++)
        g_string_append_c(large, 'x');
    g_autofree char *large_path = secret_file(large->str, 0600);
    g_assert_null(seal_secret_read(large_path, NULL));
    unlink(large_path);
    g_assert_null(seal_secret_read("/", NULL));
    g_assert_null(seal_secret_read("/nonexistent", NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/secret/read", test_read);
    g_test_add_func("/secret/refused", test_refused);
    return g_test_run();
}
