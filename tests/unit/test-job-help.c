/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-job-help.c: certificates, modules and messages for tests of whole jobs.
 */
#include "test-job.h"

#include <glib/gstdio.h>
#include <string.h>

char *top;

static char *modules; /* copies of them */

void put(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(top, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_chmod(path, 0644);
}

void openssl(const char *arguments)
{
    g_autofree char *line = g_strconcat("openssl ", arguments, NULL);
    g_auto(GStrv) argv = NULL;
    int status = 1;

    g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
    g_assert_true(
        g_spawn_sync(top, argv, NULL,
                     G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                     NULL, NULL, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
}

void make_certificate_for(const char *local, const char *folder, const char *name)
{
    g_autofree char *ext = g_strdup_printf("subjectAltName=email:%s@example.org\n", local);
    g_autofree char *request = g_strdup_printf("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
                                               "-nodes -keyout %s.key -out %s.csr -subj /CN=%s",
                                               name, name, name);
    g_autofree char *issue =
        g_strdup_printf("x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -days 30 "
                        "-extfile ext.cnf -out %s/%s.pem",
                        name, folder, name);

    put("ext.cnf", ext);
    openssl(request);
    openssl(issue);
}

static void make_certificate(const char *name)
{
    make_certificate_for(name, "certs", name);
}

static void copy_module(const char *from, const char *name)
{
    g_autofree char *source = g_build_filename(g_getenv(from), name, NULL);
    g_autofree char *target = g_build_filename(modules, name, NULL);
    g_autofree char *data = NULL;
    gsize length = 0;

    g_assert_true(g_file_get_contents(source, &data, &length, NULL));
    g_assert_true(g_file_set_contents(target, data, (gssize)length, NULL));
    g_chmod(target, 0755);
}

void set_up(void)
{
    g_autofree char *certs = NULL, *conf = NULL;

    top = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    modules = g_build_filename(top, "modules", NULL);
    certs = g_build_filename(top, "certs", NULL);
    g_mkdir(modules, 0755);
    conf = g_build_filename(top, "conf", NULL);
    g_mkdir(certs, 0755);
    g_mkdir(conf, 0755);
    copy_module("SEALPIPE_TEST_MODULES", "smime.so");
    copy_module("SEALPIPE_TEST_MODULES", "keys-file.so");
    copy_module("SEALPIPE_TEST_FAULTY", "faulty.so");
    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out "
            "ca.pem -subj /CN=root -days 30");
    make_certificate("alice");
    make_certificate("bob");
    make_certificate("mallory");
}

void tear_down(void)
{
    char *argv[] = {(char *)"rm", (char *)"-rf", (char *)"--", top, NULL};

    g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    g_free(modules);
    g_free(top);
}

SealDispatcher *dispatcher_of(const char *more, GError **error)
{
    g_autofree char *conf = g_build_filename(top, "conf", NULL);
    g_autofree char *text =
        g_strdup_printf("[core]\nlog_target=%s/log\n[module smime]\ntrust_anchors=%s/ca.pem\n"
                        "[module keys-file]\npaths=%s/certs\n%s\n",
                        top, top, top, more);

    put("conf/x.conf", text);
    return seal_dispatcher_new(conf, modules, error);
}

SealJob *job_of(const char *message, const char *const *recipients, gboolean one_output)
{
    g_autoptr(SealContent) content = seal_content_new_copy(message, strlen(message));
    const SealJobSpec spec = {
        .sender = "bob@example.org",
        .recipients = recipients,
        .message = content,
        .one_output = one_output,
    };
    g_autoptr(GError) error = NULL;
    SealJob *job = seal_job_new(&spec, &error);

    g_assert_no_error(error);
    return job;
}

char *output_of(SealJob *job, guint index)
{
    SealDelivery *delivery = g_ptr_array_index(seal_job_deliveries(job), index);
    g_autoptr(GBytes) bytes =
        seal_content_to_bytes(seal_delivery_content(delivery), G_MAXINT32, NULL);
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);

    return g_strndup(data, size);
}

SealVerdict result_of(SealJob *job, guint index)
{
    return seal_recipient_result(g_ptr_array_index(seal_job_recipients(job), index));
}

const char *reason_of(SealJob *job, guint index)
{
    return seal_recipient_reason(g_ptr_array_index(seal_job_recipients(job), index));
}

const char MESSAGE[] = "From: carol@example.org\nTo: alice@example.org, bob@example.org, "
                       "nokey@example.org\nBcc: mallory@example.org\nSubject: s\n\n" SECRET
                       "\nmore than one line of them\n";
const char *const ALICE[] = {"alice@example.org", NULL};

void make_sealed_by(const char *more, const char *message, const char *who, const char *file)
{
    const char *const recipients[] = {who, NULL};
    g_auto(GStrv) parts = g_strsplit(more, "@/", -1);
    g_autofree char *folder = g_strconcat(top, "/", NULL);
    g_autofree char *text = g_strjoinv(folder, parts);
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(text, NULL);
    g_autoptr(SealJob) job = job_of(message, recipients, TRUE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_autofree char *output = output_of(job, 0);
    put(file, output);
}

void make_sealed_file(const char *message, const char *who, const char *file)
{
    make_sealed_by("", message, who, file);
}

char letter(SealVerdict verdict)
{
    return verdict == SEAL_VERDICT_SEALED   ? 'S'
           : verdict == SEAL_VERDICT_PLAIN  ? 'P'
           : verdict == SEAL_VERDICT_REFUSE ? 'R'
           : verdict == SEAL_VERDICT_REPORT ? 'N'
           : verdict == SEAL_VERDICT_DEFER  ? 'D'
                                            : '?';
}
