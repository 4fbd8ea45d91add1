/*
 * What Swift cannot see of the C library: GNU's extensions to <spawn.h> and <stdio.h>. Nothing else belongs here.
 */
#ifndef CSPAWN_H
#define CSPAWN_H

#include <spawn.h>

/* Has the child close its descriptors from `first` on, whatever is open in the parent by then
 * (posix_spawn_file_actions_addclosefrom_np, glibc 2.34). Returns an error number, 0 where there is none. */
int shim_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/* Renames an entry of an open folder without replacing what is there: renameat2(2) with RENAME_NOREPLACE. -1 with errno where
 * it cannot, EINVAL where the file system has no such rename. */
int shim_rename_without_replacing(int folder, const char *name, int new_folder, const char *new_name);

#endif
