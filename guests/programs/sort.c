// Sorting: quick, heap, merge, shell and radix sort of numbers, insertion sort of records. All must agree.
#include "guests/programs/runtime.h"

enum { kCount = 900, kRecords = 120 };

static u32 numbers[kCount], scratch[kCount];

static void fill(u32 seed) {
  for (int i = 0; i < kCount; ++i) numbers[i] = next_random(&seed) >> (seed & 15);
}

static void quick_sort(u32* from, u32* to) {
  while (to - from > 1) {
    const u32 pivot = from[(to - from) / 2];
    u32 *low = from, *high = to - 1;
    while (low <= high) {
      while (*low < pivot) ++low;
      while (*high > pivot) --high;
      if (low > high) break;
      const u32 swapped = *low;
      *low++ = *high;
      *high-- = swapped;
    }
    quick_sort(from, high + 1);
    from = low;
  }
}

static void sift(u32* heap, int at, int count) {
  const u32 value = heap[at];
  for (int child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && heap[child + 1] > heap[child]) ++child;
    if (heap[child] <= value) break;
    heap[at] = heap[child];
  }
  heap[at] = value;
}

static void heap_sort(u32* values, int count) {
  for (int i = count / 2 - 1; i >= 0; --i) sift(values, i, count);
  for (int end = count - 1; end > 0; --end) {
    const u32 top = values[0];
    values[0] = values[end];
    values[end] = top;
    sift(values, 0, end);
  }
}

static void merge_sort(u32* values, int count) {
  if (count < 2) return;
  const int half = count / 2;
  merge_sort(values, half);
  merge_sort(values + half, count - half);
  memcpy(scratch, values, (size_t)half * sizeof *values);
  for (int left = 0, right = half, to = 0; left < half; ++to) {
    values[to] = right < count && values[right] < scratch[left] ? values[right++] : scratch[left++];
  }
}

static void shell_sort(u32* values, int count) {
  for (int gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
    for (int i = gap; i < count; ++i) {
      const u32 value = values[i];
      int to = i;
      for (; to >= gap && values[to - gap] > value; to -= gap) values[to] = values[to - gap];
      values[to] = value;
    }
  }
}

static void radix_sort(u32* values, int count) {
  for (int shift = 0; shift < 32; shift += 8) {
    u16 start[256] = {0};
    for (int i = 0; i < count; ++i) ++start[values[i] >> shift & 255];
    for (int i = 0, sum = 0; i < 256; ++i) {
      const int here = start[i];
      start[i] = (u16)sum;
      sum += here;
    }
    for (int i = 0; i < count; ++i) scratch[start[values[i] >> shift & 255]++] = values[i];
    memcpy(values, scratch, (size_t)count * sizeof *values);
  }
}

static void quick_sort_all(u32* values, int count) { quick_sort(values, values + count); }

struct Record {
  i16 key;
  char name[9];
  i64 weight;
};

static int is_before(const struct Record* a, const struct Record* b) {
  if (a->key != b->key) return a->key < b->key;
  const int order = memcmp(a->name, b->name, sizeof a->name);
  return order != 0 ? order < 0 : a->weight < b->weight;
}

static u64 sort_records(u32 seed) {
  static struct Record records[kRecords];
  for (int i = 0; i < kRecords; ++i) {
    struct Record record = {.key = (i16)(next_random(&seed) % 7 - 3), .weight = (i32)next_random(&seed)};
    for (int k = 0; k < 8; ++k) record.name[k] = (char)('a' + next_random(&seed) % 2);
    int to = i;
    for (; to > 0 && is_before(&record, &records[to - 1]); --to) records[to] = records[to - 1];
    records[to] = record;
  }
  u64 sum = 0;
  for (int i = 0; i < kRecords; ++i) sum = mix(mix(sum, (u64)records[i].weight), (u64)records[i].key);
  return sum;
}

static const struct {
  const char* name;
  void (*sort)(u32*, int);
} kSorts[] = {{"quick", quick_sort_all},
              {"heap", heap_sort},
              {"merge", merge_sort},
              {"shell", shell_sort},
              {"radix", radix_sort}};

void program(unsigned rounds) {
  for (unsigned round = 0; round < rounds; ++round) {
    for (unsigned s = 0; s < sizeof kSorts / sizeof *kSorts; ++s) {
      fill(round + 1);
      kSorts[s].sort(numbers, kCount);
      u64 sum = 0;
      for (int i = 0; i < kCount; ++i) {
        if (i > 0 && numbers[i - 1] > numbers[i]) put_text("not sorted: ");
        sum = mix(sum, numbers[i]);
      }
      put_result(kSorts[s].name, sum);
    }
    put_result("records", sort_records(round + 99));
  }
}
