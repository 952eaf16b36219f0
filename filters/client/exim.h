/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * exim.h: opens Exim's spool files of a message: whoever Exim runs may, and a worker may not.
 * Nothing of them is read.
 */
#pragma once

#include "filters/client/exchange.h"

/** DIR/ID-H, or DIR/?/ID-H of a split spool, and ID-D with the body beside it, into @request. Where
 *  there is no header and no problem either, the message is still being received. */
void seal_exim_open(const char *dir, const char *id, SealRequest *request);
