/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * generation.c: reads the configuration, becomes the service's user, forks workers, and puts
 * another one in the place of each that ends. It reads no mail.
 */
#include "filters/daemon/daemon.h"
#include "filters/daemon/follow.h"
#include "filters/daemon/keeper.h"
#include "filters/daemon/peers.h"
#include "filters/daemon/refresher.h"
#include "filters/daemon/sandbox.h"
#include "filters/daemon/signals.h"
#include "filters/daemon/tender.h"
#include "filters/daemon/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LEAST_PAUSE_MS = 100,
    MOST_PAUSE_MS = 10000,
    MAX_FILES = 65536,
};

/* A place for a worker. */
typedef struct {
    pid_t pid; /* 0: it is empty */
    int control;
    gint64 due;     /* it is taken for dead then; 0: it is idle */
    gint64 again;   /* when it may be filled anew */
    gint64 pause;   /* how long that was last time */
    gboolean ready; /* it has waited for work */
} Place;

typedef struct {
    DaemonShop shop;
    SealDaemonSettings settings;
    DaemonPeers *peers;
    DaemonKeeper keeper;
    DaemonTender tender;
    DaemonRefresher refresher;
    DaemonSandbox sandbox;
    DaemonFollow follow;
    SealTally *tally; /* or NULL */
    gboolean lost;    /* either has ended, and the supervisor knows */
    Place *places;
    int signals;
    gboolean accepts; /* the supervisor said so */
    char order;       /* D or S, once it came */
} Generation;

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* -------------------------------------------------------------------------------------------
 * Workers
 */

/* Nothing of the others stays open: their sockets' ends are orders. */
static void close_places(Generation *self)
{
    for (guint i = 0; i < self->settings.workers; i++) {
        if (self->places[i].pid)
            close(self->places[i].control);
    }
    close(self->signals);
    close(DAEMON_CONTROL_FD);
    daemon_keeper_clear(&self->keeper);
    daemon_tender_clear(&self->tender);
}

/* One that hangs would not see the end of its socket. It is set under the user's id: setuid clears
 * it. */
static void end_with_parent(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
}

G_GNUC_NORETURN static void become_worker(Generation *self, pid_t parent, int control, int keys)
{
    prctl(PR_SET_NAME, "sealpiped-work");
    setpgid(0, 0);
    end_with_parent(parent);
    close_places(self);
    daemon_signals_reset();
    signal(SIGPIPE, SIG_IGN); /* a gpg that has ended is an error, as in the runner */
    seal_dispatcher_ask_at(self->shop.dispatcher, keys);
    _exit(daemon_work(&self->shop, DAEMON_LISTEN_FD, control, keys));
}

/* It has none of the sockets. */
G_GNUC_NORETURN static void become_refresher(Generation *self, pid_t parent)
{
    prctl(PR_SET_NAME, "sealpiped-fetch");
    setpgid(0, 0);
    end_with_parent(parent);
    close_places(self);
    close(DAEMON_LISTEN_FD);
    daemon_signals_reset();
    signal(SIGPIPE, SIG_IGN);
    seal_tally_unmap(self->tally);
    _exit(daemon_refresher_run(&self->shop));
}

static void start_refresher(Generation *self)
{
    pid_t parent = getpid(), pid = fork();

    if (pid == 0)
        become_refresher(self, parent);
    self->refresher.pid = MAX(pid, 0);
    if (pid < 0)
        self->refresher.again = now_ms() + MOST_PAUSE_MS;
}

static gboolean start_worker(Generation *self, Place *place)
{
    int keys = daemon_keeper_connect(&self->keeper);
    pid_t pid, parent = getpid();
    int pair[2];

    if (keys < 0)
        return FALSE;
    if (!daemon_pair(pair)) {
        close(keys);
        return FALSE;
    }
    pid = fork();
    if (pid == 0) {
        close(pair[0]);
        become_worker(self, parent, pair[1], keys);
    }
    close(pair[1]);
    close(keys);
    if (pid < 0) {
        close(pair[0]);
        return FALSE;
    }
    setpgid(pid, pid);
    place->pid = pid;
    place->control = pair[0];
    place->due = now_ms() + self->settings.deadline * 1000;
    place->ready = FALSE;
    return TRUE;
}

/* Without the keeper those who are there go on, and a new generation will come. */
static gboolean is_hiring(const Generation *self)
{
    return self->accepts && !self->order && !self->lost;
}

static void fill_places(Generation *self)
{
    for (guint i = 0; i < self->settings.workers && is_hiring(self); i++) {
        Place *place = &self->places[i];

        if (!place->pid && place->again <= now_ms() && !start_worker(self, place)) {
            seal_log_failure("a worker cannot be started: %s", g_strerror(errno));
            place->again = now_ms() + LEAST_PAUSE_MS;
        }
    }
    if (is_hiring(self) && !self->refresher.pid && self->refresher.again <= now_ms())
        start_refresher(self);
}

/* With whomever it has started. */
static void kill_worker(const Place *place)
{
    kill(-place->pid, SIGKILL);
}

static void log_end(const Place *place, const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED && info->si_status == 0)
        return;
    seal_tally_miss_worker();
    seal_log_warning("worker %d was ended by %s %d; another one takes its place", (int)place->pid,
                     info->si_code == CLD_EXITED ? "itself, with status" : "signal",
                     info->si_status);
}

static void hear_worker(Generation *self, Place *place)
{
    gint64 number;
    int letter;

    while ((letter = daemon_hear(place->control, &number)) > 0) {
        if (letter == 'A')
            place->due = now_ms() + number / 1000;
        else if (letter == 'I') {
            place->due = 0;
            place->ready = TRUE;
        } else if (letter == 'C') {
            self->follow.worn = TRUE;
        }
    }
}

/* One that was ended by a message costs that message, and is followed at once. It is not tried
 * again and again where none of them can begin. */
static void empty_place(Generation *self, Place *place, const siginfo_t *info)
{
    log_end(place, info);
    hear_worker(self, place);
    close(place->control);
    if (place->ready)
        place->pause = 0;
    else
        place->pause = CLAMP(place->pause * 2, LEAST_PAUSE_MS, MOST_PAUSE_MS);
    place->again = now_ms() + place->pause;
    place->pid = 0;
}

static void reap_workers(Generation *self)
{
    daemon_refresher_reap(&self->refresher, now_ms());
    for (guint i = 0; i < self->settings.workers; i++) {
        Place *place = &self->places[i];
        siginfo_t info = {0};

        if (!place->pid ||
            waitid(P_PID, (id_t)place->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid == 0)
            continue;
        kill_worker(place); /* what is left of its group, before its number is another's */
        waitid(P_PID, (id_t)place->pid, &info, WEXITED | WNOHANG);
        empty_place(self, place, &info);
    }
}

static void end_late_workers(Generation *self)
{
    for (guint i = 0; i < self->settings.workers; i++) {
        Place *place = &self->places[i];

        if (!place->pid || !place->due || place->due > now_ms())
            continue;
        seal_log_warning("worker %d made no progress within its time, and is ended",
                         (int)place->pid);
        place->due = 0;
        kill_worker(place);
    }
}

static gboolean has_workers(const Generation *self)
{
    for (guint i = 0; i < self->settings.workers; i++) {
        if (self->places[i].pid)
            return TRUE;
    }
    return FALSE;
}

/* The one that accepts says how many there are. */
static void count_workers(const Generation *self)
{
    guint alive = 0, busy = 0;

    if (!self->accepts || self->order)
        return;
    for (guint i = 0; i < self->settings.workers; i++) {
        const Place *place = &self->places[i];

        alive += place->pid ? 1 : 0;
        busy += place->pid && place->ready && place->due ? 1 : 0;
    }
    seal_tally_workers(self->settings.workers, alive, busy);
}

/* -------------------------------------------------------------------------------------------
 * Orders
 */

static void pass_order(Generation *self, char order)
{
    self->order = order;
    daemon_refresher_end(&self->refresher);
    for (guint i = 0; i < self->settings.workers; i++) {
        if (self->places[i].pid)
            daemon_say(self->places[i].control, order, 0);
    }
}

/* Without root a new one cannot be started from here. */
static void lose_keys(Generation *self, const char *what)
{
    if (!self->lost)
        daemon_say(DAEMON_CONTROL_FD, 'X', 1);
    self->lost = TRUE;
    seal_log_warning("the process that %s has ended; a new generation of the daemon is started",
                     what);
}

static void warn_of_server(gint64 number)
{
    seal_log_warning(
        "a process that answers for the private keys was ended by signal %" G_GINT64_FORMAT "%s",
        number, number == SIGSYS ? ": it made a system call that is not for it" : "");
}

static void hear_keeper(Generation *self)
{
    gint64 number = 0;
    int letter = 0;

    while ((letter = daemon_hear(self->keeper.control, &number)) > 0) {
        if (letter == 'C')
            self->follow.kept_sum = (guint64)number;
        else
            warn_of_server(number);
    }
    if (letter == 0)
        return;
    daemon_keeper_clear(&self->keeper);
    lose_keys(self, "keeps the private keys");
}

static void hear_tender(Generation *self)
{
    daemon_tender_clear(&self->tender);
    lose_keys(self, "tends to the private keys");
}

/* The one that takes our place looks itself. */
static void look_for_changes(Generation *self)
{
    if (!self->order && daemon_follow_look(&self->follow, self->shop.dispatcher))
        daemon_say(DAEMON_CONTROL_FD, 'X', 0);
}

static void begin_work(Generation *self)
{
    self->accepts = TRUE;
    seal_log_notice("sealpiped " SEALPIPE_VERSION " handles mail with the configuration of %s",
                    self->settings.conf_dir);
}

static void hear_supervisor(Generation *self)
{
    char text[DAEMON_TEXT_MAX + 1];
    int letter;

    while ((letter = daemon_hear_text(DAEMON_CONTROL_FD, text, sizeof text)) > 0) {
        if (letter == 'G')
            begin_work(self);
        else if (letter == 'W')
            seal_log_warning("%s", text);
        else if (letter == 'D' || letter == 'S')
            pass_order(self, (char)letter);
    }
    /* Nobody follows: who waits at this socket is served. */
    if (letter < 0 && !self->order)
        pass_order(self, 'S');
}

/* Milliseconds to what is to be done next, or -1. */
static int next_due(const Generation *self)
{
    gint64 next = self->order ? G_MAXINT64 : self->follow.next;

    for (guint i = 0; i < self->settings.workers; i++) {
        const Place *place = &self->places[i];

        if (place->pid && place->due)
            next = MIN(next, place->due);
        else if (!place->pid && is_hiring(self))
            next = MIN(next, place->again);
    }
    if (!self->refresher.pid && is_hiring(self))
        next = MIN(next, self->refresher.again);
    return next == G_MAXINT64 ? -1 : (int)CLAMP(next - now_ms(), 0, G_MAXINT);
}

static void watch_workers(Generation *self)
{
    guint count = self->settings.workers;
    g_autofree struct pollfd *fds = g_new0(struct pollfd, count + 4);

    fds[0] = (struct pollfd){.fd = self->order ? -1 : DAEMON_CONTROL_FD, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = self->signals, .events = POLLIN};
    for (guint i = 0; i < count; i++)
        fds[i + 2] = (struct pollfd){.fd = self->places[i].pid ? self->places[i].control : -1,
                                     .events = POLLIN};
    fds[count + 2] = (struct pollfd){.fd = self->keeper.control, .events = POLLIN};
    fds[count + 3] = (struct pollfd){.fd = self->tender.control, .events = POLLIN};
    poll(fds, count + 4, next_due(self));
    for (guint i = 0; i < count; i++) {
        if (fds[i + 2].revents & POLLIN)
            hear_worker(self, &self->places[i]);
    }
    while (daemon_signals_next(self->signals))
        ;
    reap_workers(self);
    if (fds[count + 2].revents)
        hear_keeper(self);
    if (fds[count + 3].revents)
        hear_tender(self);
    if (fds[0].revents)
        hear_supervisor(self);
    end_late_workers(self);
    look_for_changes(self);
    count_workers(self);
}

/* -------------------------------------------------------------------------------------------
 * Beginning
 */

static gboolean fail_opening(GError **error, const char *what)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s: %s", what, g_strerror(errno));
    return FALSE;
}

static gboolean refuse_user(GError **error, const char *why)
{
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG, why);
    return FALSE;
}

/* What came by mail is read by nobody who may do everything, nor by who keeps the keys. */
static gboolean check_user(const DaemonShop *shop, gboolean from_root, GError **error)
{
    const struct passwd *keeper = getpwnam(shop->settings->keys_user);

    if (geteuid() == 0)
        return refuse_user(error, "root does not work on mail: name a user of its own in [core] "
                                  "user, such as sealpipe, and give him state_dir");
    if (from_root && keeper && keeper->pw_uid == geteuid())
        return refuse_user(error, "[core] user and [daemon] keys_user are the same: the private "
                                  "keys would be open to who reads the mail");
    return TRUE;
}

/* Mail is deferred for it, which is no reason to end: it may be mended at any time. */
static void warn_of_state(const SealService *service)
{
    g_autoptr(GError) problem = NULL;
    gboolean passes;

    if (seal_service_passes(service, &passes, &problem))
        return;
    g_autofree char *text =
        g_strdup_printf("all mail waits until this is mended: %s", problem->message);
    seal_log_warning("%s", text);
    daemon_say_text(DAEMON_CONTROL_FD, 'N', text);
}

static gboolean open_shop(Generation *self, const char *conf_dir, GError **error)
{
    DaemonShop *shop = &self->shop;
    const gboolean from_root = geteuid() == 0;
    struct stat info;
    int listed = -1;

    if (!seal_daemon_settings_read(conf_dir, &self->settings, error))
        return FALSE;
    if (stat(self->settings.conf_dir, &info) != 0)
        return fail_opening(error, self->settings.conf_dir);
    shop->device = info.st_dev;
    shop->inode = info.st_ino;
    shop->settings = &self->settings;
    if (!daemon_keeper_start(&self->keeper, &self->settings, &listed, error) ||
        !daemon_tender_start(&self->tender, &self->settings, error))
        return FALSE;
    shop->service = seal_service_open(self->settings.conf_dir, error);
    if (!shop->service || !check_user(shop, from_root, error))
        return FALSE;
    warn_of_state(shop->service);
    shop->dispatcher =
        seal_dispatcher_prepare(shop->service, NULL, listed, self->tender.folder, error);
    close(listed);
    if (!shop->dispatcher || !seal_dispatcher_refuse_stderr(shop->dispatcher, error))
        return FALSE;
    self->peers = daemon_peers_new(&self->settings, seal_service_user(shop->service));
    shop->peers = self->peers;
    shop->sandbox = &self->sandbox;
    shop->refreshes = self->settings.refresh && seal_dispatcher_can_refresh(shop->dispatcher);
    daemon_refresher_prepare(&self->refresher, shop);
    return daemon_sandbox_prepare(&self->sandbox, &self->settings, shop->dispatcher, from_root,
                                  shop->refreshes, error);
}

static gboolean open_generation(Generation *self, const char *conf_dir, GError **error)
{
    static const int numbers[] = {SIGCHLD, 0};

    if (!open_shop(self, conf_dir, error))
        return FALSE;
    self->places = g_new0(Place, self->settings.workers);
    self->signals = daemon_signals_open(numbers);
    return self->signals >= 0 || fail_opening(error, "signals cannot be waited for");
}

static void close_generation(Generation *self)
{
    seal_dispatcher_free(self->shop.dispatcher);
    seal_service_free(self->shop.service);
    daemon_peers_free(self->peers);
    daemon_keeper_clear(&self->keeper);
    daemon_tender_clear(&self->tender);
    daemon_sandbox_clear(&self->sandbox);
    seal_daemon_settings_clear(&self->settings);
    seal_tally_unmap(self->tally);
    g_free(self->places);
}

static void say_problem(const GError *error)
{
    seal_log_failure("the daemon cannot work with this configuration: %s", error->message);
    daemon_say_text(DAEMON_CONTROL_FD, 'E', error->message);
}

/* Of a worker's answers that a peer has not taken the kernel bounds the number, by this limit and
 * for all workers together: one peer must not use it up. */
static void raise_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= MAX_FILES)
        return;
    files.rlim_cur = MIN(files.rlim_max, MAX_FILES);
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        seal_log_warning("the limit of open files stays low: %s", g_strerror(errno));
}

/* Who keeps the private keys has nothing of it: they are started before it is shared. */
static void open_tally(Generation *self)
{
    self->tally = seal_tally_map(DAEMON_TALLY_FD, NULL);
    close(DAEMON_TALLY_FD);
}

static void share_tally(Generation *self)
{
    if (self->tally) {
        seal_dispatcher_name_formats(self->shop.dispatcher, self->tally);
        seal_tally_share(self->tally);
    } else {
        seal_log_warning("this generation of the daemon counts nothing for `sealctl status`: its "
                         "supervisor is of another version; start the daemon anew");
    }
    seal_tally_use(self->tally);
}

int daemon_generation(const char *conf_dir)
{
    Generation self = {
        .signals = -1, .keeper.control = -1, .tender.control = -1, .sandbox.rules = -1};
    g_autoptr(GError) error = NULL;
    int status = 0;

    raise_limit();
    open_tally(&self);
    fcntl(DAEMON_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    fcntl(DAEMON_LISTEN_FD, F_SETFD, FD_CLOEXEC);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !open_generation(&self, conf_dir, &error)) {
        if (error)
            say_problem(error);
        status = 1;
    } else {
        share_tally(&self);
        daemon_follow_begin(&self.follow);
        /* Of the first that was read: what has changed meanwhile has to be loaded once more. */
        daemon_say_text(DAEMON_CONTROL_FD, 'R', self.settings.digest);
        while (!self.order || has_workers(&self)) {
            fill_places(&self);
            watch_workers(&self);
        }
    }
    close_generation(&self);
    return status;
}
