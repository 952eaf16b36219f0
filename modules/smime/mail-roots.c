/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mail-roots.c: Mozilla's roots for mail, as NSS has them in libnssckbi.so. That library is asked
 * by PKCS#11 2.x, of which the little that is needed is declared here. What it says of a root
 * beside the certificate, and no bundle of files does: whether it is for mail, and until when.
 */
#include "smime.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <signal.h>
#include <string.h>

enum {
    MAX_SLOTS = 8,
    MAX_OBJECTS = 10000, /* of a kind */
    MAX_CERT = 65536,    /* octets */
    BATCH = 64,          /* objects that are asked for at once */
};

/* -------------------------------------------------------------------------------------------
 * PKCS#11
 */

typedef unsigned long Number; /* CK_ULONG */

typedef struct {
    Number type;
    void *value;
    Number length;
} Attribute;

typedef void (*Unused)(void);

/* CK_FUNCTION_LIST, as far as it is called. */
typedef struct {
    guint8 version[2];
    Number (*initialize)(void *arguments);
    Number (*finalize)(void *reserved);
    Unused get_info, get_function_list;
    Number (*get_slot_list)(guint8 with_token, Number *slots, Number *count);
    Unused get_slot_info, get_token_info, get_mechanism_list, get_mechanism_info;
    Unused init_token, init_pin, set_pin;
    Number (*open_session)(Number slot, Number flags, void *data, Unused notify, Number *session);
    Number (*close_session)(Number session);
    Unused close_all_sessions, get_session_info, get_operation_state, set_operation_state;
    Unused login, logout, create_object, copy_object, destroy_object, get_object_size;
    Number (*get_attribute_value)(Number session, Number object, Attribute *attributes,
                                  Number count);
    Unused set_attribute_value;
    Number (*find_objects_init)(Number session, const Attribute *attributes, Number count);
    Number (*find_objects)(Number session, Number *objects, Number most, Number *count);
    Number (*find_objects_final)(Number session);
} Functions;

typedef Number (*GetFunctionList)(Functions **functions);

#define SERIAL_SESSION   4UL
#define CLASS            0UL
#define VALUE            0x11UL
#define CLASS_CERT       1UL
#define CLASS_TRUST      0xce534353UL /* CKO_NSS_TRUST */
#define TRUST_MAIL       0xce53635bUL /* CKA_TRUST_EMAIL_PROTECTION */
#define TRUST_SHA1       0xce5363b4UL /* CKA_CERT_SHA1_HASH */
#define TRUSTED          0xce534352UL /* CKT_NSS_TRUSTED_DELEGATOR */
#define DISTRUSTED_AFTER 0xce534374UL /* CKA_NSS_EMAIL_DISTRUST_AFTER */

/* -------------------------------------------------------------------------------------------
 * Objects
 */

/* While a library is asked. */
typedef struct {
    const Functions *functions;
    Number session;
    GHashTable *trusted; /* GBytes of SHA-1 */
    SmimeRootVisitor visit;
    SmimeModule *module;
    guint8 *buffer; /* MAX_CERT octets */
} Asking;

typedef gboolean (*ObjectVisitor)(Asking *asking, Number object, GError **error);

/* Octets of the attribute in @buffer; 0 where there is none, or more than @most. */
static gsize read_attribute(const Asking *asking, Number object, Number type, void *buffer,
                            gsize most)
{
    Attribute attribute = {type, buffer, most};

    if (asking->functions->get_attribute_value(asking->session, object, &attribute, 1) != 0 ||
        attribute.length > most)
        return 0;
    return attribute.length;
}

static gboolean visit_batch(Asking *asking, const Number *objects, Number count,
                            ObjectVisitor visit, GError **error)
{
    for (Number i = 0; i < count; i++) {
        if (!visit(asking, objects[i], error))
            return FALSE;
    }
    return TRUE;
}

static gboolean visit_found(Asking *asking, ObjectVisitor visit, GError **error)
{
    Number objects[BATCH], count = 0;

    for (guint met = 0; met < MAX_OBJECTS; met += (guint)count) {
        if (asking->functions->find_objects(asking->session, objects, BATCH, &count) != 0 ||
            count > BATCH) {
            g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "it does not list its roots");
            return FALSE;
        }
        if (count == 0)
            return TRUE;
        if (!visit_batch(asking, objects, count, visit, error))
            return FALSE;
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "more than %d roots are in it", MAX_OBJECTS);
    return FALSE;
}

static gboolean visit_objects(Asking *asking, Number class, ObjectVisitor visit, GError **error)
{
    Attribute of_class = {CLASS, &class, sizeof class};

    if (asking->functions->find_objects_init(asking->session, &of_class, 1) != 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "it does not list its roots");
        return FALSE;
    }
    gboolean ok = visit_found(asking, visit, error);
    asking->functions->find_objects_final(asking->session);
    return ok;
}

static gboolean take_trust(Asking *asking, Number object, G_GNUC_UNUSED GError **error)
{
    Number trust = 0;
    guint8 digest[SHA_DIGEST_LENGTH];

    if (read_attribute(asking, object, TRUST_MAIL, &trust, sizeof trust) == sizeof trust &&
        trust == TRUSTED &&
        read_attribute(asking, object, TRUST_SHA1, digest, sizeof digest) == sizeof digest)
        g_hash_table_add(asking->trusted, g_bytes_new(digest, sizeof digest));
    return TRUE;
}

/* G_MAXINT64 where nothing is distrusted. The attribute is a zero octet, or a time. FALSE where it
 * is anything else. */
static gboolean read_distrust(const Asking *asking, Number object, gint64 *after)
{
    char text[32] = "";
    gsize length = read_attribute(asking, object, DISTRUSTED_AFTER, text, sizeof text - 1);

    *after = G_MAXINT64;
    if (length == 0 || (length == 1 && *text == 0))
        return TRUE;
    text[length] = 0;
    ASN1_TIME *time = ASN1_TIME_new();
    gboolean ok = time && ASN1_TIME_set_string(time, text) && smime_time(time, after);
    ASN1_TIME_free(time);
    ERR_clear_error();
    return ok;
}

static gboolean take_cert(Asking *asking, Number object, GError **error)
{
    guint8 digest[SHA_DIGEST_LENGTH];
    const guint8 *at = asking->buffer;
    gsize length = read_attribute(asking, object, VALUE, asking->buffer, MAX_CERT);
    gint64 after;

    if (length == 0 || !EVP_Digest(at, length, digest, NULL, EVP_sha1(), NULL))
        return TRUE;
    g_autoptr(GBytes) key = g_bytes_new(digest, sizeof digest);
    if (!g_hash_table_contains(asking->trusted, key) || !read_distrust(asking, object, &after))
        return TRUE;
    X509 *cert = d2i_X509(NULL, &at, (long)length);
    ERR_clear_error();
    gboolean ok = !cert || asking->visit(asking->module, cert, after, error);
    X509_free(cert);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * The library
 */

static gboolean ask_session(Asking *asking, GError **error)
{
    g_autoptr(GHashTable) trusted =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    g_autofree guint8 *buffer = g_malloc(MAX_CERT);

    asking->trusted = trusted;
    asking->buffer = buffer;
    return visit_objects(asking, CLASS_TRUST, take_trust, error) &&
           visit_objects(asking, CLASS_CERT, take_cert, error);
}

static gboolean ask_slots(Asking *asking, GError **error)
{
    Number slots[MAX_SLOTS], count = MAX_SLOTS;
    gboolean ok = asking->functions->get_slot_list(TRUE, slots, &count) == 0 && count <= MAX_SLOTS;

    if (!ok)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "it has no token");
    for (Number i = 0; ok && i < count; i++) {
        if (asking->functions->open_session(slots[i], SERIAL_SESSION, NULL, NULL,
                                            &asking->session) != 0)
            continue;
        ok = ask_session(asking, error);
        asking->functions->close_session(asking->session);
    }
    return ok;
}

/* It stays loaded: what it is linked with keeps keys of threads. NSPR makes the process ignore
 * SIGPIPE, which children would inherit. */
static gboolean ask_library(Asking *asking, const char *path, GError **error)
{
    struct sigaction pipe;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    GetFunctionList list = NULL;
    Functions *functions = NULL;

    if (library)
        *(void **)&list = dlsym(library, "C_GetFunctionList");
    if (!list || list(&functions) != 0 || !functions) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "it is no PKCS#11 library: %s",
                    library ? "it does not list its functions" : dlerror());
        return FALSE;
    }
    asking->functions = functions;
    sigaction(SIGPIPE, NULL, &pipe);
    gboolean ok = functions->initialize(NULL) == 0;
    if (!ok)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "it cannot be started");
    ok = ok && ask_slots(asking, error);
    if (functions->finalize)
        functions->finalize(NULL);
    sigaction(SIGPIPE, &pipe, NULL);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * Where it is
 */

static const char *const PLACES[] = {
    SMIME_MAIL_ROOTS,
    "/usr/lib64/libnssckbi.so",
    "/usr/lib/libnssckbi.so",
    "/usr/lib64/nss/libnssckbi.so",
    "/usr/lib/nss/libnssckbi.so",
};

static gboolean take_named(SealModule *self, const SealFile *file, gpointer user_data,
                           GError **error)
{
    char **path = user_data;

    if (file->problem)
        return seal_module_refuse(self, "mail_roots", error, "%s", file->problem->message);
    g_free(*path);
    *path = g_strdup(file->path);
    return TRUE;
}

/* What is run may nobody else change, either. */
static gboolean find_library(SealModule *self, char **path, GError **error)
{
    if (seal_module_string(self, "mail_roots"))
        return seal_module_visit_files(self, "mail_roots", SEAL_VISIT_UNREAD, take_named, path,
                                       error);
    for (guint i = 0; !*path && i < G_N_ELEMENTS(PLACES); i++) {
        if (g_file_test(PLACES[i], G_FILE_TEST_EXISTS))
            *path = g_strdup(PLACES[i]);
    }
    return *path || seal_module_refuse(
                        self, "trust_anchors", error,
                        "mail is Mozilla's roots for mail, which are in libnssckbi.so, and %s "
                        "is not there: install the package libnss3, or name that library with "
                        "mail_roots",
                        PLACES[0]);
}

gboolean smime_mail_roots_visit(SealModule *self, SmimeRootVisitor visit, GError **error)
{
    Asking asking = {.visit = visit, .module = seal_module_data(self)};
    g_autofree char *path = NULL;
    g_autoptr(GError) problem = NULL;

    if (!find_library(self, &path, error))
        return FALSE;
    if (ask_library(&asking, path, &problem))
        return TRUE;
    return seal_module_refuse(self, "trust_anchors", error, "mail: %s: %s", path, problem->message);
}
