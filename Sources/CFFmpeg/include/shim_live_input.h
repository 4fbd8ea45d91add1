/* What reading from the network needs of libav and Swift cannot see: error codes that are macros with arguments. */
#ifndef CFFMPEG_SHIM_LIVE_INPUT_H
#define CFFMPEG_SHIM_LIVE_INPUT_H

#include "../../CLibAV/libav.h"

/* Wrong or missing password (401), or not allowed (403). */
static inline int shim_is_denied(int code) { return code == AVERROR_HTTP_UNAUTHORIZED || code == AVERROR_HTTP_FORBIDDEN; }

/* There is nothing of that name at the server. */
static inline int shim_is_not_found(int code) { return code == AVERROR_HTTP_NOT_FOUND || code == AVERROR_STREAM_NOT_FOUND; }

/* This libav was built without what the address asks for. */
static inline int shim_is_missing_part(int code) {
    return code == AVERROR_PROTOCOL_NOT_FOUND || code == AVERROR_DEMUXER_NOT_FOUND || code == AVERROR_MUXER_NOT_FOUND;
}

#endif
