package dividere

// Parsing what is in a message, straight from its frame.

// #include "shim.h"
import "C"

import (
	"bytes"
	"errors"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// view is what is in a message: valid until that is changed or given back.
type view C.dividere_view_t

func (v *view) typeName() string {
	return unsafe.String((*byte)(unsafe.Pointer(v.type_name)), int(v.type_name_len))
}

// content is the serialised message; where there is none, all bytes.
func (v *view) content() []byte {
	return unsafe.Slice((*byte)(v.payload), int(v.payload_len))
}

// wire is all bytes, as they came.
func (v *view) wire() []byte {
	return unsafe.Slice((*byte)(v.bytes), int(v.bytes_len))
}

// undecodable makes an error that has the message's bytes.
func (v *view) undecodable(err error) error {
	return &DecodeError{Err: err, TypeName: protoreflect.FullName(bytes.Clone([]byte(v.typeName()))), Payload: bytes.Clone(v.content())}
}

// parseInto parses the message into m, which is of the type that it has to be.
func (v *view) parseInto(m proto.Message) error {
	if err := v.expect(m); err != nil {
		return err
	}
	return v.parse(m)
}

// expect fails where the message is not of the type of m.
func (v *view) expect(m proto.Message) error {
	want := m.ProtoReflect().Descriptor().FullName()
	if v.kind == C.DIVIDERE_MESSAGE_UNDECODABLE {
		return v.undecodable(errorf(StatusDecode, "what came is no envelope"))
	}
	if v.typeName() != string(want) {
		return v.undecodable(errorf(StatusType, "a message of the type "+v.describe()+" came, and "+string(want)+" was asked for"))
	}
	return nil
}

func (v *view) describe() string {
	if v.kind != C.DIVIDERE_MESSAGE_TYPED {
		return "(none, but bytes)"
	}
	return string([]byte(v.typeName()))
}

func (v *view) parse(m proto.Message) error {
	// proto.Unmarshal would look for m behind what it reflects, to reset it.
	proto.Reset(m)
	if err := merging.Unmarshal(v.content(), m); err != nil {
		return v.unparsable(err)
	}
	return nil
}

var merging = proto.UnmarshalOptions{Merge: true}

func (v *view) unparsable(err error) error {
	return v.undecodable(errorf(StatusDecode, "no message of the type "+v.describe()+": "+err.Error()))
}

// parseAny parses the message into one of the type that it says, if the program has that.
func (v *view) parseAny() (proto.Message, error) {
	if v.kind == C.DIVIDERE_MESSAGE_UNDECODABLE {
		return nil, v.undecodable(errorf(StatusDecode, "what came is no envelope"))
	}
	if v.kind != C.DIVIDERE_MESSAGE_TYPED {
		return nil, v.undecodable(errorf(StatusType, "bytes came, and a message was asked for"))
	}
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(v.typeName()))
	if err != nil {
		reason := "a message of the type " + v.describe() + " came, which this program does not have"
		if !errors.Is(err, protoregistry.NotFound) {
			reason += ": " + err.Error()
		}
		return nil, v.undecodable(errorf(StatusNotFound, reason))
	}
	m := mt.New().Interface()
	return m, v.parse(m)
}

// parseAs parses the message into a new one of the type T.
func parseAs[T proto.Message](v *view) (T, error) {
	var none T
	if any(none) == nil {
		// An interface: any type will do that has it.
		m, err := v.parseAny()
		if err != nil {
			return none, err
		}
		typed, ok := m.(T)
		if !ok {
			return none, v.undecodable(errorf(StatusType, "a message of the type "+v.describe()+" came, which is not of the type asked for"))
		}
		return typed, nil
	}
	m := none.ProtoReflect().Type().New().Interface().(T)
	if err := v.parseInto(m); err != nil {
		return none, err
	}
	return m, nil
}

// receivable refuses a type that cannot be made from nothing, as *dynamicpb.Message, before a message is taken for it.
func receivable[T proto.Message]() (err error) {
	var none T
	if any(none) == nil {
		return nil
	}
	defer func() {
		if recover() != nil {
			err = errorf(StatusInvalidArgument, "no message of this type can be made: receive a proto.Message, or with RecvInto")
		}
	}()
	none.ProtoReflect().Type()
	return nil
}
