/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * verdict.c: what a licence and the state say together at a time. Reads no clock and no file.
 */
#include "license.h"

#include <string.h>

/* The state is written this often where nothing else changes. */
#define SEEN_STEP (60 * 60)
#define TRIAL     ((gint64)LICENSE_TRIAL_DAYS * LICENSE_DAY)

enum { MAX_USED = 1000 };

void license_verdict_clear(LicenseVerdict *verdict)
{
    g_clear_pointer(&verdict->text, g_free);
}

static gboolean lapse(LicenseVerdict *verdict, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean lapse(LicenseVerdict *verdict, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_free(verdict->text);
    verdict->text = g_strdup_vprintf(format, args);
    va_end(args);
    verdict->lapsed = TRUE;
    return FALSE;
}

static gboolean list_has(GPtrArray *list, const char *text)
{
    return g_ptr_array_find_with_equal_func(list, text, g_str_equal, NULL);
}

/* -------------------------------------------------------------------------------------------
 * The clock
 */

/* A licence that was not seen before is the issuer's word on what day it is, at the least. */
static gboolean check_clock(const License *license, LicenseState *state, gint64 now,
                            LicenseVerdict *verdict)
{
    gboolean fresh = license && !list_has(state->used, license->id) && now >= license->issued;

    if (now >= state->seen - LICENSE_DAY || fresh)
        return TRUE;

    g_autofree char *today = seal_text_day(now);
    g_autofree char *seen = seal_text_day(state->seen);
    return lapse(verdict, "the clock was set back: it shows %s, and it was %s here before", today,
                 seen);
}

static void note_time(LicenseState *state, gint64 now, gboolean fresh, LicenseVerdict *verdict)
{
    if (now < state->seen + SEEN_STEP && !fresh)
        return;
    state->seen = now;
    verdict->changed = TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The trial
 */

static void begin_trial(LicenseState *state, gint64 now, LicenseVerdict *verdict)
{
    if (state->started)
        return;
    state->started = now;
    state->until = now + TRIAL;
    verdict->changed = TRUE;
}

static gboolean extend_trial(const License *license, LicenseState *state, gint64 now,
                             LicenseVerdict *verdict)
{
    if (list_has(state->used, license->id))
        return lapse(verdict, "this evaluation licence was used already");
    if (license->trial > LICENSE_TRIALS || state->trials >= LICENSE_TRIALS)
        return lapse(
            verdict,
            "a trial is extended %d times at most, and this evaluation licence would be one more",
            LICENSE_TRIALS);
    if (license->trial != state->trials + 1)
        return lapse(verdict,
                     "this evaluation licence is extension %" G_GINT64_FORMAT
                     ", and the next one here is %" G_GINT64_FORMAT,
                     license->trial, state->trials + 1);
    begin_trial(state, now, verdict);
    state->trials++;
    state->until = MIN(MAX(state->until, now) + TRIAL, license->valid_until);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The licence
 */

static gboolean check_dates(const License *license, gint64 now, LicenseVerdict *verdict)
{
    g_autofree char *issued = seal_text_day(license->issued);
    g_autofree char *until = seal_text_day(license->valid_until);

    if (license->issued > now + LICENSE_DAY)
        return lapse(verdict, "the licence is issued on %s, which is in the future", issued);
    if (license->valid_until < now)
        return lapse(verdict, "the licence ended on %s", until);
    return TRUE;
}

/* One that is not the one that was seen last. */
static gboolean activate_license(const License *license, LicenseState *state, gint64 now,
                                 LicenseVerdict *verdict)
{
    if (license_is_evaluation(license) && !extend_trial(license, state, now, verdict))
        return FALSE;
    if (!list_has(state->used, license->id)) {
        if (state->used->len >= MAX_USED)
            return lapse(verdict, "more than %d licences were used here", MAX_USED);
        g_ptr_array_add(state->used, g_strdup(license->id));
        g_ptr_array_set_size(state->senders, 0);
        note_time(state, now, TRUE, verdict);
    }
    g_free(state->active);
    state->active = g_strdup(license->id);
    verdict->changed = TRUE;
    return TRUE;
}

static gboolean use_license(const License *license, LicenseState *state, gint64 now,
                            LicenseVerdict *verdict)
{
    if (license->installation && !g_str_equal(license->installation, state->installation))
        return lapse(verdict, "the licence is for another installation, %s; this one is %s",
                     license->installation, state->installation);
    if (!check_dates(license, now, verdict) || (!g_str_equal(license->id, state->active) &&
                                                !activate_license(license, state, now, verdict)))
        return FALSE;
    verdict->until = license_is_evaluation(license) ? MIN(state->until, license->valid_until)
                                                    : license->valid_until;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Senders
 */

static gboolean check_sender(const License *license, LicenseState *state, const SealAddress *sender,
                             gboolean count, LicenseVerdict *verdict)
{
    if (!license || !sender)
        return TRUE;
    if (!license_covers(license, sender))
        return lapse(verdict, "the licence does not cover %s", seal_address_text(sender));
    if (!license->max_senders)
        return TRUE;

    g_autofree char *name = license_state_sender(state, sender);
    if (list_has(state->senders, name))
        return TRUE;
    if (state->senders->len >= license->max_senders)
        return lapse(verdict, "the licence is for %" G_GINT64_FORMAT " senders, and %s is one more",
                     license->max_senders, seal_address_text(sender));
    if (count) {
        g_ptr_array_add(state->senders, g_steal_pointer(&name));
        verdict->changed = TRUE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * All of it
 */

static void warn_daily(LicenseState *state, gint64 now, LicenseVerdict *verdict)
{
    gint64 day = now / LICENSE_DAY;

    verdict->warn = state->warned != day;
    if (!verdict->warn)
        return;
    state->warned = day;
    verdict->changed = TRUE;
}

static void say_what_holds(const License *license, gint64 now, LicenseVerdict *verdict)
{
    const char *what = !license || license_is_evaluation(license) ? "trial" : "licence";
    g_autofree char *until = seal_text_day(verdict->until);
    gint64 left = verdict->until - now;

    if (verdict->until == G_MAXINT64)
        verdict->text = g_strdup("the licence is valid and does not end");
    else if (left < 0)
        lapse(verdict, "the %s ended on %s", what, until);
    else
        verdict->text = g_strdup_printf("the %s is valid until %s, %" G_GINT64_FORMAT " days more",
                                        what, until, left / LICENSE_DAY);
}

void license_judge(const License *license, LicenseState *state, const SealAddress *sender,
                   gboolean count, gint64 now, LicenseVerdict *verdict)
{
    *verdict = (LicenseVerdict){.changed = state->unmarked};
    if (check_clock(license, state, now, verdict)) {
        /* A clock that is a little behind gains nothing. */
        gint64 time = license && !list_has(state->used, license->id) ? now : MAX(now, state->seen);

        note_time(state, now, FALSE, verdict);
        if (!license) {
            begin_trial(state, time, verdict);
            verdict->until = state->until;
        }
        if (!license || use_license(license, state, time, verdict))
            say_what_holds(license, time, verdict);
        if (!verdict->lapsed && !check_sender(license, state, sender, count, verdict))
            return;
    }
    if (verdict->lapsed || verdict->until - now < (gint64)LICENSE_WARN_DAYS * LICENSE_DAY)
        warn_daily(state, now, verdict);
}
