/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz.h: what the fuzz targets share. Whatever must hold for every input is asserted.
 */
#pragma once

#include "core/frontend.h"

#include <stddef.h>
#include <stdint.h>

/** A target, as libFuzzer and replay.c call it. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** @size octets as one piece. (transfer full) */
SealContent *fuzz_content(const uint8_t *data, size_t size);
/** The same in three pieces, cut where the octets themselves say, so that a run can be repeated.
 *  (transfer full) */
SealContent *fuzz_content_cut(const uint8_t *data, size_t size);

void fuzz_assert_same(SealContent *a, SealContent *b);
/** UTF-8 without control characters and those that turn text around: it may stand in a log. */
void fuzz_assert_one_line(const char *text);

/** The module smime, opened with the trust anchor of the seeds. */
typedef struct {
    SealDispatcher *dispatcher;
    SealModule *module;
    const SealFormat *format;
} FuzzSmime;

void fuzz_smime_open(FuzzSmime *smime);
void fuzz_smime_close(FuzzSmime *smime);
