package main

// Messages as the lines have them.

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A longer payload is told by its length and its CRC-32.
const longestTold = 64

// payloadOf reads one: "-" for none, else parts joined by commas, each hex digits, or those repeated (61x1000).
func payloadOf(text string) ([]byte, error) {
	if text == "-" {
		return nil, nil
	}
	var payload []byte
	for _, part := range strings.Split(text, ",") {
		digits, times, repeated := strings.Cut(part, "x")
		count := 1
		if repeated {
			var err error
			if count, err = strconv.Atoi(times); err != nil {
				return nil, invalid("no payload: %s", part)
			}
		}
		data, err := hex.DecodeString(digits)
		if err != nil {
			return nil, invalid("no payload: %s", part)
		}
		for range count {
			payload = append(payload, data...)
		}
	}
	return payload, nil
}

func toldPayload(data []byte) string {
	switch {
	case len(data) == 0:
		return "-"
	case len(data) <= longestTold:
		return hex.EncodeToString(data)
	}
	return fmt.Sprintf("%d:%08x", len(data), crc32.ChecksumIEEE(data))
}

// typed makes a message of `typed NAME PAYLOAD`.
func typed(words []string) (proto.Message, error) {
	if len(words) != 3 || words[0] != "typed" {
		return nil, invalid("no message: %v", words)
	}
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(words[1]))
	if err != nil {
		return nil, invalid("%s: %v", words[1], err)
	}
	payload, err := payloadOf(words[2])
	if err != nil {
		return nil, err
	}
	m := mt.New().Interface()
	return m, proto.Unmarshal(payload, m)
}

func told(m proto.Message) (string, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return fmt.Sprintf("typed %s %s", m.ProtoReflect().Descriptor().FullName(), toldPayload(data)), err
}
