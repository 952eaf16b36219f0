/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * install.c: private keys of others' making into the folder where this module looks for them. A
 * file there that does not open stops all mail: so it is opened before it is put there.
 */
#include "smime.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/err.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_NAME = 100,
    MAX_TRIES = 1000, /* names that are taken */
};

/* -------------------------------------------------------------------------------------------
 * What is in it
 */

static gboolean is_openpgp(const guint8 *data, gsize length)
{
    static const char begin[] = "-----BEGIN PGP ";

    return length > 0 && ((*data & 0x80) || memmem(data, length, begin, strlen(begin)));
}

static gboolean has_cert(const SmimePrivate *found, EVP_PKEY *key)
{
    gboolean yes = FALSE;

    for (guint i = 0; !yes && i < found->bundle.certs->len; i++)
        yes = X509_check_private_key(g_ptr_array_index(found->bundle.certs, i), key) == 1;
    ERR_clear_error();
    return yes;
}

static gboolean check_found(const SmimePrivate *found, GError **error)
{
    for (guint i = 0; i < found->keys->len; i++) {
        if (has_cert(found, g_ptr_array_index(found->keys, i)))
            continue;
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY,
                            "a private key without its certificate: put both into one file, with "
                            "the CAs between");
        return FALSE;
    }
    return TRUE;
}

/* With the passphrases that the module will have when it reads it again. */
static gboolean open_as_later(SealModule *self, SmimePrivate *found, const guint8 *data,
                              gsize length, GError **error)
{
    g_autoptr(GPtrArray) passwords = smime_passwords_read(self, error);

    return passwords && smime_private_read(found, data, length, passwords, error);
}

static gboolean opens_with(const SealSecret *passphrase, const guint8 *data, gsize length)
{
    g_autoptr(GPtrArray) passwords = passphrase ? smime_passwords_new(passphrase, NULL) : NULL;
    g_auto(SmimePrivate) found = {0};

    smime_private_init(&found);
    return passwords && smime_private_read(&found, data, length, passwords, NULL);
}

static gboolean refuse_passphrase(SealModule *self, GError **error)
{
    const char *path = seal_module_string(self, "passphrase_file");

    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                        path && *path
                            ? "this passphrase opens it, and the one that the service has does "
                              "not; one of [module smime] passphrase_file opens all files of "
                              "server_keys: give this file the same"
                            : "this passphrase opens it, and the service has none: [module smime] "
                              "passphrase_file is not set; put the passphrase there");
    return FALSE;
}

static gboolean open_file(SealModule *self, SmimePrivate *found, const SealSecret *passphrase,
                          const guint8 *data, gsize length, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (open_as_later(self, found, data, length, &problem))
        return check_found(found, error);
    if (!smime_work_failed(&found->work) && opens_with(passphrase, data, length))
        return refuse_passphrase(self, error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What is there already
 */

typedef struct {
    const SmimePrivate *found;
    EVP_PKEY *key;
    char *place; /* of the key, with a certificate that was found */
} Search;

static void compare_listed(guint number, const guint8 *octets, gsize length, gpointer user_data)
{
    Search *search = user_data;
    gsize front = strnlen((const char *)octets, length) + 1;
    const guint8 *der = octets + front;

    if (search->place || number == G_MAXUINT || front >= length)
        return;
    X509 *cert = d2i_X509(NULL, &der, (long)(length - front));
    gboolean same = cert && X509_check_private_key(cert, search->key) == 1;
    for (guint i = 0; same && !search->place && i < search->found->bundle.certs->len; i++) {
        if (X509_cmp(cert, g_ptr_array_index(search->found->bundle.certs, i)) == 0)
            search->place = g_strdup((const char *)octets);
    }
    X509_free(cert);
    ERR_clear_error();
}

/* Where the keys are, of which each is; else NULL. (transfer full) */
static char *find_place(SealModule *self, const SmimePrivate *found)
{
    g_autofree char *place = NULL;

    for (guint i = 0; i < found->keys->len; i++) {
        Search search = {.found = found, .key = g_ptr_array_index(found->keys, i)};
        gboolean told = seal_module_list_private(self, compare_listed, &search, NULL);

        g_free(place);
        place = search.place;
        if (!told || !place)
            return NULL;
    }
    return g_steal_pointer(&place);
}

/* -------------------------------------------------------------------------------------------
 * Where it goes
 */

static const char *find_folder(SealModule *self, GError **error)
{
    const char *const *path = seal_module_list(self, "server_keys");

    while (*path && !g_file_test(*path, G_FILE_TEST_IS_DIR))
        path++;
    if (!*path)
        seal_module_refuse(self, "server_keys", error,
                           "there is no folder among these to put private keys into; make one that "
                           "others cannot read, and name it there");
    return *path;
}

/* Of what the file was called, letters that mean nothing to anybody; and one of the suffixes that
 * key files have. */
static char *safe_name(const char *name, gboolean text)
{
    g_autofree char *base = g_path_get_basename(name);
    g_autofree char *plain = g_strndup(base, MAX_NAME);

    g_strcanon(plain, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-", '_');
    const char *start = plain + strspn(plain, "._-");
    const char *suffix = text ? ".pem" : ".p12";
    if (g_str_has_suffix(start, suffix) || g_str_has_suffix(start, ".pfx") ||
        g_str_has_suffix(start, ".key"))
        return g_strdup(start);
    return g_strconcat(*start ? start : "key", suffix, NULL);
}

static char *group_name(gid_t gid)
{
    const struct group *group = getgrgid(gid);

    return group ? g_strdup(group->gr_name) : g_strdup_printf("%u", (guint)gid);
}

/* A file there that the service cannot read would stop all mail. Where the folder is lent to it by
 * its group, so are the files. */
static void set_denied(const char *folder, GError **error)
{
    struct stat st = {0};
    gboolean found = stat(folder, &st) == 0;
    const struct passwd *owner = found ? getpwuid(st.st_uid) : NULL;
    const char *name = owner ? owner->pw_name : "its owner";
    gboolean lent =
        found && st.st_mode & S_IRGRP && (st.st_gid == getegid() || group_member(st.st_gid));
    g_autofree char *group = group_name(lent ? st.st_gid : getegid());

    if (lent)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                    "%s belongs to %s, who alone may write there; as root: install -o %s -g %s "
                    "-m 0640 FILE %s/",
                    folder, name, name, group, folder);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                    "%s belongs to %s, who alone may write there; as root: install -o %s -m 0600 "
                    "FILE %s/ where sealpiped, started by root, keeps the keys; else the same with "
                    "-g %s -m 0640",
                    folder, name, name, folder, group);
}

static gboolean write_all(int fd, const guint8 *data, gsize length)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return FALSE;
        data += written;
        length -= (gsize)written;
    }
    return fsync(fd) == 0;
}

/* Under a name that is not looked at. */
static gboolean write_draft(const char *path, const guint8 *data, gsize length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return FALSE;
    gboolean ok = write_all(fd, data, length);
    ok = close(fd) == 0 && ok;
    if (!ok)
        unlink(path);
    return ok;
}

/* Nothing is ever put in the place of another. (transfer full) */
static char *link_draft(const char *draft, const char *folder, const char *name)
{
    const char *dot = strrchr(name, '.');

    for (guint i = 1; i <= MAX_TRIES; i++) {
        g_autofree char *number = i > 1 ? g_strdup_printf("-%u", i) : g_strdup("");
        char *path = g_strdup_printf("%s/%.*s%s%s", folder, (int)(dot - name), name, number, dot);

        if (link(draft, path) == 0)
            return path;
        g_free(path);
        if (errno != EEXIST)
            return NULL;
    }
    return NULL;
}

static gboolean sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gboolean ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

static char *put_file(const char *folder, const char *name, const guint8 *data, gsize length,
                      GError **error)
{
    g_autofree char *draft =
        g_strdup_printf("%s/.sealpipe-%d-%08x", folder, (int)getpid(), g_random_int());
    char *path = NULL;

    if (!write_draft(draft, data, length) && (errno == EACCES || errno == EPERM)) {
        set_denied(folder, error);
        return NULL;
    }
    if (g_file_test(draft, G_FILE_TEST_EXISTS))
        path = link_draft(draft, folder, name);
    int problem = errno;
    unlink(draft);
    if (path && sync_folder(folder))
        return path;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "cannot write to %s: %s", folder,
                g_strerror(path ? errno : problem));
    g_free(path);
    return NULL;
}

static gboolean fail_missing(GError **missing, GError **error)
{
    if (*missing)
        g_propagate_error(error, g_steal_pointer(missing));
    return FALSE;
}

/* That there is no folder is said before what is wrong with the file. */
gboolean smime_install(SealModule *self, GBytes *data, const SealSecret *passphrase,
                       const char *name, guint *count, char **where, GError **error)
{
    gsize length;
    const guint8 *octets = g_bytes_get_data(data, &length);
    g_auto(SmimePrivate) found = {0};
    g_autoptr(GError) missing = NULL;

    *count = 0;
    *where = NULL;
    if (length == 0 || is_openpgp(octets, length))
        return TRUE;
    smime_private_init(&found);
    if (!smime_secure_heap_start(error))
        return FALSE;
    const char *folder = find_folder(self, &missing);
    if (!open_file(self, &found, passphrase, octets, length, missing ? NULL : error))
        return fail_missing(&missing, error);
    if (found.keys->len == 0)
        return TRUE;
    if (!folder)
        return fail_missing(&missing, error);
    g_autofree char *safe = safe_name(name ? name : "", *octets != 0x30);
    *where = find_place(self, &found);
    if (!*where && !(*where = put_file(folder, safe, octets, length, error)))
        return FALSE;
    *count = found.keys->len;
    return TRUE;
}
