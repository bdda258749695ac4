package dividere_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// childPart is what this test binary does as a process of its own.
func childPart(part string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	switch part {
	case "send-then-exit":
		p, err := dividere.NewPublisher(os.Getenv("DIVIDERE_TEST_AT"), dividere.WithSendHighWaterMark(0), dividere.WithLinger(patience))
		if err != nil {
			return fail(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.WaitForSubscribers(ctx, 1, ""); err != nil {
			return fail(err)
		}
		// More than the system takes: most of them are still here when the last one was sent.
		filling := strings.Repeat("x", 4000)
		for i := range sentBeforeAnExit {
			m := reading(float64(i))
			m.Sensor = &filling
			if err := p.Send(ctx, m); err != nil {
				return fail(err)
			}
		}
		if err := os.WriteFile(os.Getenv("DIVIDERE_TEST_SENT"), nil, 0o600); err != nil {
			return fail(err)
		}
		if err := dividere.Shutdown(ctx); err != nil {
			return fail(err)
		}
		return 0
	case "configure":
		for _, wrong := range []struct {
			got, want error
		}{
			{dividere.Configure(dividere.WithLinger(1)), dividere.ErrInvalidArgument},
			{dividere.Configure(dividere.WithThreadNamePrefix("acme"), dividere.WithIOThreads(2), dividere.WithMaxSockets(100)), nil},
		} {
			if !errors.Is(wrong.got, wrong.want) {
				return fail(wrong.got)
			}
		}
		p, err := dividere.NewPublisher("tcp://127.0.0.1:*")
		if err != nil {
			return fail(err)
		}
		defer p.Close()
		if err := dividere.Configure(); !errors.Is(err, dividere.ErrState) {
			return fail(err)
		}
		// Threads name themselves, a moment after they were started.
		count := 0
		for end := time.Now().Add(patience); count < 2 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			names, err := filepath.Glob("/proc/self/task/*/comm")
			if err != nil {
				return fail(err)
			}
			count = 0
			for _, name := range names {
				comm, err := os.ReadFile(name)
				if err == nil && strings.HasPrefix(string(comm), "acme") {
					count++
				}
			}
		}
		if count < 2 {
			return fail(fmt.Errorf("%d threads have the prefix", count))
		}
		return 0
	}
	parts := map[string]func() error{"serve": servingPart, "call": callingPart}
	if run, ok := parts[part]; ok {
		if err := run(); err != nil {
			return fail(err)
		}
		return 0
	}
	return fail(fmt.Errorf("no such part: %s", part))
}

func child(t *testing.T, part string, environment ...string) *exec.Cmd {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), append(environment, "DIVIDERE_TEST_PART="+part)...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	must(t, command.Start())
	return command
}

// alone runs the test in a process of its own, where no test before it has left anything. False in the process that waits
// for that one, which has nothing else to do.
func alone(t *testing.T) bool {
	t.Helper()
	const name = "DIVIDERE_TEST_ALONE"
	if os.Getenv(name) == t.Name() {
		return true
	}
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	command.Env = append(os.Environ(), name+"="+t.Name())
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, output)
	}
	return false
}

const sentBeforeAnExit = 10_000

func TestWhatWasSentBeforeAnExitArrives(t *testing.T) {
	s := subscriber(t, "@tcp://127.0.0.1:*", dividere.WithReceiveHighWaterMark(100))
	at, err := s.LastEndpoint()
	must(t, err)
	sent := filepath.Join(t.TempDir(), "sent")
	sender := child(t, "send-then-exit", "DIVIDERE_TEST_AT=>"+at, "DIVIDERE_TEST_SENT="+sent)
	until(t, "everything was sent", func() bool {
		_, err := os.Stat(sent)
		return err == nil
	})
	for i := range sentBeforeAnExit {
		m, err := dividere.Recv[*testpb.Reading](soon(t), s)
		if err != nil {
			counted, _ := s.Statistics()
			t.Fatalf("after %d: %v; %+v", i, err, counted)
		}
		if m.GetValue() != float64(i) {
			t.Fatalf("got %v, not %v", m.GetValue(), i)
		}
	}
	must(t, sender.Wait())
}

// Exhausted descriptors are an error, and what is there already is received all the same.
func TestWithoutDescriptorsThereIsAnError(t *testing.T) {
	// The limit is that of the process.
	if !alone(t) {
		return
	}
	p, s := pair(t)
	var usual syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &usual))
	low := usual
	low.Cur = uint64(descriptors(t) + 60)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	var dealers []*dividere.Dealer
	for {
		d, err := dividere.NewDealer("tcp://127.0.0.1:*")
		if err != nil {
			wants(t, err, dividere.ErrLimit)
			break
		}
		dealers = append(dealers, d)
	}
	var files []*os.File
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, file)
	}
	if len(dealers) == 0 || len(files) == 0 {
		t.Fatal("there were none from the beginning")
	}
	_, err := s.Recv(soon(t))
	wants(t, err, dividere.ErrLimit)
	_, err = dividere.NewReactor()
	wants(t, err, dividere.ErrLimit)
	must(t, p.Send(soon(t), reading(1)))
	until(t, "it arrives", func() bool {
		m, err := dividere.Recv[*testpb.Reading](soon(t), s)
		if err == nil && m.GetValue() != 1 {
			t.Fatal(m)
		}
		return err == nil
	})
	for _, file := range files {
		must(t, file.Close())
	}
	for _, d := range dealers {
		must(t, d.Close())
	}
	// With descriptors it waits.
	over, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Recv(over); err != context.DeadlineExceeded {
		t.Fatal(err)
	}
}

func TestTheProcessIsConfiguredOnce(t *testing.T) {
	must(t, child(t, "configure").Wait())
}

func TestShutdownClosesEverything(t *testing.T) {
	p, s := pair(t)
	failed := make(chan error, 2)
	before := dividere.Sleeping()
	for range 2 {
		go func() {
			_, err := s.Recv(context.Background())
			failed <- err
		}()
	}
	until(t, "they wait", func() bool { return dividere.Sleeping() >= before+2 })
	must(t, dividere.Shutdown(soon(t)))
	wants(t, <-failed, dividere.ErrClosed)
	wants(t, <-failed, dividere.ErrClosed)
	wants(t, p.Send(soon(t), reading(1)), dividere.ErrClosed)
	again, later := pair(t)
	must(t, again.Send(soon(t), reading(1)))
	_, err := later.Recv(soon(t))
	must(t, err)
	// As at a signal: closed all the same.
	over, cancel := context.WithCancel(context.Background())
	cancel()
	wants(t, dividere.Shutdown(over), context.Canceled)
	wants(t, again.Send(soon(t), reading(1)), dividere.ErrClosed)
}

func TestDividereHasNoTypesInTheRegistryOfTheProgram(t *testing.T) {
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if path := file.Path(); !strings.HasPrefix(path, "google/protobuf/") && path != "messages.proto" && path != "short.proto" {
			t.Errorf("%s", path)
		}
		return true
	})
}

func TestTheZeroValueIsAClosedHandle(t *testing.T) {
	ctx := soon(t)
	var (
		p dividere.Publisher
		s dividere.Subscriber
		q dividere.Request
		d dividere.Dealer
		x dividere.Proxy
		r dividere.Reactor
	)
	_, fromEvents := p.RecvEvent(ctx)
	_, fromRecv := s.Recv(ctx)
	_, fromBatch := dividere.RecvMany[*testpb.Reading](ctx, &s, 1)
	_, fromCall := q.Call(ctx, question(1))
	_, fromEndpoint := x.LastEndpoint(dividere.ProxyFront)
	_, fromTimer := r.After(1, func() {})
	_, fromPoll := dividere.Poll(ctx, &s, &d)
	areClosed(t,
		fromEvents, fromRecv, fromBatch, fromCall, fromEndpoint, fromTimer, fromPoll,
		p.Send(ctx, reading(1)), p.SendBytes(ctx, nil), p.WaitConnected(ctx, 0), s.Wait(ctx), s.Subscribe("a.A"),
		q.Send(ctx, question(1)), d.Send(ctx, question(1)), d.SendRouted(ctx, nil, question(1)),
		r.Add(&s), r.Remove(&s), r.Start(), r.Run(ctx), dividere.On(&r, func(dividere.Source, *testpb.Reading) error { return nil }),
	)
	must(t, errors.Join(p.Close(), s.Close(), q.Close(), d.Close(), x.Close(), r.Close()))
}

func TestAForgottenHandleIsClosed(t *testing.T) {
	before := dividere.OpenHandles()
	at := func() string {
		p, err := dividere.NewPublisher("tcp://127.0.0.1:*")
		must(t, err)
		at, err := p.LastEndpoint()
		must(t, err)
		s, err := dividere.NewSubscriber(at)
		must(t, err)
		ctx, cancel := context.WithCancel(soon(t))
		// Also one that was waited for.
		go cancel()
		if _, err := s.Recv(ctx); err != context.Canceled {
			t.Fatal(err)
		}
		return at
	}()
	until(t, "both handles are collected", func() bool {
		runtime.GC()
		return dividere.OpenHandles() == before
	})
	_, _ = publisher(t, at)
}

func TestItSaysWhatItIs(t *testing.T) {
	if !strings.HasPrefix(dividere.Version(), "3.") || !dividere.Has("tcp") || dividere.Has("teleport") {
		t.Fatal(dividere.Version())
	}
	if dividere.StatusTimeout.String() != "TIMEOUT" {
		t.Fatal(dividere.StatusTimeout)
	}
}
