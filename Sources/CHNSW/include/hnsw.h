#ifndef CHNSW_H
#define CHNSW_H

// A C door to hnswlib (header-only C++): hierarchical navigable small-world graphs (arXiv 1603.09320). Swift cannot call
// templates that throw; every function here catches and reports.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hnsw_index hnsw_index;

// An empty graph for `capacity` vectors of `width` numbers, squared Euclidean distance. NULL where there is no memory.
hnsw_index *hnsw_create(size_t width, size_t capacity, size_t links, size_t construction, size_t seed);
// Reads a graph and checks that every link and size in it is in range. NULL with a reason (of at most `length` bytes) if not.
hnsw_index *hnsw_load(const char *path, size_t width, char *reason, size_t length);
// Writes the graph; false if that fails.
bool hnsw_save(hnsw_index *index, const char *path);
void hnsw_free(hnsw_index *index);

size_t hnsw_count(const hnsw_index *index);

// Inserts a vector with a label that no other has. Several threads may insert at once. False if the graph is full.
bool hnsw_add(hnsw_index *index, const float *vector, uint64_t label);

// The labels and squared distances of about the `count` nearest, the nearest first; returns how many. Several threads may
// search at once, while none inserts.
size_t hnsw_search(
    const hnsw_index *index, const float *query, size_t count, size_t candidates, uint64_t *labels, float *distances);

#ifdef __cplusplus
}
#endif

#endif
