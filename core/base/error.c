/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * error.c: the error domain.
 */
#include "core/sealpipe.h"

G_DEFINE_QUARK(seal - error - quark, seal_error)
