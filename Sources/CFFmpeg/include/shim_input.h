/* What the reading side needs of libav and Swift cannot see: function-like macros, and the places where releases
 * of FFmpeg differ. */
#ifndef CFFMPEG_SHIM_INPUT_H
#define CFFMPEG_SHIM_INPUT_H

#include "../../CLibAV/libav.h"

static inline int shim_averror_invalid_data(void) { return AVERROR_INVALIDDATA; }

/* Lets a format that opens its files itself, such as pictures, open them again where a signal cuts that off. For a new context. */
void shim_retry_opening(AVFormatContext *context);

/* The stream's display matrix (nine values, row by row), or NULL. Since FFmpeg 6.1 it belongs to the codec parameters. */
static inline const int32_t *shim_stream_display_matrix(const AVStream *stream) {
    const int32_t *matrix = NULL;
    size_t size = 0;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
    const AVPacketSideData *data = av_packet_side_data_get(stream->codecpar->coded_side_data,
                                                           stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    if (data) {
        matrix = (const int32_t *)data->data;
        size = data->size;
    }
#else
    matrix = (const int32_t *)av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
    return size >= 9 * sizeof *matrix ? matrix : NULL;
}

/* Whether a frame holds two fields; since FFmpeg 6.1 a flag. */
static inline int shim_frame_is_interlaced(const AVFrame *frame) {
#ifdef AV_FRAME_FLAG_INTERLACED
    return (frame->flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
    return frame->interlaced_frame != 0;
#endif
}

/* Whether a frame was decoded without any other; since FFmpeg 6.1 a flag. */
static inline int shim_frame_is_key(const AVFrame *frame) {
#ifdef AV_FRAME_FLAG_KEY
    return (frame->flags & AV_FRAME_FLAG_KEY) != 0;
#else
    return frame->key_frame != 0;
#endif
}

/* Marks a frame as progressive. */
static inline void shim_frame_clear_interlaced(AVFrame *frame) {
#ifdef AV_FRAME_FLAG_INTERLACED
    frame->flags &= ~AV_FRAME_FLAG_INTERLACED;
#else
    frame->interlaced_frame = 0;
#endif
}

/* Planar 16-bit RGB in the machine's byte order. */
static inline enum AVPixelFormat shim_pix_fmt_gbrp16(void) { return AV_PIX_FMT_GBRP16; }

/* Lines of level `AV_LOG_ERROR` or worse that demuxers have logged on this thread so far. */
unsigned long shim_log_demuxer_errors(void);

#endif
