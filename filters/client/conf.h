/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf.h: what the client has to know of conf.d before anybody else reads it, by core's rules
 * (core/plugin/config.c). It judges nothing: what is wrong there, the worker says.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SEAL_CLIENT_CONF_PATH 4096

typedef struct {
    uint64_t device; /**< of the folder; 0 where it cannot be opened */
    uint64_t inode;
    char run_dir[SEAL_CLIENT_CONF_PATH];
    char spool_dir[SEAL_CLIENT_CONF_PATH];
    uint64_t spool_memory; /**< octets */
    uint64_t deadline;     /**< seconds */
} SealClientConf;

/** What stands in the folder @dir, and the presets for what cannot be read. */
void seal_client_conf_read(const char *dir, SealClientConf *conf);
