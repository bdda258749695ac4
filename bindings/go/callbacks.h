/* Registers functions of Go's as callbacks. What is registered is a number, a runtime/cgo.Handle, since C may hold no
 * pointer of Go's; it is released when the library lets go of the callback. */
#ifndef DIVIDERE_GO_CALLBACKS_H
#define DIVIDERE_GO_CALLBACKS_H

#include <dividere.h>

dividere_status_t dividere_go_reactor_on(dividere_reactor_t reactor, const char *type_name, uintptr_t handler);
dividere_status_t dividere_go_reactor_on_error(dividere_reactor_t reactor, uintptr_t handler);
dividere_status_t dividere_go_reactor_add_timer(dividere_reactor_t reactor, int64_t interval_ms, int32_t repeat,
                                                uintptr_t task, uint64_t *timer);
dividere_status_t dividere_go_reactor_on_idle(dividere_reactor_t reactor, int64_t interval_ms, uintptr_t task);
dividere_status_t dividere_go_reactor_post(dividere_reactor_t reactor, uintptr_t task);
dividere_status_t dividere_go_set_event_callback(dividere_socket_t socket, uintptr_t bell);
dividere_status_t dividere_go_log_set_callback(int32_t level, uintptr_t logger);

#endif
