/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * exim.c: reads ID-H and ID-D in Exim's spool folder. The latter is a line that names it, and the
 * body. The lines of ID-H are: ID-H; the login, uid and gid of the
 * process that handed the message in; <sender>; two times; options, each behind - or --; a tree of
 * recipients that are done; the number of recipients, and one line for each; an empty line; and the
 * fields, each behind its length and a letter.
 *
 * Values of options may come from outside. Exim escapes line ends in them or gives their length;
 * where a value has a line end all the same, what follows must not be believed: no option stands
 * twice, and none that we do not know stands behind the login.
 */
#include "filters/runner/exim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_FILE = 8 * 1024 * 1024,
    MAX_OPTIONS = 1000,
    MAX_RECIPIENTS = 100000,
    ID_BEGIN = 6, /* octets before the first hyphen of an id; the last names the split folder */
};

/* What is being read. */
typedef struct {
    const char *at;
    const char *end;
    GHashTable *options; /* values by name (borrowed from themselves) */
    GError **error;
} Reading;

static gboolean reading_refuse(const Reading *reading, const char *what)
{
    g_set_error(reading->error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "Exim's spool file is not as was expected: %s", what);
    return FALSE;
}

void runner_exim_clear(RunnerExim *spool)
{
    g_free(spool->sender);
    g_free(spool->login);
    g_free(spool->unproven);
    seal_content_unref(spool->header);
    seal_content_unref(spool->body);
    *spool = (RunnerExim){0};
}

/* -------------------------------------------------------------------------------------------
 * Pieces
 */

/* The next line, without its end. NULL: there is none that ends, or it has an octet of zeros.
 * (transfer full) */
static char *next_line(Reading *reading)
{
    gsize left = (gsize)(reading->end - reading->at);
    const char *stop = left ? memchr(reading->at, '\n', left) : NULL;
    gsize length = stop ? (gsize)(stop - reading->at) : 0;

    if (!stop || memchr(reading->at, '\0', length))
        return NULL;
    char *line = g_strndup(reading->at, length);
    reading->at = stop + 1;
    return line;
}

/* @count octets and a line end: how Exim writes what may have any octets. */
static gboolean skip_octets(Reading *reading, guint64 count)
{
    if ((guint64)(reading->end - reading->at) <= count || reading->at[count] != '\n')
        return FALSE;
    reading->at += count + 1;
    return TRUE;
}

static gboolean read_number(const char *text, guint64 max, guint64 *number)
{
    return g_ascii_string_to_unsigned(text, 10, 0, max, number, NULL);
}

/* `login uid gid`; a login may have blanks. */
static gboolean read_originator(Reading *reading, char **login, gint64 *uid)
{
    g_autofree char *line = next_line(reading);
    char *gid = line ? strrchr(line, ' ') : NULL;
    gint64 number = 0;

    if (!gid)
        return reading_refuse(reading, "its second line is no user");
    *gid++ = '\0';
    char *user = strrchr(line, ' ');
    if (!user || user == line ||
        !g_ascii_string_to_signed(user + 1, 10, G_MININT32, G_MAXUINT32, uid, NULL) ||
        !g_ascii_string_to_signed(gid, 10, G_MININT32, G_MAXUINT32, &number, NULL))
        return reading_refuse(reading, "its second line is no user");
    *login = g_strndup(line, (gsize)(user - line));
    return TRUE;
}

static gboolean read_sender(Reading *reading, char **sender)
{
    g_autofree char *line = next_line(reading);
    gsize length = line ? strlen(line) : 0;

    if (length < 2 || line[0] != '<' || line[length - 1] != '>')
        return reading_refuse(reading, "its third line is no sender");
    *sender = g_strndup(line + 1, length - 2);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Options
 */

/* All that Exim writes behind the login. */
static const char *const BEHIND_LOGIN[] = {
    "auth_sender",
    "allow_unqualified_recipient",
    "allow_unqualified_sender",
    "deliver_firsttime",
    "frozen",
    "N",
    "host_lookup_deferred",
    "host_lookup_failed",
    "local",
    "localerror",
    "local_scan",
    "spam_bar",
    "spam_score",
    "spam_score_int",
    "manual_thaw",
    "sender_set_untrusted",
    "bmi_verdicts",
    "tls_certificate_verified",
    "tls_cipher",
    "tls_peercert",
    "tls_peerdn",
    "tls_sni",
    "tls_ourcert",
    "tls_ocsp",
    "tls_resumption",
    "tls_ver",
    "smtputf8",
    "utf8_downcvt",
    "utf8_optdowncvt",
    "dsn_envid",
    "dsn_ret",
    NULL,
};

/* Behind -, --, or --(how it was quoted). NULL: it is none. */
static char *option_name(char *line)
{
    char *name = line + strspn(line, "-");

    if (name - line > 2)
        return NULL;
    if (*name == '(') {
        name = strchr(name, ')');
        name = name ? name + 1 : NULL;
    }
    return name && *name ? name : NULL;
}

/* A variable of an access list: its value stands in lines of its own. */
static gboolean skip_variable(Reading *reading, const char *value)
{
    const char *length = strrchr(value, ' ');
    guint64 count = 0;

    return (length && read_number(length + 1, MAX_FILE, &count) && skip_octets(reading, count)) ||
           reading_refuse(reading, "a variable of an access list without its value");
}

static gboolean read_option(Reading *reading, char *line)
{
    char *name = option_name(line);

    if (!name)
        return reading_refuse(reading, "an option without a name");
    char *value = name + strcspn(name, " ");
    if (*value)
        *value++ = '\0';
    if (g_str_equal(name, "aclc") || g_str_equal(name, "aclm") || g_str_equal(name, "acl"))
        return skip_variable(reading, value);
    if (g_hash_table_contains(reading->options, name))
        return reading_refuse(reading, "an option that stands twice");
    if (g_hash_table_contains(reading->options, "auth_id") && !g_strv_contains(BEHIND_LOGIN, name))
        return reading_refuse(reading, "an unknown option behind the login");
    g_hash_table_insert(reading->options, g_strdup(name), g_strdup(value));
    return TRUE;
}

/* *@after is the first line that is none. */
static gboolean read_options(Reading *reading, char **after)
{
    for (guint i = 0; i < MAX_OPTIONS; i++) {
        g_autofree char *line = next_line(reading);

        if (!line)
            return reading_refuse(reading, "it breaks off");
        if (*line != '-') {
            *after = g_steal_pointer(&line);
            return TRUE;
        }
        if (!read_option(reading, line))
            return FALSE;
    }
    return reading_refuse(reading, "too many options");
}

/* -------------------------------------------------------------------------------------------
 * Recipients
 */

/* Two letters of each line say whether the tree goes on to its left and its right; so many lines
 * follow as there are. */
static gboolean skip_tree(Reading *reading, char *first)
{
    g_autofree char *line = g_strdup(first);
    guint64 open = 1;

    if (g_str_equal(first, "XX"))
        return TRUE;
    for (guint i = 0; i < MAX_RECIPIENTS; i++) {
        if (!line || strlen(line) < 4 || !strchr("YN", line[0]) || !strchr("YN", line[1]) ||
            line[2] != ' ')
            return reading_refuse(reading, "a tree of recipients that breaks off");
        open += (guint64)(line[0] == 'Y') + (guint64)(line[1] == 'Y');
        if (--open == 0)
            return TRUE;
        g_free(line);
        line = next_line(reading);
    }
    return reading_refuse(reading, "too many recipients");
}

static gboolean skip_recipients(Reading *reading)
{
    g_autofree char *number = next_line(reading);
    guint64 count = 0;

    if (!number || !read_number(number, MAX_RECIPIENTS, &count))
        return reading_refuse(reading, "no number of recipients");
    for (guint64 i = 0; i < count; i++) {
        g_autofree char *line = next_line(reading);

        if (!line || !*line)
            return reading_refuse(reading, "fewer recipients than it says");
    }
    g_autofree char *empty = next_line(reading);
    return (empty && !*empty) || reading_refuse(reading, "no empty line before the header");
}

/* -------------------------------------------------------------------------------------------
 * The header
 */

/* `NNNf text`: the text's length, at least three digits; what is flagged * is there no more. */
static gboolean read_field(Reading *reading, GString *header)
{
    const char *digits = reading->at;
    guint64 size = 0;

    while (reading->at < reading->end && g_ascii_isdigit(*reading->at) && size <= MAX_FILE)
        size = size * 10 + (guint64)(*reading->at++ - '0');
    if (reading->at - digits < 3 || reading->end - reading->at < 2 || reading->at[1] != ' ' ||
        (guint64)(reading->end - reading->at) < size + 2)
        return reading_refuse(reading, "a field without its length, or shorter");
    const char flag = *reading->at;
    const char *text = reading->at + 2;
    if (size == 0 || text[size - 1] != '\n')
        return reading_refuse(reading, "a field without a line end");
    if (flag != '*')
        g_string_append_len(header, text, (gssize)size);
    reading->at = text + size;
    return TRUE;
}

static SealContent *read_header(Reading *reading)
{
    g_autoptr(GString) header = g_string_new(NULL);

    while (reading->at < reading->end) {
        if (!read_field(reading, header))
            return NULL;
    }
    if (header->len == 0) {
        reading_refuse(reading, "no field");
        return NULL;
    }
    g_string_append_c(header, '\n');
    return seal_content_new_copy(header->str, header->len);
}

/* -------------------------------------------------------------------------------------------
 * Who handed it in
 */

static const char *option(const Reading *reading, const char *name)
{
    return g_hash_table_lookup(reading->options, name);
}

/* esmtpa, esmtpsa, utf8esmtpsa: what Exim calls a session in which somebody has logged in. */
static gboolean is_session_with_login(const char *protocol)
{
    const char *p = g_str_has_prefix(protocol, "utf8") ? protocol + 4 : protocol;

    return g_str_equal(p, "esmtpa") || g_str_equal(p, "esmtpsa") || g_str_equal(p, "asmtp");
}

/* Handed in on this machine: by whom, the system knows. Exim's own user hands in bounces, and what
 * programs pass on that mail is forwarded to: that is nobody's. */
static void judge_local(const Reading *reading, const char *login, gboolean by_exim,
                        RunnerExim *spool)
{
    const char *protocol = option(reading, "received_protocol");
    const char *authenticated = option(reading, "auth_id");

    if (by_exim)
        spool->unproven = g_strdup("the mail server's own user handed it in, which proves nobody");
    else if (!protocol || !g_str_has_prefix(protocol, "local") ||
             (authenticated && !g_str_equal(authenticated, login)))
        spool->unproven = g_strdup("it was handed in on this machine in a way that proves nobody");
    else
        spool->login = g_strdup(login);
}

static void judge_remote(const Reading *reading, RunnerExim *spool)
{
    const char *protocol = option(reading, "received_protocol");
    const char *login = option(reading, "auth_id");

    if (!login || !*login)
        return;
    if (protocol && is_session_with_login(protocol) && option(reading, "host_auth"))
        spool->login = g_strdup(login);
    else
        spool->unproven = g_strdup("its login is not of a session that can have one");
}

/* With CHUNKING Exim may have kept the line ends as they came. */
static guint64 count_lines(const Reading *reading)
{
    const char *lines = option(reading, "body_linecount");
    guint64 count = 0;

    if (lines && !option(reading, "spool_file_wireformat"))
        read_number(lines, G_MAXUINT32, &count);
    return count;
}

static gboolean parse_all(Reading *reading, const char *id, guint owner, RunnerExim *spool)
{
    g_autofree char *name = g_strconcat(id, "-H", NULL);
    g_autofree char *first = next_line(reading), *login = NULL, *times = NULL, *after = NULL;
    gint64 uid = 0;

    if (g_strcmp0(first, name) != 0)
        return reading_refuse(reading, "its first line is not its name");
    if (!read_originator(reading, &login, &uid) || !read_sender(reading, &spool->sender))
        return FALSE;
    if (!(times = next_line(reading)) || !g_ascii_isdigit(*times))
        return reading_refuse(reading, "its fourth line is no time");
    if (!read_options(reading, &after) || !skip_tree(reading, after) || !skip_recipients(reading) ||
        !(spool->header = read_header(reading)))
        return FALSE;
    spool->lines = count_lines(reading);
    if (!option(reading, "host_address"))
        judge_local(reading, login, uid == (gint64)owner, spool);
    else if (option(reading, "local"))
        return reading_refuse(reading, "a sender who is both local and not");
    else
        judge_remote(reading, spool);
    return TRUE;
}

gboolean runner_exim_parse(const char *id, const char *text, gsize size, guint owner,
                           RunnerExim *spool, GError **error)
{
    g_autoptr(GHashTable) options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    Reading reading = {text, text + size, options, error};
    g_auto(RunnerExim) made = {0};

    if (!parse_all(&reading, id, owner, &made))
        return FALSE;
    *spool = made;
    made = (RunnerExim){0};
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The file
 */

/* 6-6-2 letters and digits; since Exim 4.97 6-11-4. */
static gboolean is_id(const char *id)
{
    static const guint8 forms[][3] = {{6, 6, 2}, {6, 11, 4}};

    for (guint form = 0; form < G_N_ELEMENTS(forms); form++) {
        const char *at = id;

        for (guint part = 0; part < 3; part++) {
            gsize length = strspn(at, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS);

            if (length != forms[form][part] || at[length] != (part < 2 ? '-' : '\0'))
                break;
            if (part == 2)
                return TRUE;
            at += length + 1;
        }
    }
    return FALSE;
}

static gboolean fail_file(const char *path, const char *what, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "cannot read Exim's spool file %s: %s",
                path, what);
    return FALSE;
}

/* Where it may stand, with and without a split spool. */
static char *file_path(const char *dir, const char *id, gboolean split, const char *kind)
{
    const char folder[] = {id[ID_BEGIN - 1], '\0'};
    g_autofree char *name = g_strconcat(id, kind, NULL);

    return split ? g_build_filename(dir, folder, name, NULL) : g_build_filename(dir, name, NULL);
}

/* -1: there is none; @path is what was tried. */
static int open_file(const char *dir, const char *id, char **path)
{
    int fd = -1;

    for (gboolean split = FALSE; fd < 0 && split <= TRUE; split++) {
        g_free(*path);
        *path = file_path(dir, id, split, "-H");
        fd = open(*path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 && errno != ENOENT)
            break;
    }
    return fd;
}

/* The text without the fields is there from the beginning. */
static gboolean is_being_received(const char *dir, const char *id)
{
    for (gboolean split = FALSE; split <= TRUE; split++) {
        g_autofree char *path = file_path(dir, id, split, "-D");

        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return TRUE;
    }
    return FALSE;
}

static gboolean read_file(const RunnerEximFile *file, RunnerExim *spool, GError **error)
{
    g_autofree char *text = NULL;
    struct stat info;

    if (fstat(file->fd, &info) != 0)
        return fail_file(file->path, g_strerror(errno), error);
    if (!S_ISREG(info.st_mode) || info.st_size <= 0 || info.st_size > MAX_FILE)
        return fail_file(file->path, "it is no regular file, empty, or too large", error);
    text = g_malloc((gsize)info.st_size);
    if (seal_fd_read(file->fd, text, (gsize)info.st_size) != info.st_size)
        return fail_file(file->path, "it is shorter than it was", error);
    return runner_exim_parse(file->id, text, (gsize)info.st_size, info.st_uid, spool, error);
}

/* The file of the body begins with a line of its name. What is not there as Exim writes it has no
 * size. */
static guint64 find_body(const char *dir, const char *id)
{
    g_autofree char *name = g_strconcat(id, "-D\n", NULL);
    guint64 front = strlen(name);
    struct stat info;

    for (gboolean split = FALSE; split <= TRUE; split++) {
        g_autofree char *path = file_path(dir, id, split, "-D");

        if (lstat(path, &info) == 0 && S_ISREG(info.st_mode) && (guint64)info.st_size > front)
            return (guint64)info.st_size - front;
    }
    return 0;
}

/* The body is large, and often nobody asks for it: it is mapped. Exim does not change it. */
static SealContent *map_body(int fd, const char *id)
{
    g_autoptr(GMappedFile) map = g_mapped_file_new_from_fd(fd, FALSE, NULL);
    g_autofree char *first = g_strconcat(id, "-D\n", NULL);
    gsize skip = strlen(first);

    if (!map || g_mapped_file_get_length(map) < skip ||
        memcmp(g_mapped_file_get_contents(map), first, skip) != 0)
        return NULL;
    g_autoptr(GBytes) whole = g_mapped_file_get_bytes(map);
    g_autoptr(GBytes) body = g_bytes_new_from_bytes(whole, skip, g_bytes_get_size(whole) - skip);
    return seal_content_new(body);
}

/* Beside @path, which is that of ID-H. -1: it is not there. */
static int open_body(const char *path, const char *id)
{
    g_autofree char *dir = g_path_get_dirname(path);
    g_autofree char *data = file_path(dir, id, FALSE, "-D");

    return open(data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

static SealContent *read_body(const RunnerEximFile *file)
{
    struct stat info;

    return file->body >= 0 && fstat(file->body, &info) == 0 && S_ISREG(info.st_mode)
               ? map_body(file->body, file->id)
               : NULL;
}

void runner_exim_open(const char *dir, const char *id, RunnerEximFile *file)
{
    *file = (RunnerEximFile){.id = id, .fd = -1, .body = -1};
    if (!g_path_is_absolute(dir) || !is_id(id)) {
        g_set_error(&file->problem, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "--exim-spool takes an absolute path, and --id the id that Exim gave");
        return;
    }
    file->fd = open_file(dir, id, &file->path);
    if (file->fd < 0 && (errno != ENOENT || !is_being_received(dir, id)))
        fail_file(file->path, g_strerror(errno), &file->problem);
    if (file->fd >= 0)
        file->body = open_body(file->path, id);
    file->body_size = find_body(dir, id);
}

void runner_exim_close(RunnerEximFile *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->body >= 0)
        close(file->body);
    g_free(file->path);
    g_clear_error(&file->problem);
}

gboolean runner_exim_read(const RunnerEximFile *file, RunnerExim *spool, gboolean *found,
                          GError **error)
{
    *found = FALSE;
    if (file->problem) {
        g_propagate_error(error, g_error_copy(file->problem));
        return FALSE;
    }
    if (file->fd < 0)
        return TRUE;
    *found = read_file(file, spool, error);
    if (*found) {
        spool->body = read_body(file);
        spool->body_size = file->body_size + (spool->lines <= file->body_size ? spool->lines : 0);
    }
    return *found;
}
