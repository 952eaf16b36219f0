/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crl.h: what the files on revocation lists share.
 *
 * A process in the way of mail fetches nothing. It writes down which distribution points are
 * wanted; refresh(), elsewhere, fetches from them. Both meet in state_dir/smime/crl/: ID.crl is a
 * list as it was fetched; wanted/ID has a certificate that says from where, with its chain: whoever
 * may write there has nothing asked for that no CA has signed; wanted/ID.tried is what came of it.
 */
#pragma once

#include "smime.h"

/* -------------------------------------------------------------------------------------------
 * crl-list.c: one list. Its entries stay in DER: there may be a million.
 */

typedef struct SmimeList SmimeList;

/** Reads one in DER at @data; what stands behind it is ignored. Shares nothing. (transfer full) */
SmimeList *smime_list_new(const guint8 *data, gsize length, GError **error);
void smime_list_free(SmimeList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SmimeList, smime_list_free)
/** Octets of memory, about. */
gsize smime_list_size(const SmimeList *list);
/** TRUE where @issuer has signed it; the answer is kept. */
gboolean smime_list_is_signed_by(SmimeList *list, X509 *issuer);
/** 0 where it cannot be read. */
gint64 smime_list_from(const SmimeList *list);
/** When it should have been renewed; 0 where it does not say. */
gint64 smime_list_until(const SmimeList *list);
/** TRUE where @cert is in it; *@when is 0 where that cannot be read. It has been signed by who
 *  issued @cert. */
gboolean smime_list_revokes(SmimeList *list, X509 *cert, gint64 *when);
/** TRUE where @cert is not revoked if it is not in it: it is complete, and for such as @cert. */
gboolean smime_list_covers(const SmimeList *list, X509 *cert);
/** Why it is for no certificate as a whole, for people; NULL where it may be. */
const char *smime_list_unfit(const SmimeList *list);
/** TRUE where @list has been issued before @other. */
gboolean smime_list_is_older(const SmimeList *list, const SmimeList *other);

/* -------------------------------------------------------------------------------------------
 * crl-points.c: where a certificate says that its issuer's list is
 */

enum {
    SMIME_MAX_POINTS = 4, /* of one certificate */
    SMIME_MAX_URL = 1024,
    SMIME_ID_DIGITS = 64,
    SMIME_ISSUER_DIGITS = 16,
};

/** URLs of http from which a complete list can be had, in its order, NULL-terminated; NULL where
 *  there is none. (transfer full) */
GStrv smime_points_of(X509 *cert);
/** TRUE for a URL that may be fetched from: http, a host, no user, and, unless @inside, port 80.
 *  Else *@why says what is wrong. */
gboolean smime_point_is_fit(const char *url, gboolean inside, const char **why);
/** A name for what @points and @issuer have to give: SMIME_ID_DIGITS, in hexadecimal, of which the
 *  first SMIME_ISSUER_DIGITS are @issuer's own. (transfer full) */
char *smime_points_id(const char *const *points, X509 *issuer);
/** TRUE where @name could be such a one. */
gboolean smime_points_is_id(const char *name);

/* -------------------------------------------------------------------------------------------
 * crl-store.c: the folder, as who is in the way of mail sees it
 */

#define SMIME_WANTED "wanted"
#define SMIME_TRIED  ".tried"
/** Beside it: what could not be written down for want of room, for people. */
#define SMIME_LEFT_OUT "left-out"

typedef struct SmimeStore SmimeStore;

enum {
    SMIME_MAX_WANTED = 2000,
    SMIME_MAX_OF_ISSUER = 64,    /* so that one CA's certificates keep no other's out */
    SMIME_MAX_NOTE = 256 * 1024, /* octets of what is written down of one */
};

SmimeStore *smime_store_new(gsize most);
void smime_store_free(SmimeStore *store);
/** Another number for each state that the folder has been seen in; it is looked at once a second.
 */
guint64 smime_store_look(SealModule *self);
/** What was fetched under @id, or NULL. (borrowed until the next call) */
SmimeList *smime_store_find(SealModule *self, const char *id);
/** Writes down that the list of the certificate at @from in @chain is wanted, unless that has been
 *  done lately. */
void smime_store_want(SealModule *self, const char *id, SmimeCerts *chain, int from);
/** state_dir/smime/crl. (transfer full) */
char *smime_store_folder(SealModule *self, gboolean make, GError **error);

/* -------------------------------------------------------------------------------------------
 * crl-due.c: when what is fetched
 */

/** When a list that was fetched at @fetched is to be fetched anew: ahead of its end. @from and
 *  @until as smime_list_from() and smime_list_until(). */
gint64 smime_due_after(gint64 from, gint64 until, gint64 fetched);
/** When, after @failures in a row, the last at @tried. */
gint64 smime_due_again(guint failures, gint64 tried);

/* -------------------------------------------------------------------------------------------
 * crl-address.c: addresses that belong to an organisation, a host or nobody
 */

struct sockaddr;
/** What kind of address it is where it is not a public one ("a loopback address"); else NULL. */
const char *smime_address_inside(const struct sockaddr *address);
/** The same of a URL's host that is written as an address, in any way that is understood as one;
 *  NULL for a name as well, unless it is the host's own or none that all would read alike. */
const char *smime_host_inside(const char *host);

/* -------------------------------------------------------------------------------------------
 * fetch.c, a library of its own: no message should wait until libcurl is loaded
 */

typedef struct {
    const char *url;
    const char *proxy; /**< NULL: none, whatever the environment says */
    gboolean inside;   /**< addresses that smime_address_inside() names may be asked */
    gsize most;        /**< octets */
    gint64 deadline;   /**< seconds, for all of it */
    const char *etag;  /**< of what is there, or NULL */
    const char *modified;
    GByteArray *body;   /**< what came */
    gboolean unchanged; /**< nothing came: what is there is the newest */
    char *new_etag;     /**< or NULL. (transfer full) */
    char *new_modified;
    const char *refused; /**< what the address was */
} SmimeFetch;

typedef gboolean (*SmimeFetcher)(SmimeFetch *fetch, GError **error);
#define SMIME_FETCHER "smime_fetch"
