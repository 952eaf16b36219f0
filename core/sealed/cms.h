/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cms.h: a CMS message from its first octet to its last.
 */
#pragma once

#include "core/sealed/recipients.h"

typedef enum {
    SEAL_CMS_NONE = 0, /* not CMS */
    SEAL_CMS_OTHER,    /* CMS of a type that neither encrypts nor signs */
    SEAL_CMS_SIGNED,
    SEAL_CMS_ENVELOPED,
    SEAL_CMS_AUTH_ENVELOPED,
} SealCmsType;

typedef struct {
    SealCmsType type;
    SealNames names;          /* recipients or signers, and what stands beside them */
    const char *cipher;       /* "AES-256-CBC" */
    const char *cipher_fault; /* what is wrong with it, or NULL */
    SealOid inner;            /* the inner content type */
    guint64 content_size;
    gboolean has_content;
    SealNoise noise; /* of the content */
    gsize mac_length;
} SealCms;

void seal_cms_clear(SealCms *cms);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SealCms, seal_cms_clear)
/** Fills @cms, as far as it comes where it returns FALSE. */
gboolean seal_cms_walk(SealOctets *octets, SealCms *cms);
/** id-data, or what RFC 8551 3.7 puts inside one another. */
gboolean seal_cms_is_mail_type(const SealOid *oid);
