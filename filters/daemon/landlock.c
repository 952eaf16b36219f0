/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the headers of the older of our systems lack. */
enum {
    TRUNCATE = 1 << 14,
    IOCTL_DEVICE = 1 << 15,
    TCP_BIND = 1,
    TCP_BOTH = 3,
    SCOPE_BOTH = 3, /* abstract sockets, and signals */
};

/* As of version 6. An older kernel knows how many octets of it are its own. */
typedef struct {
    guint64 files;
    guint64 network;
    guint64 scopes;
} Attributes;

static const guint64 ON_FILES = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                LANDLOCK_ACCESS_FS_READ_FILE | TRUNCATE | IOCTL_DEVICE;
static const guint64 READING = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const guint64 WRITING = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                               LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                               LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                               LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |
                               LANDLOCK_ACCESS_FS_REFER | TRUNCATE;

/* All that this version knows. */
static guint64 known_rights(int version)
{
    guint64 rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

    if (version >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights |= TRUNCATE;
    if (version >= 5)
        rights |= IOCTL_DEVICE;
    return rights;
}

int daemon_landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (version > 0)
        return (int)version;
    return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
}

int daemon_landlock_new(int version, gboolean network)
{
    const Attributes attributes = {
        .files = known_rights(version),
        .network = version < 4 ? 0
                   : network   ? TCP_BIND
                               : TCP_BOTH,
        .scopes = version >= 6 ? SCOPE_BOTH : 0,
    };

    return (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
}

gboolean daemon_landlock_allow(int rules, int version, const char *path, guint uses)
{
    struct landlock_path_beneath_attr beneath = {
        .allowed_access = (uses & LANDLOCK_READ ? READING : 0) |
                          (uses & LANDLOCK_RUN ? LANDLOCK_ACCESS_FS_EXECUTE : 0) |
                          (uses & LANDLOCK_WRITE ? WRITING : 0),
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
    };
    struct stat info;

    if (beneath.parent_fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP;
    gboolean ok = fstat(beneath.parent_fd, &info) == 0;
    beneath.allowed_access &= known_rights(version) & (S_ISDIR(info.st_mode) ? ~0ULL : ON_FILES);
    ok = ok && syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
    const int why = errno;
    close(beneath.parent_fd);
    errno = why;
    return ok;
}

gboolean daemon_landlock_enter(int rules)
{
    return syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}
