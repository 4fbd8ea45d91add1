#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>
#include "network.h"
#include "threads.h"
#include "detail.h"
#include "colour.h"
#endif
