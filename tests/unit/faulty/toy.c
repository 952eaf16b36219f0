/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * toy.c: a format whose keys are a line of text, several sources that have them as they are told,
 * and one that keeps what is written down in files: to see what core makes of them.
 *
 * A key: FINGERPRINT,ADDRESS|...,FROM[,WORD]...: expired, revoked, unsupported; public or named:
 * who vouches for it; after=FINGERPRINT: which it may follow; domain=NAME; tin: it is of the format
 * of that name, which is the same.
 */
#include "core/sealpipe.h"

#include <string.h>

static const SealSetting SETTINGS[] = {
    {"proves", SEAL_SETTING_BOOLEAN, "true", .help = "Whether anything vouches for keys."},
    {"own", SEAL_SETTING_LIST, .help = "Keys of the source own."},
    {"found", SEAL_SETTING_LIST, .help = "Keys of the source found, behind a network."},
    {"public", SEAL_SETTING_LIST, .help = "Keys of the source public, likewise."},
    {"kept", SEAL_SETTING_LIST, .help = "Keys of the source kept, given to @example.org."},
    {"bound", SEAL_SETTING_LIST, .help = "Whom kept keys are given to."},
    {"down", SEAL_SETTING_LIST, .help = "Sources that do not answer."},
    {"folder", SEAL_SETTING_STRING, .help = "Where what is kept is written."},
    {"fault", SEAL_SETTING_STRING, "none", .help = "What the book cannot do: read, write, past."},
    {NULL},
};

static gboolean is(SealModule *self, const char *key, const char *value)
{
    return g_str_equal(seal_module_string(self, key), value);
}

/* -------------------------------------------------------------------------------------------
 * The format
 */

static gboolean has_word(SealKey *key, const char *word)
{
    return g_strv_contains((const char *const *)seal_key_native(key), word);
}

static const char *value_of(char **parts, const char *name)
{
    for (guint i = 3; i < g_strv_length(parts); i++) {
        if (g_str_has_prefix(parts[i], name))
            return parts[i] + strlen(name);
    }
    return NULL;
}

static SealKey *key_of(const char *line, const SealOrigin *origin)
{
    char **parts = g_strsplit(line, ",", -1);
    g_auto(GStrv) addresses = g_strsplit(parts[1], "|", -1);
    const char *const domains[] = {value_of(parts, "domain="), NULL};
    const char *const ids[] = {parts[0], NULL};
    gboolean tin = g_strv_contains((const char *const *)parts, "tin");
    const SealKeySpec spec = {
        .size = sizeof spec,
        .format = tin ? "tin" : "toy",
        .fingerprint = parts[0],
        .label = parts[0],
        .addresses = (const char *const *)addresses,
        .detected_ids = ids,
        .valid_from = g_ascii_strtoll(parts[2], NULL, 10),
        .valid_until = G_MAXINT64,
        .purposes = SEAL_PURPOSE_ENCRYPT,
        .native = parts,
        .native_free = (GDestroyNotify)g_strfreev,
        .domains = domains,
    };

    return seal_key_new(&spec, origin);
}

static gboolean read_keys(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                          GError **error)
{
    g_autofree char *text = g_strndup(g_bytes_get_data(data, NULL), g_bytes_get_size(data));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line; line++) {
        if (strchr(*line, ','))
            g_ptr_array_add(keys, key_of(*line, origin));
    }
    return TRUE;
}

static char *text_of(SealKey *key)
{
    return g_strjoinv(",", seal_key_native(key));
}

static GBytes *write_key(SealModule *self, SealKey *key, GError **error)
{
    char *text = text_of(key);

    return g_bytes_new_take(text, strlen(text));
}

static gboolean usable(SealModule *self, SealKey *key, SealAddress *address, SealPurpose purpose,
                       gint64 at, SealDecision *decision, GError **error)
{
    if (has_word(key, "unsupported"))
        seal_decision_set_usable(decision, SEAL_KEY_UNSUPPORTED, "v9", "it is of version 9");
    else if (has_word(key, "expired") || has_word(key, "revoked"))
        seal_decision_set_usable(decision, SEAL_KEY_UNUSABLE,
                                 has_word(key, "expired") ? "expired" : "revoked",
                                 "it is not fit any more");
    else if (address && !seal_key_is_for(key, address))
        seal_decision_set_usable(decision, SEAL_KEY_UNUSABLE, "address", "it is another's");
    else
        seal_decision_set_usable(decision, SEAL_KEY_USABLE, "fit", "it is fit");
    return TRUE;
}

static gboolean prove(SealModule *self, SealKey *key, SealAddress *address, gint64 at,
                      SealProven *proven, char **by, GError **error)
{
    *proven = SEAL_PROVEN_NOT;
    if (!seal_module_boolean(self, "proves"))
        return TRUE;
    if (!key || has_word(key, "public"))
        *proven = SEAL_PROVEN_PUBLIC;
    else if (has_word(key, "named"))
        *proven = SEAL_PROVEN_NAMED;
    if (*proven != SEAL_PROVEN_NOT)
        *by = g_strdup("the toy CA");
    return TRUE;
}

static gboolean succeeds(SealModule *self, SealKey *old, SealKey *key, SealAddress *address,
                         gint64 at, gboolean *succeeds, char **why, GError **error)
{
    g_autofree char *word = g_strconcat("after=", seal_key_fingerprint(old), NULL);

    *succeeds = has_word(key, word) && !has_word(old, "revoked");
    *why = g_strdup(*succeeds ? "the old one has signed it" : "nothing binds it to the old one");
    return TRUE;
}

/* What any copy says. */
static SealKey *merge(SealModule *self, GPtrArray *copies, GError **error)
{
    SealKey *first = g_ptr_array_index(copies, 0);
    const SealOrigin origin = {
        .size = sizeof origin,
        .source = seal_key_source(first),
        .place = seal_key_place(first),
        .trust = seal_key_trust(first),
        .bound = seal_key_bound(first),
        .standing = seal_key_standing(first),
    };
    g_autofree char *text = text_of(first);

    for (guint i = 1; i < copies->len; i++) {
        if (has_word(g_ptr_array_index(copies, i), "revoked")) {
            g_autofree char *revoked = g_strconcat(text, ",revoked", NULL);
            return key_of(revoked, &origin);
        }
    }
    return key_of(text, &origin);
}

static gboolean detect_as(const char *type, const char *name, SealEntity *entity,
                          SealDetection *detection)
{
    const char *ids = seal_entity_parameter(entity, "ids");
    gboolean ours = g_str_equal(seal_entity_type(entity), type) && ids;
    g_auto(GStrv) list = g_strsplit(ours ? ids : "", " ", -1);

    seal_detection_set(detection, ours ? SEAL_DETECTED_ENCRYPTED : SEAL_DETECTED_NOTHING,
                       ours ? 1000 : 0, name);
    for (char **id = list; *id && ours; id++)
        seal_detection_add(detection, *id);
    return TRUE;
}

static gboolean detect(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                       SealDetection *detection, GError **error)
{
    return detect_as("application/x-toy", "toy", entity, detection);
}

static gboolean detect_tin(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                           SealDetection *detection, GError **error)
{
    return detect_as("application/x-tin", "tin", entity, detection);
}

static SealContent *encrypt(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                            GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_printf(text, "Content-Type: application/x-%s; ids=\"",
                    seal_key_format(g_ptr_array_index(sealing->keys, 0)));

    for (guint i = 0; i < sealing->keys->len; i++)
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "",
                               seal_key_fingerprint(g_ptr_array_index(sealing->keys, i)));
    g_string_append(text, "\"\n\nsealed\n");
    return seal_content_new_copy(text->str, text->len);
}

/* -------------------------------------------------------------------------------------------
 * The sources
 */

static gboolean look_up(SealModule *self, const char *source, SealTrust trust, GPtrArray *keys,
                        GError **error)
{
    const char *const *lines = seal_module_list(self, source);
    const SealOrigin origin = {
        .size = sizeof origin,
        .source = source,
        .place = source,
        .trust = trust,
        .bound = g_str_equal(source, "kept") ? seal_module_list(self, "bound") : NULL,
    };

    if (g_strv_contains(seal_module_list(self, "down"), source)) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s does not answer", source);
        return FALSE;
    }
    for (; *lines; lines++)
        g_ptr_array_add(keys, key_of(*lines, &origin));
    return TRUE;
}

#define LOOKUP(name, what)                                                                         \
    static gboolean name(SealModule *self, SealAddress *address, const char *format,               \
                         SealTrust trust, GCancellable *cancellable, GPtrArray *keys,              \
                         char **doubt, GError **error)                                             \
    {                                                                                              \
        return look_up(self, what, trust, keys, error);                                            \
    }
LOOKUP(look_up_own, "own")
LOOKUP(look_up_found, "found")
LOOKUP(look_up_public, "public")
LOOKUP(look_up_kept, "kept")

/* -------------------------------------------------------------------------------------------
 * What is kept: a file for each address, with lines STANDING TRUST SOURCE KEY
 */

static char *path_of(SealModule *self, const char *kind, const SealAddress *address)
{
    return g_strdup_printf("%s/%s-%s", seal_module_string(self, "folder"), kind,
                           seal_address_key(address));
}

static gboolean fail_if(SealModule *self, const char *fault, GError **error)
{
    if (!is(self, "fault", fault))
        return FALSE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "the disk is full of %s", fault);
    return TRUE;
}

static char **lines_of(const char *path)
{
    g_autofree char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    return g_strsplit(text ? text : "", "\n", -1);
}

static void add_line(GPtrArray *keys, const char *line)
{
    g_auto(GStrv) parts = g_strsplit(line, " ", 4);
    const SealOrigin origin = {
        .size = sizeof origin,
        .source = parts[2],
        .place = "book",
        .trust = (SealTrust)g_ascii_strtoll(parts[1], NULL, 10),
        .standing = (SealStanding)g_ascii_strtoll(parts[0], NULL, 10),
    };

    g_ptr_array_add(keys, key_of(parts[3], &origin));
}

static gboolean book_read(SealModule *self, const SealAddress *address, const char *format,
                          SealStanding standing, GPtrArray *keys, GError **error)
{
    if (fail_if(self, "read", error))
        return FALSE;
    g_autofree char *path = path_of(self, "book", address);
    g_auto(GStrv) lines = lines_of(path);
    for (char **line = lines; *line && **line; line++)
        add_line(keys, *line);
    return TRUE;
}

static gboolean book_write(SealModule *self, const SealAddress *address, SealKey *key,
                           SealStanding standing, GError **error)
{
    if (fail_if(self, "write", error))
        return FALSE;
    g_autofree char *path = path_of(self, "book", address);
    g_auto(GStrv) lines = lines_of(path);
    g_autofree char *text = text_of(key);
    g_autoptr(GString) all = g_string_new(NULL);

    for (char **line = lines; *line && **line; line++) {
        if (!g_str_has_suffix(*line, text))
            g_string_append_printf(all, "%s\n", *line);
    }
    if (standing != SEAL_STANDING_NONE)
        g_string_append_printf(all, "%d %d %s %s\n", (int)standing, (int)seal_key_trust(key),
                               seal_key_source(key), text);
    return g_file_set_contents(path, all->str, -1, error);
}

static const SealKeyBook BOOK = {.size = sizeof BOOK, .read = book_read, .write = book_write};

/* Without how it was configured, which differs from test to test. (transfer full) */
static char *asked_of(const SealRecollection *past)
{
    return g_strndup(past->source, strcspn(past->source, " "));
}

static char *path_of_past(SealModule *self, const SealRecollection *past)
{
    g_autofree char *source = asked_of(past);
    g_autofree char *kind =
        g_strconcat(source, g_str_equal(past->format, "tin") ? "-tin" : "", NULL);

    return path_of(self, kind, past->address);
}

/* The first line is until when it holds. */
static gboolean recall(SealModule *self, SealRecollection *past, gboolean *known, GError **error)
{
    if (fail_if(self, "past", error))
        return FALSE;
    g_autofree char *path = path_of_past(self, past);
    g_auto(GStrv) lines = lines_of(path);
    *known = lines[0] && *lines[0];
    past->until = *known ? g_ascii_strtoll(lines[0], NULL, 10) : 0;
    for (char **line = lines + 1; *known && *line && **line; line++)
        add_line(past->keys, *line);
    return TRUE;
}

static gboolean remember(SealModule *self, const SealRecollection *past, GError **error)
{
    if (fail_if(self, "past", error))
        return FALSE;
    g_autofree char *source = asked_of(past);
    g_autofree char *path = path_of_past(self, past);
    g_autoptr(GString) all = g_string_new(NULL);
    g_string_printf(all, "%" G_GINT64_FORMAT "\n", past->until);
    for (guint i = 0; i < past->keys->len; i++) {
        SealKey *key = g_ptr_array_index(past->keys, i);
        g_autofree char *text = text_of(key);

        g_string_append_printf(all, "0 %d %s %s\n", (int)seal_key_trust(key), source, text);
    }
    return g_file_set_contents(path, all->str, -1, error);
}

static const SealFormat FORMAT = {
    .size = sizeof FORMAT,
    .name = "toy",
    .read = read_keys,
    .detect = detect,
    .usable = usable,
    .encrypt = encrypt,
    .merge = merge,
    .write = write_key,
    .prove = prove,
    .succeeds = succeeds,
};
static const SealFormat TIN = {
    .size = sizeof TIN,
    .name = "tin",
    .read = read_keys,
    .detect = detect_tin,
    .usable = usable,
    .encrypt = encrypt,
    .merge = merge,
    .write = write_key,
    .prove = prove,
    .succeeds = succeeds,
};
static const SealFormat *const FORMATS[] = {&FORMAT, &TIN, NULL};
static const SealSource OWN = {sizeof OWN, "own", SEAL_TRUST_VERIFIED, FALSE, look_up_own};
static const SealSource FOUND = {
    .size = sizeof FOUND,
    .name = "found",
    .trust = SEAL_TRUST_DISCOVERED,
    .may_skip = TRUE,
    .lookup = look_up_found,
    .flags = SEAL_SOURCE_REMOTE,
};
static const SealSource PUBLIC = {
    .size = sizeof PUBLIC,
    .name = "public",
    .trust = SEAL_TRUST_UNVERIFIED,
    .may_skip = TRUE,
    .lookup = look_up_public,
    .flags = SEAL_SOURCE_REMOTE,
};
static const SealSource KEPT = {
    .size = sizeof KEPT,
    .name = "kept",
    .trust = SEAL_TRUST_MANUAL,
    .lookup = look_up_kept,
    .recall = recall,
    .remember = remember,
    .book = &BOOK,
};
static const SealSource *const SOURCES[] = {&OWN, &FOUND, &PUBLIC, &KEPT, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "toy",
    .version = "1",
    .summary = "Keys of text, from several sources",
    .settings = SETTINGS,
    .formats = FORMATS,
    .sources = SOURCES,
};
