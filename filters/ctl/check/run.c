/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * run.c: `sealctl check`: takes all topics in turn. What is to be seen as the service's user sees
 * it is looked at in a child that becomes it, and that a module may crash; findings come through a
 * pipe, so that those before a crash are heard.
 */
#include "filters/ctl/check/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE = 300, /* seconds for one child; modules have deadlines of their own */
    MAX_RECORD = 1 << 20,
};

/* What a child says. */
typedef enum {
    SAID_FINDING,
    SAID_SETTING,
    SAID_USER,
    SAID_PEER,
    SAID_EXPLAINED,
    SAID_TOPIC, /* which it has come to */
    SAID_DONE,  /* all of it: no library has called exit() */
} Said;

#define RECORD_TYPE "(uussss)" /* Said, CheckState, three texts and a remedy */

struct CheckRun {
    const CheckTopic *topics;
    const CtlOptions *options;
    char *conf_dir;
    GPtrArray *findings; /* of CheckFinding */
    GHashTable *settings;
    GPtrArray *peers;
    char *user;
    SealService *service;
    SealDispatcher *dispatcher;
    GPtrArray *explained; /* "TOPIC PATH", of check_explain_path() */
    int said;             /* in a child: where findings go; else -1 */
    gboolean done;        /* a child has said so */
    char *come_to;        /* the topic that the child has come to */
};

static void finding_free(gpointer data)
{
    CheckFinding *finding = data;

    g_free(finding->text);
    g_free(finding->remedy);
    g_free(finding);
}

static void run_clear(CheckRun *run)
{
    g_free(run->conf_dir);
    g_free(run->user);
    g_free(run->come_to);
    g_ptr_array_unref(run->findings);
    g_ptr_array_unref(run->peers);
    g_ptr_array_unref(run->explained);
    g_hash_table_unref(run->settings);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CheckRun, run_clear)

static void run_init(CheckRun *run, const CheckTopic *topics, const CtlOptions *options)
{
    *run = (CheckRun){
        .topics = topics,
        .options = options,
        .conf_dir = seal_service_folder(options->conf_dir),
        .findings = g_ptr_array_new_with_free_func(finding_free),
        .settings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
        .peers = g_ptr_array_new_with_free_func(g_free),
        .explained = g_ptr_array_new_with_free_func(g_free),
        .said = -1,
    };
}

const char *check_conf_dir(const CheckRun *run)
{
    return run->conf_dir;
}

SealService *check_service(const CheckRun *run)
{
    return run->service;
}

SealDispatcher *check_dispatcher(const CheckRun *run)
{
    return run->dispatcher;
}

const char *check_user(const CheckRun *run)
{
    return run->user;
}

GPtrArray *check_peers(const CheckRun *run)
{
    return run->peers;
}

const char *check_setting(const CheckRun *run, const char *group, const char *key)
{
    g_autofree char *name = g_strconcat(group, "/", key, NULL);

    return g_hash_table_lookup(run->settings, name);
}

/* -------------------------------------------------------------------------------------------
 * Findings
 */

/* A name that is none is a mistake of ours, and no reason to lose what was found. */
static const CheckTopic *find_topic(const CheckRun *run, const char *name)
{
    const CheckTopic *topic = run->topics;

    while (topic->name && !g_str_equal(topic->name, name))
        topic++;
    return topic->name ? topic : run->topics;
}

/* In a child. One that is not heard has no more to do. */
static void say(const CheckRun *run, Said said, CheckState state, const char *one, const char *two,
                const char *three)
{
    g_autofree char *first = g_utf8_make_valid(one, -1);
    g_autofree char *second = g_utf8_make_valid(two, -1);
    g_autofree char *third = g_utf8_make_valid(three, -1);
    g_autoptr(GVariant) record = g_variant_ref_sink(
        g_variant_new(RECORD_TYPE, (guint)said, (guint)state, first, second, third, ""));
    guint32 size = (guint32)g_variant_get_size(record);

    if (!seal_fd_write(run->said, &size, sizeof size) ||
        !seal_fd_write(run->said, g_variant_get_data(record), size))
        _exit(CTL_PROBLEM);
}

static void add_finding(CheckRun *run, CheckState state, const char *topic, const char *text,
                        const char *remedy)
{
    CheckFinding *finding = g_new0(CheckFinding, 1);

    finding->topic = find_topic(run, topic);
    finding->state = MIN(state, CHECK_UNCHECKED);
    finding->text = g_utf8_make_valid(text, -1);
    finding->remedy = g_utf8_make_valid(remedy, -1);
    g_ptr_array_add(run->findings, finding);
    if (run->said >= 0)
        say(run, SAID_FINDING, state, topic, text, remedy);
}

void check_put(CheckRun *run, CheckState state, const char *topic, const char *remedy,
               const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    add_finding(run, state, topic, text, remedy ? remedy : "");
}

void check_leave(CheckRun *run, const char *topic, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    check_put(run, CHECK_UNCHECKED, topic, NULL, "%s", text);
}

void check_put_error(CheckRun *run, const char *topic, const char *remedy, const GError *error)
{
    check_put(run, CHECK_PROBLEM, topic, remedy, "%s", error->message);
}

static gboolean has_state(const CheckRun *run, const char *topic, CheckState state)
{
    for (guint i = 0; i < run->findings->len; i++) {
        const CheckFinding *finding = g_ptr_array_index(run->findings, i);

        if (finding->state == state && g_str_equal(finding->topic->name, topic))
            return TRUE;
    }
    return FALSE;
}

gboolean check_has_problem(const CheckRun *run, const char *topic)
{
    return has_state(run, topic, CHECK_PROBLEM);
}

gboolean check_has_trouble(const CheckRun *run, const char *topic)
{
    return check_has_problem(run, topic) || has_state(run, topic, CHECK_WARNING);
}

/* -------------------------------------------------------------------------------------------
 * Settings
 */

static void keep_setting(CheckRun *run, const char *name, const char *value)
{
    g_hash_table_insert(run->settings, g_strdup(name), g_strdup(value));
    if (run->said >= 0)
        say(run, SAID_SETTING, CHECK_OK, name, value, "");
}

void check_keep_settings(CheckRun *run, SealDispatcher *dispatcher)
{
    g_autoptr(SealOut) out = seal_out_new();
    const char *group, *key, *value;

    seal_dispatcher_show_config(dispatcher, out);
    g_autoptr(GVariant) answer = seal_out_finish(out);
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, "settings", G_VARIANT_TYPE("aa{sv}"));
    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (!g_variant_lookup(row, "group", "&s", &group) ||
            !g_variant_lookup(row, "key", "&s", &key) ||
            !g_variant_lookup(row, "value", "&s", &value))
            continue;
        g_autofree char *name = g_strconcat(group, "/", key, NULL);
        keep_setting(run, name, value);
    }
}

void check_visit_rules(const CheckRun *run, const char *key, const char *value,
                       void (*visit)(const char *rule, const char *senders, gpointer user_data),
                       gpointer user_data)
{
    g_autofree char *suffix = g_strconcat("/", key, NULL);
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(run->settings), (GCompareFunc)strcmp);

    for (GList *name = names; name; name = name->next) {
        if (!g_str_has_prefix(name->data, "rule ") || !g_str_has_suffix(name->data, suffix) ||
            g_strcmp0(g_hash_table_lookup(run->settings, name->data), value) != 0)
            continue;
        g_autofree char *rule = g_strndup(name->data, strlen(name->data) - strlen(suffix));
        const char *senders = check_setting(run, rule, "match_sender");
        visit(rule, senders ? senders : "", user_data);
    }
}

/* -------------------------------------------------------------------------------------------
 * Who, and what is explained
 */

static gboolean keep_name(CheckRun *run, GPtrArray *names, Said said, const char *name)
{
    if (g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        return FALSE;
    g_ptr_array_add(names, g_strdup(name));
    if (run->said >= 0)
        say(run, said, CHECK_OK, name, "", "");
    return TRUE;
}

void check_add_peer(CheckRun *run, const char *user)
{
    keep_name(run, run->peers, SAID_PEER, user);
}

gboolean check_explain_path(CheckRun *run, const char *topic, const char *path)
{
    g_autofree char *both = g_strconcat(topic, " ", path, NULL);

    return keep_name(run, run->explained, SAID_EXPLAINED, both);
}

static void keep_text(char **text, const char *now)
{
    g_free(*text);
    *text = g_strdup(now);
}

/* The service's, whom root has become. */
static void keep_user(CheckRun *run, guint user)
{
    const struct passwd *entry = getpwuid(user);
    g_autofree char *number = g_strdup_printf("%u", user);

    keep_text(&run->user, entry ? entry->pw_name : number);
    if (run->said >= 0)
        say(run, SAID_USER, CHECK_OK, run->user, "", "");
}

/* -------------------------------------------------------------------------------------------
 * Children
 */

static void hear_record(CheckRun *run, GVariant *record)
{
    const char *one, *two, *three, *four;
    guint said, state;

    g_variant_get(record, "(uu&s&s&s&s)", &said, &state, &one, &two, &three, &four);
    if (said == SAID_FINDING)
        add_finding(run, (CheckState)state, one, two, three);
    else if (said == SAID_SETTING)
        keep_setting(run, one, two);
    else if (said == SAID_USER)
        keep_text(&run->user, one);
    else if (said == SAID_PEER)
        keep_name(run, run->peers, SAID_PEER, one);
    else if (said == SAID_EXPLAINED)
        keep_name(run, run->explained, SAID_EXPLAINED, one);
    else if (said == SAID_TOPIC)
        keep_text(&run->come_to, one);
    else if (said == SAID_DONE)
        run->done = TRUE;
}

/* FALSE at the end, or where the time is over. */
static gboolean wait_for_words(int fd, gint64 until)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    gint64 left = (until - g_get_monotonic_time()) / 1000;
    int found;

    while ((found = poll(&ready, 1, (int)MAX(left, 0))) < 0 && errno == EINTR)
        left = (until - g_get_monotonic_time()) / 1000;
    return found > 0;
}

static gboolean hear_one(CheckRun *run, int fd, gint64 until)
{
    guint32 size;

    if (!wait_for_words(fd, until) || seal_fd_read(fd, &size, sizeof size) != sizeof size ||
        size > MAX_RECORD)
        return FALSE;
    guint8 *data = g_malloc(size);
    gboolean whole = seal_fd_read(fd, data, size) == (gssize)size;
    g_autoptr(GVariant) record = g_variant_ref_sink(
        g_variant_new_from_data(G_VARIANT_TYPE(RECORD_TYPE), data, size, FALSE, g_free, data));

    if (whole)
        hear_record(run, record);
    return whole;
}

_Noreturn static void work_in_child(CheckRun *run, int said, pid_t parent,
                                    void (*work)(CheckRun *run, gpointer data), gpointer data)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(CTL_PROBLEM);
    run->said = said;
    work(run, data);
    say(run, SAID_DONE, CHECK_OK, "", "", "");
    _exit(CTL_OK);
}

/* What it was at is told by the topic that it had come to. */
static gboolean judge_child(CheckRun *run, const char *topic, int how, gboolean late)
{
    const char *at = run->come_to ? run->come_to : topic;
    const char *remedy = "sealctl modules opens each module by itself: remove the one that ends it";

    if (run->done)
        return TRUE;
    if (late)
        check_put(run, CHECK_PROBLEM, at, "find out what does not answer: the network, or a disk",
                  "no answer within %d seconds", PATIENCE);
    else if (WIFSIGNALED(how))
        check_put(run, CHECK_PROBLEM, at, remedy, "the check of it was ended by signal %d",
                  WTERMSIG(how));
    else
        check_put(run, CHECK_PROBLEM, at, remedy,
                  "the check of it ended with status %d: a module or a library has called exit()",
                  WEXITSTATUS(how));
    return FALSE;
}

static gboolean hear_child(CheckRun *run, const char *topic, int fd, pid_t child)
{
    gint64 until = g_get_monotonic_time() + PATIENCE * G_USEC_PER_SEC;
    int how = 0;

    while (hear_one(run, fd, until))
        ;
    gboolean late = g_get_monotonic_time() >= until;
    /* One that is not heard any more might wait to be; of one that has ended it changes nothing. */
    kill(child, SIGKILL);
    while (waitpid(child, &how, 0) < 0 && errno == EINTR)
        ;
    return judge_child(run, topic, how, late);
}

gboolean check_in_child(CheckRun *run, const char *topic,
                        void (*work)(CheckRun *run, gpointer data), gpointer data)
{
    pid_t parent = getpid(), child = -1;
    int words[2];

    g_clear_pointer(&run->come_to, g_free);
    run->done = FALSE;
    if (pipe2(words, O_CLOEXEC) == 0 && (child = fork()) == 0) {
        close(words[0]);
        work_in_child(run, words[1], parent, work, data);
    }
    if (child < 0) {
        check_put(run, CHECK_PROBLEM, topic, "free some memory, or end some processes",
                  "no process can be started to look at it: %s", g_strerror(errno));
        return FALSE;
    }
    close(words[1]);
    gboolean done = hear_child(run, topic, words[0], child);
    close(words[0]);
    return done;
}

typedef struct {
    const char *topic;
    const char *user;
    void (*work)(CheckRun *run, gpointer data);
    gpointer data;
} AsUser;

static void work_as_user(CheckRun *run, gpointer data)
{
    const AsUser *as = data;
    g_autoptr(GError) error = NULL;

    if (geteuid() == 0 && !seal_user_become_named(as->user, &error))
        check_leave(run, as->topic, "as user %s sees it: %s", as->user, error->message);
    else
        as->work(run, as->data);
}

gboolean check_as_user(CheckRun *run, const char *topic, const char *user,
                       void (*work)(CheckRun *run, gpointer data), gpointer data)
{
    const struct passwd *entry = getpwnam(user);
    AsUser as = {topic, user, work, data};

    if (geteuid() != 0 && (!entry || entry->pw_uid != geteuid())) {
        check_leave(run, topic, "as user %s sees it: run this as root", user);
        return FALSE;
    }
    return check_in_child(run, topic, work_as_user, &as);
}

/* -------------------------------------------------------------------------------------------
 * All of it
 */

static void run_topics(CheckRun *run, CheckAs as)
{
    for (const CheckTopic *topic = run->topics; topic->name; topic++) {
        if (topic->as != as || !topic->run)
            continue;
        if (run->said >= 0)
            say(run, SAID_TOPIC, CHECK_OK, topic->name, "", "");
        topic->run(run);
    }
}

/* Those behind the one that a child has come to; all of them where it came to none. */
static void leave_topics(CheckRun *run, const char *why)
{
    gboolean is_behind = !run->come_to;

    for (const CheckTopic *topic = run->topics; topic->name; topic++) {
        if (is_behind && topic != run->topics && topic->as == CHECK_AS_SERVICE &&
            !check_has_trouble(run, topic->name))
            check_leave(run, topic->name, "%s", why);
        is_behind = is_behind || g_str_equal(topic->name, run->come_to);
    }
}

static gboolean open_dispatcher(CheckRun *run, const CtlKept *kept, GError **error)
{
    run->dispatcher =
        seal_dispatcher_prepare(run->service, NULL, kept->listed, kept->tended, error);
    if (!run->dispatcher)
        return FALSE;
    seal_dispatcher_ask_at(run->dispatcher, kept->socket);
    return seal_dispatcher_attach(run->dispatcher, error);
}

static gboolean open_service(CheckRun *run, const CtlKept *kept, GError **error)
{
    run->service = seal_service_open(run->conf_dir, error);
    if (!run->service)
        return FALSE;
    keep_user(run, geteuid());
    return open_dispatcher(run, kept, error);
}

/* That of the setting that an error of opening names. */
static const char *topic_of_error(const GError *error)
{
    static const char *const topics[][2] = {
        {"] server_keys: ", "signing"},     {"] passphrase_file: ", "signing"},
        {"] signing_key: ", "signing"},     {"] trust_anchors: ", "anchors"},
        {"] mail_roots: ", "anchors"},      {"] introducers: ", "anchors"},
        {"] introducer_keys: ", "anchors"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(topics); i++) {
        if (strstr(error->message, topics[i][0]))
            return topics[i][1];
    }
    return "configuration";
}

static void look_as_service(CheckRun *run, G_GNUC_UNUSED gpointer data)
{
    g_auto(CtlKept) kept = {-1, -1};
    g_autoptr(GError) error = NULL;

    if (!ctl_kept_open(&kept, run->conf_dir, &error) || !open_service(run, &kept, &error)) {
        check_put_error(run, topic_of_error(error),
                        "mend that, then run sealctl check again; sealpipe.conf(5) has all "
                        "settings",
                        error);
        leave_topics(run, CHECK_NO_SETTINGS);
        return;
    }
    check_keep_settings(run, run->dispatcher);
    run_topics(run, CHECK_AS_SERVICE);
    g_clear_pointer(&run->dispatcher, seal_dispatcher_free);
    g_clear_pointer(&run->service, seal_service_free);
}

/* -------------------------------------------------------------------------------------------
 * The answer
 */

/* What broke first is told first; within a topic, in the order in which it was found. */
static void sort_findings(CheckRun *run)
{
    g_autoptr(GPtrArray) found = g_steal_pointer(&run->findings);

    run->findings = g_ptr_array_new_with_free_func(finding_free);
    g_ptr_array_set_free_func(found, NULL);
    for (const CheckTopic *topic = run->topics; topic->name; topic++) {
        for (guint i = 0; i < found->len; i++) {
            if (((CheckFinding *)g_ptr_array_index(found, i))->topic == topic)
                g_ptr_array_add(run->findings, g_ptr_array_index(found, i));
        }
    }
}

/* @path is in @text as a whole word, or something that is in the folder @path. */
static gboolean names_path(const char *text, const char *path)
{
    gsize size = strlen(path);

    for (const char *at = strstr(text, path); at; at = strstr(at + 1, path)) {
        if (!g_ascii_isalnum(at[size]) && !strchr("-_", at[size] ? at[size] : ' '))
            return TRUE;
    }
    return FALSE;
}

static gboolean is_explained(const CheckRun *run, const CheckFinding *finding)
{
    for (guint i = 0; i < run->explained->len; i++) {
        const char *explained = g_ptr_array_index(run->explained, i);
        const char *path = strchr(explained, ' ') + 1;
        g_autofree char *topic = g_strndup(explained, (gsize)(path - explained) - 1);

        if (!g_str_equal(finding->topic->name, topic) && names_path(finding->text, path))
            return TRUE;
    }
    return FALSE;
}

/* What the owner and mode of a file cause is told by "files" alone, which has the remedy. */
static void drop_explained(CheckRun *run)
{
    for (guint i = run->findings->len; i > 0; i--) {
        const CheckFinding *finding = g_ptr_array_index(run->findings, i - 1);

        if ((finding->state == CHECK_PROBLEM || finding->state == CHECK_WARNING) &&
            is_explained(run, finding))
            g_ptr_array_remove_index(run->findings, i - 1);
    }
}

static void put_findings(const CheckRun *run, SealOut *out, const guint *counts)
{
    seal_out_number(out, "problems", counts[CHECK_PROBLEM]);
    seal_out_number(out, "warnings", counts[CHECK_WARNING]);
    seal_out_number(out, "unchecked", counts[CHECK_UNCHECKED]);
    seal_out_list(out, "findings");
    for (guint i = 0; i < run->findings->len; i++) {
        const CheckFinding *finding = g_ptr_array_index(run->findings, i);

        seal_out_row(out, "findings");
        seal_out_text(out, "topic", "%s", finding->topic->name);
        seal_out_text(out, "state", "%s", check_state_name(finding->state));
        seal_out_text(out, "text", "%s", finding->text);
        seal_out_text(out, "remedy", "%s", finding->remedy);
        seal_out_end_row(out);
    }
}

int check_run(const CheckTopic *topics, const CtlOptions *options, SealOut *out)
{
    g_auto(CheckRun) run;
    guint counts[CHECK_UNCHECKED + 1] = {0};

    run_init(&run, topics, options);
    if (!check_in_child(&run, topics->name, look_as_service, NULL))
        leave_topics(&run, "the check of what is ahead of it has ended");
    run_topics(&run, CHECK_AS_CALLER);
    run_topics(&run, CHECK_AT_END);
    drop_explained(&run);
    sort_findings(&run);
    for (guint i = 0; i < run.findings->len; i++)
        counts[((CheckFinding *)g_ptr_array_index(run.findings, i))->state]++;
    if (options->json)
        put_findings(&run, out, counts);
    else
        check_show(run.findings);
    return counts[CHECK_PROBLEM] > 0 ? CTL_PROBLEM : CTL_OK;
}
