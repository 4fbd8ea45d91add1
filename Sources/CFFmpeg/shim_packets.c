#include "CFFmpeg.h"

struct packet_io {
    shim_packet_sink sink;
    void *opaque;
};

/* libavformat 61 (FFmpeg 7) made the bytes constant. */
#if LIBAVFORMAT_VERSION_MAJOR >= 61
static int write_packet(void *opaque, const uint8_t *bytes, int count) {
#else
static int write_packet(void *opaque, uint8_t *bytes, int count) {
#endif
    const struct packet_io *io = opaque;
    io->sink(io->opaque, bytes, count);
    return count;
}

AVIOContext *shim_packet_io_open(int packet_size, shim_packet_sink sink, void *opaque) {
    struct packet_io *own = av_malloc(sizeof *own);
    uint8_t *buffer = av_malloc(packet_size);
    AVIOContext *io = NULL;
    if (own && buffer) {
        *own = (struct packet_io){.sink = sink, .opaque = opaque};
        io = avio_alloc_context(buffer, packet_size, 1, own, NULL, write_packet, NULL);
    }
    if (!io) {
        av_free(buffer);
        av_free(own);
        return NULL;
    }
    io->max_packet_size = packet_size;
    return io;
}

void shim_packet_io_close(AVIOContext **io) {
    if (!*io) return;
    av_freep(&(*io)->opaque);
    av_freep(&(*io)->buffer);
    avio_context_free(io);
}
