/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pipe.c: a message, and for each group of its recipients what they are to get,
 * all of it in a file for the client, which hands it over. Nothing leaves from here.
 */
#include "filters/pipe/container.h"
#include "filters/worker/input.h"
#include "filters/worker/modes.h"
#include "filters/worker/worker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024 };

#define SENDMAIL "/usr/sbin/sendmail"

/* The file as it is written; container.h says what stands in it. */
typedef struct {
    int fd;
    guint64 size;
    GString *index;
} Container;

static void container_clear(Container *container)
{
    if (container->fd >= 0)
        close(container->fd);
    g_string_free(container->index, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Container, container_clear)

/* An address of the command line, and what became of it. */
typedef struct {
    const char *text;               /* as it was given: the envelope's */
    SealAddress *address;           /* NULL for what is none */
    const SealRecipient *recipient; /* of the job */
    SealContainerResult result;
    const char *code; /* where it is refused: the enhanced status code */
    char *reason;     /* NULL counts as "" */
    char *key;        /* likewise */
} Member;

static void member_free(gpointer data)
{
    Member *member = data;

    seal_address_unref(member->address);
    g_free(member->reason);
    g_free(member->key);
    g_free(member);
}

/* -------------------------------------------------------------------------------------------
 * Recipients
 */

/* What is no address is refused by name, and the others are not affected. */
static GPtrArray *read_members(const WorkerOptions *options)
{
    GPtrArray *members = g_ptr_array_new_with_free_func(member_free);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (char **text = options->recipients; *text; text++) {
        g_autoptr(GError) error = NULL;

        if (!g_hash_table_add(seen, *text))
            continue;
        Member *member = g_new0(Member, 1);
        member->text = *text;
        member->address = seal_address_parse(*text, &error);
        if (!member->address) {
            member->result = SEAL_CONTAINER_REFUSED;
            member->code = "5.7.1";
            member->reason = g_strdup(error->message);
            seal_log_refused(options->id, options->sender, *text, error);
        }
        g_ptr_array_add(members, member);
    }
    return members;
}

/* (transfer container, element type char *) NULL-terminated. */
static GPtrArray *addresses_of(GPtrArray *members)
{
    GPtrArray *texts = g_ptr_array_new();

    for (guint i = 0; i < members->len; i++) {
        const Member *member = g_ptr_array_index(members, i);
        if (member->address)
            g_ptr_array_add(texts, (gpointer)member->text);
    }
    g_ptr_array_add(texts, NULL);
    return texts;
}

/* -------------------------------------------------------------------------------------------
 * Journal keys: the same for each try of the mail server with the same message
 */

/* A From_ line may have the time of the try in it. */
static gboolean skip_separator(SealContent *message, guint64 *ret_offset, GError **error)
{
    g_autoptr(SealContent) front =
        seal_content_slice(message, 0, MIN(seal_content_size(message), 1024));
    g_autoptr(GBytes) bytes = seal_content_to_bytes(front, 1024, error);
    if (!bytes)
        return FALSE;

    gsize size;
    const char *text = g_bytes_get_data(bytes, &size);
    const char *end = size >= 5 && memcmp(text, "From ", 5) == 0 ? memchr(text, '\n', size) : NULL;
    *ret_offset = end ? (guint64)(end + 1 - text) : 0;
    return TRUE;
}

static char *hash_of(SealContent *message, GError **error)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree guint8 *buffer = g_malloc(BUFFER);
    guint64 offset;
    gssize got;

    if (!skip_separator(message, &offset, error))
        return NULL;
    g_autoptr(SealContent) rest =
        seal_content_slice(message, offset, seal_content_size(message) - offset);
    g_autoptr(GInputStream) stream = seal_content_read(rest);
    while ((got = g_input_stream_read(stream, buffer, BUFFER, NULL, error)) > 0) {
        worker_arm_idle();
        g_checksum_update(checksum, buffer, got);
    }
    return got == 0 ? g_strdup(g_checksum_get_string(checksum)) : NULL;
}

static gboolean make_keys(GPtrArray *members, const char *id, SealContent *message, GError **error)
{
    if (!id || !*id)
        return TRUE;

    g_autofree char *hash = hash_of(message, error);
    if (!hash)
        return FALSE;
    for (guint i = 0; i < members->len; i++) {
        Member *member = g_ptr_array_index(members, i);
        g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);

        /* With their NULs, so that no two triples read alike. */
        g_checksum_update(checksum, (const guchar *)id, (gssize)strlen(id) + 1);
        g_checksum_update(checksum, (const guchar *)member->text, (gssize)strlen(member->text) + 1);
        g_checksum_update(checksum, (const guchar *)hash, (gssize)strlen(hash));
        member->key = g_strdup(g_checksum_get_string(checksum));
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Writing the container
 */

static gboolean put_octets(Container *container, const void *octets, gsize count, GError **error)
{
    if (!seal_fd_write(container->fd, octets, count)) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "cannot write the temporary file: %s",
                    g_strerror(errno));
        return FALSE;
    }
    container->size += count;
    return TRUE;
}

/* Makes LF of CR LF in place; the size that is left. *@held: a CR stood at the end of what came
 * before, and has not been written. @octets has one octet of room in front. */
static gsize strip_cr(guint8 *octets, gsize count, gboolean *held)
{
    gsize kept = 0;

    for (gsize i = 0; i < count; i++) {
        if (i + 1 == count && octets[i] == '\r')
            break;
        if (octets[i] != '\r' || octets[i + 1] != '\n')
            octets[kept++] = octets[i];
    }
    *held = count > 0 && octets[count - 1] == '\r';
    return kept;
}

/* Like the line ends of the first line are those of the message. */
static gboolean has_crlf(const guint8 *octets, gsize count)
{
    const guint8 *lf = memchr(octets, '\n', count);

    return lf && lf > octets && lf[-1] == '\r';
}

/* sendmail wants LF. A message whose first line ends in LF is left as it is. */
static gboolean put_content(Container *container, SealContent *content, gboolean as_is,
                            GError **error)
{
    g_autoptr(GInputStream) stream = seal_content_read(content);
    g_autofree guint8 *buffer = g_malloc(BUFFER + 1);
    gboolean first = TRUE, strip = FALSE, held = FALSE;
    gssize got;

    while ((got = g_input_stream_read(stream, buffer + 1, BUFFER, NULL, error)) > 0) {
        guint8 *from = held ? buffer : buffer + 1;
        gsize count = held ? (gsize)got + 1 : (gsize)got;

        worker_arm_idle();
        if (first)
            strip = !as_is && has_crlf(from, count);
        first = FALSE;
        buffer[0] = '\r';
        if (strip)
            count = strip_cr(from, count, &held);
        if (!put_octets(container, from, count, error))
            return FALSE;
    }
    return got == 0 && (!held || put_octets(container, "\r", 1, error));
}

/* NULL counts as "". */
static void put_text(Container *container, const char *text)
{
    g_string_append(container->index, text ? text : "");
    g_string_append_c(container->index, '\0');
}

static void put_number(Container *container, guint64 number)
{
    g_string_append_printf(container->index, "%" G_GUINT64_FORMAT, number);
    g_string_append_c(container->index, '\0');
}

/* Its head, with all recipients. */
static void put_recipients(Container *container, const WorkerOptions *options,
                           const SealService *service, GPtrArray *members)
{
    static const char *const results[] = {"sent", "refused", "deferred"};
    const char *sender = options->sender;

    put_text(container, seal_service_state_dir(service));
    put_text(container, options->id);
    put_text(container, g_str_equal(sender, "<>") ? "" : sender);
    put_text(container, options->sendmail ? options->sendmail : SENDMAIL);
    put_number(container, members->len);
    for (guint i = 0; i < members->len; i++) {
        const Member *member = g_ptr_array_index(members, i);

        put_text(container, member->text);
        put_text(container, results[member->result]);
        put_text(container, member->result == SEAL_CONTAINER_REFUSED ? member->code : "");
        put_text(container, member->reason);
    }
}

/* @recipients: those of the delivery; NULL for all. */
static gboolean put_delivery(Container *container, GPtrArray *members, GHashTable *recipients,
                             SealContent *content, gboolean as_is, GError **error)
{
    guint64 before = container->size;
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(guint));

    if (!put_content(container, content, as_is, error))
        return FALSE;
    for (guint i = 0; i < members->len; i++) {
        const Member *member = g_ptr_array_index(members, i);

        if (recipients ? g_hash_table_contains(recipients, member->recipient)
                       : member->address != NULL)
            g_array_append_val(places, i);
    }
    put_number(container, container->size - before);
    put_number(container, places->len);
    for (guint i = 0; i < places->len; i++) {
        guint place = g_array_index(places, guint, i);
        const Member *member = g_ptr_array_index(members, place);

        put_number(container, place);
        put_text(container, member->key);
    }
    return TRUE;
}

static gboolean put_end(Container *container, GError **error)
{
    g_autofree char *trailer = NULL;

    put_text(container, "end");
    trailer = g_strdup_printf("%016" G_GINT64_MODIFIER "x %016" G_GSIZE_MODIFIER "x %s\n",
                              container->size, container->index->len, SEAL_CONTAINER_MARK);
    return put_octets(container, container->index->str, container->index->len, error) &&
           put_octets(container, trailer, strlen(trailer), error);
}

/* -------------------------------------------------------------------------------------------
 * The work
 */

static SealContainerResult result_of(const SealRecipient *recipient)
{
    int status = worker_status_of(recipient);

    return status == WORKER_OK        ? SEAL_CONTAINER_SENT
           : status == WORKER_REFUSED ? SEAL_CONTAINER_REFUSED
                                      : SEAL_CONTAINER_DEFERRED;
}

/* Two addresses that compare alike are one recipient of the job, and two of the envelope. */
static void settle_members(GPtrArray *members, SealJob *job)
{
    g_autoptr(GHashTable) by_key = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *recipients = seal_job_recipients(job);

    for (guint i = 0; i < recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(recipients, i);
        g_hash_table_insert(by_key, (gpointer)seal_address_key(seal_recipient_address(recipient)),
                            recipient);
    }
    for (guint i = 0; i < members->len; i++) {
        Member *member = g_ptr_array_index(members, i);
        if (!member->address)
            continue;
        member->recipient = g_hash_table_lookup(by_key, seal_address_key(member->address));
        member->result = member->recipient ? result_of(member->recipient) : SEAL_CONTAINER_DEFERRED;
        member->code = member->recipient ? seal_recipient_status(member->recipient) : "";
        member->reason =
            g_strdup(member->recipient ? seal_recipient_reason(member->recipient) : "");
    }
}

static gboolean put_job(Container *container, GPtrArray *members, SealJob *job, GError **error)
{
    GPtrArray *deliveries = seal_job_deliveries(job);

    put_number(container, deliveries->len);
    for (guint i = 0; i < deliveries->len; i++) {
        const SealDelivery *delivery = g_ptr_array_index(deliveries, i);
        GPtrArray *recipients = seal_delivery_recipients(delivery);
        g_autoptr(GHashTable) set = g_hash_table_new(NULL, NULL);

        for (guint n = 0; n < recipients->len; n++)
            g_hash_table_add(set, g_ptr_array_index(recipients, n));
        if (!put_delivery(container, members, set, seal_delivery_content(delivery), FALSE, error))
            return FALSE;
    }
    return TRUE;
}

/* Where the job fails, every recipient is deferred, and that is what is handed to the client. */
static SealJob *run_outbound(SealDispatcher *dispatcher, const WorkerTask *task,
                             SealContent *message, const char *const *recipients, GError **error)
{
    const WorkerOptions *options = &task->options;
    SealJobSpec spec = {
        .direction = SEAL_DIRECTION_OUTBOUND,
        .id = options->id,
        .sender = options->sender,
        .recipients = recipients,
        .message = message,
    };
    worker_say_submission(task, NULL, &spec);
    SealJob *job = seal_job_new(&spec, error);

    if (job)
        seal_dispatcher_run(dispatcher, job, NULL, NULL);
    return job;
}

/* A suspended sealpipe passes whatever it gets, to everybody. */
static gboolean put_suspended(Container *container, GPtrArray *members, SealContent *message,
                              gboolean any, GError **error)
{
    put_number(container, any ? 1 : 0);
    return !any || put_delivery(container, members, NULL, message, TRUE, error);
}

static gboolean build_container(Container *container, const WorkerDesk *desk,
                                const WorkerTask *task, SealContent *message, GError **error)
{
    const WorkerOptions *options = &task->options;
    g_autoptr(GPtrArray) members = read_members(options);
    g_autoptr(GPtrArray) texts = addresses_of(members);
    const char *const *recipients = (const char *const *)texts->pdata;
    gboolean any = recipients[0] != NULL;
    g_autoptr(SealJob) job = NULL;

    if (!worker_is_message(message, error) || !make_keys(members, options->id, message, error))
        return FALSE;
    if (any && desk->dispatcher) {
        job = run_outbound(desk->dispatcher, task, message, recipients, error);
        if (!job)
            return FALSE;
        settle_members(members, job);
    }
    put_recipients(container, options, desk->service, members);
    if (!(job ? put_job(container, members, job, error)
              : put_suspended(container, members, message, any, error)) ||
        !put_end(container, error) || !worker_give_file(container->fd, error))
        return FALSE;
    if (job)
        seal_log_job(job);
    else if (any)
        seal_log_disabled(options->id, options->sender, recipients);
    return TRUE;
}

static gboolean check_options(const WorkerOptions *options, GError **error)
{
    if (!options->sender)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED, "-f SENDER is to be given");
    else if (!options->recipients[0])
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_ADDRESS, "no recipient was given");
    else if (options->inbound)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                            "sealpipe-pipe takes outbound mail only, not -d inbound");
    else if (options->exim_dir)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                            "sealpipe-pipe takes --login, not --exim-spool");
    else
        return TRUE;
    return FALSE;
}

int worker_pipe(const WorkerDesk *desk, const WorkerTask *task, GError **error)
{
    if (!check_options(&task->options, error))
        return WORKER_DEFER;

    g_autoptr(SealContent) message = worker_read_message(task, error);
    if (!message)
        return WORKER_DEFER;

    g_auto(Container)
        container = {seal_service_spool_file(desk->service, error), 0, g_string_new(NULL)};
    if (container.fd < 0 || !build_container(&container, desk, task, message, error))
        return WORKER_DEFER;
    return WORKER_OK;
}
