// A pool of threads that run the items of one pass at a time.
#ifndef CKERNELS_THREADS_H
#define CKERNELS_THREADS_H
#include <stddef.h>

typedef struct ck_pool ck_pool;

// A pool of `threads` threads, the caller of ck_pool_run being one of them; fewer where the system gives no
// more. NULL: no memory.
ck_pool *ck_pool_create(int threads);
void ck_pool_destroy(ck_pool *pool);
int ck_pool_threads(const ck_pool *pool);

// Runs work(context, i) for every i < count, each once, and returns when all are done. Passes of several callers run
// one after the other. A pass begun inside an item of the same pool runs on that item's thread, under its number; one begun inside
// an item of another pool is a caller's like any other, so two pools must not call each other both ways. Denormal floats count as
// zero inside.
void ck_pool_run(ck_pool *pool, size_t count, void (*work)(const void *context, size_t item), const void *context);

// Inside an item: which of the pool's threads runs it, 0 for the caller's own; tells scratch memory apart, since no two items
// of a pool that run at once have the same.
int ck_pool_thread_index(void);

// Cores that this process may run on.
int ck_core_count(void);

#endif
