/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * out.h: what a command answers, before it is shown.
 */
#pragma once

#include "core/frontend.h"
