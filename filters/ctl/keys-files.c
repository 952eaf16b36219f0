/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-files.c: what the command line names is read as who calls, and root becomes another user
 * before it reads any: a child that stays who it is opens one file after the other.
 */
#include "filters/client/exchange.h"
#include "filters/ctl/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    MAX_FILE = 16 * 1024 * 1024,
    MAX_TABLE = 64 * 1024 * 1024,
    MAX_FILES = 1000000,
    MAX_RECORD = 20 * 1024, /* a path, a line's name, an address, a problem, where it was found */
    MAX_TEXT = 4096,        /* of each */
    N_TEXTS = 5,
    MAX_ANSWER = 12, /* digits of a number */
};

/* -------------------------------------------------------------------------------------------
 * Which files
 */

/* One that is to be opened, or why it is not. */
typedef struct {
    char *path;
    char *label;
    char *address;
    char *problem;
    gboolean found;   /* in a folder */
    gboolean folder;  /* likewise, and one itself */
    const char *base; /* the folder, or the table that names it; NULL: who calls does */
} Place;

static void place_free(gpointer data)
{
    Place *place = data;

    g_free(place->path);
    g_free(place->label);
    g_free(place->address);
    g_free(place->problem);
    g_free(place);
}

/* Takes all of them over. */
static Place *add_place(GPtrArray *places, char *path, char *label, char *address, char *problem)
{
    Place *place = g_new0(Place, 1);

    place->path = path;
    place->label = label ? label : g_strdup(path);
    place->address = address;
    place->problem = problem;
    g_ptr_array_add(places, place);
    return place;
}

static gboolean is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_folder(GPtrArray *places, const char *folder)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) names = seal_dir_list(folder, "", &problem);

    if (!names)
        add_place(places, g_strdup(folder), NULL, NULL, g_strdup(problem->message));
    for (guint i = 0; names && i < names->len; i++) {
        char *path = g_build_filename(folder, g_ptr_array_index(names, i), NULL);
        Place *place = add_place(places, path, NULL, NULL, NULL);

        place->found = TRUE;
        place->folder = is_folder(path);
        place->base = folder;
    }
}

/* -------------------------------------------------------------------------------------------
 * Tables
 */

/* A line of a table: "ADDRESS<TAB>FILE". */
static gboolean split_line(char *line, char **address, char **file)
{
    char *tab = strchr(line, '\t');

    if (!tab)
        return FALSE;
    *tab = '\0';
    *address = g_strstrip(line);
    *file = g_strstrip(tab + 1);
    return **address && **file;
}

static gboolean is_passed_over(const char *line)
{
    while (*line == ' ' || *line == '\t' || *line == '\r')
        line++;
    return !*line || *line == '#';
}

static void add_line(GPtrArray *places, const char *table, guint number, char *line)
{
    g_autofree char *label = g_strdup_printf("%s:%u", table, number);
    g_autofree char *folder = g_path_get_dirname(table);
    g_autofree char *bound = NULL;
    char *address = NULL, *file = NULL;

    if (!split_line(line, &address, &file)) {
        add_place(places, g_strdup(table), g_steal_pointer(&label), NULL,
                  g_strdup("an address, a tabulator and a file were expected in this line"));
        return;
    }
    char *problem = ctl_bind_problem(address);
    if (problem) {
        add_place(places, g_strdup(table), g_steal_pointer(&label), NULL, problem);
        return;
    }
    bound = seal_key_bind_to(address);
    char *path = g_path_is_absolute(file) ? g_strdup(file) : g_build_filename(folder, file, NULL);
    add_place(places, path, g_steal_pointer(&label), g_steal_pointer(&bound), NULL)->base = table;
}

/* The first line that says anything is a table's. */
static gboolean is_table(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", 1000);

    for (char **line = lines; *line; line++) {
        g_autofree char *bound = NULL;
        char *address = NULL, *file = NULL;

        if (is_passed_over(*line))
            continue;
        if (!split_line(*line, &address, &file) || strchr(file, '\t'))
            return FALSE;
        bound = seal_key_bind_to(address);
        return bound != NULL;
    }
    return FALSE;
}

static void add_table(GPtrArray *places, const char *table, char *text)
{
    char *line = text;

    for (guint number = 1; line; number++) {
        char *end = strchr(line, '\n'), *next = end ? end + 1 : NULL;

        if (end)
            *end = '\0';
        if (!is_passed_over(line))
            add_line(places, table, number, line);
        if (places->len >= MAX_FILES && next) {
            add_place(places, g_strdup(table), NULL, NULL,
                      g_strdup_printf("the rest of it: more than %d files are named", MAX_FILES));
            return;
        }
        line = next;
    }
}

/* NULL where it is not, or cannot be read. (transfer full) */
static char *read_table(const char *path)
{
    g_autoptr(GBytes) octets = seal_file_read(path, MAX_TABLE, NULL);
    g_autoptr(GBytes) data = octets ? seal_text_plain(octets) : NULL;
    gsize size = 0;
    const char *bytes = data ? g_bytes_get_data(data, &size) : NULL;

    if (size == 0 || memchr(bytes, 0, size))
        return NULL;
    g_autofree char *text = g_strndup(bytes, size);
    return is_table(text) ? g_steal_pointer(&text) : NULL;
}

static GPtrArray *find_places(char **paths)
{
    GPtrArray *places = g_ptr_array_new_with_free_func(place_free);

    for (; *paths; paths++) {
        g_autofree char *table = is_folder(*paths) ? NULL : read_table(*paths);

        if (table)
            add_table(places, *paths, table);
        else if (is_folder(*paths))
            add_folder(places, *paths);
        else
            add_place(places, g_strdup(*paths), NULL, NULL, NULL);
    }
    return places;
}

/* -------------------------------------------------------------------------------------------
 * The child
 */

/* A line of a table is named by its number alone. (transfer full) */
static char *place_problem(const Place *place, const char *what)
{
    return g_str_equal(place->label, place->path) ? g_strdup(what)
                                                  : g_strdup_printf("%s: %s", place->path, what);
}

static gboolean is_trusted(const struct stat *st)
{
    return st->st_uid == 0 || st->st_uid == getuid();
}

/* What somebody else wrote into the folder, or the table, must not name a file that only who calls
 * can read. (transfer full) */
static char *judge_owners(const Place *place, const struct stat *st)
{
    struct stat base;

    if (!is_trusted(st))
        return g_strdup("it belongs to another user, and may not be whose key it should be; name "
                        "it itself with --server");
    if (st->st_nlink > 1)
        return g_strdup("it has several names (hard links), and may be somebody else's file; name "
                        "it itself with --server");
    if (!place->found && (stat(place->base, &base) != 0 || !is_trusted(&base)))
        return g_strdup("the table that names it belongs to another user");
    return NULL;
}

/* No link on the way from the folder, nor on that which a table names. */
static int open_beneath(const Place *place, int flags)
{
    const struct open_how how = {.flags = (guint64)flags | O_NOFOLLOW,
                                 .resolve = RESOLVE_NO_SYMLINKS};
    g_autofree char *folder =
        place->found ? g_strdup(place->base) : g_path_get_dirname(place->base);
    const char *rest = place->path;
    gsize length = strlen(folder);

    if (strncmp(rest, folder, length) == 0 && (rest[length] == '/' || folder[length - 1] == '/'))
        rest += length + strspn(rest + length, "/");
    int base = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = base < 0 ? -1 : (int)syscall(SYS_openat2, base, rest, &how, sizeof how);
    int problem = errno;

    if (base >= 0)
        close(base);
    errno = problem;
    return fd;
}

/* Not blocking, since a FIFO may stand where a file should. */
static int open_place(const Place *place, gboolean careful, char **problem)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    gboolean strict = careful && place->base;
    int fd = strict ? open_beneath(place, flags) : open(place->path, flags);
    struct stat st;

    if (fd < 0 && strict && errno == ELOOP)
        *problem = place_problem(place, "it is a link, or behind one, which may lead to anybody's "
                                        "file; name the file itself with --server");
    else if (fd < 0 || fstat(fd, &st) != 0)
        *problem = place_problem(place, g_strerror(errno));
    else if (!S_ISREG(st.st_mode))
        *problem = place_problem(place, S_ISDIR(st.st_mode) ? "it is a folder"
                                                            : "it is not a regular file");
    else if (strict)
        *problem = judge_owners(place, &st);
    if (fd >= 0 && *problem) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void add_text(GString *record, const char *text)
{
    gsize length = text ? strnlen(text, MAX_TEXT - 1) : 0;

    g_string_append_len(record, text, (gssize)length);
    g_string_append_c(record, '\0');
}

static gboolean send_place(int socket, const Place *place, gboolean careful)
{
    g_autoptr(GString) record = g_string_new(NULL);
    g_autofree char *problem = g_strdup(place->problem);
    int fd = problem ? -1 : open_place(place, careful, &problem);

    add_text(record, place->path);
    add_text(record, place->label);
    add_text(record, place->address);
    add_text(record, problem);
    add_text(record, place->folder ? "folder" : place->found ? "file" : "");
    gboolean sent = seal_record_send(socket, record->str, record->len, fd);
    if (fd >= 0)
        close(fd);
    return sent;
}

_Noreturn static void serve_files(int socket, char **paths, gboolean careful, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(CTL_PROBLEM);

    g_autoptr(GPtrArray) places = find_places(paths);
    g_autofree char *count = g_strdup_printf("%u", places->len);
    gboolean more = seal_record_send(socket, count, strlen(count), -1);
    char word;

    for (guint i = 0; more && i < places->len; i++)
        more = recv(socket, &word, 1, 0) == 1 &&
               send_place(socket, g_ptr_array_index(places, i), careful);
    _exit(CTL_OK);
}

/* -------------------------------------------------------------------------------------------
 * Who reads them
 */

struct CtlFiles {
    int socket;
    guint count;
    guint done;
};

static gboolean hear_count(CtlFiles *files, GError **error)
{
    char text[MAX_ANSWER + 1] = "";
    int none[1];
    ssize_t size = seal_record_receive(files->socket, text, MAX_ANSWER, none, 0);

    if (size > 0 && size <= MAX_ANSWER) {
        files->count = (guint)g_ascii_strtoull(text, NULL, 10);
        return TRUE;
    }
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                        "the process that opens the files has ended");
    return FALSE;
}

CtlFiles *ctl_files_open(char **paths, gboolean careful, GError **error)
{
    g_autoptr(CtlFiles) files = g_new0(CtlFiles, 1);
    pid_t child, parent = getpid();
    int pair[2];

    files->socket = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 || (child = fork()) < 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            "the process that opens the files cannot be started");
        return NULL;
    }
    if (child == 0) {
        close(pair[0]);
        serve_files(pair[1], paths, careful, parent);
    }
    close(pair[1]);
    files->socket = pair[0];
    return hear_count(files, error) ? g_steal_pointer(&files) : NULL;
}

void ctl_files_free(CtlFiles *files)
{
    if (!files)
        return;
    if (files->socket >= 0)
        close(files->socket);
    g_free(files);
}

guint ctl_files_count(const CtlFiles *files)
{
    return files->count;
}

/* There may be private keys in it. */
typedef struct {
    guint8 *data;
    gsize size;
} Octets;

static void octets_wipe(gpointer data)
{
    Octets *octets = data;

    explicit_bzero(octets->data, octets->size);
    g_free(octets->data);
    g_free(octets);
}

static GBytes *read_octets(int fd, GError **error)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_size > MAX_FILE) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT,
                    "it has %" G_GINT64_FORMAT " octets, and at most %d are read",
                    (gint64)st.st_size, MAX_FILE);
        return NULL;
    }
    Octets *octets = g_new0(Octets, 1);
    octets->size = (gsize)st.st_size;
    octets->data = g_malloc0(octets->size + 1);
    gssize got = seal_fd_read(fd, octets->data, octets->size);
    if (got == (gssize)octets->size)
        return g_bytes_new_with_free_func(octets->data, octets->size, octets_wipe, octets);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "it cannot be read to its end: %s",
                got < 0 ? g_strerror(errno) : "it was cut");
    octets_wipe(octets);
    return NULL;
}

void ctl_file_clear(CtlFile *file)
{
    g_clear_pointer(&file->path, g_free);
    g_clear_pointer(&file->label, g_free);
    g_clear_pointer(&file->address, g_free);
    g_clear_pointer(&file->data, g_bytes_unref);
    g_clear_error(&file->problem);
}

/* Those of a record, each with a NUL behind it. */
static gboolean take_texts(const char *record, gsize size, const char **texts)
{
    const char *end = record + size;

    for (guint i = 0; i < N_TEXTS; i++) {
        const char *stop = record < end ? memchr(record, 0, (gsize)(end - record)) : NULL;

        if (!stop)
            return FALSE;
        texts[i] = record;
        record = stop + 1;
    }
    return TRUE;
}

static void fill_file(CtlFile *file, const char **texts, int fd)
{
    file->path = g_strdup(texts[0]);
    file->label = g_strdup(texts[1]);
    file->address = *texts[2] ? g_strdup(texts[2]) : NULL;
    file->found = *texts[4] != '\0';
    file->folder = g_str_equal(texts[4], "folder");
    if (fd >= 0)
        file->data = read_octets(fd, &file->problem);
    else
        file->problem = g_error_new_literal(SEAL_ERROR, SEAL_ERROR_CONFIG, texts[3]);
}

gboolean ctl_files_next(CtlFiles *files, CtlFile *file)
{
    g_autofree char *record = g_malloc0(MAX_RECORD + 1);
    const char *texts[N_TEXTS] = {"", "", "", "the process that opens the files has ended", ""};
    int fd = -1;

    ctl_file_clear(file);
    if (files->done >= files->count)
        return FALSE;
    files->done++;

    ssize_t size = send(files->socket, "?", 1, MSG_NOSIGNAL) == 1
                       ? seal_record_receive(files->socket, record, MAX_RECORD, &fd, 1)
                       : -1;
    if (size <= 0 || size > MAX_RECORD || !take_texts(record, (gsize)size, texts))
        files->done = files->count;
    fill_file(file, texts, fd);
    if (fd >= 0)
        close(fd);
    return TRUE;
}
