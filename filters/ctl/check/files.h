/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files.h: what the topic "files" looks at: what the configuration names, and who has to use it.
 */
#pragma once

#include "filters/ctl/check/check.h"

/** What is done with a file or folder. */
typedef enum {
    FILE_READ,    /* itself, or all that is in it */
    FILE_PRIVATE, /* the same; nobody else may */
    FILE_OWN,     /* a folder of the user alone */
    FILE_WRITE,   /* files are made in it */
    FILE_STATE,   /* the same; nobody else may */
    FILE_LOG,     /* it is appended to; it need not be there */
    FILE_CONNECT, /* a socket */
} FileUse;

typedef struct {
    char *path;
    char *what; /* "[core] state_dir" */
    FileUse use;
    gboolean of_keys; /* the private keys' half alone uses it */
    gboolean is_configuration;
} FileItem;

/** All that there is to look at. */
typedef struct {
    GPtrArray *items; /* of FileItem */
    char *user;       /* whose service it is; NULL where nothing says so */
    char *keys_user;  /* who has private keys where the daemon keeps them apart; else NULL */
    char *run_dir;
    char *state_dir;
} FileList;

/** Reads the configuration, as whoever this is. */
gboolean files_list(FileList *list, const char *conf_dir, GError **error);
void files_list_clear(FileList *list);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FileList, files_list_clear)

/** Puts what is wrong with @item for who runs this, whose name is @user. */
void files_look(CheckRun *run, const FileItem *item, const char *user);
/** Puts who else can change it, than root and who runs this. */
void files_look_at_owners(CheckRun *run, const FileItem *item);
