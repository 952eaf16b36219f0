/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hold.c: a stage that stops in the middle of the work, fails or makes noise, so that a test can
 * look at what an MTA makes of it.
 */
#include "core/sealpipe.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const SealSetting SETTINGS[] = {
    {"what", SEAL_SETTING_CHOICE, "hold", .range = "hold|start|fail|fault|noise|child|slow|spin",
     .help = "What to do."},
    {"mark", SEAL_SETTING_STRING,
     .help = "A file to make when it has come so far; for child, what it finds of itself."},
    {NULL},
};

/* As a library might, and a child of it. */
static void make_noise(void)
{
    pid_t pid = fork();

    fputs("noise on standard error\n", stderr);
    puts("noise on standard output");
    fflush(stdout);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "echo noise of a child; echo noise of a child >&2", NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

/* Nothing is arranged for it but by the runner. */
static void start_child(const char *mark)
{
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/sh", "sh", "-c",
              "{ cat /proc/self/status /proc/self/limits; ls -l /proc/self/fd; } >\"$0\"", mark,
              NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

/* Sixteen steps of a quarter of a second, in each of which some of the message moves; or the first
 * of them for ever. */
static gboolean move_on(SealDelivery *delivery, gboolean for_ever, GError **error)
{
    g_autoptr(GInputStream) stream = seal_content_read(seal_delivery_content(delivery));
    gsize step = (gsize)seal_content_size(seal_delivery_content(delivery)) / 16 + 1;
    g_autofree char *buffer = g_malloc(step);
    gssize got;

    while ((got = g_input_stream_read(stream, buffer, step, NULL, error)) > 0) {
        g_usleep(G_USEC_PER_SEC / 4);
        if (for_ever) {
            g_object_unref(stream);
            stream = seal_content_read(seal_delivery_content(delivery));
        }
    }
    return got == 0;
}

static void stop_here(SealModule *self)
{
    g_file_set_contents(seal_module_string(self, "mark"), "", 0, NULL);
    for (;;)
        pause();
}

static gboolean init(SealModule *self, GError **error)
{
    const char *what = seal_module_string(self, "what");

    if (g_str_equal(what, "start"))
        stop_here(self);
    if (!g_str_equal(what, "fault"))
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "the fault that was asked for");
    return FALSE;
}

static gboolean apply(SealModule *self, SealJob *job, SealDelivery *delivery,
                      GCancellable *cancellable, GError **error)
{
    const char *what = seal_module_string(self, "what");

    if (g_str_equal(what, "noise")) {
        make_noise();
    } else if (g_str_equal(what, "child")) {
        start_child(seal_module_string(self, "mark"));
    } else if (g_str_equal(what, "fail")) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "the fault that was asked for");
        return FALSE;
    } else if (g_str_equal(what, "slow") || g_str_equal(what, "spin")) {
        return move_on(delivery, g_str_equal(what, "spin"), error);
    } else {
        stop_here(self);
    }
    return TRUE;
}

static gboolean plan(SealModule *self, SealJob *job, SealRecipient *recipient,
                     SealDecision *decision, GError **error)
{
    seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "go on");
    return TRUE;
}

static const SealStage STAGE = {sizeof STAGE, "hold", plan, apply};
static const SealStage *const STAGES[] = {&STAGE, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    SEAL_MODULE_HEAD,     .name = "hold",   .version = "1", .summary = "Stops in the middle",
    .settings = SETTINGS, .stages = STAGES, .init = init,
};
