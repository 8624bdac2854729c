/* Starting and ending the process that becomes a zygote. */
#ifndef TT_PLACE_PROCESSES_SPAWN_H
#define TT_PLACE_PROCESSES_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/status.h"

/* Commands: NULL-terminated. A copy, or NULL; freed by tt_command_free(). */
char **tt_command_copy(const char *const *command);
void tt_command_free(char **command);
bool tt_command_same(char *const *command, const char *const *other);

/* Starts `command` with a control socket, whose other end goes to *control. */
TUTTI_MUST_CHECK tutti_status tt_spawn_zygote(char *const *command,
                                              int *control, pid_t *pid);

/* Waits for a process that is ending; kills it when it takes longer than `ms`
 * milliseconds. Returns what waitpid() says, or -1: somebody else waited. */
int tt_spawn_wait(pid_t pid, int ms);

/* Whether a process is stopped now, by SIGSTOP or the like. */
bool tt_spawn_stopped(pid_t pid);

/* "was killed by signal 9 (SIGKILL)", "ended with status 1", ... */
void tt_spawn_say(char *out, size_t size, int status);

#endif
