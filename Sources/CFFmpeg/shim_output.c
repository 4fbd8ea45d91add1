#define _GNU_SOURCE

#include "CFFmpeg.h"

#include <sys/xattr.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const enum AVPixelFormat *shim_encoder_pixel_formats(const AVCodec *codec) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
    const void *list = NULL;
    int count = 0;
    if (avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_PIX_FORMAT, 0, &list, &count) < 0) return NULL;
    return list;
#else
    return codec->pix_fmts;
#endif
}

const AVRational *shim_encoder_frame_rates(const AVCodec *codec) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
    const void *list = NULL;
    int count = 0;
    if (avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_FRAME_RATE, 0, &list, &count) < 0) return NULL;
    return list;
#else
    return codec->supported_framerates;
#endif
}

int64_t shim_frame_duration(const AVFrame *frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    return frame->duration;
#else
    return frame->pkt_duration;
#endif
}

void shim_frame_prepare_for_encoder(AVFrame *frame) {
    frame->pict_type = AV_PICTURE_TYPE_NONE;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
    frame->flags &= ~(AV_FRAME_FLAG_KEY | AV_FRAME_FLAG_INTERLACED | AV_FRAME_FLAG_TOP_FIELD_FIRST);
#else
    frame->key_frame = 0;
    frame->interlaced_frame = 0;
    frame->top_field_first = 0;
#endif
}

static int padded_lines(int height) { return height <= INT_MAX - 31 ? (height + 31) / 32 * 32 : height; }

int shim_frame_samples_size(enum AVPixelFormat format, int width, int height, int align) {
    return av_image_get_buffer_size(format, width, padded_lines(height), align);
}

int shim_frame_place_samples(AVFrame *frame, int align) {
    return av_image_fill_arrays(frame->data, frame->linesize, frame->buf[0]->data, frame->format, frame->width,
                                padded_lines(frame->height), align);
}

int shim_add_chapter(AVFormatContext *context, int64_t id, AVRational time_base, int64_t start, int64_t end,
                     const AVDictionary *metadata) {
    if (context->nb_chapters >= INT_MAX / sizeof *context->chapters) return AVERROR(EINVAL);
    AVChapter **chapters = av_realloc_array(context->chapters, context->nb_chapters + 1, sizeof *chapters);
    if (!chapters) return AVERROR(ENOMEM);
    context->chapters = chapters;
    AVChapter *chapter = av_mallocz(sizeof *chapter);
    if (!chapter) return AVERROR(ENOMEM);
    chapter->id = id;
    chapter->time_base = time_base;
    chapter->start = start;
    chapter->end = end;
    chapters[context->nb_chapters++] = chapter;
    return av_dict_copy(&chapter->metadata, metadata, 0);
}

static int describes_picture(enum AVPacketSideDataType type) {
    switch (type) {
    case AV_PKT_DATA_DISPLAYMATRIX:
    case AV_PKT_DATA_STEREO3D:
    case AV_PKT_DATA_SPHERICAL:
    case AV_PKT_DATA_MASTERING_DISPLAY_METADATA:
    case AV_PKT_DATA_CONTENT_LIGHT_LEVEL:
        return 1;
    default:
        return 0;
    }
}

#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
static int add_side_data(AVStream *to, const AVPacketSideData *data) {
    AVPacketSideData *copy = av_packet_side_data_new(&to->codecpar->coded_side_data, &to->codecpar->nb_coded_side_data,
                                                     data->type, data->size, 0);
    if (!copy) return AVERROR(ENOMEM);
    memcpy(copy->data, data->data, data->size);
    return 0;
}
#define STREAM_SIDE_DATA(stream) ((stream)->codecpar->coded_side_data)
#define STREAM_SIDE_DATA_COUNT(stream) ((stream)->codecpar->nb_coded_side_data)
#else
static int add_side_data(AVStream *to, const AVPacketSideData *data) {
    uint8_t *copy = av_stream_new_side_data(to, data->type, data->size);
    if (!copy) return AVERROR(ENOMEM);
    memcpy(copy, data->data, data->size);
    return 0;
}
#define STREAM_SIDE_DATA(stream) ((stream)->side_data)
#define STREAM_SIDE_DATA_COUNT(stream) ((stream)->nb_side_data)
#endif

int shim_copy_side_data(AVStream *to, const AVStream *from, int picture_only) {
    for (int i = 0; i < STREAM_SIDE_DATA_COUNT(from); i++) {
        const AVPacketSideData *data = &STREAM_SIDE_DATA(from)[i];
        if (picture_only && !describes_picture(data->type)) continue;
        int result = add_side_data(to, data);
        if (result < 0) return result;
    }
    return 0;
}

int shim_set_display_matrix(AVStream *stream, const int32_t *matrix) {
    for (int i = 0; i < STREAM_SIDE_DATA_COUNT(stream); i++)
        if (STREAM_SIDE_DATA(stream)[i].type == AV_PKT_DATA_DISPLAYMATRIX) return 0;
    AVPacketSideData data = {.data = (uint8_t *)matrix, .size = 9 * sizeof *matrix, .type = AV_PKT_DATA_DISPLAYMATRIX};
    return add_side_data(stream, &data);
}

int shim_copy_encoder_side_data(AVStream *to, const AVCodecContext *from) {
    for (int i = 0; i < from->nb_coded_side_data; i++) {
        int result = add_side_data(to, &from->coded_side_data[i]);
        if (result < 0) return result;
    }
    return 0;
}

int shim_copy_program(AVFormatContext *to, const AVProgram *from, const int *new_index, unsigned count) {
    AVProgram *program = av_new_program(to, from->id);
    if (!program) return AVERROR(ENOMEM);
    program->program_num = from->program_num;
    program->pmt_pid = from->pmt_pid;
    program->pcr_pid = from->pcr_pid;
    for (unsigned i = 0; i < from->nb_stream_indexes; i++) {
        unsigned index = from->stream_index[i];
        if (index < count && new_index[index] >= 0) av_program_add_stream_index(to, from->id, new_index[index]);
    }
    return av_dict_copy(&program->metadata, from->metadata, 0);
}

int shim_rename_noreplace(const char *from, const char *to) {
#if defined(__linux__) && defined(SYS_renameat2)
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u /* RENAME_NOREPLACE */);
#else
    errno = ENOSYS;
    return -1;
#endif
}

long shim_get_attribute(const char *path, const char *name, void *value, size_t capacity) {
    return getxattr(path, name, value, capacity);
}

int shim_set_attribute(const char *path, const char *name, const void *value, size_t size) {
    return setxattr(path, name, value, size, 0);
}
