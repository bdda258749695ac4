/* What the C examples share: they end at the first thing that goes wrong. */
#ifndef EXAMPLE_SUPPORT_H
#define EXAMPLE_SUPPORT_H

#include "messages.h"

#include <pthread.h>

enum { LONGEST_ENDPOINT = 256, SECOND_MS = 1000 };

/* Ends the program with dividere's words where `status` is not OK. Returning from main and exit close all handles. */
void check(dividere_status_t status, const char *what);

/* Ends the program where something does not hold. */
void require(int holds, const char *what);

/* The endpoint that a socket is bound to, with the port that was taken for "*". */
void endpoint_of(dividere_socket_t socket, char endpoint[LONGEST_ENDPOINT]);

/* A thread that runs `body(context)`. */
pthread_t start(void *(*body)(void *context), void *context);

#endif
