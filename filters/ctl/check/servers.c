/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * servers.c: which mail server of this host runs Sealpipe, and whether as it should.
 */
#include "filters/ctl/check/wiring.h"

#include <glob.h>
#include <string.h>

/* Of servers that are not looked into. */
static const char *find_mention(void)
{
    static const char *const files[] = {"/etc/mail/sendmail.cf", "/etc/mail/smtpd.conf",
                                        "/etc/smtpd.conf", "/etc/opensmtpd/smtpd.conf"};
    g_autofree char *text = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_clear_pointer(&text, g_free);
        if (g_file_get_contents(files[i], &text, NULL, NULL) && strstr(text, "sealpipe"))
            return files[i];
    }
    return NULL;
}

/* Those of the page, which an upgrade or debconf may have taken out of what Exim reads. */
static gboolean has_debian_files(void)
{
    glob_t found;
    gboolean any = glob("/etc/exim4/conf.d/router/*sealpipe*", 0, NULL, &found) == 0;

    globfree(&found);
    return any;
}

static void put_unwired(CheckRun *run, gboolean exim, gboolean postfix)
{
    const char *file = find_mention();

    if (file)
        check_put(run, CHECK_OK, "wiring", NULL,
                  "%s names Sealpipe; this check knows Exim and Postfix alone, and looks no "
                  "further",
                  file);
    else if (exim && has_debian_files())
        check_put(
            run, CHECK_PROBLEM, "wiring",
            "let Exim read them: dc_use_split_config in /etc/exim4/update-exim4.conf.conf, or "
            "the template; see " WIRING_PAGE("exim"),
            "Exim hands no mail to Sealpipe, though /etc/exim4/conf.d has its files: mail "
            "leaves in clear");
    else if (exim)
        check_put(run, CHECK_WARNING, "wiring", "wire it: see " WIRING_PAGE("exim"),
                  "Exim is here, and hands no mail to Sealpipe");
    else if (postfix)
        check_put(run, CHECK_WARNING, "wiring", "wire it: see " WIRING_PAGE("postfix"),
                  "Postfix is here, and hands no mail to Sealpipe");
    else
        check_put(run, CHECK_WARNING, "wiring",
                  "wire the mail server: see the pages in " SEALPIPE_DOC_DIR "/mta",
                  "no mail server was found that hands mail to Sealpipe");
}

void check_wiring(CheckRun *run)
{
    gboolean has_exim = FALSE, has_postfix = FALSE;
    gboolean is_wired = wiring_exim(run, &has_exim);

    is_wired = wiring_postfix(run, &has_postfix) || is_wired;
    if (!is_wired)
        put_unwired(run, has_exim, has_postfix);
}
