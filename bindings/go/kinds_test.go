package dividere_test

// Messages of other kinds than the generated ones of today: made at run time, and of generators of long ago.

import (
	"strings"
	"testing"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/dynamicpb"
)

// oldReading is as they were generated before there was ProtoReflect.
type oldReading struct {
	Sensor *string `protobuf:"bytes,1,opt,name=sensor"`
}

func (r *oldReading) Reset()                { *r = oldReading{} }
func (*oldReading) String() string          { return "a reading" }
func (*oldReading) ProtoMessage()           {}
func (*oldReading) XXX_MessageName() string { return "acme.v1.Reading" }

// ownReading serialises and parses itself.
type ownReading struct{ sensor string }

func (r *ownReading) Reset()                { *r = ownReading{} }
func (*ownReading) String() string          { return "a reading" }
func (*ownReading) ProtoMessage()           {}
func (*ownReading) XXX_MessageName() string { return "acme.v1.Reading" }

func (r *ownReading) Marshal() ([]byte, error) {
	return proto.Marshal(&testpb.Reading{Sensor: &r.sensor})
}

func (r *ownReading) Unmarshal(data []byte) error {
	var m testpb.Reading
	err := proto.Unmarshal(data, &m)
	r.sensor = m.GetSensor()
	return err
}

func TestMessagesOfAllKindsAreSentAndReceived(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	ctx := soon(t)
	var batch dividere.Batch[*testpb.Reading]
	// To either side of what is copied into its frame.
	for _, size := range []int{0, 10, 4000, 5000, 100_000} {
		text := strings.Repeat("x", size)
		dynamic := dynamicpb.NewMessage((&testpb.Reading{}).ProtoReflect().Descriptor())
		sensor := dynamic.Descriptor().Fields().ByName("sensor")
		proto.Merge(dynamic, &testpb.Reading{Sensor: &text})
		old, own := oldReading{Sensor: &text}, ownReading{text}
		all := []proto.Message{dynamic, protoadapt.MessageV2Of(&old), protoadapt.MessageV2Of(&own)}
		for _, m := range all {
			must(t, p.Send(ctx, m))
		}
		_, err := dividere.SendMany(ctx, p, all)
		must(t, err)
		for i, m := range receiveAll(t, &batch, s, 2*len(all), 10) {
			if m.GetSensor() != text {
				t.Fatalf("message %d has %d bytes in place of %d", i, len(m.GetSensor()), size)
			}
		}
		for _, m := range all {
			// What it held is gone.
			must(t, p.Send(ctx, &testpb.Reading{Sensor: proto.String("other " + text)}))
			must(t, s.RecvInto(ctx, m))
		}
		for i, got := range []string{dynamic.Get(sensor).String(), *old.Sensor, own.sensor} {
			if got != "other "+text {
				t.Fatalf("%d: %d bytes in place of %d", i, len(got), len("other ")+size)
			}
		}
	}
}
