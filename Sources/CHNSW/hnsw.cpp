#include "include/hnsw.h"

#include <hnswlib/hnswlib.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <new>
#include <string>

namespace {

// Squared distance, compiled for several instruction sets and chosen when the program starts.
__attribute__((always_inline)) inline float squared_distance(const float *a, const float *b, size_t width) {
    float sums[16] = {0};
    size_t i = 0;
    for (; i + 16 <= width; i += 16)
        for (size_t lane = 0; lane < 16; lane++) {
            const float difference = a[i + lane] - b[i + lane];
            sums[lane] += difference * difference;
        }
    for (; i < width; i++) sums[i % 16] += (a[i] - b[i]) * (a[i] - b[i]);
    for (size_t half = 8; half; half /= 2)
        for (size_t lane = 0; lane < half; lane++) sums[lane] += sums[lane + half];
    return sums[0];
}

float distance_portable(const void *a, const void *b, const void *width) {
    return squared_distance((const float *)a, (const float *)b, *(const size_t *)width);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) float distance_avx2(const void *a, const void *b, const void *width) {
    return squared_distance((const float *)a, (const float *)b, *(const size_t *)width);
}

__attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma"))) float distance_avx512(
    const void *a, const void *b, const void *width) {
    return squared_distance((const float *)a, (const float *)b, *(const size_t *)width);
}
#endif

hnswlib::DISTFUNC<float> best_distance() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return distance_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return distance_avx2;
#endif
    return distance_portable;
}

class Space : public hnswlib::SpaceInterface<float> {
  public:
    explicit Space(size_t width) : width(width), distance(best_distance()) {}
    size_t get_data_size() override { return width * sizeof(float); }
    hnswlib::DISTFUNC<float> get_dist_func() override { return distance; }
    void *get_dist_func_param() override { return &width; }

  private:
    size_t width;
    hnswlib::DISTFUNC<float> distance;
};

typedef hnswlib::HierarchicalNSW<float> Graph;

// The sizes at the head of a file, as saveIndex writes them.
struct Head {
    size_t level0, capacity, count, element, label, data;
    int top;
    hnswlib::tableint entry;
    size_t links, links0, m;
    double multiplier;
    size_t construction;
};

template <typename T> void read(std::ifstream &file, T &value) { file.read((char *)&value, sizeof value); }

// What loadIndex believes without looking: sizes at the head, and levels of the elements.
const char *problem_of_file(const std::string &path, size_t width) {
    struct stat status;
    if (stat(path.c_str(), &status) != 0) return "cannot be read";
    std::ifstream file(path, std::ios::binary);
    Head h;
    read(file, h.level0), read(file, h.capacity), read(file, h.count), read(file, h.element), read(file, h.label);
    read(file, h.data), read(file, h.top), read(file, h.entry), read(file, h.links), read(file, h.links0);
    read(file, h.m), read(file, h.multiplier), read(file, h.construction);
    if (!file) return "is too short for a graph";
    const size_t limit = 10000;
    if (h.m < 2 || h.m > limit || h.links != h.m || h.links0 != 2 * h.m || h.level0 != 0) return "is no graph";
    const size_t links0 = h.links0 * sizeof(hnswlib::tableint) + sizeof(hnswlib::linklistsizeint);
    const size_t upper = h.links * sizeof(hnswlib::tableint) + sizeof(hnswlib::linklistsizeint);
    if (h.label < h.data || h.label - h.data != width * sizeof(float)) return "is a graph of vectors of another width";
    if (h.data != links0 || h.element != h.label + sizeof(hnswlib::labeltype)) return "is no graph";
    const size_t bytes = (size_t)status.st_size;
    if (h.count < 1 || h.count > bytes / h.element || h.capacity < h.count || h.entry >= h.count || h.top < 0 ||
        h.top > 64 || !(h.multiplier > 0) || h.construction < 1)
        return "has sizes that do not fit";
    file.seekg((std::streamoff)(h.count * h.element), std::ios::cur);
    for (size_t i = 0; i < h.count; i++) {
        unsigned int length = 0;
        read(file, length);
        if (!file || length % upper != 0 || length / upper > (size_t)h.top) return "has levels that do not fit";
        if (i == h.entry && length / upper != (size_t)h.top) return "has an entry point on another level";
        file.seekg(length, std::ios::cur);
    }
    return (size_t)file.tellg() == bytes ? nullptr : "has another length than its sizes say";
}

// Every link leads to an element on its level.
bool links_in_range(Graph &graph) {
    for (size_t i = 0; i < graph.cur_element_count; i++) {
        for (int level = 0; level <= graph.element_levels_[i]; level++) {
            hnswlib::linklistsizeint *list = graph.get_linklist_at_level((hnswlib::tableint)i, level);
            const size_t count = graph.getListCount(list);
            if (count > (level ? graph.maxM_ : graph.maxM0_)) return false;
            const hnswlib::tableint *links = (const hnswlib::tableint *)(list + 1);
            for (size_t j = 0; j < count; j++)
                if (links[j] >= graph.cur_element_count || graph.element_levels_[links[j]] < level) return false;
        }
    }
    return true;
}

} // namespace

struct hnsw_index {
    Space space;
    std::unique_ptr<Graph> graph;
    explicit hnsw_index(size_t width) : space(width) {}
};

hnsw_index *hnsw_create(size_t width, size_t capacity, size_t links, size_t construction, size_t seed) {
    try {
        auto index = std::make_unique<hnsw_index>(width);
        index->graph = std::make_unique<Graph>(&index->space, capacity, links, construction, seed);
        return index.release();
    } catch (...) {
        return nullptr;
    }
}

hnsw_index *hnsw_load(const char *path, size_t width, char *reason, size_t length) {
    try {
        if (const char *problem = problem_of_file(path, width)) {
            snprintf(reason, length, "%s", problem);
            return nullptr;
        }
        auto index = std::make_unique<hnsw_index>(width);
        index->graph = std::make_unique<Graph>(&index->space, std::string(path));
        if (links_in_range(*index->graph)) return index.release();
        snprintf(reason, length, "has links to elements that do not exist");
    } catch (const std::exception &error) {
        snprintf(reason, length, "%s", error.what());
    } catch (...) {
        snprintf(reason, length, "cannot be read");
    }
    return nullptr;
}

bool hnsw_save(hnsw_index *index, const char *path) {
    try {
        index->graph->saveIndex(path);
        return problem_of_file(path, index->space.get_data_size() / sizeof(float)) == nullptr;
    } catch (...) {
        return false;
    }
}

void hnsw_free(hnsw_index *index) { delete index; }

size_t hnsw_count(const hnsw_index *index) { return index->graph->cur_element_count; }

bool hnsw_add(hnsw_index *index, const float *vector, uint64_t label) {
    try {
        index->graph->addPoint(vector, (hnswlib::labeltype)label);
        return true;
    } catch (...) {
        return false;
    }
}

// As searchKnn, with the number of candidates as an argument and without its counters, which threads would contend for.
size_t hnsw_search(
    const hnsw_index *index, const float *query, size_t count, size_t candidates, uint64_t *labels, float *distances) {
    try {
        const Graph &graph = *index->graph;
        if (graph.cur_element_count == 0) return 0;
        hnswlib::tableint nearest = graph.enterpoint_node_;
        float distance = graph.fstdistfunc_(query, graph.getDataByInternalId(nearest), graph.dist_func_param_);
        for (int level = graph.maxlevel_; level > 0; level--) {
            for (bool changed = true; changed;) {
                changed = false;
                hnswlib::linklistsizeint *list = graph.get_linklist(nearest, level);
                const hnswlib::tableint *links = (const hnswlib::tableint *)(list + 1);
                const size_t size = graph.getListCount(list);
                for (size_t i = 0; i < size; i++) {
                    const float d = graph.fstdistfunc_(query, graph.getDataByInternalId(links[i]), graph.dist_func_param_);
                    if (d < distance) distance = d, nearest = links[i], changed = true;
                }
            }
        }
        auto found = graph.searchBaseLayerST<false>(nearest, query, std::max(candidates, count));
        while (found.size() > count) found.pop();
        const size_t number = found.size();
        for (size_t i = number; i-- > 0; found.pop()) {
            labels[i] = graph.getExternalLabel(found.top().second);
            distances[i] = found.top().first;
        }
        return number;
    } catch (...) {
        return 0;
    }
}
