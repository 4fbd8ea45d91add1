/*
 * What Swift cannot see of posix_spawn(3): GNU's extensions to <spawn.h>. Nothing else belongs here.
 */
#ifndef CSPAWN_H
#define CSPAWN_H

#include <spawn.h>

/* Has the child close its descriptors from `first` on, whatever is open in the parent by then
 * (posix_spawn_file_actions_addclosefrom_np, glibc 2.34). Returns an error number, 0 where there is none. */
int shim_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

#endif
