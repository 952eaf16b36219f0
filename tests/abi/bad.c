/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bad.c: one module, deliberately wrong in the way that its build names with BAD_*.
 */
#include "core/sealpipe.h"

#include <unistd.h>

#if defined BAD_NO_SYMBOL
extern const int nothing_of_interest;
SEAL_MODULE_EXPORT const int nothing_of_interest = 1;
#else

#if defined BAD_INIT_FAILS
static gboolean init(SealModule *self, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "no way to start");
    return FALSE;
}
#elif defined BAD_INIT_SILENT
static gboolean init(SealModule *self, GError **error)
{
    return FALSE;
}
#elif defined BAD_INIT_HANGS
static gboolean init(SealModule *self, GError **error)
{
    while (pause() < 0)
        ;
    return FALSE;
}
#endif

#if defined BAD_FORMAT
static const SealFormat FORMAT = {sizeof FORMAT, "bad"};
static const SealFormat *const FORMATS[] = {&FORMAT, NULL};
#elif defined BAD_STAGE
static const SealStage STAGE = {.size = sizeof STAGE, .name = "bad", .reserved = {(gpointer)1}};
static const SealStage *const STAGES[] = {&STAGE, NULL};
#elif defined BAD_SOURCE
static const SealSource SOURCE = {4, "bad"};
static const SealSource *const SOURCES[] = {&SOURCE, NULL};
#endif

#if defined BAD_SETTING
static const SealSetting SETTINGS[] = {{.key = "colour", .type = SEAL_SETTING_CHOICE}, {NULL}};
#elif defined BAD_SETTING_TWICE
static const SealSetting SETTINGS[] = {{"colour", SEAL_SETTING_STRING},
                                       {"shape", SEAL_SETTING_STRING},
                                       {"colour", SEAL_SETTING_STRING},
                                       {NULL}};
#elif defined BAD_SETTING_TYPE
static const SealSetting SETTINGS[] = {{.key = "colour"}, {NULL}};
#elif defined BAD_SETTING_RESERVED
static const SealSetting SETTINGS[] = {{"colour", SEAL_SETTING_STRING, .reserved = {(gpointer)1}},
                                       {NULL}};
#else
#define SETTINGS NULL
#endif

#if defined BAD_NO_VERSION
#define BAD_MAGIC 0
#else
#define BAD_MAGIC SEAL_MODULE_MAGIC
#endif
#if defined BAD_OTHER_MAJOR
#define BAD_MAJOR (SEAL_ABI_MAJOR + 1)
#else
#define BAD_MAJOR SEAL_ABI_MAJOR
#endif
#if defined BAD_NEWER_MINOR
#define BAD_MINOR (SEAL_ABI_MINOR + 1)
#else
#define BAD_MINOR SEAL_ABI_MINOR
#endif
#if defined BAD_SHORT
#define BAD_SIZE 24
#else
#define BAD_SIZE sizeof(SealModuleDescriptor)
#endif

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = {BAD_MAGIC, BAD_MAJOR, BAD_MINOR, BAD_SIZE},
#if defined BAD_NAME
    .name = "somebody-else",
#else
    .name = "bad",
#endif
    .settings = SETTINGS,
#if !defined BAD_NO_SUMMARY
    .summary = "Wrong on purpose",
#endif
    .version = "1",
#if defined BAD_INIT_FAILS || defined BAD_INIT_SILENT || defined BAD_INIT_HANGS
    .init = init,
#endif
#if defined BAD_FORMAT
    .formats = FORMATS,
#elif defined BAD_STAGE
    .stages = STAGES,
#elif defined BAD_SOURCE
    .sources = SOURCES,
#elif defined BAD_RESERVED
    .reserved = {NULL, (gpointer)1},
#endif
};
#endif
