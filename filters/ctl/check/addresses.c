/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * addresses.c: addresses with keys of several people, and keys that several people have, of the
 * sources of this host. The first few are named: `sealctl keys check` has them all.
 */
#include "filters/ctl/check/check.h"
#include "filters/ctl/keys.h"

enum {
    MAX_NAMED = 5,
    MAX_KEYS = 200000,
    PATIENCE_US = 20 * G_USEC_PER_SEC,
};

#define LIST "sealctl keys check lists them all"

typedef struct {
    CheckRun *run;
    CtlPeople *people;
    gint64 until;
    guint seen;
    guint ambiguous;
    guint shared;
    gboolean late;
} Looking;

static void hear_trouble(const CtlPeopleTrouble *trouble, gpointer user_data)
{
    Looking *looking = user_data;

    if (g_str_equal(trouble->kind, "ambiguous")) {
        if (++looking->ambiguous <= MAX_NAMED)
            check_put(looking->run, CHECK_WARNING, "addresses",
                      "see which is right (sealctl keys show ADDRESS), and sealctl keys remove the "
                      "others; " LIST,
                      "%s (%s): %s; mail to it may be encrypted to all of them", trouble->address,
                      trouble->format, trouble->text);
        return;
    }
    if (++looking->shared <= MAX_NAMED)
        check_put(looking->run, CHECK_WARNING, "addresses",
                  "nothing where they are one person's, or one mailbox; else get each a key of "
                  "his own; " LIST,
                  "%s (%s, %.16s): %s", trouble->address, trouble->format, trouble->fingerprint,
                  trouble->text);
}

static gboolean see_key(SealModule *self G_GNUC_UNUSED, SealKey *key, GBytes *octets G_GNUC_UNUSED,
                        gpointer user_data, GError **error)
{
    Looking *looking = user_data;

    looking->late = looking->seen >= MAX_KEYS || g_get_monotonic_time() >= looking->until;
    if (looking->late) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "there are more");
        return FALSE;
    }
    looking->seen++;
    ctl_people_note(looking->people, key);
    return TRUE;
}

static void put_more(const Looking *looking)
{
    guint more = MAX(looking->ambiguous, MAX_NAMED) - MAX_NAMED + MAX(looking->shared, MAX_NAMED) -
                 MAX_NAMED;

    if (more > 0)
        check_put(looking->run, CHECK_WARNING, "addresses", LIST, "and %u more like these", more);
}

/* What a source cannot tell of itself is another topic's. */
static void put_rest(const Looking *looking, const SealLooking *how)
{
    if (looking->late)
        check_leave(looking->run, "addresses",
                    "there are too many keys to look through all: %u were; " LIST, looking->seen);
    else if (!check_has_trouble(looking->run, "addresses"))
        check_put(looking->run, CHECK_OK, "addresses", NULL,
                  "of %u keys, none is several people's, and no address has several people's%s%s",
                  looking->seen, how->unlisted ? "; not looked through: " : "",
                  how->unlisted ? how->unlisted : "");
}

void check_address_keys(CheckRun *run)
{
    const SealKeyFilter filter = {.size = sizeof filter};
    g_auto(SealLooking) how = {.nearby = TRUE};
    Looking looking = {.run = run, .until = g_get_monotonic_time() + PATIENCE_US};
    g_autoptr(CtlPeople) people = ctl_people_new(hear_trouble, &looking);
    g_autoptr(GError) error = NULL;

    looking.people = people;
    if (!seal_dispatcher_list_keys(check_dispatcher(run), &how, &filter, see_key, &looking,
                                   &error) &&
        !looking.late)
        check_leave(run, "addresses", "the keys cannot be looked through: %s", error->message);
    ctl_people_end(people);
    put_more(&looking);
    put_rest(&looking, &how);
}
