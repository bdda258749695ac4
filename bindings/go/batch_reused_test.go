package dividere_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand"
	"runtime"
	"testing"
	"unsafe"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// receiveAll receives so many messages with a batch, and keeps copies.
func receiveAll[T proto.Message](t *testing.T, batch *dividere.Batch[T], from dividere.Receiver, count, most int) []T {
	t.Helper()
	var kept []T
	for len(kept) < count {
		some, err := batch.Recv(soon(t), from, most)
		must(t, err)
		if len(some) == 0 || len(some) > most {
			t.Fatalf("%d messages, of at most %d", len(some), most)
		}
		for _, m := range some {
			kept = append(kept, proto.CloneOf(m))
		}
	}
	return kept
}

func someBytes(random *rand.Rand) []byte {
	// None, few, and many: to either side of what has memory of its own.
	size := []int{0, random.Intn(40), 1000 + random.Intn(60), random.Intn(70_000)}[random.Intn(4)]
	data := make([]byte, size)
	random.Read(data)
	return data
}

// image makes one that has some of its fields.
func image(random *rand.Rand, number int, deep bool) *testpb.Image {
	m := &testpb.Image{Number: proto.Int32(int32(number))}
	has := func() bool { return random.Intn(2) == 0 }
	if has() {
		m.Pixels = someBytes(random)
	}
	if has() {
		m.Mask = someBytes(random)
	}
	for range random.Intn(3) {
		m.Tiles = append(m.Tiles, someBytes(random))
	}
	switch random.Intn(3) {
	case 0:
		m.Source = &testpb.Image_Name{Name: "a name"}
	case 1:
		m.Source = &testpb.Image_Raw{Raw: someBytes(random)}
	}
	if deep && has() {
		m.Thumbnail = image(random, number, false)
	}
	if has() {
		m.Extra = &testpb.Image_Extra{Notes: someBytes(random)}
	}
	if has() {
		m.Layers = map[int32][]byte{1: someBytes(random), 2: someBytes(random)}
	}
	if has() {
		proto.SetExtension(m, testpb.E_Profile, someBytes(random))
	}
	if has() {
		m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), someBytes(random)))
	}
	return m
}

func TestABatchThatIsUsedAgainHasWhatWasSent(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	random := rand.New(rand.NewSource(2))
	var all []*testpb.Image
	for number := range 400 {
		all = append(all, image(random, number, true))
	}
	sent, err := dividere.SendMany(soon(t), p, all)
	must(t, err)
	if sent != len(all) {
		t.Fatalf("%d of %d were sent", sent, len(all))
	}
	var batch dividere.Batch[*testpb.Image]
	kept := receiveAll(t, &batch, s, len(all), 7)
	for i, m := range kept {
		if !proto.Equal(m, all[i]) {
			t.Fatalf("message %d is another one: %d pixels for %d", i, len(m.GetPixels()), len(all[i].GetPixels()))
		}
		if (m.Pixels == nil) != (all[i].Pixels == nil) {
			t.Fatalf("message %d: whether there are pixels was lost", i)
		}
	}
}

// What protobuf makes of several parts of a message, and of fields that come again, is the same in parts.
func TestALargeFieldThatComesAgainCountsLast(t *testing.T) {
	p, s := pair(t)
	ctx := soon(t)
	part := func(m *testpb.Image) []byte {
		data, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m)
		must(t, err)
		return data
	}
	large := func(letter string) []byte { return bytes.Repeat([]byte(letter), 5000) }
	content := bytes.Join([][]byte{
		part(&testpb.Image{Pixels: large("a"), Source: &testpb.Image_Raw{Raw: large("b")}}),
		part(&testpb.Image{Pixels: large("c"), Mask: large("d"), Source: &testpb.Image_Name{Name: "last"}}),
		part(&testpb.Image{Number: proto.Int32(4), Mask: []byte("e")}),
	}, nil)
	var want testpb.Image
	must(t, proto.Unmarshal(content, &want))
	if string(want.Mask) != "e" || want.GetName() != "last" {
		t.Fatal("not what was meant")
	}
	must(t, p.SendBytes(ctx, envelope("acme.v1.Image", content)))
	var batch dividere.Batch[*testpb.Image]
	some, err := batch.Recv(ctx, s, 1)
	must(t, err)
	if !proto.Equal(some[0], &want) {
		t.Fatalf("%.80s", some[0])
	}
}

func TestABatchThatIsUsedAgainTellsWhatWasWrong(t *testing.T) {
	p, s := pair(t)
	ctx := soon(t)
	large := bytes.Repeat([]byte{7}, 5000)
	good := func(number int32) proto.Message { return &testpb.Image{Number: &number, Pixels: large} }
	must(t, p.Send(ctx, good(1)))
	must(t, p.SendBytes(ctx, []byte("no envelope")))
	must(t, p.Send(ctx, reading(1)))
	whole, err := proto.Marshal(good(2))
	must(t, err)
	// Cut off in the large field; with a tag that is none behind it; and without the number that it must have.
	for _, content := range [][]byte{whole[:3000], append(bytes.Clone(whole), 0), whole[2:]} {
		must(t, p.SendBytes(ctx, envelope("acme.v1.Image", content)))
	}
	must(t, p.Send(ctx, good(3)))
	var batch dividere.Batch[*testpb.Image]
	var numbers []int32
	var wrong []error
	for len(numbers) < 2 || len(wrong) < 5 {
		some, err := batch.Recv(ctx, s, 10)
		for _, m := range some {
			if !bytes.Equal(m.Pixels, large) {
				t.Fatal("other pixels")
			}
			numbers = append(numbers, m.GetNumber())
		}
		if err != nil {
			wrong = append(wrong, err.(interface{ Unwrap() []error }).Unwrap()...)
		}
	}
	for i, kind := range []error{
		dividere.ErrDecode, dividere.ErrType, dividere.ErrDecode, dividere.ErrDecode, dividere.ErrDecode,
	} {
		wants(t, wrong[i], kind)
	}
	var undecodable *dividere.DecodeError
	if !errors.As(wrong[2], &undecodable) || !bytes.Equal(undecodable.Payload, whole[:3000]) {
		t.Fatal("the error has other bytes")
	}
	if numbers[0] != 1 || numbers[1] != 3 {
		t.Fatal(numbers)
	}
	_, err = batch.Recv(ctx, s, 0)
	wants(t, err, dividere.ErrInvalidArgument)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err = batch.Recv(ended, s, 1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// To the same memory, until that is more than a batch keeps.
func TestABatchUsesItsMemoryAgain(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	ctx := soon(t)
	var batch dividere.Batch[*testpb.Image]
	first := func(size int) (*testpb.Image, *byte) {
		must(t, p.Send(ctx, &testpb.Image{Number: proto.Int32(1), Pixels: make([]byte, size)}))
		some, err := batch.Recv(ctx, s, 1)
		must(t, err)
		return some[0], unsafe.SliceData(some[0].Pixels)
	}
	m, at := first(100_000)
	for _, size := range []int{100_000, 2000, 60_000} {
		if again, place := first(size); again != m || place != at || len(again.Pixels) != size || cap(again.Pixels) != size {
			t.Fatalf("%d bytes are elsewhere", size)
		}
	}
	if _, place := first(200_000); place == at {
		t.Fatal("200,000 bytes in place of 100,000")
	}
	_, at = first(10 << 20)
	if _, place := first(9 << 20); place != at {
		t.Fatal("9 MiB are elsewhere")
	}
	first(20 << 20)
	if _, place := first(10 << 20); place != at {
		t.Fatal("what the batch kept was given up for what it does not keep")
	}
	_, at = first(20 << 20)
	if _, place := first(20 << 20); place == at {
		t.Fatal("20 MiB are kept")
	}
	runtime.KeepAlive(m)
}

// Also of what was not good: a burst is over for the collector once something else has come.
func TestABatchHoldsWhatItReceivedLast(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	ctx := soon(t)
	small := &testpb.Image{Number: proto.Int32(1)}
	large := &testpb.Image{Number: proto.Int32(2), Tiles: [][]byte{make([]byte, 1<<20)}}
	cut, err := proto.Marshal(large)
	must(t, err)
	// Parsed up to the last tag, which is none.
	cut = append(cut, 0)
	held := func() int64 {
		runtime.GC()
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		return int64(now.HeapAlloc) >> 20
	}
	before := held()
	var batch dividere.Batch[*testpb.Image]
	receive := func(count int) {
		for count > 0 {
			some, err := batch.Recv(ctx, s, 200)
			count -= len(some)
			if err != nil {
				count -= len(err.(interface{ Unwrap() []error }).Unwrap())
			}
		}
	}
	const many = 60
	for range 3 {
		// The size of the first one says how many come at once.
		must(t, p.Send(ctx, small))
		for range many {
			must(t, p.Send(ctx, large))
		}
		receive(1 + many)
	}
	must(t, p.SendBytes(ctx, envelope("acme.v1.Image", cut)))
	must(t, p.Send(ctx, small))
	receive(2)
	must(t, p.Send(ctx, small))
	receive(1)
	if more := held() - before; more > 5 {
		t.Fatalf("%d MiB are held", more)
	}
	runtime.KeepAlive(&batch)
}

func TestABatchAllocatesNothingForSmallAndLargeFields(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	ctx := context.Background()
	const each = 20
	m := &testpb.Image{Number: proto.Int32(1), Pixels: make([]byte, 50_000), Mask: make([]byte, 5000)}
	some := make([]*testpb.Image, each)
	for i := range some {
		some[i] = m
	}
	var batch dividere.Batch[*testpb.Image]
	round := func() {
		if _, err := dividere.SendMany(ctx, p, some); err != nil {
			t.Fatal(err)
		}
		for left := each; left > 0; {
			got, err := batch.Recv(ctx, s, each)
			if err != nil {
				t.Fatal(err)
			}
			left -= len(got)
		}
	}
	for range 10 {
		round()
	}
	var before, after runtime.MemStats
	const rounds = 50
	runtime.ReadMemStats(&before)
	for range rounds {
		round()
	}
	runtime.ReadMemStats(&after)
	// Without memory of its own each message takes 55,000 bytes.
	if bytes := (after.TotalAlloc - before.TotalAlloc) / (rounds * each); bytes > 1000 {
		t.Fatalf("%d bytes were allocated for each message", bytes)
	}
}

func TestABatchOfAnyTypeAndOfADealer(t *testing.T) {
	p, s := pair(t)
	ctx := soon(t)
	must(t, p.Send(ctx, reading(5)))
	must(t, p.Send(ctx, &testpb.Alarm{Text: proto.String("any")}))
	var any dividere.Batch[proto.Message]
	kept := receiveAll(t, &any, s, 2, 10)
	if !proto.Equal(kept[0], reading(5)) || kept[1].(*testpb.Alarm).GetText() != "any" {
		t.Fatal(kept)
	}

	bound, err := dividere.NewDealer("tcp://127.0.0.1:*")
	must(t, err)
	closing(t, bound)
	at, err := bound.LastEndpoint()
	must(t, err)
	connected, err := dividere.NewDealer(at)
	must(t, err)
	closing(t, connected)
	for number := range 3 {
		must(t, connected.Send(ctx, reading(float64(number))))
	}
	var readings dividere.Batch[*testpb.Reading]
	for number, m := range receiveAll(t, &readings, bound, 3, 2) {
		if m.GetValue() != float64(number) {
			t.Fatal(m)
		}
	}
}
