/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * detect.c: fuzzes Format.detect of smime, with and without something added or cut off.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ENTITIES = 100 };

static FuzzSmime smime;

static void tear_down(void)
{
    fuzz_smime_close(&smime);
}

static SealDetection *detect(SealEntity *entity)
{
    SealDetection *detection = seal_detection_new();
    g_autoptr(GError) error = NULL;

    g_assert_true(smime.format->detect(smime.module, entity, NULL, detection, &error));
    g_assert_no_error(error);
    return detection;
}

static SealDetected detect_content(SealContent *content)
{
    g_autoptr(SealMessage) message = seal_message_new(content, NULL);
    if (!message)
        return SEAL_DETECTED_NOTHING;

    g_autoptr(SealDetection) detection = detect(seal_message_entity(message));
    return seal_detection_what(detection);
}

/* Words in clear behind the ciphertext. */
static void check_appended(SealContent *content)
{
    static const char secret[] = "\nthe secret words\n";
    g_autoptr(SealContent) more = seal_content_new_copy(secret, strlen(secret));
    g_autoptr(SealContent) both = seal_content_join(content, more);

    g_assert_cmpint(detect_content(both), !=, SEAL_DETECTED_ENCRYPTED);
}

/* Fewer octets than the ciphertext has cannot be all of it. */
static void check_cut(SealEntity *entity, const SealDetection *detection)
{
    SealContent *content = seal_entity_content(entity);
    guint64 front = seal_content_size(content) - seal_content_size(seal_entity_body(entity));
    guint64 keep = front + seal_detection_content_size(detection) - 1;
    g_autoptr(SealContent) cut = seal_content_slice(content, 0, keep);

    g_assert_cmpint(detect_content(cut), !=, SEAL_DETECTED_ENCRYPTED);
}

static void check_encrypted(SealEntity *entity, const SealDetection *detection)
{
    g_assert_cmpuint(seal_detection_ids(detection)->len + seal_detection_hidden(detection), >, 0);
    g_assert_cmpuint(seal_detection_content_size(detection), >, 0);
    g_assert_cmpuint(seal_detection_content_size(detection), <,
                     seal_content_size(seal_entity_body(entity)));
    g_assert_cmpuint(seal_entity_count(entity, "Content-Type"), ==, 1);
    check_appended(seal_entity_content(entity));
    check_cut(entity, detection);
}

/* Somebody has signed, whether they can be named or not; and nothing is encrypted by that. */
static void check_signed(SealEntity *entity, const SealDetection *detection)
{
    g_assert_cmpuint(seal_detection_ids(detection)->len + seal_detection_hidden(detection), >, 0);
    g_assert_cmpuint(seal_detection_content_size(detection), ==, 0);
    g_assert_cmpuint(seal_entity_count(entity, "Content-Type"), ==, 1);
}

static void check_entity(SealEntity *entity, guint *seen)
{
    g_autoptr(SealDetection) detection = detect(entity);
    GPtrArray *parts = NULL;

    fuzz_assert_one_line(seal_detection_text(detection));
    if (seal_detection_what(detection) == SEAL_DETECTED_ENCRYPTED)
        check_encrypted(entity, detection);
    if (seal_detection_what(detection) == SEAL_DETECTED_SIGNED)
        check_signed(entity, detection);
    if (seal_detection_what(detection) == SEAL_DETECTED_NOTHING)
        g_assert_cmpuint(seal_detection_ids(detection)->len, ==, 0);
    if (++*seen > MAX_ENTITIES || !seal_entity_parts(entity, &parts, NULL))
        return;
    for (guint i = 0; i < parts->len; i++)
        check_entity(g_ptr_array_index(parts, i), seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(SealContent) whole = fuzz_content(data, size);
    g_autoptr(SealContent) cut = fuzz_content_cut(data, size);
    g_autoptr(SealMessage) message = seal_message_new(whole, NULL);
    guint seen = 0;

    if (!smime.dispatcher) {
        fuzz_smime_open(&smime);
        atexit(tear_down);
    }
    if (message)
        check_entity(seal_message_entity(message), &seen);
    g_assert_cmpint(detect_content(whole), ==, detect_content(cut));
    return 0;
}
