/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wiring.c: what mail servers run, as whom, and how large and for how long.
 */
#include "filters/ctl/check/wiring.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -------------------------------------------------------------------------------------------
 * Words
 */

/* The end of the word that begins at @text. */
static const char *word_end(const char *text)
{
    char quote = *text == '"' || *text == '\'' ? *text : '\0';
    int depth = 0;

    if (quote)
        text++;
    for (; *text && (quote || depth > 0 || !g_ascii_isspace(*text)); text++) {
        if (quote && *text == quote)
            return text + 1;
        if (*text == '\\' && text[1])
            text++;
        else if (*text == '{')
            depth += !quote;
        else if (*text == '}' && !quote && --depth < 0)
            break;
    }
    return text;
}

static char *word_strip(const char *text, gsize size)
{
    gboolean is_wrapped = size > 1 && ((*text == '"' && text[size - 1] == '"') ||
                                       (*text == '\'' && text[size - 1] == '\'') ||
                                       (*text == '{' && text[size - 1] == '}'));

    return is_wrapped ? g_strndup(text + 1, size - 2) : g_strndup(text, size);
}

GStrv wiring_words(const char *text)
{
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();

    for (;;) {
        while (g_ascii_isspace(*text))
            text++;
        const char *end = word_end(text);
        if (end == text)
            return g_strv_builder_end(words);
        g_autofree char *word = word_strip(text, (gsize)(end - text));
        g_strv_builder_add(words, word);
        text = end;
    }
}

const char *wiring_option(char *const *words, const char *name)
{
    gsize size = strlen(name);

    for (guint i = 1; words[0] && words[i] && !g_str_equal(words[i], "--"); i++) {
        if (g_str_equal(words[i], name))
            return words[i + 1] ? words[i + 1] : "";
        if (!g_str_has_prefix(words[i], name))
            continue;
        if (words[i][size] == '=' && size > 2)
            return words[i] + size + 1;
        if (size == 2)
            return words[i] + size;
    }
    return NULL;
}

gboolean wiring_has_dashes(char *const *words)
{
    for (; words[0] && words[1]; words++) {
        if (g_str_equal(words[0], "--"))
            return TRUE;
    }
    return FALSE;
}

gboolean wiring_names(const char *word, const char *name)
{
    const char *base = strrchr(word, '/');

    return g_str_equal(base ? base + 1 : word, name);
}

gboolean wiring_has_item(const char *list, const char *separators, const char *item)
{
    g_auto(GStrv) items = g_strsplit_set(list, separators, -1);

    for (guint i = 0; items[i]; i++) {
        if (g_ascii_strcasecmp(g_strstrip(items[i]), item) == 0)
            return TRUE;
    }
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Sizes and times
 */

static gint64 unit_factor(char unit, const char *units, const gint64 *factors)
{
    const char *found = unit ? strchr(units, g_ascii_tolower(unit)) : NULL;

    return found ? factors[found - units] : 0;
}

gint64 wiring_size(const char *text)
{
    static const gint64 factors[] = {1024, 1024 * 1024, 1024 * 1024 * 1024};
    char *end;
    gint64 size = g_ascii_strtoll(text, &end, 10);
    gint64 factor = *end ? unit_factor(*end, "kmg", factors) : 1;

    if (end == text || size < 0 || factor == 0 || (*end && end[1]) || size > G_MAXINT64 / factor)
        return -1;
    return size * factor;
}

gint64 wiring_seconds(const char *text)
{
    static const gint64 factors[] = {1, 60, 3600, 86400, 604800};
    gint64 seconds = 0;

    do {
        char *end;
        gint64 number = g_ascii_strtoll(text, &end, 10);
        gint64 factor = *end ? unit_factor(*end, "smhdw", factors) : 1;

        if (end == text || factor == 0 || number < 0 || number > G_MAXINT32)
            return -1;
        seconds += number * factor;
        text = *end ? end + 1 : end;
    } while (*text);
    return seconds;
}

gint64 wiring_patience(CheckRun *run, gint64 size)
{
    const char *setting = check_setting(run, "core", "deadline");
    gint64 deadline = setting ? wiring_seconds(setting) : 60;

    return MAX(deadline, 1) + 2 * (MAX(size, 0) >> 20);
}

gint64 wiring_size_limit(CheckRun *run)
{
    const char *setting = check_setting(run, "core", "size_limit");

    return setting ? MAX(wiring_size(setting), 0) : 0;
}

/* -------------------------------------------------------------------------------------------
 * What a server runs
 */

static void check_program(CheckRun *run, const char *topic, const char *who, const char *path)
{
    const char *remedy = "name the program by its whole path, and install it there";

    if (!g_path_is_absolute(path))
        check_put(run, CHECK_PROBLEM, topic, remedy, "%s runs %s, which is no whole path", who,
                  path);
    else if (access(path, X_OK) != 0)
        check_put(run, CHECK_PROBLEM, topic, remedy, "%s runs %s, which cannot be run: %s", who,
                  path, g_strerror(errno));
}

static gboolean is_same_folder(const char *one, const char *other)
{
    struct stat first, second;

    return stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static void check_folder(CheckRun *run, const char *topic, const char *who, const char *folder)
{
    const char *used = folder ? folder : SEALPIPE_CONF_DIR;

    if (strchr(used, '$') || is_same_folder(used, check_conf_dir(run)))
        return;
    check_put(run, CHECK_WARNING, topic,
              "look at the configuration that mail is handled by: sealctl check -c, with that "
              "folder",
              "%s uses the configuration in %s, and this check looks at %s", who, used,
              check_conf_dir(run));
}

void wiring_check_command(CheckRun *run, const char *topic, const char *who, char *const *words)
{
    check_program(run, topic, who, words[0]);
    check_folder(run, topic, who, wiring_option(words, "-c"));
}

/* -------------------------------------------------------------------------------------------
 * Who runs it
 */

static gboolean is_user(const char *name, guint user)
{
    const struct passwd *entry = getpwnam(name);
    char *end;

    if (entry)
        return entry->pw_uid == user;
    return *name && g_ascii_strtoull(name, &end, 10) == user && !*end;
}

/* (transfer full) The service's; NULL where it is not known. */
static char *find_service_user(CheckRun *run)
{
    const char *named = check_setting(run, "core", "user");
    const char *folder = check_setting(run, "core", "state_dir");
    struct stat found;

    if (check_user(run) || (named && *named))
        return g_strdup(check_user(run) ? check_user(run) : named);
    if (!folder || stat(folder, &found) != 0)
        return NULL;
    return g_strdup_printf("%u", (guint)found.st_uid);
}

/* @peers as in [daemon]. */
static gboolean is_peer(CheckRun *run, const char *peers, guint user)
{
    g_auto(GStrv) items = g_strsplit(peers ? peers : "", ";", -1);
    g_autofree char *self = find_service_user(run);

    for (guint i = 0; items[i]; i++) {
        items[i][strcspn(items[i], "=")] = '\0';
        const char *name = g_strstrip(items[i]);

        if (g_str_equal(name, "self"))
            name = self ? self : "";
        if (is_user(name, user))
            return TRUE;
    }
    return FALSE;
}

/* The daemon does the work, now or always. */
static gboolean has_daemon(CheckRun *run)
{
    const char *here = check_setting(run, "core", "in_process");
    const char *folder = check_setting(run, "core", "run_dir");
    g_autofree char *socket = folder ? g_build_filename(folder, "sealpiped.sock", NULL) : NULL;

    return g_strcmp0(here, "false") == 0 || (socket && access(socket, F_OK) == 0);
}

static void check_peer(CheckRun *run, const char *topic, const char *who, const char *user,
                       guint number, gboolean submits)
{
    if (!is_peer(run, check_setting(run, "daemon", "peers"), number))
        check_put(run, CHECK_PROBLEM, topic,
                  "add that user to peers= in [daemon], then reload sealpiped",
                  "user %s runs %s, and [daemon] peers does not name him: the daemon turns his "
                  "messages away",
                  user, who);
    else if (submits && wiring_signs(run) &&
             !is_peer(run, check_setting(run, "daemon", "submission_peers"), number))
        check_put(run, CHECK_WARNING, topic,
                  "add that user to submission_peers= in [daemon], then reload sealpiped",
                  "user %s runs %s, and [daemon] submission_peers does not name him: nothing is "
                  "signed for who logs in",
                  user, who);
}

void wiring_check_user(CheckRun *run, const char *topic, const char *who, const char *user,
                       gboolean submits)
{
    const struct passwd *entry = getpwnam(user);
    g_autofree char *service = find_service_user(run);

    if (!entry) {
        check_put(run, CHECK_PROBLEM, topic, "name a user of this system",
                  "%s runs as user %s, whom this system does not know", who, user);
        return;
    }
    check_add_peer(run, entry->pw_name);
    if (!check_setting(run, "core", "deadline"))
        return; /* it does not load */
    if (has_daemon(run))
        check_peer(run, topic, who, user, entry->pw_uid, submits);
    else if (service && entry->pw_uid != 0 && !is_user(service, entry->pw_uid))
        check_put(run, CHECK_PROBLEM, topic,
                  "set user= in [core] to him, or have the daemon do the work (in_process=false, "
                  "and peers= in [daemon])",
                  "%s runs as user %s, and the service's user is %s, whose files he cannot use",
                  who, user, service);
}

gboolean wiring_signs(CheckRun *run)
{
    return check_setting(run, "module sign", "format") &&
           g_strcmp0(check_setting(run, "module sign", "trust_from"), "true") != 0;
}
