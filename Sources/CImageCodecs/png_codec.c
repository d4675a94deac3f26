#include <limits.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_codecs.h"

struct png_state {
    const uint8_t *bytes;
    size_t count;
    size_t position;
    char *message;
};

static void fail(png_structp png, png_const_charp text) {
    struct png_state *state = png_get_error_ptr(png);
    snprintf(state->message, IMAGE_CODECS_MESSAGE_SIZE, "%s", text);
    longjmp(png_jmpbuf(png), 1);
}

static void ignore_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void read_bytes(png_structp png, png_bytep out, size_t length) {
    struct png_state *state = png_get_io_ptr(png);
    if (length > state->count - state->position) png_error(png, "the file is truncated");
    memcpy(out, state->bytes + state->position, length);
    state->position += length;
}

int image_codecs_read_png(const uint8_t *bytes, size_t count, int64_t max_pixels,
                          struct image_codecs_picture *picture, char *message) {
    struct png_state state = {bytes, count, 0, message};
    /* volatile: they are set after setjmp and read after longjmp. */
    png_bytep *volatile rows = NULL;
    uint8_t *volatile samples = NULL;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, fail, ignore_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        snprintf(message, IMAGE_CODECS_MESSAGE_SIZE, "out of memory");
        return 1;
    }
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, NULL);
        free(rows);
        free(samples);
        return 1;
    }
    png_set_read_fn(png, &state, read_bytes);
    png_set_user_limits(png, 1 << 20, 1 << 20);
    png_set_chunk_malloc_max(png, 64 << 20);
    png_read_info(png, info);
    png_uint_32 width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    if ((int64_t)width * height > max_pixels) png_error(png, "the picture has too many pixels");
    int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (depth == 16) png_set_swap(png);
#endif
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t row_bytes = png_get_rowbytes(png, info);
    samples = malloc(row_bytes * height);
    rows = malloc(sizeof(png_bytep) * height);
    if (!samples || !rows) png_error(png, "out of memory");
    for (png_uint_32 y = 0; y < height; y++) rows[y] = samples + y * row_bytes;
    png_read_image(png, rows);
    png_read_end(png, NULL);
    picture->width = (int)width;
    picture->height = (int)height;
    picture->channels = png_get_channels(png, info);
    picture->bytes_per_sample = depth == 16 ? 2 : 1;
    picture->samples = samples;
    png_destroy_read_struct(&png, &info, NULL);
    free(rows);
    return 0;
}

int image_codecs_write_png(const char *path, const struct image_codecs_picture *picture, char *message) {
    struct png_state state = {NULL, 0, 0, message};
    FILE *file = fopen(path, "wb");
    if (!file) {
        snprintf(message, IMAGE_CODECS_MESSAGE_SIZE, "cannot be created");
        return 1;
    }
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, fail, ignore_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        fclose(file);
        snprintf(message, IMAGE_CODECS_MESSAGE_SIZE, "out of memory");
        return 1;
    }
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        fclose(file);
        return 1;
    }
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)picture->width, (png_uint_32)picture->height, 8 * picture->bytes_per_sample,
                 picture->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (picture->bytes_per_sample == 2) png_set_swap(png);
#endif
    size_t row_bytes = (size_t)picture->width * picture->channels * picture->bytes_per_sample;
    for (int y = 0; y < picture->height; y++)
        png_write_row(png, (png_const_bytep)picture->samples + (size_t)y * row_bytes);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    if (fclose(file) != 0) {
        snprintf(message, IMAGE_CODECS_MESSAGE_SIZE, "cannot be written to its end");
        return 1;
    }
    return 0;
}

void image_codecs_free(void *samples) { free(samples); }
