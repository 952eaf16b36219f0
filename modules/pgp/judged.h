/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * judged.h: what gpg has said of keys, so that it is asked once and not for every message.
 */
#pragma once

#include "engine.h"

typedef struct PgpJudged PgpJudged;

/** @home: NULL where there is none. (transfer full) */
PgpJudged *pgp_judged_new(const char *home);
void pgp_judged_free(PgpJudged *judged);
/** Sets the judgement of @key: what is known of its very octets and still holds, else what @engine
 *  says. FALSE where that was not possible. */
gboolean pgp_judge(PgpJudged *judged, PgpEngine *engine, PgpKey *key, GError **error);
/** What @vouchers (PgpKey) say of @key: see pgp_engine_ask_vouchers(). Remembered likewise.
 *  (transfer full) */
PgpJudgement *pgp_judge_vouchers(PgpJudged *judged, PgpEngine *engine, PgpKey *key,
                                 GPtrArray *vouchers, gint64 clock, GError **error);
