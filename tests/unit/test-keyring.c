/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-keyring.c: which key serves, of a format and sources whose keys are lines of text; see
 * faulty/toy.c. Every message is handled by a process that remembers nothing.
 */
#include "core/frontend.h"

#include <glib/gstdio.h>
#include <string.h>

#define ALICE "alice@example.org"

static char *top, *modules, *kept;

static void clear_kept(void)
{
    GDir *dir = g_dir_open(kept, 0, NULL);

    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(kept, name, NULL);
        g_unlink(path);
    }
    g_dir_close(dir);
}

/* @policy: of [policy]. @sources: in order. @toy: settings of the module. (transfer full) */
static SealDispatcher *dispatcher_of(const char *policy, const char *sources, const char *toy)
{
    g_autofree char *conf = g_build_filename(top, "conf", NULL);
    g_autofree char *path = g_build_filename(conf, "x.conf", NULL);
    g_autofree char *text = g_strdup_printf(
        "[core]\nlog_target=%s/log\nlog_level=debug\n[pipeline]\noutbound=tin;toy\n"
        "[policy]\n%sencrypt_to_sender=false\n%s\n[keyring]\nsources=%s\n"
        "[module toy]\nfolder=%s\n%s\n",
        top, strstr(policy, "formats=") ? "" : "formats=toy\n", policy, sources, kept, toy);
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    SealDispatcher *dispatcher = seal_dispatcher_new(conf, modules, &error);
    g_assert_no_error(error);
    return dispatcher;
}

static SealJob *job_to(const char *address)
{
    static const char message[] = "From: carol@example.org\nTo: " ALICE "\n\nthe secret words\n";
    const char *const recipients[] = {address, NULL};
    g_autoptr(SealContent) content = seal_content_new_copy(message, strlen(message));
    const SealJobSpec spec = {.recipients = recipients, .message = content, .one_output = TRUE};
    SealJob *job = seal_job_new(&spec, NULL);

    g_assert_nonnull(job);
    return job;
}

/* "sealed A B", or the verdict and the reason. (transfer full) */
static char *result_of(SealJob *job)
{
    const SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), 0);
    g_autoptr(GString) text = g_string_new(seal_verdict_name(seal_recipient_result(recipient)));
    GPtrArray *deliveries = seal_job_deliveries(job);

    if (seal_recipient_result(recipient) != SEAL_VERDICT_SEALED || deliveries->len == 0) {
        g_string_append_printf(text, ": %s", seal_recipient_reason(recipient));
        return g_strdup(text->str);
    }
    GPtrArray *keys = seal_delivery_keys(g_ptr_array_index(deliveries, 0));
    for (guint i = 0; i < keys->len; i++)
        g_string_append_printf(text, " %s", seal_key_fingerprint(g_ptr_array_index(keys, i)));
    return g_strdup(text->str);
}

static char *mail(const char *to, const char *policy, const char *sources, const char *toy)
{
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(policy, sources, toy);
    g_autoptr(SealJob) job = job_to(to);

    seal_dispatcher_run(dispatcher, job, NULL, NULL);
    return result_of(job);
}

/* What is written down for the address: "serving A, pending B". (transfer full) */
static char *book_of(const char *address)
{
    static const char *const names[] = {"", "serving", "pending", "rejected", "pinned"};
    g_autofree char *path = g_strdup_printf("%s/book-%s", kept, address);
    g_autofree char *text = NULL;
    g_autoptr(GString) all = g_string_new(NULL);

    g_file_get_contents(path, &text, NULL, NULL);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    for (char **line = lines; *line && **line; line++) {
        g_auto(GStrv) parts = g_strsplit_set(*line, " ,", 5);
        g_string_append_printf(all, "%s%s %s", all->len ? ", " : "", names[atoi(parts[0])],
                               parts[3]);
    }
    return g_strdup(all->str);
}

static void write_book(const char *address, const char *lines)
{
    g_autofree char *path = g_strdup_printf("%s/book-%s", kept, address);

    g_assert_true(g_file_set_contents(path, lines, -1, NULL));
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        g_error("\"%s\" is not in \"%s\"", part, text);
}

/* -------------------------------------------------------------------------------------------
 * One message
 */

typedef struct {
    const char *what;
    const char *policy, *sources, *toy;
    const char *to;
    const char *result; /* how it begins, or, with * in front, what is in it */
} Row;

static const Row ROWS[] = {
    {"by its source", "", "own", "own=A," ALICE ",1", ALICE, "sealed A"},
    {"too little trust", "", "found", "found=A," ALICE ",1", ALICE,
     "*trusted as discovered only, and min_trust is verified, and no trust anchor or introducer "
     "vouches for it"},
    {"as policy has it", "min_trust=discovered", "found", "found=A," ALICE ",1", ALICE, "sealed A"},
    {"lifted", "", "public", "public=A," ALICE ",1,public", ALICE, "sealed A"},
    {"lifted no higher than verified", "min_trust=manual", "public", "public=A," ALICE ",1,public",
     ALICE, "*no toy key for " ALICE},
    {"nothing lifts", "", "public", "proves=false\npublic=A," ALICE ",1,public", ALICE,
     "*no toy key for " ALICE},
    {"the newest of all", "keys_per_recipient=newest", "own",
     "own=A," ALICE ",1;B," ALICE ",2;C," ALICE ",1", ALICE, "sealed B"},
    {"all of them", "", "own", "own=A," ALICE ",1;B," ALICE ",2", ALICE, "sealed B A"},
    {"the most trusted, lifted, before the newest", "min_trust=unverified", "public",
     "public=A," ALICE ",9;B," ALICE ",2,named", ALICE, "sealed B"},
    {"the first source", "", "own;found", "own=A," ALICE ",1\nfound=B," ALICE ",2,named", ALICE,
     "sealed A"},
    {"one behind an expired one", "", "own;found",
     "own=A," ALICE ",1,expired\nfound=B," ALICE ",2,named", ALICE, "sealed B"},
    /* Down. */
    {"not known is not none", "encrypt=preferred", "own", "down=own", ALICE,
     "deferred: key source own could not find out"},
    {"passed over", "", "found;own", "down=found\nown=A," ALICE ",1", ALICE, "sealed A"},
    {"behind what serves", "", "own;found", "own=A," ALICE ",1\ndown=found", ALICE, "sealed A"},
    {"behind what serves, whatever on_error says", "", "own;found",
     "own=A," ALICE ",1\ndown=found\non_error=defer", ALICE, "sealed A"},
    {"before what serves", "", "found;own", "own=A," ALICE ",1\ndown=found\non_error=defer", ALICE,
     "deferred: key source found could not find out"},
    {"what is not behind a network must be heard", "", "found;own",
     "found=A," ALICE ",1,named\ndown=own", ALICE, "*own could not find out"},
    {"revoked elsewhere", "", "own;found", "own=A," ALICE ",1\nfound=A," ALICE ",1,revoked", ALICE,
     "*not fit any more"},
    /* Whom keys are for. */
    {"another's", "", "own", "own=A,bob@example.org,1", ALICE, "*no toy key"},
    {"given to the address", "", "kept", "kept=A,bob@example.org,1\nbound=" ALICE, ALICE,
     "sealed A"},
    {"not for its subdomain", "", "kept", "kept=A,x@other.example,1\nbound=@example.org",
     "alice@sub.example.org", "*no toy key"},
    {"given to the domain", "", "kept", "kept=A,x@other.example,1\nbound=@example.org", ALICE,
     "sealed A"},
    {"given to subdomains", "", "kept", "kept=A,x@other.example,1\nbound=@.example.org",
     "alice@sub.example.org", "sealed A"},
    {"given to subdomains alone", "", "kept", "kept=A,x@other.example,1\nbound=@.example.org",
     ALICE, "*no toy key"},
    {"given, but not by hand", "", "kept",
     "trust=verified\nkept=A,x@other.example,1\nbound=@example.org", ALICE, "*no toy key"},
    {"it says so itself", "", "own", "own=A,x@other.example,1,domain=example.org", ALICE,
     "sealed A"},
    {"it says so itself, and nobody vouches", "", "found",
     "found=A,x@other.example,1,domain=example.org", ALICE, "*trusted as discovered only"},
    {"it says so itself, and somebody vouches", "", "found",
     "found=A,x@other.example,1,public,domain=example.org", ALICE, "sealed A"},
    {"behind the person's own from any source", "min_trust=unverified", "kept;public",
     "trust=verified\nkept=A,x@other.example,1,domain=example.org\npublic=B," ALICE ",1,named",
     ALICE, "sealed B"},
    {"unless that is a stranger's", "min_trust=unverified", "kept;public",
     "kept=A,x@other.example,1\nbound=@example.org\npublic=B," ALICE ",1,public", ALICE,
     "sealed A"},
    {"but before nothing", "", "kept;public",
     "kept=A,x@other.example,1\nbound=@example.org\npublic=B," ALICE ",1,expired", ALICE,
     "sealed A"},
    {"the domain's from the first source", "", "kept;own",
     "kept=A,x@other.example,1\nbound=@example.org\nown=B,y@other.example,5,domain=example.org",
     ALICE, "sealed A"},
    {"with a subaddress", "", "kept", "kept=A,x@other.example,1\nbound=@example.org",
     "alice+x@example.org", "sealed A"},
    {"own of the bare address before the domain's", "", "kept",
     "kept=A,x@other.example,1;B," ALICE ",1\nbound=@example.org", "alice+x@example.org",
     "sealed B"},
    /* Not possible here. */
    {"unsupported is said", "", "own", "own=A," ALICE ",1,unsupported", ALICE,
     "refused: unsupported: it is of version 9"},
    {"and no reason to refuse", "encrypt=preferred", "own", "own=A," ALICE ",1,unsupported", ALICE,
     "plain: unsupported: it is of version 9"},
    {"unless asked to", "encrypt=preferred\non_unsupported=refuse", "own",
     "own=A," ALICE ",1,unsupported", ALICE, "refused: unsupported: it is of version 9"},
    {"likewise", "fallback=allow\non_unsupported=refuse", "own", "own=A," ALICE ",1,unsupported",
     ALICE, "refused: unsupported: it is of version 9"},
    {"a report is none in clear", "fallback=report\non_unsupported=refuse", "own",
     "own=A," ALICE ",1,unsupported", ALICE, "reported: unsupported: it is of version 9"},
    {"another one will do", "encrypt=preferred\non_unsupported=refuse", "own",
     "own=A," ALICE ",2,unsupported;B," ALICE ",1", ALICE, "sealed B"},
    {"no key is no key", "encrypt=preferred\non_unsupported=refuse", "own", "", ALICE,
     "plain: no toy key"},
    {"never is never", "encrypt=never\non_unsupported=refuse", "own",
     "own=A," ALICE ",1,unsupported", ALICE, "plain: encrypt=never"},
    {"the most telling", "", "own", "own=A," ALICE ",9,expired;B," ALICE ",1,unsupported", ALICE,
     "refused: unsupported: it is of version 9"},
};

static void test_one(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        const Row *row = &ROWS[i];

        clear_kept();
        g_test_message("%s", row->what);
        g_autofree char *result = mail(row->to, row->policy, row->sources, row->toy);
        if (*row->result == '*')
            assert_has(result, row->result + 1);
        else if (!g_str_has_prefix(result, row->result))
            g_assert_cmpstr(result, ==, row->result);
    }
}

/* -------------------------------------------------------------------------------------------
 * What people are shown
 */

/* The answer about an address. (transfer full) */
static GVariant *look_up(const char *policy, const char *sources, const char *toy, gboolean *told)
{
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(policy, sources, toy);
    g_autoptr(SealOut) out = seal_out_new();
    g_autoptr(GError) error = NULL;
    gboolean found = FALSE;

    *told = seal_dispatcher_lookup_keys(dispatcher, ALICE, out, &found, &error);
    return seal_out_finish(out);
}

/* The row of @list that has @value as its @key, as "KEY=VALUE ..." of @wanted; NULL: there is none.
 * (transfer full) */
static char *row_of(GVariant *answer, const char *list, const char *key, const char *value,
                    const char *wanted)
{
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, list, G_VARIANT_TYPE("aa{sv}"));

    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        const char *text = NULL, *found = NULL;

        if (g_variant_lookup(row, key, "&s", &text) && g_str_equal(text, value) &&
            g_variant_lookup(row, wanted, "&s", &found))
            return g_strdup(found);
    }
    return NULL;
}

/* Each trust that a source has, lifted or not, against each that policy asks for. */
static void test_trust(void)
{
    static const char *const trusts[] = {"unverified", "harvested", "discovered", "verified",
                                         "manual"};
    static const char *const words[] = {"", ",public", ",named"};

    for (guint i = 0; i < 5 * 3 * 5 * 2; i++) {
        guint source = i % 5, word = i / 5 % 3, least = i / 15 % 5, proves = i / 75;
        guint believed = word > 0 && proves ? MAX(source, 3) : source;
        gboolean asked = source >= least || (proves && least <= 3), told;
        g_autofree char *policy = g_strdup_printf("min_trust=%s", trusts[least]);
        g_autofree char *toy =
            g_strdup_printf("proves=%s\ntrust=%s\nown=A," ALICE ",1%s", proves ? "true" : "false",
                            trusts[source], words[word]);
        const char *code = believed >= least ? "fit" : "trust";

        g_test_message("%s %s", policy, toy);
        g_autoptr(GVariant) answer = look_up(policy, "own", toy, &told);
        g_assert_true(told);
        g_autofree char *found = row_of(answer, "keys", "fingerprint", "A", "code");
        g_autofree char *trust = row_of(answer, "keys", "fingerprint", "A", "trust");
        g_autofree char *left = row_of(answer, "sources", "code", "source-trust", "reason");
        g_assert_cmpstr(found, ==, asked ? code : NULL);
        g_assert_true((left == NULL) == asked);
        if (asked && least <= 3)
            g_assert_cmpstr(trust, ==, trusts[believed]);
    }
}

static void test_lookup(void)
{
    static const struct {
        const char *key, *code, *reason, *serves;
    } rows[] = {
        {"A", "expired", "not fit", "address"},
        {"B", "fit", "the toy CA", "address"},
        {"C", "beaten", "another one comes before it", "address"},
        {"D", "trust", "trusted as unverified only", "address"},
        {"E", "beaten", "another one comes before it", "domain"},
        {"F", "unsupported", "version 9", "address"},
    };
    gboolean told;
    g_autoptr(GVariant) answer =
        look_up("", "own;found;public",
                "own=A," ALICE ",1,expired;E,x@other.example,1,domain=example.org\n"
                "found=B," ALICE ",2,named\n"
                "public=C," ALICE ",3,named;D," ALICE ",4;F," ALICE ",5,named,unsupported",
                &told);

    g_assert_true(told);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *code = row_of(answer, "keys", "fingerprint", rows[i].key, "code");
        g_autofree char *reason = row_of(answer, "keys", "fingerprint", rows[i].key, "reason");
        g_autofree char *serves = row_of(answer, "keys", "fingerprint", rows[i].key, "serves");

        g_assert_cmpstr(code, ==, rows[i].code);
        assert_has(reason, rows[i].reason);
        g_assert_cmpstr(serves, ==, rows[i].serves);
    }
    /* One that ends the search is said, and the rest shown all the same. */
    g_autoptr(GVariant) down =
        look_up("", "found;kept", "on_error=defer\ndown=found\nkept=A," ALICE ",1", &told);
    g_assert_false(told);
    g_autofree char *code = row_of(down, "keys", "fingerprint", "A", "code");
    g_assert_cmpstr(code, ==, "beaten");
    g_autofree char *source = row_of(down, "sources", "code", "unavailable", "reason");
    assert_has(source, "found could not find out");
}

/* -------------------------------------------------------------------------------------------
 * What is written down
 */

typedef struct {
    const char *what;
    const char *before; /* in the book: 1 serves, 2 waits, 3 is rejected, 4 is pinned */
    const char *policy, *toy;
    const char *result; /* as above */
    const char *after;  /* NULL: as it was, or nothing */
} Standing;

#define LOW       "min_trust=unverified"
#define BOTH      "formats=tin;toy"
#define BOTH_WAYS ALICE "|alice+x@example.org"
#define SERVES    "1 3 found A," ALICE ",1\n"

static const Standing STANDINGS[] = {
    {"the first is taken", "", LOW, "found=A," ALICE ",1", "sealed A", "serving A"},
    {"and all that come with it", "", LOW "\nkeys_per_recipient=newest",
     "found=A," ALICE ",1;B," ALICE ",2;C," ALICE ",3,expired", "sealed B", "serving B, serving A"},
    {"what cannot serve is not", "", LOW, "found=A," ALICE ",1,expired", "refused", ""},
    {"nor what is trusted too little", "", "", "found=A," ALICE ",1", "refused", ""},
    {"what the operator has put there is not watched", "", LOW, "own=A," ALICE ",1", "sealed A",
     ""},
    {"it goes on", SERVES, LOW, "found=A," ALICE ",1", "sealed A", "serving A"},
    {"another one waits", SERVES, LOW, "found=B," ALICE ",2", "sealed A", "serving A, pending B"},
    {"likewise beside the one in use", SERVES, LOW, "found=B," ALICE ",2;A," ALICE ",1", "sealed A",
     "serving A, pending B"},
    {"from another source too", SERVES, LOW, "public=B," ALICE ",2", "sealed A",
     "serving A, pending B"},
    {"as does a third", SERVES "2 3 found B," ALICE ",2\n", LOW, "found=C," ALICE ",3", "sealed A",
     "serving A, pending B, pending C"},
    {"public roots do not exempt", SERVES, LOW, "found=B," ALICE ",2,public", "sealed A",
     "serving A, pending B"},
    {"nor by more trust", SERVES, "", "found=B," ALICE ",2,public", "*waits for leave",
     "serving A, pending B"},
    {"an anchor of the operator's is more trust", SERVES, LOW, "found=B," ALICE ",2,named",
     "sealed B", "serving B"},
    {"but not more than the operator's word for another one", SERVES, LOW,
     "kept=C," ALICE ",1,expired\nfound=B," ALICE ",2,named", "sealed A", "serving A, pending B"},
    {"the old one has signed it", SERVES, LOW, "found=B," ALICE ",2,after=A", "sealed B",
     "serving B"},
    {"and the old one stays as long as it is offered", SERVES, LOW,
     "found=B," ALICE ",2,after=A;A," ALICE ",1", "sealed B A", "serving A, serving B"},
    {"one that waited may follow in the end", SERVES "2 3 found B," ALICE ",2,after=A\n", LOW,
     "found=B," ALICE ",2,after=A", "sealed B", "serving B"},
    {"one that has expired is not replaced", "1 3 found A," ALICE ",1,expired\n", LOW,
     "found=B," ALICE ",2", "*waits for leave", "serving A, pending B"},
    {"one that is revoked does not go on", SERVES, LOW,
     "found=B," ALICE ",2\npublic=A," ALICE ",1,revoked", "*waits for leave",
     "serving A, pending B"},
    {"one that waits alone waits", "2 3 found A," ALICE ",1\n", LOW, "found=A," ALICE ",1",
     "*waits for leave", NULL},
    {"one that was rejected is not used", "3 3 found A," ALICE ",1\n", LOW, "found=A," ALICE ",1",
     "*has been rejected", NULL},
    {"whoever has it", "3 3 own A," ALICE ",1\n", LOW, "own=A," ALICE ",1", "*has been rejected",
     NULL},
    {"another one is", "3 3 found A," ALICE ",1\n", LOW, "found=B," ALICE ",1", "sealed B",
     "rejected A, serving B"},
    {"a pin alone", "4 1 public A," ALICE ",1\n", "", "own=B," ALICE ",2", "sealed A", NULL},
    {"a pin of what names another", "4 1 public A,x@other.example,1\n", "min_trust=manual",
     "own=B," ALICE ",2", "sealed A", NULL},
    {"fit or not", "4 5 own A," ALICE ",1,expired\n", "", "own=B," ALICE ",2", "*not fit any more",
     NULL},
    {"nor revoked elsewhere", "4 5 own A," ALICE ",1\n", "",
     "own=B," ALICE ",2\nfound=A," ALICE ",1,revoked", "*not fit any more", NULL},
    {"in clear neither", "4 5 own A," ALICE ",1,expired\n", "encrypt=preferred",
     "own=B," ALICE ",2", "refused: it is not fit any more", NULL},
    {"nor where policy has it so", "4 5 own A," ALICE ",1,expired\n", "fallback=allow", "",
     "refused: it is not fit any more", NULL},
    {"a revoked one vouches for nothing", SERVES, LOW,
     "found=B," ALICE ",2,after=A\npublic=A," ALICE ",1,revoked", "*waits for leave",
     "serving A, pending B"},
    /* What waits is no reason for clear text. */
    {"one waits, and none serves", "1 3 found A," ALICE ",1,expired\n", LOW "\nencrypt=preferred",
     "found=B," ALICE ",2", "deferred: the key from found is another", "serving A, pending B"},
    {"likewise", "1 3 found A," ALICE ",1,expired\n", LOW "\nfallback=allow", "found=B," ALICE ",2",
     "*see `sealctl keys pending`", "serving A, pending B"},
    {"one waits, and one serves", SERVES, LOW "\nencrypt=preferred", "found=B," ALICE ",2",
     "sealed A", "serving A, pending B"},
    /* Of another format. */
    {"a pin closes other formats", "4 5 own A," ALICE ",1\n", LOW "\n" BOTH,
     "found=B," ALICE ",2,public,tin", "sealed A", NULL},
    {"even to what serves", "4 5 own A," ALICE ",1\n1 3 found B," ALICE ",2,tin\n", LOW "\n" BOTH,
     "found=B," ALICE ",2,tin", "sealed A", NULL},
    {"and to the operator's own", "4 5 own A," ALICE ",1\n", LOW "\nformats=tin",
     "own=B," ALICE ",2,tin", "refused: the toy key A is pinned for " ALICE, NULL},
    {"fit or not", "4 5 own A," ALICE ",1,expired\n", LOW "\nencrypt=preferred\n" BOTH,
     "found=B," ALICE ",2,tin", "refused: it is not fit any more", NULL},
    {"one pin in each", "4 5 own A," ALICE ",1\n4 5 own B," ALICE ",2,tin\n", LOW "\n" BOTH, "",
     "sealed B", NULL},
    {"the first of another format is a change", SERVES, LOW "\n" BOTH,
     "found=B," ALICE ",2,public,tin;A," ALICE ",1", "sealed A", "serving A, pending B"},
    {"unless the operator has put it there", SERVES, LOW "\n" BOTH, "own=B," ALICE ",2,tin",
     "sealed B", "serving A"},
    /* Of less trust than what there is. */
    {"a stranger's key does not come before one of more trust", "", LOW,
     "found=B," ALICE ",2,public\nkept=A,x@other.example,1\nbound=@example.org", "sealed A",
     "pending B"},
    {"nor in the place of one that expired", "", LOW "\nencrypt=preferred",
     "own=A," ALICE ",1,expired\nfound=B," ALICE ",2,public",
     "deferred: the key from found waits for leave", "pending B"},
    {"of whatever format", "", LOW "\n" BOTH, "own=A," ALICE ",1\nfound=B," ALICE ",2,public,tin",
     "sealed A", "pending B"},
    {"unless that has signed it", "", LOW, "own=A," ALICE ",1,expired\nfound=B," ALICE ",2,after=A",
     "sealed B", "serving B"},
    {"and is not revoked", "", LOW,
     "own=A," ALICE ",1\nfound=B," ALICE ",2,after=A\npublic=A," ALICE ",1,revoked",
     "*waits for leave", "pending B"},
    {"one that is rejected is none", "3 5 own A," ALICE ",1\n", LOW,
     "own=A," ALICE ",1\nfound=B," ALICE ",2", "sealed B", "rejected A, serving B"},
    {"as much trust is no less", "", LOW, "own=A," ALICE ",1,expired\nfound=B," ALICE ",2,named",
     "sealed B", "serving B"},
    {"less trust in a source counts at once", "1 5 found A," ALICE ",1\n", "min_trust=verified",
     "found=B," ALICE ",2,public", "*waits for leave", "serving A, pending B"},
    /* The book. */
    {"it cannot be read", "", LOW, "own=A," ALICE ",1\nfault=read", "*the disk is full of read",
     ""},
    {"in clear neither", "", "encrypt=preferred", "fault=read", "*the disk is full of read", ""},
    {"a new one cannot be written down", "", LOW "\nencrypt=preferred",
     "found=A," ALICE ",1\nfault=write", "*could not be written down", ""},
    {"one in use needs not be", SERVES, LOW, "found=A," ALICE ",1\nfault=write", "sealed A",
     "serving A"},
    {"one that waits cannot be written down", SERVES, LOW, "found=B," ALICE ",2\nfault=write",
     "sealed A", "serving A"},
};

static const char *sources_of(const Standing *row)
{
    return strstr(row->toy, "kept=") ? "own;found;public;kept" : "own;found;public";
}

static void test_standing(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(STANDINGS); i++) {
        const Standing *row = &STANDINGS[i];

        clear_kept();
        if (*row->before)
            write_book(ALICE, row->before);
        g_test_message("%s", row->what);
        g_autofree char *before = book_of(ALICE);
        g_autofree char *result = mail(ALICE, row->policy, sources_of(row), row->toy);
        g_autofree char *after = book_of(ALICE);
        if (*row->result == '*')
            assert_has(result, row->result + 1);
        else if (!g_str_has_prefix(result, row->result))
            g_assert_cmpstr(result, ==, row->result);
        g_assert_cmpstr(after, ==, row->after ? row->after : before);
    }
}

/* A question writes nothing down, and its answer is what a message would get. */
static void test_question(void)
{
    const char *const recipients[] = {ALICE, NULL};
    const SealJobSpec spec = {.recipients = recipients};

    for (guint i = 0; i < G_N_ELEMENTS(STANDINGS); i++) {
        const Standing *row = &STANDINGS[i];
        gboolean told;

        clear_kept();
        if (*row->before)
            write_book(ALICE, row->before);
        if (strstr(row->what, "a new one cannot"))
            continue;
        g_test_message("%s", row->what);
        g_autofree char *before = book_of(ALICE);
        g_autoptr(SealDispatcher) dispatcher =
            dispatcher_of(row->policy, sources_of(row), row->toy);
        g_autoptr(SealJob) job = seal_job_new(&spec, NULL);
        seal_dispatcher_check(dispatcher, job, NULL, NULL);
        const SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), 0);
        g_assert_true((seal_recipient_result(recipient) == SEAL_VERDICT_SEALED) ==
                      g_str_has_prefix(row->result, "sealed"));
        g_autoptr(GVariant) answer = look_up(row->policy, sources_of(row), row->toy, &told);
        g_autofree char *after = book_of(ALICE);
        g_assert_cmpstr(after, ==, before);
        g_autofree char *path = g_strdup_printf("%s/found-%s", kept, ALICE);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    }
}

/* A subaddress is its mailbox's affair: nobody fills the book by inventing some. */
static void test_detail(void)
{
    clear_kept();
    g_autofree char *result = mail("alice+x@example.org", LOW, "found", "found=A," ALICE ",1");
    g_assert_cmpstr(result, ==, "sealed A");
    g_autofree char *book = book_of(ALICE), *other = book_of("alice+x@example.org");
    g_assert_cmpstr(book, ==, "serving A");
    g_assert_cmpstr(other, ==, "");
    clear_kept();
    g_autofree char *domain =
        mail("alice+x@example.org", LOW, "found", "found=A,x@other.example,1,domain=example.org");
    g_assert_cmpstr(domain, ==, "sealed A");
    g_autofree char *of_domain = book_of(ALICE), *of_detail = book_of("alice+x@example.org");
    g_assert_cmpstr(of_domain, ==, "serving A");
    g_assert_cmpstr(of_detail, ==, "");
    write_book(ALICE, "4 5 own B," ALICE ",1\n");
    g_autofree char *pinned = mail("alice+x@example.org", LOW, "found", "found=A," ALICE ",1");
    g_assert_cmpstr(pinned, ==, "sealed B");
}

/* What is written down of the mailbox holds for what has a detail. */
static void test_detail_of_page(void)
{
    static const struct {
        const char *what, *book; /* of the bare address */
        const char *result, *after;
    } rows[] = {
        {"rejected there", "3 3 found B," BOTH_WAYS ",2\n", "*has been rejected", ""},
        {"waits there", "2 3 found B," BOTH_WAYS ",2\n", "*waits for leave", ""},
        {"another one serves there", SERVES, "sealed A", "pending B"},
        {"it serves there", "1 3 found B," BOTH_WAYS ",2\n", "sealed B", ""},
        {"another one is pinned there", "4 5 own A," ALICE ",1\n", "sealed A", ""},
        {"nothing", "", "sealed B", "serving B"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        clear_kept();
        g_test_message("%s", rows[i].what);
        write_book(ALICE, rows[i].book);
        g_autofree char *before = book_of(ALICE);
        g_autofree char *result =
            mail("alice+x@example.org", LOW, "found", "found=B," BOTH_WAYS ",2");
        g_autofree char *after = book_of("alice+x@example.org"), *bare = book_of(ALICE);
        if (*rows[i].result == '*')
            assert_has(result, rows[i].result + 1);
        else
            g_assert_cmpstr(result, ==, rows[i].result);
        g_assert_cmpstr(after, ==, rows[i].after);
        g_assert_cmpstr(bare, ==, before);
    }
}

/* People are told that a pin is why. */
static void test_pinned_shown(void)
{
    static const char *const formats[] = {"", BOTH, LOW "\n" BOTH};
    static const char *const keys[] = {"own=B," ALICE ",2", "own=B," ALICE ",2,tin",
                                       "own=A," ALICE ",1\nfound=B," ALICE ",2,tin"};
    gboolean told;

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        clear_kept();
        write_book(ALICE, "4 5 own A," ALICE ",1\n");
        g_autoptr(GVariant) answer = look_up(formats[i], "own;found", keys[i], &told);
        g_assert_true(told);
        g_autofree char *used = row_of(answer, "keys", "fingerprint", "A", "code");
        g_autofree char *other = row_of(answer, "keys", "fingerprint", "B", "code");
        g_assert_cmpstr(used, ==, "fit");
        g_assert_cmpstr(other, ==, "pinned");
    }
}

/* -------------------------------------------------------------------------------------------
 * Look-ups beyond the process
 */

static void write_past(const char *source, gint64 left, const char *lines)
{
    g_autofree char *path = g_strdup_printf("%s/%s-%s", kept, source, ALICE);
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT "\n%s",
                                            g_get_real_time() / G_USEC_PER_SEC + left, lines);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void test_past(void)
{
    static const char key[] = "0 3 found A," ALICE ",1\n";
    static const struct {
        const char *what;
        gint64 left; /* seconds; 0: nothing is remembered */
        const char *lines;
        const char *policy, *toy;
        const char *result;
    } rows[] = {
        {"remembered", 100, key, LOW, "down=found", "sealed A"},
        {"remembered: none", 100, "", LOW, "found=A," ALICE ",1", "*no toy key"},
        {"its time is over", -1, key, LOW, "found=B," ALICE ",1", "sealed B"},
        {"it once gave a key", -1, key, LOW "\nencrypt=preferred", "down=found",
         "*found could not find out, and has had a key for the address before"},
        {"it had none", -1, "", LOW "\nencrypt=preferred", "down=found", "plain"},
        {"nothing is known", 0, "", LOW "\nencrypt=preferred", "down=found", "plain"},
        {"it is not known whether it did", 0, "", LOW "\nencrypt=preferred",
         "down=found\nfault=past", "deferred: key source found could not find out"},
        {"the operator's word", -1, key, LOW "\nencrypt=preferred", "down=found\non_error=skip",
         "plain"},
        {"nothing can be remembered", 0, "", LOW, "found=A," ALICE ",1\nfault=past", "sealed A"},
        {"trusted less since", 100, "0 5 found A," ALICE ",1\n", "min_trust=verified", "",
         "*trusted as discovered only"},
        {"another's", 100, "0 3 found A,bob@example.org,1\n", LOW, "", "*no toy key"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        clear_kept();
        if (rows[i].left)
            write_past("found", rows[i].left, rows[i].lines);
        g_test_message("%s", rows[i].what);
        g_autofree char *result = mail(ALICE, rows[i].policy, "found", rows[i].toy);
        if (*rows[i].result == '*')
            assert_has(result, rows[i].result + 1);
        else if (!g_str_has_prefix(result, rows[i].result))
            g_assert_cmpstr(result, ==, rows[i].result);
    }
}

/* As long as [keyring] has it, and what is near is not remembered. */
static void test_remembered(void)
{
    static const struct {
        const char *toy, *source;
        gint64 least, most; /* seconds from now */
    } rows[] = {
        {"found=A," ALICE ",1", "found", 3500, 3610},
        {"", "found", 500, 610},
        {"own=A," ALICE ",1", "own", -1, -1},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s-%s", kept, rows[i].source, ALICE);
        g_autofree char *text = NULL;

        clear_kept();
        g_free(mail(ALICE, LOW, "found;own", rows[i].toy));
        gboolean there = g_file_get_contents(path, &text, NULL, NULL);
        g_assert_true(there == (rows[i].least >= 0));
        gint64 left =
            there ? g_ascii_strtoll(text, NULL, 10) - g_get_real_time() / G_USEC_PER_SEC : 0;
        g_assert_true(!there || (left >= rows[i].least && left <= rows[i].most));
    }
}

/* What the log says of a key. */
static void test_log(void)
{
    static const char *const wanted[] = {"origin=found trust=verified proof=\"the toy CA\"",
                                         "origin=kept:domain trust=manual rule",
                                         "origin=kept:bound trust=manual rule"};
    g_autofree char *path = g_build_filename(top, "log", NULL);
    g_autofree char *text = NULL;

    g_unlink(path);
    const char *const toys[] = {"found=A," ALICE ",1,named",
                                "kept=A,x@other.example,1\nbound=@example.org",
                                "kept=A,x@other.example,1\nbound=" ALICE};
    for (guint i = 0; i < G_N_ELEMENTS(toys); i++) {
        g_autoptr(SealDispatcher) dispatcher = dispatcher_of("", "kept;found", toys[i]);
        g_autoptr(SealJob) job = job_to(ALICE);

        clear_kept();
        g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
        seal_log_job(job);
    }
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++)
        assert_has(text, wanted[i]);
    assert_has(text, "it is the key of the domain example.org");
    assert_has(text, "it is trusted as verified by the toy CA");
}

static void copy_module(const char *name)
{
    g_autofree char *source = g_build_filename(g_getenv("SEALPIPE_TEST_FAULTY"), name, NULL);
    g_autofree char *target = g_build_filename(modules, name, NULL);
    g_autofree char *data = NULL;
    gsize length = 0;

    g_assert_true(g_file_get_contents(source, &data, &length, NULL));
    g_assert_true(g_file_set_contents(target, data, (gssize)length, NULL));
    g_chmod(target, 0755);
}

static void set_up(void)
{
    g_autofree char *conf = NULL;

    top = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    conf = g_build_filename(top, "conf", NULL);
    modules = g_build_filename(top, "modules", NULL);
    kept = g_build_filename(top, "kept", NULL);
    g_mkdir(conf, 0755);
    g_mkdir(modules, 0755);
    g_mkdir(kept, 0755);
    copy_module("toy.so");
}

static void tear_down(void)
{
    char *argv[] = {(char *)"rm", (char *)"-rf", (char *)"--", top, NULL};

    g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    g_free(modules);
    g_free(kept);
    g_free(top);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    set_up();
    g_test_add_func("/keyring/one", test_one);
    g_test_add_func("/keyring/trust", test_trust);
    g_test_add_func("/keyring/lookup", test_lookup);
    g_test_add_func("/keyring/standing", test_standing);
    g_test_add_func("/keyring/question", test_question);
    g_test_add_func("/keyring/detail", test_detail);
    g_test_add_func("/keyring/detail/page", test_detail_of_page);
    g_test_add_func("/keyring/pinned", test_pinned_shown);
    g_test_add_func("/keyring/past", test_past);
    g_test_add_func("/keyring/remembered", test_remembered);
    g_test_add_func("/keyring/log", test_log);
    int status = g_test_run();
    tear_down();
    return status;
}
