/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * supervisor.c: keeps the socket, and one generation that accepts at it. It reads no mail, and of
 * what others write only the configuration.
 */
#include "filters/daemon/daemon.h"
#include "filters/daemon/notify.h"
#include "filters/daemon/signals.h"
#include "filters/daemon/socket.h"
#include "filters/daemon/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_MS = 120000, /* to read configuration and keys */
    LEAST_PAUSE_MS = 100,
    MOST_PAUSE_MS = 10000,
    LEAST_REST_MS = 1000, /* between generations that are started for what has changed */
    MOST_REST_MS = 16000, /* where that never ends */
    MAX_GENERATIONS = 64, /* with those that drain */
};

/* A generation, from its start to its end. */
typedef struct {
    pid_t pid;
    int control; /* -1: it was told to end */
    gint64 begun;
    gboolean ready;
} Child;

typedef struct {
    const char *path;
    SealDaemonSettings settings;
    DaemonSocket socket;
    DaemonStatus status;
    DaemonNews news;
    int signals;
    GArray *children; /* element type Child */
    pid_t current;    /* the one that accepts, or 0 */
    pid_t coming;     /* the one that is being started, or 0 */
    gboolean again;   /* another one is wanted as soon as that is ready, or not */
    gboolean reload;  /* the one that is coming takes the place of one that works */
    gboolean lame;    /* the one that accepts has lost its keeper */
    gint64 next;      /* when to start one, where there is none; 0: not at all */
    gint64 pause;
    gint64 due;      /* when to start one for what has changed; 0: nothing has */
    gint64 followed; /* when the last one was */
    gint64 rest;     /* how long the next one waits at least behind it */
    gboolean works;  /* one has been ready */
    char *problem;   /* what the one that is coming has said of itself, or NULL */
    gboolean failed; /* the first one did */
    int parent;      /* who waits for us to be ready, or -1 */
} Supervisor;

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* Since 1970. */
static gint64 now_s(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* -------------------------------------------------------------------------------------------
 * Generations
 */

static Child *find_child(const Supervisor *self, pid_t pid)
{
    for (guint i = 0; i < self->children->len; i++) {
        Child *child = &g_array_index(self->children, Child, i);

        if (child->pid == pid)
            return child;
    }
    return NULL;
}

static void say_child(Child *child, char order)
{
    if (child && child->control >= 0)
        daemon_say(child->control, order, 0);
}

/* From stdin to @last. Whoever waits for the end of what is there need not wait for ours. */
static void leave_terminal(int last)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; null >= 0 && fd <= last; fd++)
        dup2(null, fd);
    if (null > last)
        close(null);
}

/* Through the generation that works, where there is one: it has the log open where the
 * configuration says, and root has no business in a folder of the service's user. */
G_GNUC_PRINTF(2, 3) static void warn_people(const Supervisor *self, const char *format, ...)
{
    const Child *through = find_child(self, self->current);
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    if (!through || through->control < 0 || !daemon_say_text(through->control, 'W', text))
        seal_log_warning("%s", text);
}

static gboolean place_fd(int from, int to)
{
    return from == to ? fcntl(to, F_SETFD, 0) == 0 : dup2(from, to) == to;
}

/* Both are moved out of the way first: either may lie where the other one goes. */
G_GNUC_NORETURN static void become_generation(const Supervisor *self, int control)
{
    char *argv[] = {(char *)"sealpiped", (char *)"--generation", (char *)"-c",
                    self->settings.conf_dir, NULL};
    int listening = fcntl(self->socket.fd, F_DUPFD_CLOEXEC, 10);
    int tally = fcntl(self->status.file, F_DUPFD_CLOEXEC, 10);

    control = fcntl(control, F_DUPFD_CLOEXEC, 10);
    daemon_signals_reset();
    if (self->parent >= 0)
        leave_terminal(STDERR_FILENO);
    if (listening < 0 || control < 0 || !place_fd(control, DAEMON_CONTROL_FD) ||
        !place_fd(listening, DAEMON_LISTEN_FD))
        _exit(1);
    if (tally < 0 || !place_fd(tally, DAEMON_TALLY_FD))
        close(DAEMON_TALLY_FD);
    close_range(DAEMON_TALLY_FD + 1, ~0U, 0);
    execv(self->path, argv);
    _exit(1);
}

static gboolean start_child(Supervisor *self)
{
    Child child = {.begun = now_ms()};
    int pair[2];

    if (self->children->len == MAX_GENERATIONS || !daemon_pair(pair))
        return FALSE;
    child.pid = fork();
    if (child.pid == 0)
        become_generation(self, pair[1]);
    close(pair[1]);
    child.control = pair[0];
    if (child.pid < 0) {
        close(pair[0]);
        return FALSE;
    }
    g_array_append_val(self->children, child);
    self->coming = child.pid;
    g_clear_pointer(&self->problem, g_free);
    return TRUE;
}

/* Later, and later each time. */
static void put_off(Supervisor *self)
{
    self->pause = CLAMP(self->pause * 2, LEAST_PAUSE_MS, MOST_PAUSE_MS);
    self->next = now_ms() + self->pause;
}

/* For what has changed since the last one was started: at once, where that is rare. */
static void follow_change(Supervisor *self)
{
    if (!self->due)
        self->due = MAX(now_ms(), self->followed + self->rest);
}

static gboolean is_due(Supervisor *self)
{
    if (!self->due || self->due > now_ms())
        return FALSE;
    self->rest = now_ms() - self->followed > 2 * MOST_REST_MS
                     ? LEAST_REST_MS
                     : CLAMP(self->rest * 2, LEAST_REST_MS, MOST_REST_MS);
    self->followed = now_ms();
    return TRUE;
}

static gboolean is_wanted(Supervisor *self)
{
    return self->again || (self->next && self->next <= now_ms()) || is_due(self);
}

static void start_wanted(Supervisor *self)
{
    if (self->coming || self->news.stopping || !is_wanted(self))
        return;
    self->reload = self->again && self->current;
    self->again = FALSE;
    self->next = 0;
    self->due = 0;
    if (!start_child(self)) {
        warn_people(self, "a new generation of the daemon cannot be started: %s",
                    g_strerror(errno));
        put_off(self);
    }
}

/* -------------------------------------------------------------------------------------------
 * What becomes of them
 */

static void tell_ready(Supervisor *self)
{
    daemon_notify("READY=1");
    if (self->parent >= 0) {
        if (write(self->parent, "R", 1) < 0)
            seal_log_warning("whoever has started the daemon has gone");
        close(self->parent);
        self->parent = -1;
        leave_terminal(STDERR_FILENO);
    }
}

/* It takes the socket, and the one before it drains. */
static void welcome_child(Supervisor *self, Child *child, const char *digest)
{
    pid_t before = self->current;

    child->ready = TRUE;
    if (self->news.stopping) {
        say_child(child, 'D');
        return;
    }
    self->current = child->pid;
    self->coming = 0;
    self->pause = 0;
    self->works = TRUE;
    self->news.generation++;
    self->news.loaded = now_s();
    self->news.refused = 0;
    g_clear_pointer(&self->news.problem, g_free);
    g_free(self->news.digest);
    self->news.digest = g_strdup(digest);
    self->next = 0;
    self->lame = FALSE;
    say_child(child, 'G');
    say_child(find_child(self, before), 'D');
    tell_ready(self);
}

static void keep_problem(Supervisor *self, const char *text)
{
    g_free(self->problem);
    self->problem = g_strdup(text);
}

static void hear_want(Supervisor *self, const char *text)
{
    if (g_str_equal(text, "1"))
        self->again = self->lame = TRUE;
    else
        follow_change(self);
}

static void hear_child(Supervisor *self, Child *child)
{
    char text[DAEMON_TEXT_MAX + 1];
    int letter;

    while ((letter = daemon_hear_text(child->control, text, sizeof text)) > 0) {
        if (letter == 'R' && child->pid == self->coming)
            welcome_child(self, child, text);
        else if (letter == 'E' && child->pid == self->coming)
            keep_problem(self, text);
        else if (letter == 'N' && !self->works)
            fprintf(stderr, "sealpiped: %s\n", text);
        else if (letter == 'X' && child->pid == self->current)
            hear_want(self, text);
    }
    if (letter < 0) {
        close(child->control);
        child->control = -1;
    }
}

/* It says itself why. */
static void miss_coming(Supervisor *self)
{
    const char *why = self->problem ? self->problem : "the process that read it has ended";

    self->coming = 0;
    if (self->news.stopping)
        return;
    if (self->current)
        warn_people(self, "the configuration stays as it was before: the new one does not work: %s",
                    why);
    else if (!self->works)
        self->failed = TRUE;
    self->news.refused = now_s();
    g_free(self->news.problem);
    self->news.problem = g_strdup(why);
    if (self->lame || !self->current)
        put_off(self);
    /* Systemd waits for the end of the reload, however it ends. */
    if (self->reload)
        daemon_notify("READY=1");
}

static void miss_current(Supervisor *self)
{
    seal_log_failure("the daemon's generation %d has ended; a new one is started",
                     (int)self->current);
    self->current = 0;
    self->lame = FALSE;
    put_off(self);
}

static void miss_child(Supervisor *self, pid_t pid)
{
    if (pid == self->coming)
        miss_coming(self);
    else if (pid == self->current && !self->news.stopping)
        miss_current(self);
}

static void reap_children(Supervisor *self)
{
    for (guint i = 0; i < self->children->len;) {
        Child child = g_array_index(self->children, Child, i);

        if (waitpid(child.pid, NULL, WNOHANG) != child.pid) {
            i++;
            continue;
        }
        g_array_remove_index(self->children, i);
        if (child.control >= 0)
            close(child.control);
        miss_child(self, child.pid);
    }
}

static void end_late_start(Supervisor *self)
{
    Child *child = find_child(self, self->coming);

    if (self->coming && child && !child->ready && child->begun + START_MS < now_ms()) {
        warn_people(self, "a generation of the daemon was not ready within %d s, and is ended",
                    START_MS / 1000);
        kill(child->pid, SIGKILL);
        child->begun = now_ms();
    }
}

/* -------------------------------------------------------------------------------------------
 * Orders
 */

static void begin_reload(Supervisor *self)
{
    g_autofree char *state =
        g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());

    daemon_notify(state);
    self->again = TRUE;
}

/* Who finds no socket any more is told so at once; who waits at it is served. */
static void begin_stop(Supervisor *self)
{
    if (self->news.stopping)
        return;
    self->news.stopping = TRUE;
    daemon_notify("STOPPING=1");
    daemon_socket_hide(&self->socket);
    for (guint i = 0; i < self->children->len; i++)
        say_child(&g_array_index(self->children, Child, i), 'S');
}

static void obey_signals(Supervisor *self)
{
    int number;

    while ((number = daemon_signals_next(self->signals)) != 0) {
        if (number == SIGHUP)
            begin_reload(self);
        else if (number == SIGTERM || number == SIGINT)
            begin_stop(self);
    }
}

static int next_due(Supervisor *self)
{
    const Child *child = find_child(self, self->coming);
    gint64 next = G_MAXINT64;

    if (self->coming && child)
        next = child->begun + START_MS + 1;
    else if (!self->news.stopping)
        next = MIN(self->next ? self->next : next, self->due ? self->due : next);
    return next == G_MAXINT64 ? -1 : (int)CLAMP(next - now_ms(), 0, G_MAXINT);
}

static void watch_children(Supervisor *self)
{
    guint count = self->children->len;
    g_autofree struct pollfd *fds = g_new0(struct pollfd, count + 2);

    fds[0] = (struct pollfd){.fd = self->signals, .events = POLLIN};
    for (guint i = 0; i < count; i++)
        fds[i + 1] = (struct pollfd){.fd = g_array_index(self->children, Child, i).control,
                                     .events = POLLIN};
    fds[count + 1] = (struct pollfd){.fd = self->status.fd, .events = POLLIN};
    poll(fds, count + 2, next_due(self));
    for (guint i = 0; i < count; i++) {
        if (fds[i + 1].revents)
            hear_child(self, &g_array_index(self->children, Child, i));
    }
    obey_signals(self);
    reap_children(self);
    end_late_start(self);
    if (fds[count + 1].revents)
        daemon_status_answer(&self->status, &self->news);
}

static gboolean goes_on(const Supervisor *self)
{
    return !self->failed && (!self->news.stopping || self->children->len > 0);
}

/* -------------------------------------------------------------------------------------------
 * Beginning
 */

static gboolean open_all(Supervisor *self, const char *conf_dir, GError **error)
{
    static const int numbers[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, 0};

    if (!seal_daemon_settings_read(conf_dir, &self->settings, error) ||
        !daemon_socket_open(&self->socket, &self->settings, error))
        return FALSE;
    daemon_status_open(&self->status, &self->settings);
    self->news.started = now_s();
    self->signals = daemon_signals_open(numbers);
    return self->signals >= 0;
}

static int run_supervisor(Supervisor *self, const char *conf_dir)
{
    g_autoptr(GError) error = NULL;

    if (!open_all(self, conf_dir, &error)) {
        const char *why = error ? error->message : g_strerror(errno);

        seal_log_failure("the daemon cannot start: %s", why);
        fprintf(stderr, "sealpiped: %s\n", why);
        return 1;
    }
    self->again = TRUE;
    while (goes_on(self)) {
        start_wanted(self);
        watch_children(self);
    }
    if (self->failed)
        fprintf(stderr, "sealpiped: %s\n",
                self->problem ? self->problem : "it has ended while it began; see the log");
    return self->failed ? 1 : 0;
}

/* Whoever has started it goes on when it is ready. Returns what he then ends with; -1 in the daemon
 * itself. */
static int go_to_background(int *parent)
{
    int ends[2];
    char octet;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        fprintf(stderr, "sealpiped: %s\n", g_strerror(errno));
        return 1;
    }
    if (pid > 0) {
        close(ends[1]);
        return read(ends[0], &octet, 1) == 1 ? 0 : 1;
    }
    close(ends[0]);
    *parent = ends[1];
    setsid();
    leave_terminal(STDOUT_FILENO);
    return -1;
}

int daemon_supervise(const char *path, const char *conf_dir, gboolean foreground)
{
    Supervisor self = {.path = path, .signals = -1, .parent = -1, .status = {.fd = -1, .file = -1}};
    int status = foreground ? -1 : go_to_background(&self.parent);

    if (status >= 0)
        return status;
    self.socket = (DaemonSocket){.fd = -1, .pid_file = -1};
    self.children = g_array_new(FALSE, FALSE, sizeof(Child));
    status = run_supervisor(&self, conf_dir);
    daemon_status_clear(&self.status);
    daemon_socket_clear(&self.socket);
    seal_daemon_settings_clear(&self.settings);
    g_free(self.problem);
    g_free(self.news.problem);
    g_free(self.news.digest);
    g_array_unref(self.children);
    return status;
}
