/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * io.h: descriptors, numbers and the clock, for what has libc and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Puts something in the place of standard descriptors that are closed, so that no file opened
 *  later is taken for them; to write there fails, as it would have. FALSE: that was not possible.
 */
bool seal_io_hold_standard(void);
/** Closes it where it is open; it is -1 afterwards. */
void seal_io_close(int *fd);
/** Writes all of it; FALSE with errno set. */
bool seal_io_write(int fd, const void *bytes, size_t size);
/** Likewise, at a place of the file. */
bool seal_io_write_at(int fd, const void *bytes, size_t size, off_t at);
/** Reads all of it from a place of the file; FALSE where there is less, too. */
bool seal_io_read_at(int fd, void *bytes, size_t size, off_t at);

/** Reads @size characters, digits and nothing else: no sign, no blank, no capital. FALSE also for
 *  none and for a number above @max. @base is at most 16. */
bool seal_io_number(const char *text, size_t size, unsigned base, uint64_t max, uint64_t *ret);

/** Milliseconds on a clock that nobody sets. */
int64_t seal_io_now_ms(void);
