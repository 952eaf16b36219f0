/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sealpipe.h: the public face of libsealpipe. A module includes this file and nothing else.
 *
 * Conventions
 *
 *   Names       seal_OBJECT_VERB: what a function takes first is what its name begins with.
 *               seal_module_... takes the module itself, seal_delivery_... a delivery.
 *   Errors      Functions that can fail return FALSE or NULL and set a GError. Out parameters are
 *               touched on success only.
 *   Ownership   "(transfer full)": the caller frees the result. What is returned as const, or said
 *               to be borrowed, belongs to the object that it came from.
 *   Units       Times are Unix seconds, durations seconds, sizes octets.
 *   Versions    Structs that grow begin with their own size: core reads a member only where the
 *               declared size covers it, so that a module built for an older minor version keeps
 *               working. Reserved members are zero.
 *   Silence     A module never prints and never logs: it settles decisions, sets errors, and says
 *               seal_module_warn().
 */
#pragma once

#include "core/sealpipe-files.h"
#include "core/sealpipe-keeping.h"
#include "core/sealpipe-keys.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/** A module of another major version is refused, as is one of a newer minor version. */
#define SEAL_ABI_MAJOR 1
#define SEAL_ABI_MINOR 0

/** What every SealModuleDescriptor begins with. */
#define SEAL_MODULE_MAGIC 0x5345414cu /* "SEAL" */

typedef struct SealContent SealContent;
typedef struct SealEntity SealEntity;
typedef struct SealKeyScan SealKeyScan;
typedef struct SealDecision SealDecision;
typedef struct SealDetection SealDetection;
typedef struct SealJob SealJob;
typedef struct SealRecipient SealRecipient;
typedef struct SealDelivery SealDelivery;
typedef struct SealOut SealOut;
typedef struct SealFolder SealFolder;

/* -------------------------------------------------------------------------------------------
 * Errors
 */

#define SEAL_ERROR (seal_error_quark())

/** Why a call failed. The message in hand is deferred; but while it is being handled, a fault that
 *  is its own (MESSAGE, LIMIT, REFUSED) is the same at every try, and it is refused. */
typedef enum {
    SEAL_ERROR_FAILED,      /**< anything that has no code of its own */
    SEAL_ERROR_CONFIG,      /**< the configuration is wrong; the text names file and line */
    SEAL_ERROR_MODULE,      /**< a module cannot be used */
    SEAL_ERROR_MESSAGE,     /**< the input is not a message, or not one that can be handled */
    SEAL_ERROR_LIMIT,       /**< a bound on what a sender controls was passed */
    SEAL_ERROR_ADDRESS,     /**< not an address */
    SEAL_ERROR_KEY,         /**< bytes that hold no key, or a key that cannot serve */
    SEAL_ERROR_UNSUPPORTED, /**< not possible in this version, or with the libraries at hand */
    SEAL_ERROR_UNAVAILABLE, /**< a key source could not find out */
    SEAL_ERROR_DEADLINE,    /**< the job's time is over */
    SEAL_ERROR_GATE,        /**< what would have left is not what policy asks for */
    SEAL_ERROR_REFUSED,     /**< what policy asks for cannot be had for this message, and waiting
                                 mends nothing: there is no key that could sign it, say */
} SealError;

SEAL_API GQuark seal_error_quark(void);

/* -------------------------------------------------------------------------------------------
 * Content: immutable bytes, on the heap or in an unlinked temporary file
 */

/** One more reference. */
SEAL_API SealContent *seal_content_ref(SealContent *content);
/** Drops a reference; NULL is allowed. */
SEAL_API void seal_content_unref(SealContent *content);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealContent, seal_content_unref)

/** Content made of @bytes. (transfer full) */
SEAL_API SealContent *seal_content_new(GBytes *bytes);
/** Content made of a copy of @length octets. (transfer full) */
SEAL_API SealContent *seal_content_new_copy(const void *data, gsize length);
/** The octets from @offset, @length of them or as many as there are. Shares the bytes.
 *  (transfer full) */
SEAL_API SealContent *seal_content_slice(SealContent *content, guint64 offset, guint64 length);
/** @first followed by @second. Shares the bytes. (transfer full) */
SEAL_API SealContent *seal_content_join(SealContent *first, SealContent *second);
/** The number of octets. */
SEAL_API guint64 seal_content_size(const SealContent *content);
/** A stream over the content as it is. (transfer full) */
SEAL_API GInputStream *seal_content_read(SealContent *content);
/** A stream over the content in canonical form: each LF that no CR precedes becomes CRLF; nothing
 *  else changes (RFC 8551 3.1.1). (transfer full) */
SEAL_API GInputStream *seal_content_read_canonical(SealContent *content);
/** How many octets that is. */
SEAL_API gboolean seal_content_canonical_size(SealContent *content, guint64 *ret_size,
                                              GError **error);
/** All of it in one block; SEAL_ERROR_LIMIT where it is larger than @max. (transfer full) */
SEAL_API GBytes *seal_content_to_bytes(SealContent *content, gsize max, GError **error);

/** A stream that keeps what is written, in memory up to [core] spool_memory, then in an unlinked
 *  file in [core] spool_dir. (transfer full) */
SEAL_API GOutputStream *seal_module_spool(SealModule *self);
/** A new folder, mode 0700, for what has to have a name for a moment: below [core] run_dir or
 *  state_dir, where these are the running user's alone, else in the temporary folder. It is removed
 *  with all that is in it when it is freed, and by a later process where this one is killed.
 *  SEAL_ERROR_UNAVAILABLE. (transfer full) */
SEAL_API SealFolder *seal_module_make_folder(SealModule *self, GError **error);
SEAL_API const char *seal_folder_path(const SealFolder *folder);
/** Removes it; NULL is allowed. */
SEAL_API void seal_folder_free(SealFolder *folder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealFolder, seal_folder_free)

/** Ends writing and gives what was written. (transfer full) */
SEAL_API SealContent *seal_spool_finish(GOutputStream *spool, GError **error);

/* -------------------------------------------------------------------------------------------
 * Octets, text and files
 */

/** Text that a person's editor wrote: what is in UTF-16, or has a byte order mark in front, as
 * UTF-8 without one; anything else is @data itself. (transfer full) */
SEAL_API GBytes *seal_text_plain(GBytes *data);
/** Lower-case hexadecimal. (transfer full) */
SEAL_API char *seal_text_hex(const void *data, gsize length);
/** One line for people of what came from outside: valid UTF-8, `?` for what does not print, and
 *  "..." behind @max octets. (transfer full) */
SEAL_API char *seal_text_line(const void *data, gsize length, gsize max);
/** What all spellings that Unicode takes for alike have in common: composed, wide, ligature and
 *  other case (NFKC, folded). For what may match too much, never to tell mailboxes apart. (transfer
 *  full) */
SEAL_API char *seal_text_fold(const char *text);
/** The day of @time, UTC, as YYYY-MM-DD; "never" for G_MAXINT64. (transfer full) */
SEAL_API char *seal_text_day(gint64 time);
/** Reads YYYY-MM-DD, from 1970 on: the day's first second, UTC. FALSE where it is no such day. */
SEAL_API gboolean seal_text_parse_day(const char *text, gint64 *ret_time);

/** Base64 (RFC 4648 4) that is being read, in pieces of any size. Begin with zeros. */
typedef struct {
    gboolean may_have_blanks; /**< blanks and line ends may stand anywhere; else nowhere */
    guint32 bits;
    guint have;
    guint pads;
} SealBase64;

/** Decodes @length characters. @out has room for 3 octets for every 4 characters, and 3 more; what
 *  precedes a fault is in it. FALSE: something beside the alphabet, text behind the padding, or
 * bits that encode nothing and are not zero. */
SEAL_API gboolean seal_base64_decode(SealBase64 *state, const void *text, gsize length, guint8 *out,
                                     gsize *ret_length);
/** TRUE where the text may end here. */
SEAL_API gboolean seal_base64_is_complete(const SealBase64 *state);
/** Encodes with padding, without line end or NUL. @out has room for 4 characters for every 3 octets
 *  that are begun. Returns how many were written. */
SEAL_API gsize seal_base64_encode(const guint8 *data, gsize length, char *out);

/** Reads a regular file, or one that stands in the command line of sealctl, as who runs that may:
 *  root has become another user. SEAL_ERROR_CONFIG where there is none that this user may read,
 *  SEAL_ERROR_LIMIT where it is larger than @max, SEAL_ERROR_UNAVAILABLE where reading failed and
 *  another time may not. (transfer full) */
SEAL_API GBytes *seal_file_read(const char *path, gsize max, GError **error);
/** Writes @path with @mode, as a whole or not at all, and waits until it is on the disk.
 *  SEAL_ERROR_UNAVAILABLE. */
SEAL_API gboolean seal_file_save(const char *path, const void *data, gsize size, guint mode,
                                 GError **error);

/* -------------------------------------------------------------------------------------------
 * Addresses (RFC 5321 Mailbox, RFC 6531)
 */

/** Reads one mailbox, without display name or angle brackets. Control characters, over-long parts
 *  and domains that IDNA2008 refuses are SEAL_ERROR_ADDRESS. (transfer full) */
SEAL_API SealAddress *seal_address_parse(const char *text, GError **error);
SEAL_API SealAddress *seal_address_ref(SealAddress *address);
SEAL_API void seal_address_unref(SealAddress *address);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealAddress, seal_address_unref)

/** The local part, unquoted, in its own case. */
SEAL_API const char *seal_address_local(const SealAddress *address);
/** The domain in lower case, as A-labels. */
SEAL_API const char *seal_address_domain(const SealAddress *address);
/** local@domain, the local part quoted where RFC 5321 asks for it. */
SEAL_API const char *seal_address_text(const SealAddress *address);
/** What two spellings of one mailbox have in common: compare and index by this. Only the case of
 *  A to Z in the local part does not count: strasse and straße are two mailboxes. */
SEAL_API const char *seal_address_key(const SealAddress *address);
/** What all mailboxes have in common that anybody could take for this one: the local part as
 *  seal_text_fold() has it. For what makes a policy stricter, never for keys or exemptions. */
SEAL_API const char *seal_address_wide_key(SealAddress *address);
/** TRUE where both name one mailbox, without regard to ASCII's case. */
SEAL_API gboolean seal_address_equal(const SealAddress *a, const SealAddress *b);
/** The address without its subaddress (RFC 5233, `+detail`), or NULL where it has none.
 *  (transfer full) */
SEAL_API SealAddress *seal_address_without_detail(const SealAddress *address);

/* -------------------------------------------------------------------------------------------
 * Secrets: bytes in guarded memory, wiped when freed
 */

/** Reads a secret file. One that others than its owner and group can read, that is no regular
 *  file, or that is larger than 64 KiB is SEAL_ERROR_CONFIG. (transfer full) */
SEAL_API SealSecret *seal_secret_read(const char *path, GError **error);
/** Asks on the terminal, without showing what is typed. SEAL_ERROR_UNAVAILABLE where there is no
 *  terminal. (transfer full) */
SEAL_API SealSecret *seal_secret_ask(const char *prompt, GError **error);
/** The first line, without its line end: how a passphrase is read from a file. (transfer full) */
SEAL_API SealSecret *seal_secret_first_line(const SealSecret *secret, GError **error);
SEAL_API const guint8 *seal_secret_data(const SealSecret *secret);
SEAL_API gsize seal_secret_size(const SealSecret *secret);
/** Wipes and frees; NULL is allowed. */
SEAL_API void seal_secret_free(SealSecret *secret);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealSecret, seal_secret_free)

/* -------------------------------------------------------------------------------------------
 * Entities: the MIME view of a message (RFC 2045), valid while the message lives
 */

/** The media type in lower case, "text/plain" where there is none or it cannot be read, but
 *  "message/rfc822" where a part of a multipart/digest has none (RFC 2046 5.1.5). */
SEAL_API const char *seal_entity_type(SealEntity *entity);
/** A Content-Type parameter, decoded (RFC 2231), or NULL. */
SEAL_API const char *seal_entity_parameter(SealEntity *entity, const char *name);
/** The Content-Transfer-Encoding in lower case, "7bit" where there is none. */
SEAL_API const char *seal_entity_encoding(SealEntity *entity);
/** The first field of that name, unfolded, as it came otherwise; NULL where there is none. */
SEAL_API const char *seal_entity_field(SealEntity *entity, const char *name);
/** How many fields of that name there are. */
SEAL_API guint seal_entity_count(SealEntity *entity, const char *name);
/** The whole entity, header included, as it came. (borrowed) */
SEAL_API SealContent *seal_entity_content(SealEntity *entity);
/** The body as it came, its transfer encoding still on it. (borrowed) */
SEAL_API SealContent *seal_entity_body(SealEntity *entity);
/** Finds the parts of a multipart or message/rfc822 entity. @parts: (borrowed, element type
 *  SealEntity) empty for other types. */
SEAL_API gboolean seal_entity_parts(SealEntity *entity, GPtrArray **parts, GError **error);

/* -------------------------------------------------------------------------------------------
 * Decisions: what was decided, as data. Log lines and answers are made from them.
 */

/** What a stage's plan() says of a recipient. */
typedef enum {
    SEAL_PLAN_PASS = 1, /**< go on */
    SEAL_PLAN_UNABLE,   /**< it cannot be sealed for; its policy says what follows */
    SEAL_PLAN_REFUSE,   /**< not sent, for good */
} SealPlanVerdict;

/** What a Format's usable() says of a key. */
typedef enum {
    SEAL_KEY_USABLE = 1,
    SEAL_KEY_UNUSABLE,    /**< the next one is tried */
    SEAL_KEY_UNSUPPORTED, /**< likewise; it may be fit, but not for this version or the libraries at
                               hand. Its code is SEAL_CODE_UNSUPPORTED whatever was given. It never
                               counts as no key: see [policy] on_unsupported */
} SealKeyVerdict;

/** The code of a decision on a key that is SEAL_KEY_UNSUPPORTED. */
#define SEAL_CODE_UNSUPPORTED "unsupported"

/** The code of usable()'s decision on a key that does not serve as long as something is not to be
 *  read that may make it fit: what must be sealed to it, or signed with it, waits. */
#define SEAL_CODE_IN_DOUBT "in-doubt"

/** Settles the decision that plan() was given: @verdict, a short @code for programs ("expired"),
 * and a sentence for people that names what it is about. Core supplies step and subject. The last
 * call counts. */
SEAL_API void seal_decision_set_plan(SealDecision *decision, SealPlanVerdict verdict,
                                     const char *code, const char *format, ...) G_GNUC_PRINTF(4, 5);
/** Settles the decision that usable() was given, likewise. */
SEAL_API void seal_decision_set_usable(SealDecision *decision, SealKeyVerdict verdict,
                                       const char *code, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

/* -------------------------------------------------------------------------------------------
 * Jobs, as a stage sees them
 */

/** How much a policy wants something done, in ascending order. */
typedef enum {
    SEAL_NEED_NEVER = 0,
    SEAL_NEED_PREFERRED,
    SEAL_NEED_REQUIRED,
} SealNeed;

/** What follows where a recipient cannot be encrypted to, in ascending order of strictness. */
typedef enum {
    SEAL_FALLBACK_ALLOW = 0, /**< it leaves in clear */
    SEAL_FALLBACK_REPORT,    /**< a problem report leaves in its place */
    SEAL_FALLBACK_REFUSE,    /**< nothing leaves */
} SealFallback;

/** The MTA's id of the message, or one made up. */
SEAL_API const char *seal_job_id(const SealJob *job);
/** The envelope sender; NULL for the null sender (RFC 5321 4.5.5) and for one that is no address.
 *  (borrowed) */
SEAL_API SealAddress *seal_job_sender(const SealJob *job);
/** The author: exactly one clean mailbox in exactly one clean From field (RFC 5322 3.6.2), by the
 *  strictest and the laxest reading; NULL where there is none, or where only an address is asked
 *  about. (borrowed) */
SEAL_API SealAddress *seal_job_author(const SealJob *job);
/** TRUE where the header is known: of a message, or where only its header is asked about. */
SEAL_API gboolean seal_job_has_header(const SealJob *job);
/** TRUE where the front end knows that the message was submitted by somebody who may use this
 *  server. Whether he may write as the author is another question: seal_module_prove_author(). */
SEAL_API gboolean seal_job_submitted(const SealJob *job);
/** TRUE where nothing of what becomes of it leaves, since somebody only wants to know: a module
 * then answers as ever, and writes nothing down. */
SEAL_API gboolean seal_job_is_rehearsal(const SealJob *job);
/** Who logged in to submit it, octet by octet as the mail server has it; NULL where nobody did, or
 *  where the front end does not tell. (borrowed) */
SEAL_API const char *seal_job_login(const SealJob *job);
/** TRUE where the mail server vouches for the envelope sender, since it names him, says that he may
 *  use it, and names no logins at all; and the author is he. */
SEAL_API gboolean seal_job_author_is_sender(const SealJob *job);

/** Whether the author is he who submitted the message. */
typedef enum {
    SEAL_PROOF_NONE = 0,  /**< not as far as is known: From may be forged */
    SEAL_PROOF_UNDECIDED, /**< asked about a message of which the front end does not tell that */
    SEAL_PROOF_AUTHOR,    /**< he who submitted it may write as the author */
} SealProof;

/** What is known of the author: by the stage that has a prove(), else by
 *  seal_job_author_is_sender(). @why says for people why it is NONE, else it is NULL. (transfer
 *  full) */
SEAL_API gboolean seal_module_prove_author(SealModule *self, SealJob *job, SealProof *proof,
                                           char **why, GError **error);
/** The message as it came; NULL where only an address is asked about. (borrowed) */
SEAL_API SealEntity *seal_job_entity(SealJob *job);
/** The envelope recipient. (borrowed) */
SEAL_API SealAddress *seal_recipient_address(const SealRecipient *recipient);
/** Whether what this recipient gets is to be encrypted: what policy says. */
SEAL_API SealNeed seal_recipient_encrypt(const SealRecipient *recipient);
/** Whether what this recipient gets is to be signed: what policy says, and NEVER for a message that
 *  is not to be changed, or that comes from the null sender. */
SEAL_API SealNeed seal_recipient_sign(const SealRecipient *recipient);
/** In plan: what follows, where the stage says UNABLE, in place of what policy says; the recipient
 * is not signed for either. Nothing changes for one that policy wants neither encrypted nor signed.
 */
SEAL_API void seal_recipient_set_fallback(SealRecipient *recipient, SealFallback fallback);
/** The formats of the recipient's policy that are there, in its order. (borrowed; NULL-terminated)
 */
SEAL_API const char *const *seal_recipient_formats(const SealRecipient *recipient);
/** The message of this delivery, header included, as the stages before made it. (borrowed) */
SEAL_API SealContent *seal_delivery_content(const SealDelivery *delivery);
/** The MIME view of it; valid until the delivery's content is replaced. seal_job_entity() is the
 *  message as it came. SEAL_ERROR_LIMIT, SEAL_ERROR_MESSAGE. (borrowed) */
SEAL_API SealEntity *seal_delivery_entity(SealDelivery *delivery, GError **error);
/** Replaces the message of this delivery. Takes a reference; NULL is not allowed. */
SEAL_API void seal_delivery_set_content(SealDelivery *delivery, SealContent *content);
/** Writes the header field `@name: @value` with the message's own line ends: in place of the first
 *  field of that name, further ones being taken out, or behind the last field. @value is UTF-8 in
 *  one line; what is not ASCII becomes encoded words (RFC 2047). SEAL_ERROR_MESSAGE for a name or
 *  value that no field can have. What leaves sealed or signed has no field that did not come with
 *  the message: see the gate in docs/modules.md. */
SEAL_API gboolean seal_delivery_set_field(SealDelivery *delivery, const char *name,
                                          const char *value, GError **error);
/** Who gets this delivery. (borrowed, element type SealRecipient) */
SEAL_API GPtrArray *seal_delivery_recipients(const SealDelivery *delivery);
/** The Format that it is to be encrypted in, NULL where it leaves in clear. (borrowed)
 */
SEAL_API const char *seal_delivery_format(const SealDelivery *delivery);
/** Whether it is to be signed: the strictest need among its recipients. */
SEAL_API SealNeed seal_delivery_sign(const SealDelivery *delivery);
/** Has it signed with @signer: by core when the stage returns where it leaves in clear, else with
 *  the encryption, whose Format @signer must have. @opaque: the signature encloses what it signs.
 *  */
SEAL_API void seal_delivery_set_signer(SealDelivery *delivery, SealKey *signer, gboolean opaque);
/** A sentence for people about this delivery; it comes into the log's reason of each recipient.
 *  */
SEAL_API void seal_delivery_note(SealDelivery *delivery, const char *format, ...)
    G_GNUC_PRINTF(2, 3);
/** The key with which the job's author signs in the first of @formats (NULL-terminated) that has
 *  one: the newest usable one that the Format has. *@signer is NULL where there is none, and *@why
 *  then says for people what stands most in the way; with *@in_doubt, what it was could not be read
 *  (SEAL_CODE_IN_DOUBT): a signature that must be there is then to be waited for. FALSE where it
 *  could not be found out. Each key passed over is a decision of the job. (transfer full) */
SEAL_API gboolean seal_module_find_signer(SealModule *self, SealJob *job,
                                          const char *const *formats, GCancellable *cancellable,
                                          SealKey **signer, char **why, gboolean *in_doubt,
                                          GError **error);

/* -------------------------------------------------------------------------------------------
 * The six extension points. A module offers any number of each; the tables are constant, and
 * NULL-terminated arrays of pointers in its descriptor.
 */

/** Stage.flags: this stage sets signers. */
#define SEAL_STAGE_SIGNS (1u << 0)

/** A step of the pipeline, by name. */
typedef struct {
    gsize size; /**< sizeof(SealStage) */
    const char *name;
    /** Asked about each recipient before anything is changed; without a message where only an
     *  address is asked about. Settles @decision. May be NULL: pass. */
    gboolean (*plan)(SealModule *self, SealJob *job, SealRecipient *recipient,
                     SealDecision *decision, GError **error);
    /** Transforms one delivery. Not called for what leaves as it came because it was encrypted
     *  already; for a problem report only where @flags has SEAL_STAGE_SIGNS. May be NULL: nothing
     *  to do. */
    gboolean (*apply)(SealModule *self, SealJob *job, SealDelivery *delivery,
                      GCancellable *cancellable, GError **error);
    guint flags; /**< SEAL_STAGE_... */
    /** Whether he who submitted the message may write as its author: AUTHOR, or NONE and @why for
     *  people. Asked of one stage of all that are enabled, in the pipeline or not, and only about a
     *  message with an author. May be NULL: says nothing of it. (@why: transfer full) */
    gboolean (*prove)(SealModule *self, SealJob *job, SealProof *proof, char **why, GError **error);
    gpointer reserved[4];
} SealStage;

/** What detect() can find. */
typedef enum {
    SEAL_DETECTED_NOTHING = 0, /**< not this Format's, or not what it claims to be */
    SEAL_DETECTED_ENCRYPTED,   /**< one encrypted entity as a whole, complete, nothing beside it */
    SEAL_DETECTED_SIGNED,      /**< signed, clear or opaque */
    SEAL_DETECTED_PARTLY,      /**< encrypted in part, broken off, or with something beside it */
} SealDetected;

/** Says what was found. @content_size is the size of the ciphertext in octets, without framing;
 *  @text says for people what it is, or what is wrong with it. */
SEAL_API void seal_detection_set(SealDetection *detection, SealDetected what, guint64 content_size,
                                 const char *text);
/** Adds a recipient found in the ciphertext, or a signer found in the signature, by the id that its
 *  SealKey has in detected_ids; NULL for one that does not say who it is. */
SEAL_API void seal_detection_add(SealDetection *detection, const char *detected_id);
/** What is encrypted as a whole names its recipients at such length that it could be text, unless
 *  they are known: @text says so. What others have sealed is then taken as PARTLY. */
SEAL_API void seal_detection_set_doubt(SealDetection *detection, const char *text);

SEAL_API SealDetection *seal_detection_new(void);
SEAL_API void seal_detection_free(SealDetection *detection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealDetection, seal_detection_free)
SEAL_API SealDetected seal_detection_what(const SealDetection *detection);
SEAL_API guint64 seal_detection_content_size(const SealDetection *detection);
SEAL_API const char *seal_detection_text(const SealDetection *detection);
/** The recipients that say who they are. (borrowed, element type char *) */
SEAL_API GPtrArray *seal_detection_ids(const SealDetection *detection);
/** How many do not. */
SEAL_API guint seal_detection_hidden(const SealDetection *detection);
/** What seal_detection_set_doubt() was told, or NULL. */
SEAL_API const char *seal_detection_doubt(const SealDetection *detection);

/* What is encrypted or signed is told by its structure, with no key and whatever is enabled: core
 * asks these of every message, and a Format that has one of them as its detect() says that what
 * it finds is for that Format's keys.
 *
 * PARTLY is what has anything beside the ciphertext that could be somebody's text: fields, armour
 * headers and preambles other than those that mail programs write, recipients other than by their
 * own keys, keys and ciphertext that have the look of text. */

/** S/MIME (RFC 8551): CMS, and multipart/signed with it. */
SEAL_API gboolean seal_smime_detect(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                                    SealDetection *detection, GError **error);
/** PGP/MIME (RFC 3156), as Exchange hands it on too. */
SEAL_API gboolean seal_openpgp_detect(SealModule *self, SealEntity *entity,
                                      GCancellable *cancellable, SealDetection *detection,
                                      GError **error);
/** What seal_openpgp_detect() would find in one armoured message. */
SEAL_API gboolean seal_openpgp_read_message(SealContent *armor, GCancellable *cancellable,
                                            SealDetection *detection, GError **error);
/** The id of a certificate by its issuer's name and its serial number: the DER form of the one, the
 *  contents octets of the other. (transfer full) */
SEAL_API char *seal_cms_id_issuer_serial(const guint8 *name, gsize name_length,
                                         const guint8 *serial, gsize serial_length);
/** That by its subject key identifier. (transfer full) */
SEAL_API char *seal_cms_id_key(const guint8 *key_id, gsize length);

/** OpenPGP packets (RFC 4880 4.2), read one after the other. */
typedef struct SealPackets SealPackets;

/** @armor is the label of their ASCII armour ("PUBLIC KEY BLOCK"), NULL where they have none.
 *  @among: armour may stand among other text, more than once. (transfer full) */
SEAL_API SealPackets *seal_packets_new(GInputStream *in, const char *armor, gboolean among);
SEAL_API void seal_packets_free(SealPackets *packets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealPackets, seal_packets_free)
/** What is wrong with them, once one of the next three returned FALSE. */
SEAL_API const char *seal_packets_fault(const SealPackets *packets);
/** Goes to the next one, the last having been read to its end; *@tag is 0 where there is none. */
SEAL_API gboolean seal_packets_next(SealPackets *packets, guint8 *tag);
/** Its octets that are still to come: those of its first piece, where it comes in pieces. */
SEAL_API guint64 seal_packets_left(const SealPackets *packets);
/** Reads it to its end in place of what is in @out; more than @max octets are a fault. */
SEAL_API gboolean seal_packets_rest(SealPackets *packets, GByteArray *out, gsize max);
/** Passes over it. */
SEAL_API gboolean seal_packets_skip(SealPackets *packets);
/** Takes the first subpacket (RFC 4880 5.2.3.1) of a signature's area of *@left octets at *@at, and
 *  goes behind it. FALSE where it is broken. */
SEAL_API gboolean seal_packets_subpacket(const guint8 **at, gsize *left, guint8 *type,
                                         const guint8 **data, gsize *length);

/** A transferable public key in ASCII armour, with its checksum (RFC 4880 6.1), which some readers
 *  need. (transfer full) */
SEAL_API GBytes *seal_packets_armor(GBytes *packets);

/** Format.flags: ciphertext has at least the size of the canonical content. */
#define SEAL_FORMAT_INCOMPRESSIBLE (1u << 0)
/** Format.flags: recipients can be hidden from one another. */
#define SEAL_FORMAT_HIDES_RECIPIENTS (1u << 1)
/** Format.flags: encrypt() signs too; core need not call sign() before it. */
#define SEAL_FORMAT_COMBINES (1u << 2)
/** Format.flags: sign() can make opaque signatures. */
#define SEAL_FORMAT_OPAQUE (1u << 3)

/** What is to be encrypted or signed, and how. */
typedef struct {
    gsize size;          /**< sizeof(SealSealing), as core has it */
    SealContent *entity; /**< the inner entity: fields, empty line, body, with any line ends */
    GPtrArray *keys;     /**< encrypt to these; element type SealKey */
    SealKey *signer;     /**< sign with this, or NULL; one of signers() */
    gboolean hide;       /**< do not name the recipients in the ciphertext */
    gboolean opaque;     /**< the signature encloses what it signs */
    gpointer reserved[4];
} SealSealing;

/** In scan(): read() of the @length octets from @offset alone gives one key. @addresses: the
 *  mailboxes as written in it, and "@domain" for who is for all of one; NULL-terminated. NULL: it
 * has to be read whoever is asked for, as what others are judged by. */
SEAL_API void seal_key_scan_add(SealKeyScan *scan, gsize offset, gsize length,
                                const char *const *addresses);

/** A signature that is to be verified. */
typedef struct {
    gsize size;         /**< sizeof(SealVerifying), as core has it */
    SealEntity *entity; /**< what detect() says is signed; of multipart/signed it has been seen that
                             nothing stands beside its two parts */
    GPtrArray *keys;    /**< those of the author's, fit or not, that may have made it; element type
                             SealKey */
    gpointer reserved[4];
} SealVerifying;

/** A message format that seals. What it makes is an entity with LF line ends: Content-* fields,
 *  an empty line, a body. Core puts it in place of the inner entity. */
typedef struct {
    gsize size; /**< sizeof(SealFormat) */
    const char *name;
    guint flags;
    /** Appends the keys found in @data to @keys. Bytes that hold no key of this Format are no
     *  error and append nothing. FALSE, with SEAL_ERROR_KEY, where something should be a key and
     *  cannot be read as one; what was appended beside it counts all the same. */
    gboolean (*read)(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                     GError **error);
    /** What is @entity? Decides by structure: media type, then ASN.1 or packets to their end. */
    gboolean (*detect)(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                       SealDetection *detection, GError **error);
    /** Can @key serve for @purpose at @at? Settles @decision. @address is whose key it has to be:
     * one that the key names, and whether it may do so is part of the question; NULL where nobody
     * is meant. What else the key names does not matter. */
    gboolean (*usable)(SealModule *self, SealKey *key, SealAddress *address, SealPurpose purpose,
                       gint64 at, SealDecision *decision, GError **error);
    /** Encrypts. (transfer full) */
    SealContent *(*encrypt)(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                            GError **error);
    /** Signs. What it is given to sign in clear is 7bit, unless that is not possible and it must be
     *  signed. May be NULL. (transfer full) */
    SealContent *(*sign)(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                         GError **error);
    /** Decrypts, with every layer described in @detection. SEAL_ERROR_KEY where no private key for
     *  it is here. May be NULL. In this version only what encrypt() has made is to be opened, for
     *  `sealctl test`, which needs no layer described. (transfer full) */
    SealContent *(*open)(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                         SealDetection *detection, GError **error);
    /** Appends the keys that could sign for @address, fit for it or not: usable() decides. Core
     * asks a second time, for the address without its detail, where none will do. Finding none is
     * no error; not finding out is. May be NULL. */
    gboolean (*signers)(SealModule *self, SealAddress *address, GCancellable *cancellable,
                        GPtrArray *keys, GError **error);
    /** Says of each key that read() would find in @data where it stands and for whom, by
     *  seal_key_scan_add(), in a small part of the time and without keeping anything; answers as
     *  read() does. May be NULL: then read() is called. */
    gboolean (*scan)(SealModule *self, GBytes *data, SealKeyScan *scan, GError **error);
    /** Appends to @signers each key (SealKey) with which the whole of the entity was signed, by a
     * signature that holds and is of a kind that cannot be forged. Keys are from @verifying, or
     * came with the signature; whose they are, and whether they are fit, is asked afterwards. Where
     * there is none, @why may say why for people, and that is no error; not finding out is.
     * May be NULL. @why: (transfer full) */
    gboolean (*verify)(SealModule *self, const SealVerifying *verifying, GCancellable *cancellable,
                       GPtrArray *signers, char **why, GError **error);
    /** Makes one key of @copies (element type SealKey): the first is the one in question, the
     * others are what copies() of the key sources gave. What any of them says counts, revocations
     * above all; source, place and trust are the first one's. May be NULL: then sources are not
     * asked for copies. (transfer full) */
    SealKey *(*merge)(SealModule *self, GPtrArray *copies, GError **error);
    /** What read() makes @key of again, alone and in its shortest form, never with a private part:
     *  what a store keeps and an export gives. May be NULL: its keys can then be kept nowhere.
     *  (transfer full) */
    GBytes *(*write)(SealModule *self, SealKey *key, GError **error);
    /** Whether others vouch for it that @key is @address's: by a chain to a trust anchor, or a
     *  certification by a key that the operator has named. Its trust is then SEAL_TRUST_VERIFIED
     *  at least, wherever it comes from. @by says for people who. Whether the key is fit beyond
     *  that is usable()'s affair. @address is NULL where it need not name anybody. @key is NULL
     *  where it is asked whether any key could be proved so, as the configuration is. May be NULL:
     *  none. (@by: transfer full) */
    gboolean (*prove)(SealModule *self, SealKey *key, SealAddress *address, gint64 at,
                      SealProven *proven, char **by, GError **error);
    /** May @key take the place of @old for @address without anybody's leave: it has the same public
     *  key, @old has signed it, or both are SEAL_PROVEN_NAMED. @why says so or why not for people.
     *  May be NULL: it may not, unless they are the same. (@why: transfer full) */
    gboolean (*succeeds)(SealModule *self, SealKey *old, SealKey *key, SealAddress *address,
                         gint64 at, gboolean *succeeds, char **why, GError **error);
    /** Reads what people have keys in: what read() takes, and containers of several, entry by entry
     *  with seal_key_import_...(). @passphrase opens what needs one; NULL and the empty one are
     *  tried too. What is of another Format is passed over and no error. FALSE where the whole of
     *  it cannot be read. May be NULL: read() is called. */
    gboolean (*import)(SealModule *self, GBytes *data, const SealSecret *passphrase,
                       const SealOrigin *origin, SealKeyImport *import, GError **error);
    /** Puts the private keys in @data where this Format's module finds them, for its user alone,
     * and says where: a new file in the folder of a setting, or an agent's store. @name is what the
     *  file was called. All of them or none. *@count: how many; 0 where there is none of this
     *  Format's. May be NULL: it has no private keys. (@where: transfer full) */
    gboolean (*install)(SealModule *self, GBytes *data, const SealSecret *passphrase,
                        const char *name, guint *count, char **where, GError **error);
    /** Calls @visit with each key of its own, whether it has ended or not: those that mail is
     *  signed with, whichever address they are for, and what the operator has named for others to
     *  be judged by. Not what comes with the system, which he cannot renew. FALSE where it cannot
     *  tell. May be NULL: it has none. */
    gboolean (*own)(SealModule *self, SealOwnVisitor visit, gpointer user_data, GError **error);
    gpointer reserved[4];
} SealFormat;

/** SealSource.flags: what it knows lies behind a network: answers are remembered beyond the process
 *  where a source can recall(), and it is not asked for copies of others' keys where it is down. */
#define SEAL_SOURCE_REMOTE (1u << 0)
/** SealSource.flags: what is in it came from anywhere and is trusted as a whole, as gpg's key ring:
 *  it is not what an organisation publishes as its own. */
#define SEAL_SOURCE_MIXED (1u << 1)

/** Where keys are found. Core adds the settings `trust` and `on_error` to its module. */
typedef struct {
    gsize size; /**< sizeof(SealSource) */
    const char *name;
    SealTrust trust;   /**< of its keys, unless `trust=` says otherwise */
    gboolean may_skip; /**< the default of on_error is skip, not defer */
    /** Appends to @keys what may be a key for @address in @format, usable or not. Finding none is
     *  no error; not finding out is. @trust is what the keys are to carry. @doubt, where a key may
     *  be in something that could not be read, is set to a sentence that names it: a recipient with
     *  no usable key then waits where encryption is required, and has it in the reason where it is
     *  preferred. */
    gboolean (*lookup)(SealModule *self, SealAddress *address, const char *format, SealTrust trust,
                       GCancellable *cancellable, GPtrArray *keys, char **doubt, GError **error);
    /** Appends to @keys what there is of @key, itself and parts of it included: keys of its format
     *  whose fingerprint is that of @key, or one of its detected_ids. Whatever their addresses are.
     *  May be NULL: then lookup() is asked once more. */
    gboolean (*copies)(SealModule *self, SealKey *key, SealTrust trust, GCancellable *cancellable,
                       GPtrArray *keys, GError **error);
    /** What it was told to read, and has no keys in it at all: as a folder that is not mounted. The
     *  log has it where a recipient has no key. NULL where there is no such; may be NULL. (transfer
     *  full) */
    char *(*lack)(SealModule *self);
    /** A number that counts up once lookup() of @address, or copies(), may answer otherwise than
     *  before: asked wherever an answer is remembered, so that it looks at files at most once a
     *  second. May be NULL: an answer then holds as long as [keyring] has it. */
    guint64 (*changes)(SealModule *self, SealAddress *address, const char *format);
    guint flags; /**< SEAL_SOURCE_... */
    /** Keeps @keys (element type SealKey), all of them or none, with trust, bound and place of
     *  their origins. One that is there already takes the new trust, and what it is bound to is
     *  added. *@added: how many were not there. May be NULL, as the next two: its keys are managed
     *  otherwise. */
    gboolean (*put)(SealModule *self, GPtrArray *keys, guint *added, GError **error);
    /** Calls @visit with each key that @filter lets through; in order of addresses and formats,
     *  where it has one. FALSE also where it has not come to all of them, and the error says what
     *  was left out. SEAL_ERROR_UNSUPPORTED where this process is not to know. */
    gboolean (*list)(SealModule *self, const SealKeyFilter *filter, SealKeyListed visit,
                     gpointer user_data, GError **error);
    /** Forgets what @filter lets through. *@removed: how many. */
    gboolean (*remove)(SealModule *self, const SealKeyFilter *filter, guint *removed,
                       GError **error);
    /** Look-ups of other sources, beyond the life of a process: *@known is FALSE where there was
     *  none. One whose time is over is given too. May be NULL, and then so is the next. */
    gboolean (*recall)(SealModule *self, SealRecollection *recollection, gboolean *known,
                       GError **error);
    gboolean (*remember)(SealModule *self, const SealRecollection *recollection, GError **error);
    /** What is written down of keys by hand and in use. NULL: nothing. */
    const SealKeyBook *book;
    /** Something was encrypted to @key, which lookup() gave. Called at each message, so that it
     *  should write seldom, and wait for nobody. May be NULL. */
    void (*used)(SealModule *self, SealKey *key);
    /** Would put() find a place for each of @keys? Nothing is written. May be NULL: it cannot tell.
     */
    gboolean (*rehearse)(SealModule *self, GPtrArray *keys, GError **error);
    /** Takes @bound, as seal_key_bound() has it, from what @filter lets through: the keys stay.
     *  *@count: how many were bound to it. May be NULL: it binds none. */
    gboolean (*unbind)(SealModule *self, const SealKeyFilter *filter, const char *bound,
                       guint *count, GError **error);
    /** As put(), and says of each of @keys what has become of it, in as many @kept. May be NULL:
     *  then put() is called. */
    gboolean (*put_each)(SealModule *self, GPtrArray *keys, SealPut *kept, GError **error);
    gpointer reserved[4];
} SealSource;

/** What a module says of its readiness, to `sealctl status` and `sealctl check`. */
typedef struct {
    gsize size; /**< sizeof(SealCheck) */
    const char *name;
    /** TRUE: it could look. FALSE: the error says what is wrong and what to do. It is ready where
     *  that is TRUE and no finding is a problem: see seal_out_finding(). What else it puts into
     *  @out stands beside the answer. */
    gboolean (*run)(SealModule *self, SealOut *out, GError **error);
    /** Until when it holds, where that is a matter of time, as of a licence (Unix seconds; 0: it
     *  has ended, and when is not known; G_MAXINT64: it does not end by itself). @what says for
     *  people what it is. FALSE where it cannot tell. May be NULL. (@what: transfer full) */
    gboolean (*until)(SealModule *self, gint64 *until, char **what, GError **error);
    gpointer reserved[4];
} SealCheck;

/** A command of sealctl. Its name is one word or two: "license show". */
typedef struct {
    gsize size; /**< sizeof(SealCommand) */
    const char *name;
    const char *usage;   /**< one line */
    gboolean standalone; /**< runs with no configuration read; @self is then NULL */
    /** Does it: 0 all is well, 1 a problem was found, 2 the command line is wrong; the error says
     *  which. @argv[0] is the command's name; its strings may be moved, not freed. */
    int (*run)(SealModule *self, int argc, char **argv, SealOut *out, GError **error);
    gpointer reserved[4];
} SealCommand;

/** What a command or check answers. Values by name; @key is a word of the answer in JSON. */
SEAL_API void seal_out_text(SealOut *out, const char *key, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
SEAL_API void seal_out_number(SealOut *out, const char *key, gint64 number);
SEAL_API void seal_out_boolean(SealOut *out, const char *key, gboolean value);
/** Begins a row of @list: what follows goes into it, to the next row or seal_out_end_row().
 * Commands only. */
SEAL_API void seal_out_row(SealOut *out, const char *list);
SEAL_API void seal_out_end_row(SealOut *out);
/** Names @list, so that it is there even without rows. */
SEAL_API void seal_out_list(SealOut *out, const char *list);

/** WARNING: mail goes on. PROBLEM: some mail does not, or not as it should. */
typedef enum { SEAL_FINDING_OK, SEAL_FINDING_WARNING, SEAL_FINDING_PROBLEM } SealFindingState;
/** In a check: something that it has looked at. @topic: that of `sealctl check` ("anchors", "keys",
 *  "signing", ...); NULL: "modules". @remedy: a sentence without a full stop; NULL of OK. */
SEAL_API void seal_out_finding(SealOut *out, SealFindingState state, const char *topic,
                               const char *remedy, const char *format, ...) G_GNUC_PRINTF(5, 6);

/* -------------------------------------------------------------------------------------------
 * Modules and their settings
 */

typedef enum {
    SEAL_SETTING_STRING = 1, /**< any text */
    SEAL_SETTING_BOOLEAN,    /**< true or false */
    SEAL_SETTING_INTEGER,    /**< a whole number */
    SEAL_SETTING_SIZE,       /**< octets, with K, M or G for powers of 1024 */
    SEAL_SETTING_DURATION,   /**< with s, m, h or d; seconds without */
    SEAL_SETTING_CHOICE,     /**< one word of `range` */
    SEAL_SETTING_LIST,       /**< words, with ; between them */
    SEAL_SETTING_PATH,       /**< an absolute path of what exists */
    SEAL_SETTING_PATHS,      /**< several of them, with ; between them */
    SEAL_SETTING_SECRET,     /**< the absolute path of a file that others cannot read */
} SealSettingType;

/** One setting of a group. Tables end with an element whose key is NULL. */
typedef struct {
    const char *key;
    SealSettingType type;
    const char *preset; /**< the default, as it would be written; NULL for unset */
    const char *range;  /**< "MIN..MAX" as written for numbers, words with | between for choices */
    const char *later;  /**< values whose effect does not exist yet, as in `range`; "*" for every
                             one but the default. Writing one is an error that says so. */
    const char *help;   /**< one line for the manual page */
    gboolean owned;     /**< of a PATH: a folder of the user alone whose service this is. Its owner
                             tells root whom to become, where [core] does not */
    gboolean of_keys;   /**< of a PATH: [daemon] keys_user may own it */
    gboolean kept;      /**< of a PATH or PATHS: private keys, which the private half alone reads:
                             the daemon's workers cannot */
    const char *words;  /**< of PATHS: what may stand there in place of a path, with | between */
    gpointer reserved[1];
} SealSetting;

/** How a descriptor begins, in every version: enough to tell whether the rest can be read. */
typedef struct {
    guint32 magic;     /**< SEAL_MODULE_MAGIC */
    guint16 abi_major; /**< SEAL_ABI_MAJOR */
    guint16 abi_minor; /**< SEAL_ABI_MINOR */
    gsize size;        /**< sizeof(SealModuleDescriptor) */
} SealModuleHead;

/** What a module's `.so` exports, as `const SealModuleDescriptor seal_module`. */
typedef struct {
    SealModuleHead head; /**< SEAL_MODULE_HEAD */
    const char *name;    /**< that of the file, and of the [module NAME] group */
    const char *version;
    const char *summary;
    const SealSetting *settings; /**< may be NULL */
    /** Reads settings and files. Opens no thread, socket, database or child. May be NULL. */
    gboolean (*init)(SealModule *self, GError **error);
    /** Frees what init made. Called only after an init that succeeded. May be NULL. */
    void (*fini)(SealModule *self);
    /** Called in each process that does work, after a fork. May be NULL. */
    gboolean (*attach)(SealModule *self, GError **error);
    void (*detach)(SealModule *self);
    const SealStage *const *stages;
    const SealFormat *const *formats;
    const SealSource *const *sources;
    const SealCheck *const *checks;
    const SealCommand *const *commands;
    const SealPrivate *const *privates;
    guint flags; /**< SEAL_MODULE_... */
    /** Fetches over the network what gets out of date: what is due at @now, or everything (@all).
     *  Not in the way of a message: `sealctl keys refresh` and a process of the daemon's call it.
     *  Rows of "refreshed" say what was done. *@next: when it should be called again (Unix
     *  seconds; G_MAXINT64: not for its own sake). FALSE where something that is needed could not
     *  be had. Where @cancellable is cancelled before, nothing is done, and *next alone is told.
     * May be NULL. */
    gboolean (*refresh)(SealModule *self, gboolean all, gint64 now, GCancellable *cancellable,
                        SealOut *out, gint64 *next, GError **error);
    gpointer reserved[6];
} SealModuleDescriptor;

/** SealModuleDescriptor.flags: its look-ups need the network, which the daemon's workers then may
 *  use. */
#define SEAL_MODULE_NETWORK (1u << 0)

/** `SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {.head = SEAL_MODULE_HEAD, ...};`
 */
#define SEAL_MODULE_EXPORT __attribute__((visibility("default")))
#define SEAL_MODULE_HEAD                                                                           \
    {                                                                                              \
        SEAL_MODULE_MAGIC, SEAL_ABI_MAJOR, SEAL_ABI_MINOR, sizeof(SealModuleDescriptor)            \
    }

SEAL_API const char *seal_module_name(const SealModule *self);
/** TRUE where this process, or those that are forked from it, handle many messages: init may start
 *  a child, and wait for its end, to find out what all of them need to know. */
SEAL_API gboolean seal_module_stays(const SealModule *self);
/** Keeps @data for the module's own use. Freed by the module, in fini, which is not called where
 * init has failed. */
SEAL_API void seal_module_set_data(SealModule *self, gpointer data);
SEAL_API gpointer seal_module_data(const SealModule *self);

/** Settings, by key. Asking for one that is not in the table, or as another type, is a bug in the
 *  module and ends the process.
 *
 *  STRING, PATH, and SECRET, of which it is the file's path. NULL where nothing is set. (borrowed
 *  until fini) */
SEAL_API const char *seal_module_string(SealModule *self, const char *key);
SEAL_API gboolean seal_module_boolean(SealModule *self, const char *key);
/** Integers; sizes in octets; durations in seconds. */
SEAL_API gint64 seal_module_number(SealModule *self, const char *key);
/** CHOICE: the word's place in `range`, from 0, so that an enum in the same order takes it; -1
 * where nothing is set. */
SEAL_API int seal_module_choice(SealModule *self, const char *key);
/** LIST and PATHS, without its words. Never NULL. (borrowed) */
SEAL_API const char *const *seal_module_list(SealModule *self, const char *key);
/** Of PATHS: does @word, one of the setting's `words`, stand there? */
SEAL_API gboolean seal_module_has_word(SealModule *self, const char *key, const char *word);
/** Sets SEAL_ERROR_CONFIG with the place where @key was written. Always FALSE. */
SEAL_API gboolean seal_module_refuse(SealModule *self, const char *key, GError **error,
                                     const char *format, ...) G_GNUC_PRINTF(4, 5);
/** How far the keys of the module's key source of that name are believed: what `trust=` says, else
 *  the source itself. It is what lookup() is given as well. A name that is none of the module's
 *  sources ends the process. */
SEAL_API SealTrust seal_module_trust(SealModule *self, const char *source);
/** The folder [core] state_dir, where a module keeps what must outlive the process, in a folder of
 *  its own name. NULL and SEAL_ERROR_UNAVAILABLE, with what to do, where it is missing or not of
 * the user that runs this alone. @make: makes it where it is missing, if that user can. (borrowed)
 */
SEAL_API const char *seal_module_state_dir(SealModule *self, gboolean make, GError **error);
/** The same, whether it is there or not and whoever's it is: to find out whether there is anything
 *  of the module's in it. (borrowed) */
SEAL_API const char *seal_module_state_path(const SealModule *self);
/** Something the operator should know and that stops nothing: core logs it. */
SEAL_API void seal_module_warn(SealModule *self, const char *format, ...) G_GNUC_PRINTF(2, 3);

G_END_DECLS
