/* What is found by a name, and brokers. */
#ifndef SERVICES_H
#define SERVICES_H

#include "objects.h"

/* new registry NAME ENDPOINT, answered with where it is. */
dividere_status_t new_registry(struct command *command, struct named *made);
/* new broker NAME FRONT BACK, answered with where both ends are. */
dividere_status_t new_broker(struct command *command, struct named *made);
/* new service NAME REGISTRY SERVICE: it answers each request with the same. */
dividere_status_t new_service(struct command *command, struct named *made);
/* new caller NAME REGISTRY SERVICE: a client of that service. */
dividere_status_t new_caller(struct command *command, struct named *made);

dividere_status_t service_end(struct named *named);
dividere_status_t caller_end(struct named *named);

#endif
