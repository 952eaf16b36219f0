/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys.h: what the parts of `sealctl keys` share.
 */
#pragma once

#include "filters/ctl/ctl.h"

int ctl_keys_add(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_list(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_show(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_remove(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_export(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_lookup(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_pin(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_unpin(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_pending(const CtlOptions *options, int argc, char **argv, SealOut *out,
                     GError **error);
int ctl_keys_approve(const CtlOptions *options, int argc, char **argv, SealOut *out,
                     GError **error);
int ctl_keys_reject(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_check(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_refresh(const CtlOptions *options, int argc, char **argv, SealOut *out,
                     GError **error);
int ctl_keys_remind(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_keys_publish(const CtlOptions *options, int argc, char **argv, SealOut *out,
                     GError **error);

/** What it takes; ends with a NULL name. */
extern const CtlOption CTL_REMIND_OPTIONS[];

/* -------------------------------------------------------------------------------------------
 * keys-help.c
 */

/** Everything open; cleared whether or not that worked. */
typedef struct {
    CtlKept kept;
    SealService *service;
    SealDispatcher *dispatcher;
} CtlOpened;
gboolean ctl_keys_open(CtlOpened *opened, const CtlOptions *options, GError **error);
void ctl_keys_close(CtlOpened *opened);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CtlOpened, ctl_keys_close)

/** Which keys are meant: a fingerprint, or the beginning of one; an address, @domain or @.domain.
 */
typedef struct {
    char *fingerprint;
    char *domain;
    SealAddress *address;
} CtlTarget;
gboolean ctl_target_read(CtlTarget *target, const char *word, GError **error);
void ctl_target_clear(CtlTarget *target);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CtlTarget, ctl_target_clear)
void ctl_target_fill(const CtlTarget *target, SealKeyFilter *filter);

/** Keys with the octets that they are read from; an element of the second may be NULL. */
typedef struct {
    GPtrArray *keys;
    GPtrArray *octets;
    SealLooking looking;
} CtlKeys;
void ctl_found_init(CtlKeys *found);
void ctl_found_clear(CtlKeys *found);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CtlKeys, ctl_found_clear)
/** Appends what @filter lets through, of sources that are not behind a network, or of @source.
 *  SEAL_ERROR_LIMIT where these are more than 1,000. What a source could not tell is in
 *  @found.looking. */
gboolean ctl_found_list(CtlKeys *found, SealDispatcher *dispatcher, const char *source,
                        const SealKeyFilter *filter, GError **error);
/** FALSE where a source could not tell what it has, or not all of it. */
gboolean ctl_looking_check(const SealLooking *looking, GError **error);
/** The key with its native part. (transfer full) */
SealKey *ctl_found_read(const CtlKeys *found, SealDispatcher *dispatcher, guint at, GError **error);

/** The keys of @target, @word in the command line: those that are kept, and those that the other
 *  sources have for an address. FALSE where there are none. */
gboolean ctl_found_all(CtlKeys *found, SealDispatcher *dispatcher, const char *source,
                       const CtlTarget *target, const char *word, GError **error);
gboolean ctl_key_is_same(const SealKey *one, const SealKey *other);
gboolean ctl_key_is_among(GPtrArray *keys, const SealKey *key);
/** FALSE, with the names of all, where @word means no key, or several that are not all meant.
 *  @unlisted: see SealLooking. */
gboolean ctl_keys_check_one(GPtrArray *keys, const char *word, gboolean all, const char *unlisted,
                            GError **error);

/** How far something is, for people who wait. */
typedef struct {
    gint64 drawn;
} CtlBar;
/** Draws it over itself on standard error, where that is a terminal. @end: takes it away. */
void ctl_bar_draw(CtlBar *bar, guint done, guint count, gboolean end);

/** Options' values; else an error of the command line. */
gboolean ctl_trust_read(const char *word, SealTrust *trust, GError **error);
gboolean ctl_time_read(const char *word, gint64 *seconds, GError **error);
/** Why @word is none that a key can be given to; NULL where it is one. (transfer full) */
char *ctl_bind_problem(const char *word);

/** All that is written down of keys, by key. */
typedef GHashTable CtlBook;
/** (transfer full) */
CtlBook *ctl_book_read(SealDispatcher *dispatcher, GError **error);
/** The most that is written down of @key. */
SealStanding ctl_book_find(CtlBook *book, const SealKey *key);

/** TRUE of one that vouches for others, and is for nobody's mail. */
gboolean ctl_key_is_authority(const SealKey *key);
/** Who a key is for: names, domains and whom it was given to, with commas between them; or
 *  "(authority)". (transfer full) */
char *ctl_key_addresses(const SealKey *key);
/** All of it for programs; its beginning where a table for people is to be narrow. (transfer full)
 */
char *ctl_key_fingerprint(const SealKey *key, const CtlOptions *options);
/** Puts what a row of a list says of it. */
void ctl_key_put(const SealKey *key, SealStanding standing, const CtlOptions *options,
                 SealOut *out);

/* -------------------------------------------------------------------------------------------
 * keys-people.c: whose keys are whose.
 */

typedef struct CtlPeople CtlPeople;

/** Borrowed. */
typedef struct {
    const char *kind;    /**< "ambiguous": an address has keys of several people; "shared": a
                              key is several people's */
    const char *address; /**< or addresses, with commas between */
    const char *format;
    const char *fingerprint; /**< "" of an address */
    const char *text;
} CtlPeopleTrouble;
typedef void (*CtlPeopleTold)(const CtlPeopleTrouble *trouble, gpointer user_data);

/** @told hears of each trouble as it is found. (transfer full) */
CtlPeople *ctl_people_new(CtlPeopleTold told, gpointer user_data);
void ctl_people_free(CtlPeople *people);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CtlPeople, ctl_people_free)
/** One of all keys. */
void ctl_people_note(CtlPeople *people, const SealKey *key);
/** Behind the last one. */
void ctl_people_end(CtlPeople *people);

/* -------------------------------------------------------------------------------------------
 * keys-unbind.c: takes back that keys were given to somebody.
 */

typedef struct {
    const char *source;      /**< or NULL: all */
    const CtlTarget *target; /**< which keys */
    const char *word;        /**< the same, in the command line */
    gboolean all;            /**< all that are meant, not only where that is one */
    char **addresses;        /**< from whom: addresses, @domain, @.domain */
} CtlUnbind;

/** FALSE: one of @addresses is nobody to whom a key can be given; the command line is wrong. */
gboolean ctl_unbind_check(char **addresses, GError **error);
/** All of it, or none where something does not fit. */
gboolean ctl_unbind_run(SealDispatcher *dispatcher, const CtlUnbind *how, const CtlOptions *options,
                        SealOut *out, GError **error);

/* -------------------------------------------------------------------------------------------
 * keys-files.c: what the command line names, read as who calls.
 */

typedef struct CtlFiles CtlFiles;

/** One of them. */
typedef struct {
    char *path;
    char *label;     /**< the path, or the line of the table that names it */
    char *address;   /**< of a table's line: whose key it is; else NULL */
    gboolean found;  /**< in a folder: nobody has named it */
    gboolean folder; /**< in a folder, and one itself: not looked into */
    GBytes *data;    /**< NULL where there is a problem */
    GError *problem;
} CtlFile;
void ctl_file_clear(CtlFile *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CtlFile, ctl_file_clear)

/** Finds the files, in a process of its own that stays who calls: before a service is opened. Of a
 *  folder all that are none, and do not begin with a dot; of a table those that it names. @careful,
 *  for private keys: of these, only files that root or who calls has put there. (transfer full) */
CtlFiles *ctl_files_open(char **paths, gboolean careful, GError **error);
void ctl_files_free(CtlFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CtlFiles, ctl_files_free)
guint ctl_files_count(const CtlFiles *files);
/** Reads the next one. FALSE behind the last. */
gboolean ctl_files_next(CtlFiles *files, CtlFile *file);
