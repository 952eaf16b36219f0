/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sources.c: whether each key source answers, and how soon, by a real question for an address that
 * cannot exist. What a source's own check has said of it is not said again.
 */
#include "filters/ctl/check/check.h"

#include <sys/stat.h>
#include <unistd.h>

enum { SLOW_MS = 1000 };

#define NOBODY "sealctl-check@nobody.invalid" /* RFC 2606 */

/* Those whose keys lie in a folder of their own topic. */
static const char *find_topic(const char *source)
{
    return g_str_equal(source, "gnupg") ? "gnupg" : "sources";
}

/* The home is another user's, and what he lets others have is not there: the daemon does not run.
 */
static gboolean is_apart(CheckRun *run)
{
    const char *home = check_setting(run, "module pgp", "home");
    struct stat info;

    return home && *home && (stat(home, &info) != 0 || info.st_uid != geteuid());
}

static void put_problem(CheckRun *run, const SealProbe *probe)
{
    const char *topic = find_topic(probe->source);

    if (check_has_trouble(run, topic))
        return;
    if (g_str_equal(topic, "gnupg") && is_apart(run)) {
        check_leave(run, topic, "%s", probe->problem->message);
        return;
    }
    check_put(run, CHECK_PROBLEM, topic,
              "mend that: as long as it is so, mail to whoever has no key in a source ahead of it "
              "waits; sealpipe-modules(7) has the settings",
              "the key source %s ([module %s]) cannot be asked: %s", probe->source, probe->module,
              probe->problem->message);
}

static void hear_probe(const SealProbe *probe, gpointer user_data)
{
    CheckRun *run = user_data;
    gint64 msec = probe->usec / 1000;

    if (probe->problem)
        put_problem(run, probe);
    else if (msec > SLOW_MS && !check_has_trouble(run, "sources"))
        check_put(run, CHECK_WARNING, "sources",
                  "find out what keeps it, a disk or the network: mail to everybody waits that "
                  "long",
                  "the key source %s has taken %" G_GINT64_FORMAT
                  " ms to say that nobody has a key",
                  probe->source, msec);
    else if (msec <= SLOW_MS)
        check_put(run, CHECK_OK, "sources", NULL, "%s: answers in %" G_GINT64_FORMAT " ms%s%s",
                  probe->source, msec, probe->lack ? "; " : "", probe->lack ? probe->lack : "");
}

void check_sources(CheckRun *run)
{
    g_autoptr(SealAddress) nobody = seal_address_parse(NOBODY, NULL);

    seal_dispatcher_probe_sources(check_dispatcher(run), nobody, hear_probe, run);
}
