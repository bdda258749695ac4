package dividere_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
)

func TestARegistryKeepsNames(t *testing.T) {
	client, at := registry(t)
	other := registryClient(t, at)
	_, err := other.Lookup(soon(t), "clock")
	wants(t, err, dividere.ErrNotFound)
	first, err := client.Register(soon(t), "clock", 5101, []byte("utc"))
	must(t, err)
	_, err = client.Register(soon(t), "clock.local", 5102, nil)
	must(t, err)
	found, err := other.Lookup(soon(t), "clock")
	must(t, err)
	if found.Port != 5101 || string(found.Metadata) != "utc" || found.ID != first.ID() || found.Name != "clock" ||
		found.Lease != 3*time.Second || found.Endpoint != "tcp://"+found.Server+":5101" {
		t.Fatalf("got %+v", found)
	}
	all, err := other.LookupAll(soon(t), "clock")
	must(t, err)
	listed, err := other.List(soon(t), "clock")
	must(t, err)
	if len(all) != 1 || len(listed) != 2 || listed[1].Name != "clock.local" {
		t.Fatalf("got %+v and %+v", all, listed)
	}
	must(t, first.Unregister(soon(t)))
	wants(t, first.Unregister(soon(t)), dividere.ErrNotFound)
	all, err = other.LookupAll(soon(t), "clock")
	must(t, err)
	if len(all) != 0 {
		t.Fatalf("got %+v", all)
	}
	// Closing takes out the rest.
	must(t, client.Close())
	must(t, client.Close())
	_, err = client.Lookup(soon(t), "clock")
	wants(t, err, dividere.ErrClosed)
	until(t, "nothing is registered", func() bool {
		all, err := other.List(soon(t), "")
		must(t, err)
		return len(all) == 0
	})
	_, err = other.Register(soon(t), "clock", 70000, nil)
	wants(t, err, dividere.ErrInvalidArgument)
}

func TestAWatchTellsWhatChanges(t *testing.T) {
	client, at := registry(t)
	other := registryClient(t, at)
	_, err := client.Register(soon(t), "clock", 5101, nil)
	must(t, err)
	watch, err := other.WatchPrefix(soon(t), "clo")
	must(t, err)
	defer watch.Close()
	wanted := []struct {
		kind dividere.WatchKind
		name string
	}{
		{dividere.WatchPut, "clock"},
		{dividere.WatchComplete, ""},
		{dividere.WatchPut, "cloud"},
		{dividere.WatchDelete, "cloud"},
	}
	second := make(chan *dividere.Registration, 1)
	step := 0
	for event, err := range watch.All(soon(t)) {
		must(t, err)
		if event.Kind != wanted[step].kind || event.Instance.Name != wanted[step].name {
			t.Fatalf("got %v %+v as the event %d", event.Kind, event.Instance, step)
		}
		step++
		switch step {
		case 2:
			// While somebody waits; before somebody does, below.
			go func() {
				until(t, "it is waited for", func() bool { return dividere.Sleeping() > 0 })
				registration, err := client.Register(soon(t), "cloud", 5102, nil)
				if err != nil {
					t.Error(err)
				}
				second <- registration
			}()
		case 3:
			must(t, (<-second).Unregister(soon(t)))
		}
		if step == len(wanted) {
			break
		}
	}
	ctx, cancel := context.WithCancel(soon(t))
	cancel()
	_, err = watch.Recv(ctx)
	wants(t, err, context.Canceled)
	ended := make(chan error, 1)
	go func() {
		for _, err := range watch.All(soon(t)) {
			ended <- err
		}
		close(ended)
	}()
	until(t, "it is waited for", func() bool { return dividere.Sleeping() > 0 })
	must(t, watch.Close())
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestWaitingForARegistryThatIsNotThereEndsWithTheContext(t *testing.T) {
	// It answers nobody.
	_, at := response(t, "tcp://127.0.0.1:*")
	client := registryClient(t, at)
	ctx, cancel := context.WithCancel(soon(t))
	before := time.Now()
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := client.Lookup(ctx, "clock")
	wants(t, err, context.Canceled)
	if took := time.Since(before); took > time.Second {
		t.Fatalf("it took %v to hear of it", took)
	}
	short, end := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer end()
	_, err = client.Watch(short, "clock")
	wants(t, err, context.DeadlineExceeded)
}

func TestARegistryThatIsNotThereHoldsUpNoOther(t *testing.T) {
	away := registryClient(t, "tcp://127.0.0.1:1", dividere.WithLinger(0))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 20)
	for range cap(ended) {
		go func() {
			_, err := away.Lookup(ctx, "nobody")
			ended <- err
		}()
	}
	until(t, "all who may wait in the library do", dividere.AllBlocked)
	there, _ := registry(t)
	_, err := there.Register(soon(t), "clock", 5101, nil)
	must(t, err)
	cancel()
	for range cap(ended) {
		wants(t, <-ended, context.Canceled)
	}
}

func TestWhatWorksByItselfIsNotCollected(t *testing.T) {
	defer dividere.CloseWorking()
	at := func() string {
		server, err := dividere.NewRegistryServer("tcp://127.0.0.1:*")
		must(t, err)
		at, err := server.LastEndpoint()
		must(t, err)
		client, err := dividere.NewRegistryClient(at)
		must(t, err)
		s, err := dividere.NewService("double", client, dividere.WithServiceEndpoint("tcp://127.0.0.1:*"))
		must(t, err)
		must(t, dividere.Handle(s, func(_ context.Context, q *testpb.Question) (*testpb.Answer, error) {
			return answer(2 * q.GetNumber()), nil
		}))
		must(t, s.Start(soon(t)))
		return at
	}()
	for range 10 {
		runtime.GC()
	}
	c := caller(t, registryClient(t, at))
	got, err := dividere.Call[*testpb.Answer](soon(t), c, question(4))
	must(t, err)
	if got.GetNumber() != 8 {
		t.Fatalf("got %v", got)
	}
}
