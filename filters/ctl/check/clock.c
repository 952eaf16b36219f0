/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * clock.c: whether the system's time can be right. By it keys are valid, and signatures are dated.
 */
#include "filters/ctl/check/check.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/timex.h>

#define SYNCHRONISED "/run/systemd/timesync/synchronized"

enum { DAY_S = 24 * 60 * 60 };

/* When the program was built, by its file's time, which packages keep; 0 where that is not known.
 */
static gint64 find_build(void)
{
    struct stat info;

    return stat("/proc/self/exe", &info) == 0 ? info.st_mtim.tv_sec : 0;
}

/* A day, since files and clocks may be of several time zones. */
static void check_past(CheckRun *run, gint64 now)
{
    gint64 built = find_build();
    g_autofree char *today = seal_text_day(now);
    g_autofree char *then = seal_text_day(built);

    if (now < built - DAY_S)
        check_put(run, CHECK_PROBLEM, "clock",
                  "set it: timedatectl set-ntp true, or date; until then keys count as not yet "
                  "valid, and signatures have a wrong date",
                  "the system's clock shows %s, which is before this sealctl was made (%s)", today,
                  then);
}

/* By the kernel, which whoever sets the clock tells. */
static void check_synchronised(CheckRun *run, gint64 now)
{
    struct timex state = {.modes = 0};
    gboolean is_told = adjtimex(&state) >= 0;
    g_autofree char *today = seal_text_day(now);

    if ((is_told && !(state.status & STA_UNSYNC)) || g_file_test(SYNCHRONISED, G_FILE_TEST_EXISTS))
        check_put(run, CHECK_OK, "clock", NULL, "it is %s, and kept right", today);
    else if (!is_told)
        check_leave(run, "clock", "it is %s; whether a time server keeps it right: %s", today,
                    g_strerror(errno));
    else
        check_put(run, CHECK_WARNING, "clock",
                  "have it kept right: timedatectl set-ntp true, or install chrony; on a virtual "
                  "machine or in a container the host may do that",
                  "no time server keeps the system's clock, as far as the kernel knows");
}

void check_clock(CheckRun *run)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;

    check_past(run, now);
    if (!check_has_trouble(run, "clock"))
        check_synchronised(run, now);
}
