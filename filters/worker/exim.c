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
#include "filters/worker/exim.h"

#include "filters/worker/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_FILE = 8 * 1024 * 1024,
    MAX_OPTIONS = 1000,
    MAX_RECIPIENTS = 100000,
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

void worker_exim_clear(WorkerExim *spool)
{
    g_free(spool->sender);
    g_free(spool->login);
    g_free(spool->unproven);
    seal_content_unref(spool->header);
    seal_content_unref(spool->body);
    *spool = (WorkerExim){0};
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
                        WorkerExim *spool)
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

static void judge_remote(const Reading *reading, WorkerExim *spool)
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

static gboolean parse_all(Reading *reading, const char *id, guint owner, WorkerExim *spool)
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

gboolean worker_exim_parse(const char *id, const char *text, gsize size, guint owner,
                           WorkerExim *spool, GError **error)
{
    g_autoptr(GHashTable) options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    Reading reading = {text, text + size, options, error};
    g_auto(WorkerExim) made = {0};

    if (!parse_all(&reading, id, owner, &made))
        return FALSE;
    *spool = made;
    made = (WorkerExim){0};
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The file
 */

static gboolean fail_file(const char *id, const char *what, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "cannot read Exim's spool file %s-H: %s",
                id, what);
    return FALSE;
}

static gboolean read_header_file(const WorkerEximFile *file, WorkerExim *spool, GError **error)
{
    g_autofree char *text = NULL;
    struct stat info;

    if (fstat(file->header, &info) != 0)
        return fail_file(file->id, g_strerror(errno), error);
    if (!S_ISREG(info.st_mode) || info.st_size <= 0 || info.st_size > MAX_FILE)
        return fail_file(file->id, "it is no regular file, empty, or too large", error);
    text = g_malloc((gsize)info.st_size);
    if (seal_fd_read(file->header, text, (gsize)info.st_size) != info.st_size)
        return fail_file(file->id, "it is shorter than it was", error);
    return worker_exim_parse(file->id, text, (gsize)info.st_size, info.st_uid, spool, error);
}

/* The file begins with a line of its name. What is not as Exim writes it is no body. */
static SealContent *read_body(const WorkerEximFile *file)
{
    g_autofree char *first = g_strconcat(file->id, "-D\n", NULL);
    g_autofree char *found = g_malloc0(strlen(first) + 1);

    if (file->body < 0 || pread(file->body, found, strlen(first), 0) != (ssize_t)strlen(first) ||
        !g_str_equal(first, found))
        return NULL;
    return worker_read_file(file->body, strlen(first), NULL);
}

/* As Exim counts it: its lines end in LF in the file. */
static guint64 size_of_body(const WorkerExim *spool)
{
    guint64 size = spool->body ? seal_content_size(spool->body) : 0;

    return size + (spool->lines <= size ? spool->lines : 0);
}

void worker_exim_close(WorkerEximFile *file)
{
    if (file->header >= 0)
        close(file->header);
    if (file->body >= 0)
        close(file->body);
}

gboolean worker_exim_read(const WorkerEximFile *file, WorkerExim *spool, gboolean *found,
                          GError **error)
{
    *found = FALSE;
    if (*file->problem) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, file->problem);
        return FALSE;
    }
    if (file->header < 0)
        return TRUE;
    *found = read_header_file(file, spool, error);
    if (*found) {
        spool->body = read_body(file);
        spool->body_size = size_of_body(spool);
    }
    return *found;
}
