/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/worker.h"

#include "filters/daemon/signals.h"
#include "filters/worker/modes.h"
#include "filters/worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    AT_ONCE_MS = 1,    /* a client sends its request as soon as it is connected */
    REQUEST_MS = 5000, /* where the machine is slow, or the client is */
    MAX_ASIDE = 64,    /* clients who are waited for meanwhile */
    MAX_READY = 16,
    RECORDS_S = 5, /* for one record of the answer */
};

/* How it is to end. */
typedef enum {
    ORDER_NONE,
    ORDER_DRAIN, /* another one accepts */
    ORDER_STOP,  /* nobody will: what waits is done first */
} Order;

/* A client who is connected and has said nothing yet. */
typedef struct {
    int socket;
    gint64 until; /* monotonic, milliseconds */
} Aside;

typedef struct {
    const DaemonShop *shop;
    int listening;
    int control;
    int keys;
    int epoll;
    Order order;
    gboolean lost; /* nobody is there any more who has the keys */
    gboolean idle; /* the queue was empty */
    guint taken;
    gboolean worn; /* the generation knows */
    Aside aside[MAX_ASIDE];
    guint n_aside;
} Worker;

static int control_fd = -1;
static gint64 told_due; /* what the generation knows; 0: idle */

/* Each record wakes the generation, so that what it knows well enough is not said. */
static void say_due(gint64 usec)
{
    if (worker_is_news(&told_due, usec))
        daemon_say(control_fd, 'A', usec);
}

static void say_idle(void)
{
    if (told_due)
        daemon_say(control_fd, 'I', 0);
    told_due = 0;
}

/* -------------------------------------------------------------------------------------------
 * One message
 */

static gboolean is_ours(const DaemonShop *shop, const SealRequest *request)
{
    return request->device == shop->device && request->inode == shop->inode;
}

/* The log keeps the name. */
static const char *mode_name(const char *mode)
{
    static const char *const modes[] = {"transport", "check", "pipe", NULL};

    for (const char *const *name = modes; *name; name++) {
        if (g_str_equal(*name, mode))
            return *name;
    }
    return "daemon";
}

/* While suspended all outbound mail passes, whatever is configured. */
static gboolean choose_desk(const DaemonShop *shop, const WorkerTask *task, WorkerDesk *desk,
                            GError **error)
{
    gboolean passes = FALSE;

    if (!task->options.inbound && !seal_service_passes(shop->service, &passes, error))
        return FALSE;
    *desk = (WorkerDesk){shop->service, passes ? NULL : shop->dispatcher};
    if (passes || shop->dispatcher)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                        "sealpipe is disabled, and inbound mail is not opened");
    return FALSE;
}

static int do_task(const DaemonShop *shop, guint user, SealRequest *request)
{
    g_auto(WorkerTask) task = {0};
    g_autoptr(GError) error = NULL;
    WorkerDesk desk;
    gboolean ok = worker_task_take(&task, request, &error);

    seal_log_open(mode_name(request->mode), FALSE);
    worker_tell_log();
    if (ok && daemon_peers_check(shop->peers, user, &task, &error) &&
        choose_desk(shop, &task, &desk, &error))
        return worker_do(&desk, &task);
    return worker_fail(&task, error);
}

/* FALSE: he is not there any more, or it cannot be told who he is. */
static gboolean find_peer(int client, guint *user)
{
    const struct timeval patience = {.tv_sec = RECORDS_S};
    const struct timeval at_once = {.tv_usec = AT_ONCE_MS * 1000};
    struct ucred peer;
    socklen_t size = sizeof peer;

    *user = 0;
    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer ||
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &at_once, sizeof at_once) != 0 ||
        setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
        return FALSE;
    *user = peer.uid;
    return TRUE;
}

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* Whether he has said something, or gone, by then. */
static gboolean has_spoken(int client, int msec)
{
    struct pollfd fd = {.fd = client, .events = POLLIN};

    return poll(&fd, 1, msec) > 0;
}

/* Nobody works for one whose time was over while he waited. */
static gboolean has_gone(int client)
{
    struct pollfd fd = {.fd = client, .events = POLLRDHUP};

    return poll(&fd, 1, 0) > 0;
}

static void serve_request(const DaemonShop *shop, int client, guint user, SealRequest *request)
{
    worker_exchange_begin(client);
    if (is_ours(shop, request)) {
        seal_tally_begin(mode_name(request->mode));
        int status = do_task(shop, user, request);
        seal_tally_end();
        worker_end(status);
    } else {
        seal_record_send(client, "N", 1, -1);
    }
    worker_exchange_begin(-1);
}

static void serve_client(Worker *worker, int client)
{
    SealRequest request = SEAL_REQUEST_NONE;
    const char *why = NULL;
    guint user;

    say_due(worker->shop->settings->deadline * G_USEC_PER_SEC);
    if (find_peer(client, &user)) {
        if (!seal_request_receive(client, &request, &why))
            seal_log_warning("what user %u asks for cannot be done: %s", user, why);
        else if (!has_gone(client))
            serve_request(worker->shop, client, user, &request);
    }
    seal_request_clear(&request);
    close(client);
    worker->taken++;
    if (!worker->worn && worker->shop->dispatcher &&
        seal_dispatcher_is_worn(worker->shop->dispatcher))
        worker->worn = daemon_say(worker->control, 'C', 0);
}

/* -------------------------------------------------------------------------------------------
 * Clients who have said nothing yet: they keep nobody else from being served
 */

static gboolean watch_fd(const Worker *worker, int fd, guint32 events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void unwatch_fd(const Worker *worker, int fd)
{
    epoll_ctl(worker->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* Its place is another's, who was the last. */
static void forget_aside(Worker *worker, guint i)
{
    unwatch_fd(worker, worker->aside[i].socket);
    worker->aside[i] = worker->aside[--worker->n_aside];
}

static void put_aside(Worker *worker, int client)
{
    if (worker->n_aside == MAX_ASIDE || !watch_fd(worker, client, EPOLLIN)) {
        seal_log_warning("a client is turned away: %u others have said nothing yet",
                         worker->n_aside);
        close(client);
        return;
    }
    worker->aside[worker->n_aside++] = (Aside){client, now_ms() + REQUEST_MS};
}

static void serve_aside(Worker *worker, int client)
{
    for (guint i = 0; i < worker->n_aside; i++) {
        if (worker->aside[i].socket == client) {
            forget_aside(worker, i);
            serve_client(worker, client);
            return;
        }
    }
}

/* Milliseconds until the next one's time is over; -1: there is none. */
static int drop_late(Worker *worker)
{
    gint64 now = now_ms(), next = G_MAXINT64;

    for (guint i = 0; i < worker->n_aside;) {
        if (worker->aside[i].until > now) {
            next = MIN(next, worker->aside[i].until);
            i++;
            continue;
        }
        seal_log_warning("a client has said nothing for %d s, and is turned away",
                         REQUEST_MS / 1000);
        int client = worker->aside[i].socket;
        forget_aside(worker, i);
        close(client);
    }
    return worker->n_aside ? (int)(next - now) : -1;
}

/* -------------------------------------------------------------------------------------------
 * Life
 */

static void read_orders(Worker *worker)
{
    gint64 number;
    int letter;

    while ((letter = daemon_hear(worker->control, &number)) > 0) {
        if (letter == 'D')
            worker->order = ORDER_DRAIN;
        else if (letter == 'S')
            worker->order = ORDER_STOP;
    }
    if (letter < 0) {
        worker->order = ORDER_DRAIN;
        unwatch_fd(worker, worker->control);
    }
}

/* Nothing is read for a stranger, not even the files that he sends, nor is he waited for; and he
 * gets nothing, the log's file least of all. */
static gboolean admit_client(const Worker *worker, int client)
{
    g_autoptr(GError) error = NULL;
    char octet;
    guint user;

    if (!find_peer(client, &user))
        return FALSE;
    if (daemon_peers_admit(worker->shop->peers, user, &error))
        return TRUE;
    seal_log_warning("%s", error->message);
    seal_record_send(client, "E 75", strlen("E 75"), -1);
    recv(client, &octet, sizeof octet, MSG_DONTWAIT);
    return FALSE;
}

static void serve_next(Worker *worker)
{
    int client = accept4(worker->listening, NULL, NULL, SOCK_CLOEXEC);

    worker->idle = client < 0 && errno != EINTR && errno != ECONNABORTED;
    if (client < 0) {
        /* It would be asked again and again; who takes its place has room for them. */
        if (errno == EMFILE)
            worker->order = ORDER_DRAIN;
        return;
    }
    if (!admit_client(worker, client))
        close(client);
    else if (has_spoken(client, AT_ONCE_MS))
        serve_client(worker, client);
    else
        put_aside(worker, client);
}

/* Whoever waits in the queue has woken this one, and perhaps nobody else: he is served, whatever
 * was ordered meanwhile. Only one without keys leaves him to who comes in its place. */
static void serve_ready(Worker *worker, const struct epoll_event *ready, int count)
{
    gboolean waits = worker->order == ORDER_STOP;

    for (int i = 0; i < count; i++) {
        int fd = ready[i].data.fd;

        if (fd == worker->listening)
            waits = TRUE;
        else if (fd == worker->control)
            read_orders(worker);
        else if (fd == worker->keys)
            worker->lost = TRUE;
        else
            serve_aside(worker, fd);
    }
    if (waits && !(worker->lost && !worker->order))
        serve_next(worker);
}

static gboolean goes_on(const Worker *worker)
{
    const DaemonShop *shop = worker->shop;

    if (worker->lost || (shop->dispatcher && seal_dispatcher_lost_keys(shop->dispatcher)))
        return FALSE;
    if (worker->n_aside > 0)
        return TRUE;
    if (worker->order == ORDER_STOP)
        return !worker->idle;
    return !worker->order && worker->taken < shop->settings->recycle;
}

/* Who has the next one waiting already is not idle. */
static void await_work(Worker *worker)
{
    struct epoll_event ready[MAX_READY];
    int late = drop_late(worker);

    /* The last one may have been waited for. */
    if (!goes_on(worker))
        return;
    int count = epoll_wait(worker->epoll, ready, MAX_READY, 0);
    if (count == 0 && (worker->order != ORDER_STOP || worker->idle)) {
        say_idle();
        count = epoll_wait(worker->epoll, ready, MAX_READY, late);
    }
    serve_ready(worker, ready, MAX(count, 0));
    if (worker->order == ORDER_DRAIN)
        unwatch_fd(worker, worker->listening);
}

/* Of those who wait for a client, one is woken by each. */
static gboolean open_epoll(Worker *worker)
{
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    return worker->epoll >= 0 && watch_fd(worker, worker->listening, EPOLLIN | EPOLLEXCLUSIVE) &&
           watch_fd(worker, worker->control, EPOLLIN) && watch_fd(worker, worker->keys, EPOLLRDHUP);
}

int daemon_work(const DaemonShop *shop, int listening, int control, int keys)
{
    Worker worker = {.shop = shop, .listening = listening, .control = control, .keys = keys};
    g_autoptr(GError) error = NULL;

    control_fd = control;
    worker_exchange_begin(-1);
    worker_exchange_watch(say_due);
    if (!daemon_sandbox_enter_worker(shop->sandbox, &error) ||
        (shop->dispatcher && !seal_dispatcher_attach(shop->dispatcher, &error))) {
        seal_log_error(NULL, NULL, NULL, error);
        return 1;
    }
    if (!open_epoll(&worker)) {
        seal_log_failure("a worker cannot wait for work: %s", g_strerror(errno));
        return 1;
    }
    daemon_say(control, 'I', 0);
    while (goes_on(&worker))
        await_work(&worker);
    return 0;
}
