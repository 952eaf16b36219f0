/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files-look.c: whether a file or folder can be used by who runs this, and by nobody else where it
 * is secret. A folder on the way that is closed is named, not what is in it.
 */
#include "filters/ctl/check/files.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_FILES = 100000, /* of one folder that are looked at */
    MAX_NAMED = 3,      /* of one folder that are named */
};

/* "owner root:mail, mode 0640", or "". (transfer full) */
static char *describe_mode(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return g_strdup("");
    const struct passwd *owner = getpwuid(st.st_uid);
    const struct group *group = getgrgid(st.st_gid);
    g_autofree char *user =
        owner ? g_strdup(owner->pw_name) : g_strdup_printf("%u", (guint)st.st_uid);
    g_autofree char *name =
        group ? g_strdup(group->gr_name) : g_strdup_printf("%u", (guint)st.st_gid);

    return g_strdup_printf(" (%s:%s, mode %04o)", user, name, (guint)st.st_mode & 07777);
}

static void put_fault(CheckRun *run, const FileItem *item, const char *path, const char *remedy,
                      const char *fault)
{
    g_autofree char *mode = describe_mode(path);

    if (!check_explain_path(run, "files", path))
        return;
    check_put(run, CHECK_PROBLEM, "files", remedy, "%s%s: %s (%s)", path, mode, fault, item->what);
}

/* -------------------------------------------------------------------------------------------
 * The way to it
 */

/* The first folder on the way that this user cannot enter; NULL: none. (transfer full) */
static char *find_closed(const char *path)
{
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        g_autofree char *folder = g_strndup(path, (gsize)(slash - path));

        if (access(folder, X_OK) != 0 && errno == EACCES)
            return g_steal_pointer(&folder);
    }
    return NULL;
}

static gboolean look_at_way(CheckRun *run, const FileItem *item, const char *user)
{
    g_autofree char *closed = find_closed(item->path);

    if (!closed)
        return TRUE;
    g_autofree char *fault = g_strdup_printf("user %s cannot enter this folder", user);
    g_autofree char *word = ctl_shell_word(closed);
    g_autofree char *remedy = g_strdup_printf(
        "let him through: chmod o+x %s; or move what is in it to where he can go", word);
    put_fault(run, item, closed, remedy, fault);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

/* Whoever may put files there chooses their names, and where links lead: root is not to run what a
 * name says, nor to open or hand over what is not meant. (transfer full) NULL: it is no link. */
static char *remedy_of_link(const char *path)
{
    g_autofree char *word = ctl_shell_word(path);

    if (!g_file_test(path, G_FILE_TEST_IS_SYMLINK))
        return NULL;
    return g_strdup_printf("see where this link leads (readlink -f %s), and who has put it there; "
                           "put what is meant in its place: a chmod or chown would be of what it "
                           "leads to",
                           word);
}

static char *remedy_to_read(const FileItem *item, const char *path, const char *user)
{
    gboolean folder = g_file_test(path, G_FILE_TEST_IS_DIR);
    g_autofree char *word = ctl_shell_word(path);
    char *of_link = g_str_equal(path, item->path) ? NULL : remedy_of_link(path);

    if (of_link)
        return of_link;
    if (item->use == FILE_PRIVATE)
        return g_strdup_printf("chown %s %s && chmod %s %s", user, word, folder ? "0700" : "0600",
                               word);
    return g_strdup_printf("chmod %s %s", folder ? "a+rx" : "a+r", word);
}

static void put_unreadable(CheckRun *run, const FileItem *item, const char *path, const char *user)
{
    g_autofree char *fault = g_strdup_printf("user %s cannot read it", user);
    g_autofree char *remedy = remedy_to_read(item, path, user);

    put_fault(run, item, path, remedy, fault);
}

static void look_at_secrecy(CheckRun *run, const FileItem *item, const char *path)
{
    struct stat st;

    if (item->use != FILE_PRIVATE || stat(path, &st) != 0 || S_ISDIR(st.st_mode) ||
        !(st.st_mode & (S_IROTH | S_IWOTH)))
        return;
    g_autofree char *word = ctl_shell_word(path);
    g_autofree char *remedy = g_str_equal(path, item->path) ? NULL : remedy_of_link(path);

    if (!remedy)
        remedy = g_strdup_printf("chmod o= %s", word);
    put_fault(run, item, path, remedy, "everybody on this host can read or change this secret");
}

/* TRUE where it can be read. */
static gboolean look_at_file(CheckRun *run, const FileItem *item, const char *path,
                             const char *user, guint *faults)
{
    struct stat st;

    if (stat(path, &st) != 0 || S_ISDIR(st.st_mode))
        return TRUE;
    look_at_secrecy(run, item, path);
    if (access(path, R_OK) == 0 || errno != EACCES)
        return TRUE;
    if (++*faults <= MAX_NAMED)
        put_unreadable(run, item, path, user);
    return FALSE;
}

static void look_in_folder(CheckRun *run, const FileItem *item, const char *user)
{
    g_autoptr(GDir) dir = g_dir_open(item->path, 0, NULL);
    guint faults = 0;
    const char *name;

    for (guint n = 0; dir && n < MAX_FILES && (name = g_dir_read_name(dir)); n++) {
        if (*name == '.')
            continue;
        g_autofree char *path = g_build_filename(item->path, name, NULL);
        look_at_file(run, item, path, user, &faults);
    }
    if (faults > MAX_NAMED) {
        g_autofree char *remedy = g_strdup_printf("chmod a+r on all files in %s", item->path);

        check_explain_path(run, "files", item->path);
        check_put(run, CHECK_PROBLEM, "files", remedy, "%s: user %s cannot read %u more files (%s)",
                  item->path, user, faults - MAX_NAMED, item->what);
    }
}

static void look_to_read(CheckRun *run, const FileItem *item, const char *user)
{
    guint faults = 0;
    struct stat st;

    if (stat(item->path, &st) != 0)
        return; /* the configuration says so */
    if (!S_ISDIR(st.st_mode)) {
        look_at_file(run, item, item->path, user, &faults);
        return;
    }
    if (access(item->path, R_OK | X_OK) == 0)
        look_in_folder(run, item, user);
    else
        put_unreadable(run, item, item->path, user);
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

/* It may have become a link by the time that root does it: then no other file's owner or mode is
 * changed. */
static void put_unwritable(CheckRun *run, const FileItem *item, const char *path, const char *user)
{
    g_autofree char *fault = g_strdup_printf("user %s cannot write there", user);
    g_autofree char *word = ctl_shell_word(path);
    g_autofree char *remedy = remedy_of_link(path);

    if (!remedy)
        remedy = g_strdup_printf("chown -h %s %s && runuser -u %s -- chmod u+rwX %s", user, word,
                                 user, word);
    put_fault(run, item, path, remedy, fault);
}

static void look_to_write(CheckRun *run, const FileItem *item, const char *user)
{
    if (access(item->path, F_OK) != 0) {
        g_autofree char *word = ctl_shell_word(item->path);
        g_autofree char *remedy = g_strdup_printf("install -d -m 0700 -o %s %s", user, word);
        put_fault(run, item, item->path, remedy, "there is no such folder");
    } else if (access(item->path, R_OK | W_OK | X_OK) != 0 && errno == EACCES) {
        put_unwritable(run, item, item->path, user);
    }
}

/* What is there is root's, say, from a time when something ran as another user. Others' folders may
 * stand there, too: a GnuPG home, lost+found. */
static void look_in_state(CheckRun *run, const FileItem *item, const char *user)
{
    static const char *const own[] = {"ledger", "journal", "keys-store", "license"};

    for (guint i = 0; i < G_N_ELEMENTS(own); i++) {
        g_autofree char *path = g_build_filename(item->path, own[i], NULL);
        struct stat st;

        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && access(path, R_OK | W_OK | X_OK) != 0 &&
            errno == EACCES)
            put_unwritable(run, item, path, user);
    }
}

static void look_at_state(CheckRun *run, const FileItem *item, const char *user)
{
    struct stat st;

    look_to_write(run, item, user);
    look_in_state(run, item, user);
    if (stat(item->path, &st) != 0 || !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return;
    g_autofree char *word = ctl_shell_word(item->path);
    g_autofree char *remedy = g_strdup_printf("chmod 0700 %s", word);
    put_fault(run, item, item->path, remedy, "others can write to it");
}

static void look_to_log(CheckRun *run, const FileItem *item, const char *user)
{
    g_autofree char *folder = g_path_get_dirname(item->path);

    if (access(item->path, F_OK) == 0) {
        if (access(item->path, W_OK) != 0)
            put_unwritable(run, item, item->path, user);
    } else if (access(folder, W_OK | X_OK) != 0) {
        g_autofree char *word = ctl_shell_word(item->path);
        g_autofree char *remedy = g_strdup_printf("install -m 0640 -o %s /dev/null %s", user, word);
        put_fault(run, item, item->path, remedy,
                  "there is no such file, and the service's user cannot make it");
    }
}

static void look_to_own(CheckRun *run, const FileItem *item, const char *user)
{
    struct stat st;

    if (stat(item->path, &st) != 0)
        return;
    if (st.st_uid == geteuid() && !(st.st_mode & (S_IRWXG | S_IRWXO) & ~(S_IXGRP | S_IXOTH)) &&
        access(item->path, R_OK | W_OK | X_OK) == 0)
        return;
    g_autofree char *fault = g_strdup_printf("it has to be user %s's alone", user);
    g_autofree char *word = ctl_shell_word(item->path);
    g_autofree char *remedy = g_strdup_printf("chown -Rh %s %s && runuser -u %s -- chmod 0700 %s",
                                              user, word, user, word);
    put_fault(run, item, item->path, remedy, fault);
}

static void look_to_connect(CheckRun *run, const FileItem *item, const char *user)
{
    if (access(item->path, F_OK) != 0 || access(item->path, W_OK) == 0)
        return;
    g_autofree char *fault = g_strdup_printf("user %s cannot connect to the daemon", user);
    put_fault(run, item, item->path,
              "set socket_mode= in [daemon] so that he can, 0666 for one, and restart sealpiped",
              fault);
}

/* -------------------------------------------------------------------------------------------
 * Who can change it
 */

/* The path is what the error begins with, whatever blanks are in it. (transfer full) */
static char *path_of_error(const GError *error)
{
    static const char *const faults[] = {" belongs ", " can be written ", " stands where ",
                                         " lets everybody "};
    const char *end = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(faults) && !end; i++)
        end = strstr(error->message, faults[i]);
    return end ? g_strndup(error->message, (gsize)(end - error->message))
               : g_strndup(error->message, strcspn(error->message, " "));
}

void files_look_at_owners(CheckRun *run, const FileItem *item)
{
    g_autoptr(GError) error = NULL;

    if (item->use == FILE_WRITE || item->use == FILE_STATE || item->use == FILE_LOG ||
        item->use == FILE_CONNECT || seal_path_check_owner(item->path, &error) ||
        !g_error_matches(error, SEAL_ERROR, SEAL_ERROR_CONFIG))
        return;
    g_autofree char *path = path_of_error(error);
    g_autofree char *word = ctl_shell_word(path);
    gboolean by_others = strstr(error->message, "chmod") != NULL;
    g_autofree char *remedy =
        by_others ? g_strdup_printf("chmod go-w %s", word) : g_strdup_printf("chown root %s", word);
    if (!check_explain_path(run, "files", path))
        return;
    check_explain_path(run, "files", item->path);
    check_put(run, CHECK_PROBLEM, "files", remedy, "%s (%s)", error->message, item->what);
}

void files_look(CheckRun *run, const FileItem *item, const char *user)
{
    static void (*const looks[])(CheckRun *, const FileItem *, const char *) = {
        [FILE_READ] = look_to_read,       [FILE_PRIVATE] = look_to_read, [FILE_OWN] = look_to_own,
        [FILE_WRITE] = look_to_write,     [FILE_STATE] = look_at_state,  [FILE_LOG] = look_to_log,
        [FILE_CONNECT] = look_to_connect,
    };

    if (!g_path_is_absolute(item->path) || !look_at_way(run, item, user))
        return;
    looks[item->use](run, item, user);
    files_look_at_owners(run, item);
}
