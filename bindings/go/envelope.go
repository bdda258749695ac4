package dividere

// The wire form by itself, for those who carry it in another way.

// #include "shim.h"
import "C"

import (
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// EncodeEnvelope gives a message in its envelope: the bytes that Send sends.
func EncodeEnvelope(m proto.Message) ([]byte, error) {
	if isNil(m) {
		return nil, errNil
	}
	payload, err := proto.Marshal(m)
	if err != nil {
		return nil, errorf(StatusInvalidArgument, "the message cannot be serialised: "+err.Error())
	}
	var encoded []byte
	err = withName(m.ProtoReflect().Descriptor().FullName(), func(name *C.char) error {
		var size, length C.size_t
		err := check(func() C.dividere_status_t {
			return C.dividere_envelope_size(name, C.size_t(len(payload)), &size)
		})
		if err != nil {
			return err
		}
		encoded = make([]byte, size)
		return check(func() C.dividere_status_t {
			return C.dividere_envelope_encode(name, unsafe.Pointer(unsafe.SliceData(payload)), C.size_t(len(payload)),
				unsafe.Pointer(unsafe.SliceData(encoded)), size, &length)
		})
	})
	return encoded, err
}

// DecodeEnvelope reads bytes as an envelope: the full name of the message's type, and its payload, which is a part of
// data. ErrDecode where they are none.
func DecodeEnvelope(data []byte) (protoreflect.FullName, []byte, error) {
	// C gives places in what it was given: a copy of its own, as it must not hold a pointer of Go's.
	block := C.CBytes(data)
	defer C.free(block)
	var view C.dividere_view_t
	err := check(func() C.dividere_status_t {
		return C.dividere_envelope_decode(block, C.size_t(len(data)), &view)
	})
	if err != nil {
		return "", nil, err
	}
	name := C.GoStringN(view.type_name, C.int(view.type_name_len))
	if view.payload_len == 0 {
		return protoreflect.FullName(name), nil, nil
	}
	begin := uintptr(view.payload) - uintptr(block)
	return protoreflect.FullName(name), data[begin : begin+uintptr(view.payload_len)], nil
}
