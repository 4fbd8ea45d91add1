#include "CFFmpeg.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { LINE_CAPACITY = 512 };

/* libav decodes and encodes on threads of its own, so the line that explains an error may have been logged by
 * another thread than the one that sees the return code: the newest line of this thread wins, else of any. */
static _Thread_local char own_line[LINE_CAPACITY];
static char any_line[LINE_CAPACITY];
static pthread_mutex_t any_line_lock = PTHREAD_MUTEX_INITIALIZER;

/* Demuxers skip what they cannot read and go on without a return code that says so: their log is the only sign. */
static _Thread_local unsigned long demuxer_errors;

static void count_demuxer_error(void *context, int level) {
    const AVClass *class = context ? *(const AVClass **)context : NULL;
    if (!class || level > AV_LOG_ERROR) return;
    AVClassCategory category = class->get_category ? class->get_category(context) : class->category;
    if (category == AV_CLASS_CATEGORY_DEMUXER) demuxer_errors++;
}

unsigned long shim_log_demuxer_errors(void) { return demuxer_errors; }

static void keep_line(void *context, int level, const char *format, va_list arguments) {
    if (level > AV_LOG_WARNING) return;
    count_demuxer_error(context, level);
    char line[LINE_CAPACITY];
    int print_prefix = 1;
    av_log_format_line2(context, level, format, arguments, line, sizeof line, &print_prefix);
    size_t length = strnlen(line, sizeof line);
    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = 0;
    if (!length) return;
    memcpy(own_line, line, length + 1);
    pthread_mutex_lock(&any_line_lock);
    memcpy(any_line, line, length + 1);
    pthread_mutex_unlock(&any_line_lock);
}

void shim_log_install(void) { av_log_set_callback(keep_line); }

size_t shim_log_take_last(char *buffer, size_t capacity) {
    if (!capacity) return 0;
    if (own_line[0]) {
        snprintf(buffer, capacity, "%s", own_line);
        own_line[0] = 0;
        pthread_mutex_lock(&any_line_lock);
        any_line[0] = 0;
        pthread_mutex_unlock(&any_line_lock);
    } else {
        pthread_mutex_lock(&any_line_lock);
        snprintf(buffer, capacity, "%s", any_line);
        any_line[0] = 0;
        pthread_mutex_unlock(&any_line_lock);
    }
    return strnlen(buffer, capacity);
}

typedef int (*opening)(AVFormatContext *, AVIOContext **, const char *, int, AVDictionary **);
static _Atomic opening usual_opening;

/* Options that libav has taken are gone from the dictionary, so each attempt gets a copy. */
static int open_again(AVFormatContext *context, AVIOContext **io, const char *url, int flags, AVDictionary **options) {
    opening open = usual_opening;
    for (;;) {
        AVDictionary *copy = NULL;
        if (options) av_dict_copy(&copy, *options, 0);
        int result = open(context, io, url, flags, &copy);
        if (result == AVERROR(EINTR)) {
            av_dict_free(&copy);
            continue;
        }
        if (options) {
            av_dict_free(options);
            *options = copy;
        } else {
            av_dict_free(&copy);
        }
        return result;
    }
}

void shim_retry_opening(AVFormatContext *context) {
    usual_opening = context->io_open;
    context->io_open = open_again;
}
