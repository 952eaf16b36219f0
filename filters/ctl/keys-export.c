/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-export.c: `sealctl keys export`: keys as other programs read them.
 */
#include "filters/ctl/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE = 64,
    DER_SEQUENCE = 0x30,
    PACKET = 0x80, /* in the first octet of OpenPGP */
};

/* -------------------------------------------------------------------------------------------
 * As text
 */

static void append_base64(GString *text, const guint8 *data, gsize size)
{
    g_autofree char *base64 = g_malloc(size / 3 * 4 + 8);
    gsize length = seal_base64_encode(data, size, base64);

    for (gsize at = 0; at < length; at += LINE) {
        g_string_append_len(text, base64 + at, (gssize)MIN(LINE, length - at));
        g_string_append_c(text, '\n');
    }
}

/* Told by the first octet; what is text already stays as it is. */
static void append_key(GString *text, GBytes *octets)
{
    gsize size = 0;
    const guint8 *data = g_bytes_get_data(octets, &size);

    if (size > 0 && *data & PACKET) {
        g_autoptr(GBytes) armor = seal_packets_armor(octets);
        g_string_append_len(text, g_bytes_get_data(armor, NULL), (gssize)g_bytes_get_size(armor));
    } else if (size > 0 && *data == DER_SEQUENCE) {
        g_string_append(text, "-----BEGIN CERTIFICATE-----\n");
        append_base64(text, data, size);
        g_string_append(text, "-----END CERTIFICATE-----\n");
    } else {
        g_string_append_len(text, (const char *)data, (gssize)size);
    }
}

/* -------------------------------------------------------------------------------------------
 * Export
 */

static gboolean write_found(const CtlKeys *found, SealDispatcher *dispatcher, GString *text,
                            GError **error)
{
    g_autoptr(GPtrArray) done = g_ptr_array_new();

    for (guint i = 0; i < found->keys->len; i++) {
        g_autoptr(SealKey) key = ctl_found_read(found, dispatcher, i, error);
        g_autoptr(GBytes) octets = NULL;

        if (key && ctl_key_is_among(done, g_ptr_array_index(found->keys, i)))
            continue;
        g_ptr_array_add(done, g_ptr_array_index(found->keys, i));
        octets = key ? seal_dispatcher_write_key(dispatcher, key, error) : NULL;
        if (!octets)
            return FALSE;
        append_key(text, octets);
    }
    return TRUE;
}

/* Before root is somebody else. What is there is not touched until there is something to write. */
static int open_out(const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);

    if (fd < 0)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s: %s", path, g_strerror(errno));
    return fd;
}

static gboolean save_text(int fd, const char *path, const GString *text, GError **error)
{
    /* Not a file, perhaps, but a terminal. */
    gboolean cut = ftruncate(fd, 0) == 0 || errno == EINVAL;

    if (cut && seal_fd_write(fd, text->str, text->len))
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

static int export_keys(const CtlOptions *options, const char *source, const CtlTarget *target,
                       const char *word, int fd, const char *path, SealOut *out, GError **error)
{
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    g_autoptr(GString) text = g_string_new(NULL);
    g_auto(CtlKeys) found = {0};

    ctl_found_init(&found);
    if (!ctl_keys_open(&opened, options, error) ||
        !ctl_found_all(&found, opened.dispatcher, source, target, word, error) ||
        !write_found(&found, opened.dispatcher, text, error))
        return CTL_PROBLEM;
    if (fd >= 0)
        return save_text(fd, path, text, error) ? CTL_OK : CTL_PROBLEM;
    if (options->json)
        seal_out_text(out, "text", "%s", text->str);
    else
        fwrite(text->str, 1, text->len, stdout);
    return CTL_OK;
}

int ctl_keys_export(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_autofree char *source = NULL, *path = NULL;
    g_auto(CtlTarget) target = {0};
    char **words = NULL;
    const GOptionEntry entries[] = {
        {"source", 0, 0, G_OPTION_ARG_STRING, &source, NULL, NULL},
        {"out", 0, 0, G_OPTION_ARG_FILENAME, &path, NULL, NULL},
        {0},
    };

    if (!ctl_parse_words(argc, argv, entries, 1, 1, &words, error) ||
        !ctl_target_read(&target, *words, error))
        return CTL_USAGE;
    int fd = path ? open_out(path, error) : -1;
    if (path && fd < 0)
        return CTL_PROBLEM;
    int status = export_keys(options, source, &target, *words, fd, path, out, error);
    if (fd >= 0 && close(fd) != 0 && status == CTL_OK) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s: %s", path, g_strerror(errno));
        status = CTL_PROBLEM;
    }
    return status;
}
