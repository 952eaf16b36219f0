/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-peers.c: who may hand in messages, and whose word counts on who submitted one.
 */
#include "filters/daemon/peers.h"

#include <string.h>

enum { SELF = 4001, MAIL = 4002, WEB = 4003, STRANGER = 4004 };

static DaemonPeers *peers_of(const char *all, const char *submission, const char *inbound)
{
    SealDaemonSettings settings = {
        .peers = g_strsplit(all, ";", -1),
        .submission_peers = g_strsplit(submission, ";", -1),
        .inbound_peers = g_strsplit(inbound, ";", -1),
    };
    DaemonPeers *peers = daemon_peers_new(&settings, SELF);

    seal_daemon_settings_clear(&settings);
    return peers;
}

/* What is left of his word: "all", or whom he is believed on, with commas. */
static char *authors_of(const DaemonPeers *peers, guint user)
{
    WorkerTask task = {.message = -1};
    g_autoptr(GError) error = NULL;

    g_assert_true(daemon_peers_check(peers, user, &task, &error));
    g_assert_no_error(error);
    char *authors = task.authors ? g_strjoinv(",", task.authors) : g_strdup("all");
    g_strfreev(task.authors);
    return authors;
}

static void assert_refused(const DaemonPeers *peers, guint user, gboolean inbound,
                           const char *setting)
{
    WorkerTask task = {.message = -1, .options.inbound = inbound};
    g_autoptr(GError) error = NULL;

    g_assert_false(daemon_peers_check(peers, user, &task, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, setting));
    g_assert_null(task.authors);
}

static void test_admit(void)
{
    g_autoptr(DaemonPeers) peers = peers_of("self;4002", "self;4003", "4003");
    g_autoptr(GError) error = NULL;

    g_assert_true(daemon_peers_admit(peers, SELF, &error));
    g_assert_true(daemon_peers_admit(peers, MAIL, &error));
    g_assert_no_error(error);
    g_assert_false(daemon_peers_admit(peers, WEB, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
}

static void test_peers(void)
{
    static const guint users[] = {0, SELF, MAIL, WEB};
    g_autoptr(DaemonPeers) peers = peers_of("root;self;4002; 4003 ;no-such-user", "", "");

    assert_refused(peers, STRANGER, FALSE, "[daemon] peers");
    for (guint i = 0; i < G_N_ELEMENTS(users); i++) {
        g_autofree char *authors = authors_of(peers, users[i]);

        g_assert_cmpstr(authors, ==, "");
    }
}

static void test_nobody(void)
{
    g_autoptr(DaemonPeers) peers = peers_of("", "", "");

    assert_refused(peers, 0, FALSE, "[daemon] peers");
    assert_refused(peers, SELF, FALSE, "[daemon] peers");
}

static void test_authors(void)
{
    g_autoptr(DaemonPeers) peers =
        peers_of("4001;4002;4003", "4002;4003=@example.org;4003=shop@example.net;4004", "");
    g_autofree char *all = authors_of(peers, MAIL);
    g_autofree char *some = authors_of(peers, WEB);
    g_autofree char *none = authors_of(peers, SELF);

    g_assert_cmpstr(all, ==, "all");
    g_assert_cmpstr(some, ==, "@example.org,shop@example.net");
    g_assert_cmpstr(none, ==, "");
    /* One's word is no leave to hand in. */
    assert_refused(peers, STRANGER, FALSE, "[daemon] peers");
}

static void test_inbound(void)
{
    g_autoptr(DaemonPeers) peers = peers_of("4001;4002", "4001;4002", "4002;4003");
    WorkerTask task = {.message = -1, .options.inbound = TRUE};
    g_autoptr(GError) error = NULL;

    g_assert_true(daemon_peers_check(peers, MAIL, &task, &error));
    assert_refused(peers, SELF, TRUE, "[daemon] inbound_peers");
    assert_refused(peers, WEB, TRUE, "[daemon] peers");
    g_strfreev(task.authors);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/peers/all", test_peers);
    g_test_add_func("/peers/admit", test_admit);
    g_test_add_func("/peers/nobody", test_nobody);
    g_test_add_func("/peers/authors", test_authors);
    g_test_add_func("/peers/inbound", test_inbound);
    return g_test_run();
}
