/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-store-box.c: the module keys-store opened for a test, with certificates as keys.
 */
#include "test-store-box.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

static void box_open(Box *box)
{
    g_autoptr(GError) error = NULL;

    smime_open_with(&box->smime, NULL, "[module keys-store]\n", &error);
    g_assert_no_error(error);
    box->source = seal_dispatcher_source(box->smime.dispatcher, "store", &box->module);
    box->harvested = seal_dispatcher_source(box->smime.dispatcher, "harvested", &box->module);
    g_assert_nonnull(box->source);
    g_assert_nonnull(box->harvested);
}

void box_start(Box *box)
{
    smime_prepare(&box->smime);
    box->ca = pki_ca("CA", NULL);
    box->state = g_build_filename(box->smime.dir, "state", NULL);
    g_assert_cmpint(g_mkdir(box->state, 0700), ==, 0);
    box->path = g_build_filename(box->state, "keys-store", "keys.db", NULL);
    g_autofree char *text = g_strdup_printf("[core]\nstate_dir=%s\n", box->state);
    g_autoptr(GBytes) data = g_bytes_new(text, strlen(text));
    g_free(smime_write(&box->smime, "conf.d/20-state.conf", data));
    box_open(box);
}

void box_end(Box *box)
{
    smime_end(&box->smime);
    X509_free(box->ca);
    g_free(box->state);
    g_free(box->path);
}
void box_reopen(Box *box)
{
    seal_dispatcher_free(box->smime.dispatcher);
    box_open(box);
}

static GPtrArray *new_keys(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

/* A person's key as it would be read from a file, that may be given to more. */
SealKey *box_person(Box *box, const char *address, SealTrust trust, const char *bound)
{
    g_autoptr(X509) cert = pki_person(address, "P-256", NULL, box->ca);
    g_autoptr(GBytes) der = pki_der(cert);
    g_autoptr(GPtrArray) keys = new_keys();
    g_autoptr(GError) error = NULL;
    const char *const list[] = {bound, NULL};
    const SealOrigin origin = {.size = sizeof origin,
                               .source = "test",
                               .place = "a/file.pem",
                               .trust = trust,
                               .bound = list};

    g_assert_true(box->smime.format->read(box->smime.module, der, &origin, keys, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    return seal_key_ref(g_ptr_array_index(keys, 0));
}

guint box_put_into(Box *box, const SealSource *source, SealKey *key)
{
    g_autoptr(GPtrArray) keys = new_keys();
    g_autoptr(GError) error = NULL;
    guint added = 99;

    g_ptr_array_add(keys, seal_key_ref(key));
    gboolean ok = source->put(box->module, keys, &added, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    return added;
}

/* The same, and the key is gone. */
guint box_put(Box *box, SealKey *key)
{
    g_autoptr(SealKey) own = key;

    return box_put_into(box, box->source, own);
}

GPtrArray *box_find_in(Box *box, const SealSource *source, const char *address, const char *format,
                       char **doubt, GError **error)
{
    g_autoptr(SealAddress) parsed = seal_address_parse(address, NULL);
    g_autoptr(GPtrArray) keys = new_keys();
    g_autofree char *own = NULL;

    g_assert_nonnull(parsed);
    if (!source->lookup(box->module, parsed, format, source->trust, NULL, keys, &own, error))
        return NULL;
    if (doubt)
        *doubt = g_steal_pointer(&own);
    else
        g_assert_null(own);
    return g_steal_pointer(&keys);
}

GPtrArray *box_find(Box *box, const char *address)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *keys = box_find_in(box, box->source, address, "smime", NULL, &error);

    g_assert_no_error(error);
    return keys;
}

guint box_count(Box *box, const char *address)
{
    g_autoptr(GPtrArray) keys = box_find(box, address);

    return keys->len;
}

/* What another process does, in words of SQL. */
void box_run_sql(Box *box, const char *sql)
{
    sqlite3 *db = NULL;

    g_assert_cmpint(sqlite3_open(box->path, &db), ==, SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        g_error("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

char *box_ask_text(Box *box, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;

    g_assert_cmpint(sqlite3_open(box->path, &db), ==, SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
    char *text = g_strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return text;
}

gint64 box_ask_sql(Box *box, const char *sql)
{
    g_autofree char *text = box_ask_text(box, sql);

    return g_ascii_strtoll(text, NULL, 10);
}
