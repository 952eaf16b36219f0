/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * service.h: what every program begins with: whose service it is, where its log goes and its state
 * is, and whether outbound mail is suspended. It is found out in the same way by all of them, and
 * of a configuration that does not load as well.
 */
#pragma once

#include "core/plugin/settings.h"

#include "core/frontend.h"

#include <sys/types.h>

/** The folder that the service's configuration is read from. (borrowed) */
const char *seal_service_conf_dir(const SealService *service);
/** TRUE where root runs this, and nothing that was read says whose service it is. */
gboolean seal_service_is_undecided(const SealService *service);
/** Where that is so: becomes the owner of @dir, which belongs to the service's user alone, unless
 *  that is root. *@became: everything is to be read again. */
gboolean seal_service_become_owner(SealService *service, const char *dir, gboolean *became,
                                   GError **error);
/** It is undecided, and nothing else says whose it is: root makes the log after all. */
void seal_service_stay_root(SealService *service);
/** What a configuration cannot be used for that loads otherwise: [core] user is nobody. */
gboolean seal_service_check(const SealService *service, GError **error);
