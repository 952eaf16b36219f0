/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/worker.h"

#include "filters/daemon/signals.h"
#include "filters/worker/modes.h"
#include "filters/worker/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_S = 5 }; /* a client sends its request as soon as it is connected */

/* How it is to end. */
typedef enum {
    ORDER_NONE,
    ORDER_DRAIN, /* another one accepts */
    ORDER_STOP,  /* nobody will: what waits is done first */
} Order;

typedef struct {
    const DaemonShop *shop;
    int listening;
    int control;
    int waiting; /* for the two of them */
    Order order;
    guint taken;
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
    const struct timeval patience = {.tv_sec = REQUEST_S};
    struct ucred peer;
    socklen_t size = sizeof peer;

    *user = 0;
    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer ||
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
        return FALSE;
    *user = peer.uid;
    return TRUE;
}

static void serve_request(const DaemonShop *shop, int client, guint user, SealRequest *request)
{
    worker_exchange_begin(client);
    if (!is_ours(shop, request)) {
        seal_record_send(client, "N", 1, -1);
        return;
    }
    worker_end(do_task(shop, user, request));
}

static void serve_client(const DaemonShop *shop, int client)
{
    SealRequest request = SEAL_REQUEST_NONE;
    const char *why = NULL;
    guint user;

    say_due(MAX(REQUEST_S + 1, (gint64)shop->settings->deadline) * G_USEC_PER_SEC);
    if (find_peer(client, &user) && seal_request_receive(client, &request, &why))
        serve_request(shop, client, user, &request);
    seal_request_clear(&request);
    worker_exchange_begin(-1);
    close(client);
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
    if (letter < 0)
        worker->order = ORDER_DRAIN;
}

/* Of all that wait, one is woken for a client. */
static gboolean open_wait(Worker *worker)
{
    struct epoll_event client = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = worker->listening};
    struct epoll_event order = {.events = EPOLLIN, .data.fd = worker->control};

    worker->waiting = epoll_create1(EPOLL_CLOEXEC);
    return worker->waiting >= 0 &&
           epoll_ctl(worker->waiting, EPOLL_CTL_ADD, worker->listening, &client) == 0 &&
           epoll_ctl(worker->waiting, EPOLL_CTL_ADD, worker->control, &order) == 0;
}

/* Who has the next one waiting already is not idle. */
static void wait_for_work(Worker *worker)
{
    struct epoll_event events[2];
    int count = epoll_wait(worker->waiting, events, 2, 0);

    if (count == 0) {
        say_idle();
        if (worker->order != ORDER_STOP)
            count = epoll_wait(worker->waiting, events, 2, -1);
    }
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == worker->control)
            read_orders(worker);
    }
}

/* FALSE: nobody waits. */
static gboolean serve_next(Worker *worker)
{
    int client = accept4(worker->listening, NULL, NULL, SOCK_CLOEXEC);

    if (client < 0)
        return errno == EINTR || errno == ECONNABORTED;
    serve_client(worker->shop, client);
    worker->taken++;
    return TRUE;
}

int daemon_work(const DaemonShop *shop, int listening, int control)
{
    Worker worker = {.shop = shop, .listening = listening, .control = control};
    g_autoptr(GError) error = NULL;

    control_fd = control;
    worker_exchange_begin(-1);
    worker_exchange_watch(say_due);
    if (!open_wait(&worker)) {
        seal_log_warning("a worker cannot wait for clients: %s", g_strerror(errno));
        return 1;
    }
    if (!daemon_sandbox_enter_worker(shop->sandbox, &error) ||
        (shop->dispatcher && !seal_dispatcher_attach(shop->dispatcher, &error))) {
        seal_log_error(NULL, NULL, NULL, error);
        return 1;
    }
    daemon_say(control, 'I', 0);
    while (worker.order != ORDER_DRAIN && worker.taken < shop->settings->recycle &&
           !(shop->dispatcher && seal_dispatcher_lost_keys(shop->dispatcher))) {
        wait_for_work(&worker);
        if (worker.order == ORDER_DRAIN)
            break;
        if (!serve_next(&worker) && worker.order == ORDER_STOP)
            break;
    }
    return 0;
}
