package dividere_test

import (
	"context"
	"errors"
	"math/rand"
	"strings"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

// What fills a batch by number, what fills it by bytes, and what is too large for any.
func TestBatchesOfAllSizesArriveWholeAndInOrder(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	random := rand.New(rand.NewSource(1))
	var all []*testpb.Reading
	add := func(size int) {
		letter := string(rune('a' + len(all)%26))
		all = append(all, &testpb.Reading{
			Sensor: proto.String(strings.Repeat(letter, size)), Value: proto.Float64(float64(len(all))),
		})
	}
	const most = 256 << 10
	for range 600 {
		add(random.Intn(200))
	}
	for around := range 40 {
		// The serialised message is some bytes longer than its text.
		add(most - 30 + around)
	}
	for range 30 {
		add(random.Intn(most / 2))
	}
	add(3 * most)
	add(0)
	sent, err := dividere.SendMany(soon(t), p, all)
	must(t, err)
	if sent != len(all) {
		t.Fatalf("%d of %d were sent", sent, len(all))
	}
	var kept []*testpb.Reading
	for len(kept) < len(all) {
		some, err := dividere.RecvMany[*testpb.Reading](soon(t), s, 1+random.Intn(300))
		must(t, err)
		kept = append(kept, some...)
	}
	// At the end: none shares anything with another.
	for i, m := range kept {
		if !proto.Equal(m, all[i]) {
			t.Fatalf("message %d is another one, of %d bytes, not %d", i, len(m.GetSensor()), len(all[i].GetSensor()))
		}
	}
}

func TestACancelledBatchLosesNoMessage(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	const count = 2000
	go func() {
		for i := range count {
			if err := p.Send(context.Background(), reading(float64(i))); err != nil {
				t.Error(err)
			}
			if i%5 == 0 {
				time.Sleep(200 * time.Microsecond)
			}
		}
	}()
	var batch dividere.Batch[*testpb.Reading]
	cancelled := 0
	for next := 0; next < count; {
		ctx, cancel := context.WithCancel(soon(t))
		timer := time.AfterFunc(50*time.Microsecond, cancel)
		some, err := batch.Recv(ctx, s, 100)
		timer.Stop()
		cancel()
		if err != nil {
			if err != context.Canceled {
				t.Fatalf("%v is not ctx.Err()", err)
			}
			cancelled++
		}
		for _, m := range some {
			if m.GetValue() != float64(next) {
				t.Fatalf("got %v, not %v", m.GetValue(), next)
			}
			next++
		}
	}
	if cancelled == 0 {
		t.Fatal("nothing was cancelled: this shows nothing")
	}
}

// A request gives up what it waits for in vain: so a batch that is received from one waits in one piece.
func TestABatchFromARequestWaitsForALateReply(t *testing.T) {
	response, err := dividere.NewResponse("tcp://127.0.0.1:*")
	must(t, err)
	defer response.Close()
	at, err := response.LastEndpoint()
	must(t, err)
	request, err := dividere.NewRequest(at)
	must(t, err)
	defer request.Close()
	must(t, request.Send(soon(t), &testpb.Reading{Sensor: proto.String("asked")}))
	_, err = dividere.Recv[*testpb.Reading](soon(t), response)
	must(t, err)
	before := dividere.Sleeping()
	answered := make(chan error, 1)
	go func() {
		// After the moment for which a wait is one in C.
		until(t, "the request sleeps", func() bool { return dividere.Sleeping() > before })
		answered <- response.Send(soon(t), &testpb.Reading{Sensor: proto.String("late")})
	}()
	some, err := dividere.RecvMany[*testpb.Reading](soon(t), request, 10)
	must(t, err)
	if len(some) != 1 || some[0].GetSensor() != "late" {
		t.Fatalf("%v came", some)
	}
	must(t, <-answered)
}

func TestATypeThatCannotBeMadeIsRefusedBeforeAMessageIsTaken(t *testing.T) {
	p, s := pair(t)
	must(t, p.Send(soon(t), &testpb.Reading{Sensor: proto.String("stays")}))
	if _, err := dividere.RecvMany[*dynamicpb.Message](soon(t), s, 10); !errors.Is(err, dividere.ErrInvalidArgument) {
		t.Fatalf("%v", err)
	}
	if _, err := dividere.Recv[*dynamicpb.Message](soon(t), s); !errors.Is(err, dividere.ErrInvalidArgument) {
		t.Fatalf("%v", err)
	}
	some, err := dividere.RecvMany[proto.Message](soon(t), s, 10)
	must(t, err)
	if len(some) != 1 {
		t.Fatalf("%d messages came", len(some))
	}
}
