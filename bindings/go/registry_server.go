package dividere

// The server of a name registry.

// #include "shim.h"
import "C"

// A RegistryServer is a name registry: it keeps the names of services, and where they are reached, in memory, from its
// making to its Close. Clients of dividere 2.2.0 are served, too. It works by itself, on a thread of its own, and is not
// collected before it was closed.
type RegistryServer struct {
	Socket
}

// NewRegistryServer makes a registry that is asked at endpoint; "" is port 5000 on all interfaces, and a port of "*" one
// that is free, which LastEndpoint tells. At the port after that, unless WithRegistryPublishEndpoint says another place,
// it tells services of 2.2.0 to register again. ErrAddressInUse where one of the two is taken.
func NewRegistryServer(endpoint string, options ...Option) (*RegistryServer, error) {
	h, err := open(endpoint, options, FullQueueDrop,
		func(endpoint *C.char, s *settings, made *C.dividere_registry_server_t) C.dividere_status_t {
			return C.dividere_registry_server_new(endpoint, s.options, made)
		},
		func(made C.dividere_registry_server_t) C.dividere_status_t {
			return C.dividere_registry_server_close(made)
		})
	if err != nil {
		return nil, err
	}
	h.works()
	return &RegistryServer{Socket{h}}, nil
}

// PublishEndpoint gives where it publishes that services of 2.2.0 shall register again.
func (r *RegistryServer) PublishEndpoint() (string, error) {
	return r.h.endpointOf(func(socket C.dividere_socket_t, buffer *C.char, size C.size_t, length *C.size_t) C.dividere_status_t {
		return C.dividere_registry_server_publish_endpoint(C.dividere_registry_server_t(socket), buffer, size, length)
	})
}
