/* An I/O context that hands out every flush as one packet: what a muxer of packets (RTP) writes to. */
#ifndef CFFMPEG_SHIM_PACKETS_H
#define CFFMPEG_SHIM_PACKETS_H

#include "../../CLibAV/libav.h"

/* Takes one packet, whose bytes are gone when the call returns. */
typedef void (*shim_packet_sink)(void *opaque, const uint8_t *bytes, int count);

/* An I/O context for packets of at most `packet_size` bytes; NULL on lack of memory. `opaque` must outlive it. */
AVIOContext *shim_packet_io_open(int packet_size, shim_packet_sink sink, void *opaque);

void shim_packet_io_close(AVIOContext **io);

/* Return codes of a server that wants a password or another one. */
static inline int shim_averror_is_denial(int code) {
    return code == AVERROR_HTTP_UNAUTHORIZED || code == AVERROR_HTTP_FORBIDDEN;
}

#endif
