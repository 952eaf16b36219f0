/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-choice.c: what follows for a recipient, in every combination of what it depends on. What is
 * expected is written down twice, in other words than choice.c has: as a table whose first row that
 * fits decides, and as what must never be.
 */
#include "core/pipeline/choice.h"

/* In a row: any value will do. */
enum { ANY = -1 };

enum { NO, YES, LACKS };

typedef struct {
    int settled, encrypt, is_sealed, already, able, has_key, all_or_none, another_has_none, exposes,
        fallback, reduce;
    SealChoice want;
    const char *reason; /* a part of it; NULL: that of the facts */
    int archive; /* LACKS: only where it has no key */
} Row;

#define REFUSE_ SEAL_VERDICT_REFUSE
#define DEFER_  SEAL_VERDICT_DEFER
#define OPEN_   SEAL_VERDICT_NONE
#define NEVER_  SEAL_NEED_NEVER

#define NO_ARCHIVE "the archive has no key"

/* The columns are those of Row. */
static const Row ROWS[] = {
    {REFUSE_, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, SEAL_CHOICE_REFUSE, NULL},
    {DEFER_, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, SEAL_CHOICE_DEFER, NULL},
    {OPEN_, NEVER_, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, SEAL_CHOICE_CLEAR,
     "encrypt=never"},
    {OPEN_, ANY, YES, SEAL_ALREADY_PASS, ANY, ANY, ANY, ANY, ANY, ANY, ANY, SEAL_CHOICE_ALREADY,
     "encrypted already"},
    {OPEN_, ANY, YES, SEAL_ALREADY_REFUSE, ANY, ANY, ANY, ANY, ANY, ANY, ANY, SEAL_CHOICE_REFUSE,
     "already_sealed=refuse"},
    /* A delivery report of which something may leave. */
    {OPEN_, ANY, ANY, ANY, NO, ANY, ANY, ANY, ANY, SEAL_FALLBACK_REFUSE, YES, SEAL_CHOICE_REDUCED,
     NULL},
    {OPEN_, ANY, ANY, ANY, ANY, NO, ANY, ANY, ANY, SEAL_FALLBACK_REFUSE, YES, SEAL_CHOICE_REDUCED,
     NULL},
    {OPEN_, ANY, ANY, ANY, ANY, NO, ANY, ANY, ANY, SEAL_FALLBACK_REPORT, YES, SEAL_CHOICE_REDUCED,
     NULL},
    {OPEN_, ANY, ANY, ANY, NO, ANY, ANY, ANY, ANY, SEAL_FALLBACK_REPORT, YES, SEAL_CHOICE_REDUCED,
     NULL},
    {OPEN_, ANY, ANY, ANY, YES, YES, YES, YES, ANY, SEAL_FALLBACK_REFUSE, YES, SEAL_CHOICE_REDUCED,
     "all_or_none"},
    {OPEN_, ANY, ANY, ANY, YES, YES, YES, YES, ANY, SEAL_FALLBACK_REPORT, YES, SEAL_CHOICE_REDUCED,
     "all_or_none"},
    /* A stage that cannot serve it. */
    {OPEN_, ANY, ANY, ANY, NO, ANY, ANY, ANY, ANY, SEAL_FALLBACK_REFUSE, ANY, SEAL_CHOICE_REFUSE,
     NULL},
    {OPEN_, ANY, ANY, ANY, NO, ANY, ANY, ANY, ANY, SEAL_FALLBACK_REPORT, ANY, SEAL_CHOICE_REPORT,
     NULL},
    {OPEN_, ANY, ANY, ANY, NO, ANY, ANY, ANY, ANY, SEAL_FALLBACK_ALLOW, ANY, SEAL_CHOICE_CLEAR,
     NULL},
    /* No key. */
    {OPEN_, ANY, ANY, ANY, YES, NO, ANY, ANY, ANY, SEAL_FALLBACK_REFUSE, ANY, SEAL_CHOICE_REFUSE,
     NULL},
    {OPEN_, ANY, ANY, ANY, YES, NO, ANY, ANY, ANY, SEAL_FALLBACK_REPORT, ANY, SEAL_CHOICE_REPORT,
     NULL},
    {OPEN_, ANY, ANY, ANY, YES, NO, ANY, ANY, ANY, SEAL_FALLBACK_ALLOW, ANY, SEAL_CHOICE_CLEAR,
     NULL},
    /* A key, and another recipient without one. */
    {OPEN_, ANY, ANY, ANY, YES, YES, YES, YES, ANY, SEAL_FALLBACK_REFUSE, ANY, SEAL_CHOICE_REFUSE,
     "all_or_none"},
    {OPEN_, ANY, ANY, ANY, YES, YES, YES, YES, ANY, SEAL_FALLBACK_REPORT, ANY, SEAL_CHOICE_REPORT,
     "all_or_none"},
    {OPEN_, ANY, ANY, ANY, YES, YES, YES, YES, ANY, SEAL_FALLBACK_ALLOW, ANY, SEAL_CHOICE_CLEAR,
     "all_or_none"},
    /* A key. */
    {OPEN_, ANY, ANY, ANY, YES, YES, ANY, ANY, YES, ANY, ANY, SEAL_CHOICE_REFUSE, "max_rcpt = 1"},
    {OPEN_, ANY, ANY, ANY, YES, YES, ANY, ANY, NO, ANY, ANY, SEAL_CHOICE_DEFER, NO_ARCHIVE, LACKS},
    {OPEN_, ANY, ANY, ANY, YES, YES, ANY, ANY, NO, ANY, ANY, SEAL_CHOICE_SEAL, "a usable key"},
};

static gboolean fits(int wanted, guint value)
{
    return wanted == ANY || (guint)wanted == value;
}

static const Row *row_for(const SealFacts *facts)
{
    for (guint i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        const Row *row = &ROWS[i];

        if (fits(row->settled, facts->settled) && fits(row->encrypt, facts->encrypt) &&
            fits(row->is_sealed, facts->is_sealed) && fits(row->already, facts->already_sealed) &&
            fits(row->able, !facts->unable) && fits(row->has_key, facts->has_key) &&
            fits(row->all_or_none, facts->all_or_none) &&
            fits(row->another_has_none, facts->another_has_none) &&
            fits(row->exposes, facts->exposes_recipient) && fits(row->fallback, facts->fallback) &&
            fits(row->reduce, facts->may_reduce) &&
            (row->archive != LACKS || facts->no_archive))
            return row;
    }
    g_assert_not_reached();
}

/* The first promise, whatever the table says. */
static void assert_never(const SealFacts *facts, SealChoice choice)
{
    if (facts->settled != SEAL_VERDICT_NONE)
        g_assert_true(choice == SEAL_CHOICE_REFUSE || choice == SEAL_CHOICE_DEFER);
    if (choice == SEAL_CHOICE_CLEAR)
        g_assert_true(facts->encrypt == SEAL_NEED_NEVER || facts->fallback == SEAL_FALLBACK_ALLOW);
    if (choice == SEAL_CHOICE_REDUCED)
        g_assert_true(facts->may_reduce && facts->encrypt != SEAL_NEED_NEVER);
    if (choice == SEAL_CHOICE_ALREADY)
        g_assert_true(facts->is_sealed && facts->already_sealed == SEAL_ALREADY_PASS);
    if (choice == SEAL_CHOICE_SEAL)
        g_assert_true(facts->has_key && !facts->unable && !facts->exposes_recipient &&
                      !facts->no_archive);
}

/* Takes the next digit of @number, which has @base values. */
static guint next_digit(guint *number, guint base)
{
    guint digit = *number % base;

    *number /= base;
    return digit;
}

static void test_all_combinations(void)
{
    static const SealVerdict settled[] = {SEAL_VERDICT_NONE, SEAL_VERDICT_REFUSE,
                                          SEAL_VERDICT_DEFER};
    enum { COMBINATIONS = 3 * 3 * 3 * 3 * 256 };
    guint seen[SEAL_CHOICE_DEFER + 1] = {0};
    gboolean used[G_N_ELEMENTS(ROWS)] = {0};

    for (guint n = 0; n < COMBINATIONS; n++) {
        guint number = n;
        SealFacts facts = {
            .settled = settled[next_digit(&number, 3)],
            .encrypt = (SealNeed)next_digit(&number, 3),
            .fallback = (SealFallback)next_digit(&number, 3),
            .already_sealed = (SealAlready)next_digit(&number, 3),
            .all_or_none = (gboolean)next_digit(&number, 2),
            .unable = (gboolean)next_digit(&number, 2),
            .has_key = (gboolean)next_digit(&number, 2),
            .another_has_none = (gboolean)next_digit(&number, 2),
            .exposes_recipient = (gboolean)next_digit(&number, 2),
            .is_sealed = (gboolean)next_digit(&number, 2),
            .may_reduce = (gboolean)next_digit(&number, 2),
            .no_archive = next_digit(&number, 2) ? NO_ARCHIVE : NULL,
            .reason = "why it is so",
        };
        const Row *row = row_for(&facts);
        SealAnswer answer = seal_choice_make(&facts);

        g_assert_cmpint(answer.choice, ==, row->want);
        g_assert_nonnull(strstr(answer.reason, row->reason ? row->reason : facts.reason));
        g_assert_true(answer.code && *answer.code);
        assert_never(&facts, answer.choice);
        seen[answer.choice]++;
        used[row - ROWS] = TRUE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(seen); i++)
        g_assert_cmpuint(seen[i], >, 0);
    for (guint i = 0; i < G_N_ELEMENTS(used); i++)
        g_assert_true(used[i]);
}

static void test_verdicts(void)
{
    static const SealVerdict want[] = {
        SEAL_VERDICT_SEALED, SEAL_VERDICT_SEALED, SEAL_VERDICT_REPORT, SEAL_VERDICT_PLAIN,
        SEAL_VERDICT_PLAIN,  SEAL_VERDICT_REFUSE, SEAL_VERDICT_DEFER};

    for (guint i = 0; i < G_N_ELEMENTS(want); i++)
        g_assert_cmpint(seal_choice_verdict((SealChoice)i), ==, want[i]);
}

/* Nobody gave a reason: there is still a text. */
static void test_no_reason(void)
{
    const SealFacts facts = {.encrypt = SEAL_NEED_REQUIRED, .fallback = SEAL_FALLBACK_REFUSE};
    SealAnswer answer = seal_choice_make(&facts);

    g_assert_cmpint(answer.choice, ==, SEAL_CHOICE_REFUSE);
    g_assert_cmpstr(answer.reason, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/choice/all-combinations", test_all_combinations);
    g_test_add_func("/choice/verdicts", test_verdicts);
    g_test_add_func("/choice/no-reason", test_no_reason);
    return g_test_run();
}
