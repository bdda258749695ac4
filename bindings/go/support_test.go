package dividere_test

// What the tests have in common.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Reached only where something is wrong.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if part := os.Getenv("DIVIDERE_TEST_PART"); part != "" {
		os.Exit(childPart(part))
	}
	os.Exit(m.Run())
}

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func closing(t testing.TB, handle interface{ Close() error }) {
	t.Cleanup(func() {
		if err := handle.Close(); err != nil {
			t.Error(err)
		}
	})
}

func publisher(t testing.TB, at string, options ...dividere.Option) (*dividere.Publisher, string) {
	t.Helper()
	p, err := dividere.NewPublisher(at, options...)
	must(t, err)
	closing(t, p)
	endpoint, err := p.LastEndpoint()
	must(t, err)
	return p, endpoint
}

func subscriber(t testing.TB, at string, options ...dividere.Option) *dividere.Subscriber {
	t.Helper()
	s, err := dividere.NewSubscriber(at, options...)
	must(t, err)
	closing(t, s)
	return s
}

// pair is a publisher with one subscriber, whose subscription has arrived.
func pair(t testing.TB, options ...dividere.Option) (*dividere.Publisher, *dividere.Subscriber) {
	t.Helper()
	p, at := publisher(t, "tcp://127.0.0.1:*", options...)
	s := subscriber(t, at, options...)
	must(t, p.WaitForSubscribers(soon(t), 1, ""))
	return p, s
}

func reading(value float64) *testpb.Reading {
	return &testpb.Reading{Sensor: proto.String("cpu"), Value: proto.Float64(value)}
}

func wants(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got the error %v, not %v", err, want)
	}
}

// threads counts those of this process.
func threads(t testing.TB) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	must(t, err)
	for _, line := range strings.Split(string(status), "\n") {
		var count int
		if n, _ := fmt.Sscanf(line, "Threads: %d", &count); n == 1 {
			return count
		}
	}
	t.Fatal("/proc/self/status does not say how many threads there are")
	return 0
}

// until waits for something that nothing tells of.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// took receives a message, for goroutines of a test. nil where that failed, as the test does then.
func took(t testing.TB, from *dividere.Response) *dividere.Message {
	m, err := from.RecvMessage(context.Background())
	if err != nil {
		t.Error(err)
		return nil
	}
	return m
}

// areClosed: so say all of these errors of handles.
func areClosed(t testing.TB, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if !errors.Is(err, dividere.ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// envelope is that of a message of this type, with any content: made from what is written of it, not by the library.
func envelope(name string, content []byte) []byte {
	field := func(to []byte, number protowire.Number, data []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), data)
	}
	anything := field(field(nil, 1, []byte("type.googleapis.com/"+name)), 2, content)
	return field(field(nil, 1, []byte(name)), 2, anything)
}
