/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * elf-check.c: compares what an ELF file says of itself with the file's size.
 */
#include "core/plugin/elf-check.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ElfW(Ehdr) Header;
typedef ElfW(Phdr) Segment;

enum { MAX_SEGMENTS = 256 };

static gboolean refuse_elf(GError **error, const char *why)
{
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MODULE, why);
    return FALSE;
}

static gboolean lies_within(guint64 offset, guint64 length, guint64 size)
{
    return offset <= size && length <= size - offset;
}

static gboolean check_segments(int fd, const Header *header, guint64 size, GError **error)
{
    if (header->e_phnum > MAX_SEGMENTS || header->e_phentsize != sizeof(Segment) ||
        !lies_within(header->e_phoff, (guint64)header->e_phnum * sizeof(Segment), size))
        return refuse_elf(error, "it breaks off before its end");

    for (guint i = 0; i < header->e_phnum; i++) {
        Segment segment;
        off_t at = (off_t)(header->e_phoff + i * sizeof segment);

        if (pread(fd, &segment, sizeof segment, at) != sizeof segment ||
            !lies_within(segment.p_offset, segment.p_filesz, size))
            return refuse_elf(error, "it breaks off before its end");
    }
    return TRUE;
}

static gboolean check_fd(int fd, GError **error)
{
    struct stat st;
    Header header;

    if (fd < 0 || fstat(fd, &st) < 0)
        return refuse_elf(error, "it cannot be read");
    if (pread(fd, &header, sizeof header, 0) != sizeof header ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_DYN)
        return refuse_elf(error, "it is no shared object");
    return check_segments(fd, &header, (guint64)st.st_size, error);
}

gboolean seal_elf_check(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    gboolean ok = check_fd(fd, error);

    if (fd >= 0)
        close(fd);
    return ok;
}
