#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "image_codecs.h"

struct jpeg_failure {
    struct jpeg_error_mgr manager;
    jmp_buf escape;
    char *message;
};

static void fail(j_common_ptr info) {
    struct jpeg_failure *failure = (struct jpeg_failure *)info->err;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    snprintf(failure->message, IMAGE_CODECS_MESSAGE_SIZE, "%s", text);
    longjmp(failure->escape, 1);
}

/* libjpeg goes on after damage with grey blocks and a warning; an image with invented pixels is no measurement. */
static void on_message(j_common_ptr info, int level) {
    if (level < 0) fail(info);
}

int image_codecs_read_jpeg(const uint8_t *bytes, size_t count, int64_t max_pixels,
                           struct image_codecs_picture *picture, char *message) {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_failure failure;
    /* volatile: it is set after setjmp and read after longjmp. */
    uint8_t *volatile samples = NULL;
    memset(&jpeg, 0, sizeof jpeg);
    jpeg.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = fail;
    failure.manager.emit_message = on_message;
    failure.message = message;
    if (setjmp(failure.escape)) {
        jpeg_destroy_decompress(&jpeg);
        free(samples);
        return 1;
    }
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, bytes, count);
    jpeg_read_header(&jpeg, TRUE);
    if ((int64_t)jpeg.image_width * jpeg.image_height > max_pixels) {
        snprintf(message, IMAGE_CODECS_MESSAGE_SIZE, "the picture has too many pixels");
        longjmp(failure.escape, 1);
    }
    if (jpeg.num_components != 1 && jpeg.num_components != 3) {
        snprintf(message, IMAGE_CODECS_MESSAGE_SIZE, "%d colour components; 1 or 3 are supported", jpeg.num_components);
        longjmp(failure.escape, 1);
    }
    jpeg.out_color_space = jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(&jpeg);
    size_t row_bytes = (size_t)jpeg.output_width * jpeg.output_components;
    samples = malloc(row_bytes * jpeg.output_height);
    if (!samples) {
        snprintf(message, IMAGE_CODECS_MESSAGE_SIZE, "out of memory");
        longjmp(failure.escape, 1);
    }
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW row = samples + jpeg.output_scanline * row_bytes;
        jpeg_read_scanlines(&jpeg, &row, 1);
    }
    picture->width = (int)jpeg.output_width;
    picture->height = (int)jpeg.output_height;
    picture->channels = jpeg.output_components;
    picture->bytes_per_sample = 1;
    picture->samples = samples;
    jpeg_finish_decompress(&jpeg);
    jpeg_destroy_decompress(&jpeg);
    return 0;
}
