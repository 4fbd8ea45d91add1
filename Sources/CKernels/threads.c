#if defined(__linux__)
#define _GNU_SOURCE  // sched_getaffinity, pthread_setname_np
#include <sched.h>
#endif
#include "include/threads.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef void (*ck_work)(const void *context, size_t item);

// Cores may not share a cache. So the items are cut into slices of neighbours, one for each thread (a few threads share one where
// there are many): a thread takes those of its own slice first, which are near those that it took in the pass before, and then
// helps with the others'.
enum { MOST_SLICES = 16 };

// `claim` holds the number of the pass (high half) and the next item (low half). A thread reads the pass's description
// and then takes an item by compare-and-swap: success proves that the pass is still the one that was read, since its
// description changes only after all its items are done and every claim is closed. So nobody waits for a thread that has
// taken no item.
typedef struct slice {
    _Alignas(64) _Atomic uint64_t claim;
} slice;

struct ck_pool {
    slice slices[MOST_SLICES];
    _Alignas(64) _Atomic size_t done;
    _Alignas(64) _Atomic(ck_work) work;
    _Atomic(const void *) context;
    _Atomic uint32_t count;
    _Atomic uint32_t pass;  // of the claims, once all of them are open
    _Alignas(64) _Atomic int sleepers;
    _Atomic bool caller_sleeps, closing;
    pthread_mutex_t callers, lock;
    pthread_cond_t begun, ended;
    int workers, slice_count;
    _Atomic int started;
    pthread_t threads[];
};

// The pool of whose items this thread runs one, and its number there.
static _Thread_local const ck_pool *inside;
static _Thread_local int thread_index;

static inline void relax(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Denormals are slow and carry nothing here; every thread that computes must agree on them.
static uint64_t flush_denormals(void) {
#if defined(__x86_64__)
    unsigned old = _mm_getcsr();
    _mm_setcsr(old | 0x8040);
    return old;
#elif defined(__aarch64__)
    uint64_t old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" : : "r"(old | (1u << 24)));
    return old;
#else
    return 0;
#endif
}

static void restore_denormals(uint64_t old) {
#if defined(__x86_64__)
    _mm_setcsr((unsigned)old);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(old));
#else
    (void)old;
#endif
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// Passes of a frame follow each other within microseconds; a frame follows the last within milliseconds.
enum { SPIN_NS = 60000, POLLS_PER_CLOCK = 64 };

// The item after the last of a slice.
static uint32_t slice_end(const ck_pool *pool, uint32_t count, int index) {
    return (uint32_t)((uint64_t)count * (uint64_t)(index + 1) / (uint64_t)pool->slice_count);
}

// Takes items of a slice until there are none; true where it did the last of the pass.
static bool run_slice(ck_pool *pool, int index) {
    _Atomic uint64_t *slice = &pool->slices[index].claim;
    uint64_t claim = atomic_load_explicit(slice, memory_order_acquire);
    for (;;) {
        uint32_t item = (uint32_t)claim;
        uint32_t count = atomic_load_explicit(&pool->count, memory_order_acquire);
        ck_work work = atomic_load_explicit(&pool->work, memory_order_relaxed);
        const void *context = atomic_load_explicit(&pool->context, memory_order_relaxed);
        if (item >= slice_end(pool, count, index)) return false;
        if (!atomic_compare_exchange_weak_explicit(slice, &claim, claim + 1, memory_order_acq_rel, memory_order_acquire)) continue;
        work(context, item);
        if (atomic_fetch_add_explicit(&pool->done, 1, memory_order_acq_rel) + 1 == count) return true;
        claim = atomic_load_explicit(slice, memory_order_acquire);
    }
}

static void run_items(ck_pool *pool) {
    int own = thread_index % pool->slice_count;
    for (int i = 0; i < pool->slice_count; i++) {
        if (!run_slice(pool, (own + i) % pool->slice_count)) continue;
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load(&pool->caller_sleeps)) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->ended);
            pthread_mutex_unlock(&pool->lock);
        }
        return;
    }
}

static bool is_new(ck_pool *pool, uint32_t seen) {
    return atomic_load(&pool->pass) != seen || atomic_load_explicit(&pool->closing, memory_order_relaxed);
}

static void await_pass(ck_pool *pool, uint32_t seen) {
    uint64_t until = now_ns() + SPIN_NS;
    while (now_ns() < until)
        for (int i = 0; i < POLLS_PER_CLOCK; i++) {
            if (is_new(pool, seen)) return;
            relax();
        }
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!is_new(pool, seen)) pthread_cond_wait(&pool->begun, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

static void *worker(void *argument) {
    ck_pool *pool = argument;
#if defined(__linux__)
    pthread_setname_np(pthread_self(), "pool");  // what profilers show
#endif
    flush_denormals();
    inside = pool;
    thread_index = 1 + atomic_fetch_add(&pool->started, 1);
    uint32_t seen = 0;
    for (;;) {
        await_pass(pool, seen);
        if (atomic_load(&pool->closing)) return NULL;
        seen = atomic_load(&pool->pass);
        run_items(pool);
    }
}

static void await_items(ck_pool *pool, size_t count) {
    uint64_t until = now_ns() + SPIN_NS;
    while (now_ns() < until)
        for (int i = 0; i < POLLS_PER_CLOCK; i++) {
            if (atomic_load_explicit(&pool->done, memory_order_acquire) == count) return;
            relax();
        }
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->caller_sleeps, true);
    atomic_thread_fence(memory_order_seq_cst);
    while (atomic_load(&pool->done) != count) pthread_cond_wait(&pool->ended, &pool->lock);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->lock);
}

static void run_shared(ck_pool *pool, size_t count, ck_work work, const void *context) {
    const uint32_t pass = atomic_load(&pool->pass) + 1;
    // Closed first: a late thread may read a mixed description from here on, but its compare-and-swap fails.
    for (int i = 0; i < pool->slice_count; i++) atomic_exchange(&pool->slices[i].claim, (uint64_t)pass << 32 | UINT32_MAX);
    atomic_store_explicit(&pool->count, (uint32_t)count, memory_order_release);
    atomic_store_explicit(&pool->work, work, memory_order_relaxed);
    atomic_store_explicit(&pool->context, context, memory_order_relaxed);
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    for (int i = 0; i < pool->slice_count; i++) {
        uint32_t first = i == 0 ? 0 : slice_end(pool, (uint32_t)count, i - 1);
        atomic_store_explicit(&pool->slices[i].claim, (uint64_t)pass << 32 | first, memory_order_release);
    }
    atomic_store(&pool->pass, pass);
    if (atomic_load(&pool->sleepers) > 0) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->begun);
        pthread_mutex_unlock(&pool->lock);
    }
    run_items(pool);
    await_items(pool, count);
}

static void run_alone(size_t count, ck_work work, const void *context) {
    for (size_t item = 0; item < count; item++) work(context, item);
}

void ck_pool_run(ck_pool *pool, size_t count, ck_work work, const void *context) {
    assert(count < UINT32_MAX);
    if (count == 0) return;
    // Within an item of this pool: the thread keeps its number, which no other thread at the pass has.
    if (inside == pool) return run_alone(count, work, context);
    uint64_t old = flush_denormals();
    const ck_pool *outer = inside;
    int index = thread_index;
    // Number 0 is the caller's: there is only one at a time.
    pthread_mutex_lock(&pool->callers);
    inside = pool;
    thread_index = 0;
    if (pool->workers == 0 || count == 1)
        run_alone(count, work, context);
    else
        run_shared(pool, count, work, context);
    inside = outer;
    thread_index = index;
    pthread_mutex_unlock(&pool->callers);
    restore_denormals(old);
}

int ck_pool_thread_index(void) { return thread_index; }

ck_pool *ck_pool_create(int threads) {
    assert(threads >= 1);
    size_t size = (sizeof(ck_pool) + (size_t)threads * sizeof(pthread_t) + 63) & ~(size_t)63;
    ck_pool *pool = aligned_alloc(64, size);
    if (!pool) return NULL;
    *pool = (ck_pool){.slice_count = threads < MOST_SLICES ? threads : MOST_SLICES};
    pthread_mutex_init(&pool->callers, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->begun, NULL);
    pthread_cond_init(&pool->ended, NULL);
    for (int i = 0; i < threads - 1; i++) {
        if (pthread_create(&pool->threads[i], NULL, worker, pool) != 0) break;
        pool->workers++;
    }
    return pool;
}

void ck_pool_destroy(ck_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->closing, true);
    pthread_cond_broadcast(&pool->begun);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->workers; i++) pthread_join(pool->threads[i], NULL);
    pthread_mutex_destroy(&pool->callers);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->begun);
    pthread_cond_destroy(&pool->ended);
    free(pool);
}

int ck_pool_threads(const ck_pool *pool) { return pool->workers + 1; }

int ck_core_count(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}
