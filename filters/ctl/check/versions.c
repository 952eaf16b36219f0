/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * versions.c: the libraries that run here, as they name themselves: those that the modules which
 * have just been asked brought in. What was built against is another matter.
 */
#include "filters/ctl/check/wiring.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

/* GPGME's mended release has the upstream version of the one before. */
#define GPGME_MENDED      "1.18.0-3+deb12u1"
#define GPGME_IN_DOUBT    "1.18.0"
#define GPGME_DOUBLE_FREE "a malformed status line has it free memory twice"
#define DPKG_QUERY        "/usr/bin/dpkg-query"
#define GPG               "/usr/bin/gpg"
#define REMEDY_UPGRADE    "upgrade it: apt update && apt upgrade; then restart sealpiped"

enum { MAX_VERSION = 64 };

/* -------------------------------------------------------------------------------------------
 * Comparing
 */

/* As in "3.0.22": numbers with dots, to the first that is none. */
static int compare_versions(const char *one, const char *other)
{
    while (*one || *other) {
        char *one_end = (char *)one, *other_end = (char *)other;
        guint64 a = g_ascii_isdigit(*one) ? g_ascii_strtoull(one, &one_end, 10) : 0;
        guint64 b = g_ascii_isdigit(*other) ? g_ascii_strtoull(other, &other_end, 10) : 0;

        if (a != b)
            return a < b ? -1 : 1;
        one = *one_end == '.' ? one_end + 1 : "";
        other = *other_end == '.' ? other_end + 1 : "";
    }
    return 0;
}

/* -------------------------------------------------------------------------------------------
 * What each says of itself. (transfer full)
 */

static char *ask_gpgme(void *library)
{
    const char *(*version)(const char *) = NULL;

    *(void **)&version = dlsym(library, "gpgme_check_version");
    return version ? g_strdup(version(NULL)) : NULL;
}

static char *ask_openssl(void *library)
{
    unsigned (*part[3])(void) = {NULL};

    *(void **)&part[0] = dlsym(library, "OPENSSL_version_major");
    *(void **)&part[1] = dlsym(library, "OPENSSL_version_minor");
    *(void **)&part[2] = dlsym(library, "OPENSSL_version_patch");
    return part[0] && part[1] && part[2]
               ? g_strdup_printf("%u.%u.%u", part[0](), part[1](), part[2]())
               : NULL;
}

static char *ask_gmime(void *library)
{
    const guint *major = dlsym(library, "gmime_major_version");
    const guint *minor = dlsym(library, "gmime_minor_version");
    const guint *micro = dlsym(library, "gmime_micro_version");

    return major && minor && micro ? g_strdup_printf("%u.%u.%u", *major, *minor, *micro) : NULL;
}

static char *ask_glib(G_GNUC_UNUSED void *library)
{
    return g_strdup_printf("%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version);
}

static char *ask_sqlite(void *library)
{
    const char *(*version)(void) = NULL;

    *(void **)&version = dlsym(library, "sqlite3_libversion");
    return version ? g_strdup(version()) : NULL;
}

typedef struct {
    const char *name;
    const char *file; /* how its file's name begins */
    const char *floor;
    char *(*ask)(void *library);
} Library;

static const Library libraries[] = {
    {"GLib", "libglib-2.0.so", "2.74", ask_glib},    {"GMime", "libgmime-3.0.so", "3.2", ask_gmime},
    {"OpenSSL", "libcrypto.so", "3.0", ask_openssl}, {"GPGME", "libgpgme.so", "1.18.0", ask_gpgme},
    {"SQLite", "libsqlite3.so", "3.40", ask_sqlite},
};

typedef struct {
    const Library *library;
    char *path;
} Search;

static int find_loaded(struct dl_phdr_info *info, G_GNUC_UNUSED size_t size, void *data)
{
    Search *search = data;
    const char *base = strrchr(info->dlpi_name, '/');

    if (!base || !g_str_has_prefix(base + 1, search->library->file))
        return 0;
    search->path = g_strdup(info->dlpi_name);
    return 1;
}

/* NULL where it is not in this process. (transfer full) */
static char *ask_library(const Library *library)
{
    Search search = {library, NULL};

    dl_iterate_phdr(find_loaded, &search);
    g_autofree char *path = search.path;
    void *handle = path ? dlopen(path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    char *version = handle ? library->ask(handle) : NULL;
    if (handle)
        dlclose(handle);
    return version;
}

/* -------------------------------------------------------------------------------------------
 * GPGME and gpg
 */

/* Of the package, which has the library under either name. (transfer full) NULL: not to be had. */
static char *ask_package(void)
{
    static const char *const packages[] = {"libgpgme11", "libgpgme11t64"};

    for (guint i = 0; i < G_N_ELEMENTS(packages); i++) {
        const char *const argv[] = {DPKG_QUERY, "-W", "-f", "${Version}\n", packages[i], NULL};
        g_autofree char *version = wiring_ask(argv, NULL);

        /* Of several architectures each has a line; they are of one version. */
        if (version)
            version[strcspn(version, "\n")] = '\0';
        if (version && *g_strstrip(version) && strlen(version) < MAX_VERSION)
            return g_steal_pointer(&version);
    }
    return NULL;
}

static gboolean is_mended(const char *package)
{
    const char *const argv[] = {
        "/usr/bin/dpkg", "--compare-versions", package, "ge", GPGME_MENDED, NULL};
    g_autofree char *answer = wiring_ask(argv, NULL);

    return answer != NULL;
}

static void look_at_release(CheckRun *run)
{
    g_autofree char *package = ask_package();

    if (!package)
        check_put(run, CHECK_WARNING, "versions",
                  "find out whether the fix of CVE-2026-129975 is in it; Debian has it from "
                  "libgpgme11 " GPGME_MENDED " on",
                  "GPGME " GPGME_IN_DOUBT ": it may be a release of which " GPGME_DOUBLE_FREE
                  ", and no package says which it is");
    else if (!is_mended(package))
        check_put(run, CHECK_PROBLEM, "versions", REMEDY_UPGRADE,
                  "GPGME %s: " GPGME_DOUBLE_FREE "; " GPGME_MENDED " has the fix", package);
}

static void look_at_gpg(CheckRun *run, GString *found)
{
    static const char *const argv[] = {GPG, "--version", NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *text = wiring_ask(argv, &error);
    char *end = text ? text + strcspn(text, "\n") : NULL;

    if (!text) {
        check_put(run, CHECK_PROBLEM, "versions", "install gpg: apt install gpg gpg-agent", "%s",
                  error->message);
        return;
    }
    *end = '\0';
    const char *version = strrchr(text, ' ') ? strrchr(text, ' ') + 1 : "";
    g_string_append_printf(found, ", gpg %s", version);
    if (compare_versions(version, "2.2") < 0)
        check_put(run, CHECK_PROBLEM, "versions", REMEDY_UPGRADE,
                  "gpg %s: 2.2 is the oldest that is supported", version);
}

/* -------------------------------------------------------------------------------------------
 * All of them
 */

/* GMime brings GPGME along, which does nothing then. */
static gboolean is_used(const CheckRun *run, const Library *library)
{
    return library->ask != ask_gpgme || check_setting(run, "module pgp", "home");
}

static void look_at_library(CheckRun *run, const Library *library, GString *found)
{
    g_autofree char *version = is_used(run, library) ? ask_library(library) : NULL;

    if (!version)
        return;
    g_string_append_printf(found, "%s%s %s", found->len > 0 ? ", " : "", library->name, version);
    if (compare_versions(version, library->floor) < 0)
        check_put(run, CHECK_PROBLEM, "versions", REMEDY_UPGRADE,
                  "%s %s: %s is the oldest that is supported", library->name, version,
                  library->floor);
    if (library->ask != ask_gpgme)
        return;
    if (g_str_equal(version, GPGME_IN_DOUBT))
        look_at_release(run);
    look_at_gpg(run, found);
}

void check_versions(CheckRun *run)
{
    g_autoptr(GString) found = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(libraries); i++)
        look_at_library(run, &libraries[i], found);
    if (!check_has_trouble(run, "versions"))
        check_put(run, CHECK_OK, "versions", NULL, "%s", found->str);
}
