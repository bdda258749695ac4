package dividere

// Options of registries, of their clients, and of the load balancer.

// #include "shim.h"
import "C"

import "time"

// WithRegistryPublishEndpoint sets where a RegistryServer publishes that services of 2.2.0 shall register again, and for
// a RegistryClient where a registry of 2.2.0 does. Unless set it is the port after that of the requests.
func WithRegistryPublishEndpoint(endpoint string) Option {
	return text(C.DIVIDERE_OPTION_REGISTRY_PUBLISH_ENDPOINT, endpoint)
}

// WithLease sets how long what a RegistryClient registers outlives its process. 3 s unless set.
func WithLease(d time.Duration) Option { return span(C.DIVIDERE_OPTION_REGISTRY_LEASE_MS, d) }

// WithLeaseLimits sets the shortest and the longest lease that a RegistryServer grants. 200 ms and an hour unless set.
func WithLeaseLimits(shortest, longest time.Duration) Option {
	return WithOptions(span(C.DIVIDERE_OPTION_REGISTRY_LEASE_MIN_MS, shortest),
		span(C.DIVIDERE_OPTION_REGISTRY_LEASE_MAX_MS, longest))
}

// WithMaxInstances sets how many instances a RegistryServer keeps in total, and of one name. 250000 and 1000 unless set.
func WithMaxInstances(total, ofOneName int) Option {
	return WithOptions(number(C.DIVIDERE_OPTION_REGISTRY_MAX_INSTANCES, int64(total)),
		number(C.DIVIDERE_OPTION_REGISTRY_MAX_INSTANCES_PER_NAME, int64(ofOneName)))
}

// WithMaxMetadata sets how many bytes of metadata a RegistryServer keeps of one instance. 4096 unless set.
func WithMaxMetadata(bytes int) Option {
	return number(C.DIVIDERE_OPTION_REGISTRY_MAX_METADATA_BYTES, int64(bytes))
}

// WithMaxWatches sets how many watches a RegistryServer serves at once. 10000 unless set.
func WithMaxWatches(watches int) Option {
	return number(C.DIVIDERE_OPTION_REGISTRY_MAX_WATCHES, int64(watches))
}

// WithAdvertise sets the host name or address under which a RegistryClient registers its services. Unless set it is the
// one that reaches the registry.
func WithAdvertise(host string) Option { return text(C.DIVIDERE_OPTION_REGISTRY_ADVERTISE, host) }

// WithWorkerHeartbeat sets how often a Broker asks its workers whether they are there; one that is silent for twice that
// is dead. Of workers, too. 3 s unless set.
func WithWorkerHeartbeat(d time.Duration) Option {
	return span(C.DIVIDERE_OPTION_WORKER_HEARTBEAT_MS, d)
}

// WithWorkerBusyLimit sets how long a worker of 2.2.0, which cannot answer while it works, may keep a request of a Broker.
// 1 min unless set.
func WithWorkerBusyLimit(d time.Duration) Option {
	return span(C.DIVIDERE_OPTION_WORKER_BUSY_LIMIT_MS, d)
}

// WithQueueLimit sets how many requests wait at a Broker for a worker; beyond it they are refused with ErrBusy. 10000
// unless set.
func WithQueueLimit(requests int) Option {
	return number(C.DIVIDERE_OPTION_BROKER_QUEUE_LIMIT, int64(requests))
}

// WithQueueBytes sets how many bytes a Broker keeps of requests, those in work included. 256 MiB unless set.
func WithQueueBytes(bytes int64) Option { return number(C.DIVIDERE_OPTION_BROKER_QUEUE_BYTES, bytes) }

// WithServiceQueueBytes sets how many bytes of requests wait at a Service for a worker; beyond it they are refused with
// ErrBusy. 256 MiB unless set.
func WithServiceQueueBytes(bytes int64) Option {
	return number(C.DIVIDERE_OPTION_SERVICE_QUEUE_BYTES, bytes)
}

// WithCapacity sets how many requests a Worker has at once, 1 to 1024. 1 unless set.
func WithCapacity(requests int) Option {
	return number(C.DIVIDERE_OPTION_WORKER_CAPACITY, int64(requests))
}
