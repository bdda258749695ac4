package dividere

// Instances of services, as registries tell of them.

// #include "shim.h"
import "C"

import (
	"time"
	"unsafe"
)

// An Instance is one instance of a service: a place at which it can be reached.
type Instance struct {
	// Name is that of the service.
	Name string
	// Endpoint is where to connect to, as "tcp://10.0.0.7:5101"; Server and Port are what it is made of.
	Endpoint string
	Server   string
	Port     uint16
	// Lease is how long it stays without being renewed; 0 for ever (a service of dividere 2.2.0).
	Lease time.Duration
	// Metadata is what the service tells of itself.
	Metadata []byte
	// ID names it among all instances of its registry; 0 for the one of a name that is of dividere 2.2.0.
	ID uint64
	// Revision is the number of the change that made it what it is, counted by its registry.
	Revision uint64
}

func instanceOf(c *C.dividere_instance_t) Instance {
	i := Instance{
		Name: C.GoString(c.name), Endpoint: C.GoString(c.endpoint), Server: C.GoString(c.server),
		Port: uint16(c.port), Lease: time.Duration(c.lease_ms) * time.Millisecond,
		ID: uint64(c.id), Revision: uint64(c.revision),
	}
	if c.metadata_len > 0 {
		i.Metadata = append(i.Metadata, unsafe.Slice((*byte)(c.metadata), int(c.metadata_len))...)
	}
	return i
}

// instancesFrom asks for instances, and frees what C gave.
func instancesFrom(ask func(into **C.dividere_instances_t) C.dividere_status_t) ([]Instance, error) {
	var c *C.dividere_instances_t
	if err := check(func() C.dividere_status_t { return ask(&c) }); err != nil {
		return nil, err
	}
	defer C.dividere_instances_free(c)
	all := make([]Instance, 0, int(C.dividere_instances_count(c)))
	for i := range cap(all) {
		var one C.dividere_instance_t
		err := check(func() C.dividere_status_t { return C.dividere_instances_get(c, C.size_t(i), &one) })
		if err != nil {
			return nil, err
		}
		all = append(all, instanceOf(&one))
	}
	return all, nil
}
