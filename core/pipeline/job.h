/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * job.h: a message on its way: envelope, recipients, deliveries, decisions.
 */
#pragma once

#include "core/mail/message.h"
#include "core/mail/texts.h"
#include "core/pipeline/choice.h"
#include "core/plugin/registry.h"

struct SealRecipient {
    SealAddress *address;
    gboolean named;           /* stands in To or Cc: the others may know of it */
    const SealPolicy *policy; /* NULL before it is asked */
    SealNeed sign;            /* what policy says, as far as it holds for this message */
    gboolean unable;          /* a stage cannot serve it, whatever keys there are */
    GPtrArray *keys;          /* of SealKey: the usable ones, for one format after the other */
    gboolean has_fallback;    /* a stage said what follows where it is unable */
    gboolean asked_for;       /* policy wanted it encrypted or signed when a stage was unable */
    SealFallback fallback;
    char *no_key;         /* why there is none, for people */
    char *cause;          /* what of that is for him to read: no file, nothing of ours; or NULL */
    char *detail;         /* what the log has beside it: it may name files */
    gboolean in_doubt;    /* one may be in what could not be read */
    gboolean unsupported; /* there is one that this version or its libraries cannot use */
    gboolean waits;       /* there is a fit one, which waits for leave */
    gboolean pinned;      /* there may be one; another that cannot be used is pinned */
    gboolean is_sealed;   /* it came encrypted, and for this recipient as far as can be known */
    SealKey *sealed_key;  /* to this key of the recipient's; NULL where none is known */
    gboolean keeps_signature; /* that which the message came with, and which was verified */
    SealKey *key;             /* the one that was used: to encrypt, the first; in clear, to sign */
    SealKey *signer;          /* with which what leaves was signed here, or NULL */
    SealVerdict result;
    const SealDecision *settled; /* which says so, or NULL; of the job's */
    const char *chosen;          /* the code of the choice by which it leaves, or NULL */
    const char *fault;           /* a word for the error that defers it, or NULL */
    char *reason;
};

/** What decisions are about that are made now; of a job that explains. */
typedef struct {
    const SealRecipient *recipient; /* or NULL */
    guint delivery;                 /* or 0 */
} SealScope;

/** What a step made of a delivery. */
typedef struct {
    const char *step;
    SealContent *content;
} SealChange;

struct SealDelivery {
    guint number;          /* from 1 on, in the order in which they are made */
    GPtrArray *recipients; /* of SealRecipient, borrowed from the job */
    SealChoice choice;
    const char *format; /* of its keys; NULL where it is not encrypted */
    GPtrArray *keys;    /* of SealKey */
    gboolean hide;
    SealNeed sign;
    SealMessage *source; /* what it is made of: the job's message, that without a tag, a report */
    gboolean own_source; /* the source is not the job's message */
    const char *tag;     /* to be taken out; NULL for none */
    SealKey *signer;     /* NULL where it is not signed */
    gboolean opaque;
    gboolean is_signed;     /* the signer was used */
    SealContent *as_signed; /* what was made then in clear, or NULL */
    char *note;             /* for people, behind each recipient's reason; or NULL */
    SealContent *content;
    SealMessage *view;   /* of the content, once it is asked for */
    GPtrArray *changes;  /* of SealChange, in their order */
    guint64 sealed_size; /* of what was encrypted, in canonical form */
    SealContent *inner;  /* that, of a job that explains; else NULL */
};

struct SealJob {
    SealDirection direction;
    char *id;
    SealAddress *sender; /* NULL for the null sender, and for one that cannot be read */
    char *sender_text;   /* as it was given, for the log; "<>" for the null sender */
    SealAddress *author; /* exactly one clean mailbox in exactly one clean From, or NULL */
    char *no_author;     /* why there is none, for people; NULL where there is, or no message */
    GPtrArray *maybe_authors; /* of SealAddress: whomever anybody could take for an author */
    SealMessage *message;
    GError *fault; /* why the message cannot be handled, now or later; it is then not there */
    gboolean header_only;                 /* the message is its header, and its body is not known */
    gboolean already_sealed;              /* it came encrypted as a whole: */
    GHashTable *sealed_ids;               /* to these */
    gboolean sealed_hidden;               /* or to somebody who is not named */
    const SealFormatEntry *sealed_format; /* whose keys they are, or NULL */
    gboolean has_rest;                    /* text around the parts of it is to be left out */
    char *sealed_partly;     /* why what is encrypted in it is not the whole, or NULL */
    gboolean already_signed; /* it came signed */
    guint was_verified;      /* that signature, by keys of this trust: a bit for each SealTrust */
    guint verified;          /* likewise: and it was the author's */
    SealKey *verified_key;   /* the author's, with which it was made, or NULL */
    gboolean signature_in_doubt; /* its key may be in what could not be read */
    char *not_verified;          /* why it does not count, or NULL */
    gboolean returns;            /* a report that returns something: never signed */
    gboolean is_status;          /* a delivery report of the null sender, or it may be one */
    SealContent *reduced; /* what may leave of that; NULL where there is none, or no message */
    gboolean submitted;
    gboolean submission_unknown;
    gboolean vouched_sender; /* the mail server names the sender, and no logins */
    char *login;             /* NULL for nobody */
    char *unproven;          /* why it is not submitted, or NULL */
    GStrv authors;           /* whom the front end may speak for; NULL: anybody */
    gboolean asks;           /* nobody's mail hangs on it: nothing is written down */
    gboolean explains;       /* and all that is found out is a decision */
    SealScope scope;
    guint made; /* deliveries, so far */
    gboolean one_output;
    gboolean any_size; /* what is too large leaves all the same */
    guint64 body_size; /* where it is not there: in octets with CRLF; 0: not known */
    GPtrArray *recipients;
    GPtrArray *deliveries;
    GPtrArray *decisions;
    char *stages; /* those that changed something, for the log */
    guint64 size;
    gint64 started;       /* monotonic, microseconds */
    GHashTable *archives; /* what was found of archive_to; see archive.h */
    /* What rules have asked of the message, and been told. */
    GHashTable *texts; /* by a field's name in lower case, GPtrArray of SealText */
    SealParts *parts;
    GArray *matches;     /* of int: of each rule, SealMatch or -1 */
    GPtrArray *policies; /* of SealPolicy: made of several rules */
};

/** What stands in the fields of that name, in lower case. (borrowed, element type SealText) */
GPtrArray *seal_job_texts(SealJob *job, const char *name);
/** The parts of the message. (borrowed) */
const SealParts *seal_job_parts(SealJob *job);

/** What follows where the recipient cannot be encrypted to: ALLOW where encryption is not required.
 */
SealFallback seal_recipient_fallback(const SealRecipient *recipient);

/** TRUE where a stage cannot serve the recipient and has said itself what follows. Mail that policy
 *  wants neither encrypted nor signed needs no stage to serve it. */
gboolean seal_recipient_stage_decides(const SealRecipient *recipient);

/** What is known of the recipient, for seal_choice_make(). Borrows from it. */
SealFacts seal_recipient_facts(const SealJob *job, const SealRecipient *recipient);

/** "; sign=required by [rule x]" and the like: who asks for what cannot be had. (transfer full) */
char *seal_recipient_demand(const SealRecipient *recipient, const char *setting);

/** Why, of an answer for the recipient; with who wanted it encrypted, where it cannot be. (transfer
 *  full) */
char *seal_recipient_reason_of(const SealRecipient *recipient, const SealAnswer *answer);

/** As if nothing had been found out about the recipient yet. */
void seal_recipient_reset(SealRecipient *recipient);

/** A new decision at the end of the job's, to be settled. (borrowed) */
SealDecision *seal_job_decide(SealJob *job, const char *step, const char *subject);

/** Settles a recipient: result and reason, as the job's last decision on it. */
void seal_job_settle(SealJob *job, SealRecipient *recipient, SealVerdict result, const char *code,
                     const char *format, ...) G_GNUC_PRINTF(5, 6);

/** Says why the gate lets nothing out: a decision, and SEAL_ERROR_GATE. Always FALSE. */
gboolean seal_job_stop(SealJob *job, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

/** Notes that @step has changed @delivery. */
void seal_delivery_add_change(SealDelivery *delivery, const char *step);

/** Drops what a delivery was before it became what leaves. */
void seal_delivery_forget(SealDelivery *delivery);

/** TRUE for an error that is the message's own, and the same at every try. */
gboolean seal_error_is_for_good(const GError *error);

/** Makes of such an error the job's fault, and returns TRUE; else passes it on. Takes it over. */
gboolean seal_job_take_fault(SealJob *job, GError *problem, GError **error);

/** Refuses every recipient where the message is at fault for good; FALSE where it is not. */
gboolean seal_job_refuse_faulty(SealJob *job);

/** Settles @recipient as refused for @error, which is for good. */
void seal_job_refuse(SealJob *job, SealRecipient *recipient, const GError *error);

/** Defers every recipient for @error and drops the deliveries: nothing of the job may leave. */
void seal_job_fail(SealJob *job, const GError *error);

/** A delivery without recipients yet, appended to the job's. (borrowed) */
SealDelivery *seal_job_add_delivery(SealJob *job, SealChoice choice, const char *format,
                                    SealNeed sign);

/** TRUE for the null sender (RFC 5321 4.5.5): a bounce. */
gboolean seal_job_is_bounce(const SealJob *job);

/** A sentence of why there is no author. (transfer full) */
char *seal_job_no_author_reason(const SealJob *job);

/** The recipient's first key for @format, or NULL. (borrowed) */
SealKey *seal_recipient_key_for(const SealRecipient *recipient, const char *format);
