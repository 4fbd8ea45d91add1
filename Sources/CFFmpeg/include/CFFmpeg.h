/*
 * What Swift cannot see of FFmpeg's libraries: macros, variadic functions, and the places where FFmpeg 5.1
 * and newer releases differ. Nothing else belongs here.
 */
#ifndef CFFMPEG_H
#define CFFMPEG_H

#include "../../CLibAV/libav.h"

/* Error codes and constants that libav defines as function-like macros. */
static inline int shim_averror(int posix_code) { return AVERROR(posix_code); }
static inline int shim_averror_eof(void) { return AVERROR_EOF; }
static inline int shim_averror_exit(void) { return AVERROR_EXIT; }
static inline int shim_averror_again(void) { return AVERROR(EAGAIN); }
static inline int64_t shim_no_pts(void) { return AV_NOPTS_VALUE; }

/* Routes libav's log through solstice: every line of level `AV_LOG_WARNING` or worse is kept (not printed), per
 * thread and, for libav's own worker threads, process-wide. Call once, before any other use of libav. */
void shim_log_install(void);

/* Copies the newest kept line (without its newline) into `buffer` and clears it; returns its length, 0 if none. */
size_t shim_log_take_last(char *buffer, size_t capacity);

#include "shim_input.h"
#include "shim_live_input.h"
#include "shim_output.h"
#include "shim_packets.h"

#endif
