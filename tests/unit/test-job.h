/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-job.h: a dispatcher with the real modules and one that lies, and jobs for it.
 */
#pragma once

#include "core/frontend.h"

#define SECRET "the secret words"

/** From carol, to alice, bob and nokey, with mallory as Bcc; the text is SECRET. */
extern const char MESSAGE[];
/** A list with alice alone. */
extern const char *const ALICE[];
/** The scratch folder of this run: certs has alice, bob and mallory. */
extern char *top;

void set_up(void);
void tear_down(void);
/** Writes a file into the folder. */
void put(const char *name, const char *text);
/** Runs openssl in it; it must succeed. */
void openssl(const char *arguments);
/** @folder/@name.pem, for this local part. */
void make_certificate_for(const char *local, const char *folder, const char *name);

/** A dispatcher with the usual modules, and @more lines of configuration. (transfer full) */
SealDispatcher *dispatcher_of(const char *more, GError **error);
/** (transfer full) */
SealJob *job_of(const char *message, const char *const *recipients, gboolean one_output);
/** What delivery @index has. (transfer full) */
char *output_of(SealJob *job, guint index);
/** What became of recipient @index, and why. */
SealVerdict result_of(SealJob *job, guint index);
const char *reason_of(SealJob *job, guint index);
/** S sealed, P plain, R refused, N report, D deferred. */
char letter(SealVerdict verdict);

/** What @message sealed to @who looks like; @/ in @more is the folder. */
void make_sealed_by(const char *more, const char *message, const char *who, const char *file);
void make_sealed_file(const char *message, const char *who, const char *file);
