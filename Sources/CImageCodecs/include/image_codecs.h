/* PNG and JPEG with setjmp kept inside: libpng and libjpeg report errors by longjmp, which must not cross Swift.
   Samples come out as stored: no gamma, no colour management, no premultiplied alpha. */
#ifndef IMAGE_CODECS_H
#define IMAGE_CODECS_H

#include <stddef.h>
#include <stdint.h>

/* Samples of a decoded picture, row-major, top row first, channels interleaved: 1 grey, 2 grey + alpha, 3 RGB,
   4 RGB + alpha. `samples` is from malloc and belongs to the caller: image_codecs_free. 16-bit samples are in the
   machine's byte order. */
struct image_codecs_picture {
    int width;
    int height;
    int channels;
    int bytes_per_sample;
    void *samples;
};

/* Every function returns 0, or 1 with the reason in `message`. */
enum { IMAGE_CODECS_MESSAGE_SIZE = 256 };

/* Decode a whole file in memory. Pictures with more than `max_pixels` pixels are refused. */
int image_codecs_read_png(const uint8_t *bytes, size_t count, int64_t max_pixels,
                          struct image_codecs_picture *picture, char *message);
int image_codecs_read_jpeg(const uint8_t *bytes, size_t count, int64_t max_pixels,
                           struct image_codecs_picture *picture, char *message);

/* Writes a PNG of 1 or 3 channels with 1 or 2 bytes a sample (machine byte order) to a file. */
int image_codecs_write_png(const char *path, const struct image_codecs_picture *picture, char *message);

void image_codecs_free(void *samples);

#endif
