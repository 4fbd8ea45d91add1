/* What the writing side needs of libav and Swift cannot see, and the places where releases of FFmpeg differ. */
#ifndef CFFMPEG_SHIM_OUTPUT_H
#define CFFMPEG_SHIM_OUTPUT_H

#include "../../CLibAV/libav.h"

static inline int shim_averror_option_not_found(void) { return AVERROR_OPTION_NOT_FOUND; }

/* A four-character code as libav keeps it, the first character lowest. */
static inline uint32_t shim_tag(uint8_t a, uint8_t b, uint8_t c, uint8_t d) { return MKTAG(a, b, c, d); }

/* The pixel formats an encoder takes, ended by AV_PIX_FMT_NONE; NULL where it takes any. */
const enum AVPixelFormat *shim_encoder_pixel_formats(const AVCodec *codec);

/* The frame rates an encoder is limited to, ended by {0, 0}; NULL where it takes any. */
const AVRational *shim_encoder_frame_rates(const AVCodec *codec);

/* What a frame says it lasts, in ticks of its time base; 0 where unknown. */
int64_t shim_frame_duration(const AVFrame *frame);

/* Clears what would tie an encoder to the source's picture types, and marks the frame as progressive. */
void shim_frame_prepare_for_encoder(AVFrame *frame);

/* Bytes of a frame's samples in one buffer, every plane continued to a multiple of 32 lines as `av_frame_get_buffer` does;
 * negative where the format has no planes. */
int shim_frame_samples_size(enum AVPixelFormat format, int width, int height, int align);

/* Points a frame that has size, format and `buf[0]` of that many bytes to its planes in there. */
int shim_frame_place_samples(AVFrame *frame, int align);

/* Adds a chapter with a copy of `metadata` (may be NULL); negative on lack of memory. */
int shim_add_chapter(AVFormatContext *context, int64_t id, AVRational time_base, int64_t start, int64_t end,
                     const AVDictionary *metadata);

/* Copies a stream's side data: all of it, or with `picture_only` what describes the picture as shown (display
 * matrix, stereo and spherical layout, mastering display, light levels), which holds for a re-encoded picture too. */
int shim_copy_side_data(AVStream *to, const AVStream *from, int picture_only);

/* Gives a stream a display matrix of nine values unless it has one. */
int shim_set_display_matrix(AVStream *stream, const int32_t *matrix);

/* Copies the side data that an encoder made for its whole stream. */
int shim_copy_encoder_side_data(AVStream *to, const AVCodecContext *from);

/* Copies a program with its id, tags and stream numbers, which `new_index` translates (-1: not in the output). */
int shim_copy_program(AVFormatContext *to, const AVProgram *from, const int *new_index, unsigned count);

/* Renames without replacing an existing file (Linux renameat2); -1 and errno on failure, EINVAL or ENOSYS where the
 * file system or kernel lacks it. */
int shim_rename_noreplace(const char *from, const char *to);

/* Extended attributes (xattr(7)), which Swift's Glibc does not show. */
long shim_get_attribute(const char *path, const char *name, void *value, size_t capacity);
int shim_set_attribute(const char *path, const char *name, const void *value, size_t size);

#endif
