/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * verdict.c: what a licence and the state say together at a time. Reads no clock and no file.
 */
#include "license.h"

/* The state is written this often where nothing else changes. */
#define SEEN_STEP (60 * 60)
#define TRIAL     ((gint64)LICENSE_TRIAL_DAYS * LICENSE_DAY)

enum { MAX_USED = 1000 };

/* What is judged. */
typedef struct {
    const License *license; /* or NULL */
    LicenseState *state;
    gint64 now;
    gboolean fresh; /* the licence was not seen here before */
    LicenseVerdict *verdict;
} Case;

void license_verdict_clear(LicenseVerdict *verdict)
{
    g_clear_pointer(&verdict->text, g_free);
}

static void verdict_say(LicenseVerdict *verdict, const char *format, va_list args)
    G_GNUC_PRINTF(2, 0);
static gboolean lapse(LicenseVerdict *verdict, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void refuse_sender(LicenseVerdict *verdict, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void verdict_say(LicenseVerdict *verdict, const char *format, va_list args)
{
    g_free(verdict->text);
    verdict->text = g_strdup_vprintf(format, args);
}

static gboolean lapse(LicenseVerdict *verdict, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    verdict_say(verdict, format, args);
    va_end(args);
    verdict->lapsed = TRUE;
    return FALSE;
}

/* What a sender can bring about by his own doing is never a lapse. */
static void refuse_sender(LicenseVerdict *verdict, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    verdict_say(verdict, format, args);
    va_end(args);
    verdict->refused = TRUE;
}

static gboolean list_has(GPtrArray *list, const char *text)
{
    return g_ptr_array_find_with_equal_func(list, text, g_str_equal, NULL);
}

/* A licence that was not seen before is the issuer's word on what day it is, at the least. */
static gboolean check_clock(const Case *c)
{
    if (c->now >= c->state->seen - LICENSE_DAY || (c->fresh && c->now >= c->license->issued))
        return TRUE;

    g_autofree char *today = seal_text_day(c->now);
    g_autofree char *seen = seal_text_day(c->state->seen);
    c->verdict->clock = TRUE;
    return lapse(c->verdict, "the clock was set back: it shows %s, and it was %s here before",
                 today, seen);
}

static void note_time(const Case *c, gint64 time)
{
    c->state->seen = time;
    c->verdict->changed = TRUE;
}

static void begin_trial(const Case *c, gint64 time)
{
    if (c->state->started)
        return;
    c->state->started = time;
    c->state->until = time + TRIAL;
    c->verdict->changed = TRUE;
}

static gboolean extend_trial(const Case *c, gint64 time)
{
    LicenseState *state = c->state;
    const gint64 number = c->license->trial, next = state->trials + 1;

    if (!c->fresh)
        return lapse(c->verdict, "this evaluation licence was used already");
    if (MAX(number, next) > LICENSE_TRIALS)
        return lapse(c->verdict, "a trial is extended %d times at most, and this would be one more",
                     LICENSE_TRIALS);
    if (number != next)
        return lapse(c->verdict,
                     "this evaluation licence is extension %" G_GINT64_FORMAT
                     ", and the next one here is %" G_GINT64_FORMAT,
                     number, next);
    begin_trial(c, time);
    state->trials++;
    state->until = MIN(MAX(state->until, time) + TRIAL, c->license->valid_until);
    return TRUE;
}

static gboolean check_dates(const Case *c, gint64 time)
{
    g_autofree char *issued = seal_text_day(c->license->issued);
    g_autofree char *until = seal_text_day(c->license->valid_until);

    if (c->license->issued > time + LICENSE_DAY)
        return lapse(c->verdict, "the licence is issued on %s, which is in the future", issued);
    if (c->license->valid_until < time)
        return lapse(c->verdict, "the licence ended on %s", until);
    return TRUE;
}

/* One that is not the one that was seen last. */
static gboolean activate_license(const Case *c, gint64 time)
{
    LicenseState *state = c->state;

    if (license_is_evaluation(c->license) && !extend_trial(c, time))
        return FALSE;
    if (c->fresh) {
        if (state->used->len >= MAX_USED)
            return lapse(c->verdict, "%d licences were used here, and no more can be remembered",
                         MAX_USED);
        g_ptr_array_add(state->used, g_strdup(c->license->id));
        g_ptr_array_set_size(state->senders, 0);
        note_time(c, time);
    }
    g_free(state->active);
    state->active = g_strdup(c->license->id);
    c->verdict->changed = TRUE;
    return TRUE;
}

static gboolean use_license(const Case *c, gint64 time)
{
    const License *license = c->license;

    if (license->installation && !g_str_equal(license->installation, c->state->installation))
        return lapse(c->verdict, "the licence is for another installation, %s; this one is %s",
                     license->installation, c->state->installation);
    if (!check_dates(c, time) ||
        (!g_str_equal(license->id, c->state->active) && !activate_license(c, time)))
        return FALSE;
    c->verdict->until = license_is_evaluation(license) ? MIN(c->state->until, license->valid_until)
                                                       : license->valid_until;
    return TRUE;
}

static gboolean use_trial(const Case *c, gint64 time)
{
    begin_trial(c, time);
    c->verdict->until = c->state->until;
    return TRUE;
}

static gboolean check_end(const Case *c, gint64 time)
{
    const char *what = c->license && !license_is_evaluation(c->license) ? "licence" : "trial";
    g_autofree char *until = seal_text_day(c->verdict->until);
    gint64 left = c->verdict->until - time;

    if (left < 0)
        return lapse(c->verdict, "the %s ended on %s", what, until);
    if (c->verdict->until == G_MAXINT64)
        c->verdict->text = g_strdup("the licence is valid and does not end");
    else
        c->verdict->text =
            g_strdup_printf("the %s is valid until %s, %" G_GINT64_FORMAT " days more", what, until,
                            left / LICENSE_DAY);
    return TRUE;
}

static void check_sender(const Case *c, const SealAddress *sender, LicenseUse use)
{
    GPtrArray *senders = c->state->senders;

    if (!c->license || !sender)
        return;
    if (!license_covers(c->license, sender)) {
        refuse_sender(c->verdict, "the licence does not cover %s", seal_address_text(sender));
        return;
    }

    g_autofree char *name = license_state_sender(c->state, sender);
    if (!c->license->max_senders || list_has(senders, name))
        return;
    if (senders->len >= c->license->max_senders) {
        refuse_sender(c->verdict,
                      "the licence is for %" G_GINT64_FORMAT " senders, and %s is one more",
                      c->license->max_senders, seal_address_text(sender));
        return;
    }
    if (use == LICENSE_SENT_BY_HIM) {
        g_ptr_array_add(senders, g_steal_pointer(&name));
        c->verdict->changed = TRUE;
    }
}

/* Whoever it is that sends. */
static gboolean check_time(const Case *c)
{
    if (!check_clock(c))
        return FALSE;

    /* A clock that is a little behind gains nothing. */
    gint64 time = c->fresh ? c->now : MAX(c->now, c->state->seen);
    if (c->now >= c->state->seen + SEEN_STEP)
        note_time(c, c->now);
    return (c->license ? use_license(c, time) : use_trial(c, time)) && check_end(c, time);
}

void license_judge(const License *license, LicenseState *state, const SealAddress *sender,
                   LicenseUse use, gint64 now, LicenseVerdict *verdict)
{
    const gboolean fresh = license && !list_has(state->used, license->id);
    const Case c = {license, state, now, fresh, verdict};
    const gint64 day = now / LICENSE_DAY;

    *verdict = (LicenseVerdict){.changed = state->unmarked};
    if (check_time(&c))
        check_sender(&c, sender, use);
    /* Others may still send: that this one may not stands with its message in the log. */
    if (verdict->refused)
        return;
    verdict->warn =
        state->warned != day &&
        (verdict->lapsed || verdict->until - now < (gint64)LICENSE_WARN_DAYS * LICENSE_DAY);
    if (verdict->warn) {
        state->warned = day;
        verdict->changed = TRUE;
    }
}
