/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status-more.c: what `sealctl status` says without the daemon: keys that end, keys that wait, and
 * room on disks.
 */
#include "filters/ctl/status.h"

#include <string.h>
#include <sys/statvfs.h>

/* -------------------------------------------------------------------------------------------
 * Keys
 */

static gint64 days_until(gint64 until)
{
    const gint64 left = until - g_get_real_time() / G_USEC_PER_SEC;

    return left < 0 ? 0 : left / (24 * 3600);
}

static void put_ending(const SealEnding *ending, SealOut *out)
{
    g_autofree char *day = ending->until > 0 ? seal_text_day(ending->until) : g_strdup("");

    seal_out_row(out, "expiring");
    seal_out_text(out, "what", "%s", seal_ending_name(ending->what));
    seal_out_text(out, "format", "%s", ending->key ? seal_key_format(ending->key) : "");
    seal_out_text(out, "fingerprint", "%s", ending->key ? seal_key_fingerprint(ending->key) : "");
    seal_out_text(out, "label", "%s", ending->text);
    seal_out_text(out, "until", "%s", day);
    seal_out_number(out, "ends", ending->until);
    seal_out_number(out, "days", days_until(ending->until));
    seal_out_boolean(out, "replaced", ending->successor != NULL);
    seal_out_end_row(out);
}

static gboolean is_partners(const SealEnding *ending)
{
    return ending->what == SEAL_ENDING_RECIPIENT || ending->what == SEAL_ENDING_AUTHORITY;
}

/* Of partners' keys only those whose place nothing takes: a name that has two loses no mail. */
static void put_endings(GPtrArray *endings, SealOut *out)
{
    gint64 partners = 0;

    seal_out_list(out, "expiring");
    for (guint i = 0; i < endings->len; i++) {
        const SealEnding *ending = g_ptr_array_index(endings, i);

        if (!is_partners(ending))
            put_ending(ending, out);
        else if (!ending->successor)
            partners++;
    }
    seal_out_number(out, "partners_expiring", partners);
}

static void put_problem(SealOut *out, const char *why)
{
    seal_out_row(out, "warnings");
    seal_out_text(out, "warning", "what ends, or waits, cannot be told in full: %s", why);
    seal_out_end_row(out);
}

static void put_pending(SealDispatcher *dispatcher, SealOut *out)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) error = NULL;

    if (!seal_dispatcher_has_book(dispatcher))
        return;
    if (seal_dispatcher_read_book(dispatcher, NULL, SEAL_STANDING_PENDING, keys, &error))
        seal_out_number(out, "pending", keys->len);
    else
        put_problem(out, error->message);
}

void ctl_status_put_keys(SealDispatcher *dispatcher, SealOut *out)
{
    g_auto(SealLooking) looking = {.nearby = TRUE};
    const gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    g_autoptr(GPtrArray) endings = NULL;
    g_autofree char *trouble = NULL;
    g_autoptr(GError) error = NULL;

    if (seal_dispatcher_list_endings(dispatcher, now + CTL_STATUS_DAYS * 24 * 3600, &looking,
                                     &endings, &trouble, &error))
        put_endings(endings, out);
    if (error || trouble || looking.trouble)
        put_problem(out, error ? error->message : trouble ? trouble : looking.trouble);
    put_pending(dispatcher, out);
}

/* -------------------------------------------------------------------------------------------
 * Disks
 */

static void put_place(SealOut *out, const char *place, const char *path)
{
    struct statvfs info;

    if (statvfs(path, &info) != 0)
        return;
    seal_out_row(out, "disk");
    seal_out_text(out, "place", "%s", place);
    seal_out_text(out, "path", "%s", path);
    seal_out_number(out, "free", (gint64)((guint64)info.f_bavail * info.f_frsize));
    seal_out_number(out, "size", (gint64)((guint64)info.f_blocks * info.f_frsize));
    seal_out_end_row(out);
}

void ctl_status_put_disk(const SealService *service, SealOut *out)
{
    seal_out_list(out, "disk");
    put_place(out, "state_dir", seal_service_state_dir(service));
    put_place(out, "spool_dir", seal_service_spool_dir(service));
    put_place(out, "run_dir", seal_service_run_dir(service));
}
