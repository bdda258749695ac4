package dividere_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
)

func TestCallsRunSideBySideWithFewThreads(t *testing.T) {
	client, at := registry(t)
	service(t, client)
	must(t, child(t, "call", "DIVIDERE_TEST_AT="+at).Wait())
}

func callingPart() error {
	client, err := dividere.NewRegistryClient(os.Getenv("DIVIDERE_TEST_AT"))
	if err != nil {
		return err
	}
	c, err := dividere.NewServiceClient("double", client)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	outcomes := make(chan error)
	const calls = 500
	for i := range int32(calls) {
		go func() {
			got, err := dividere.Call[*testpb.Answer](ctx, c, question(i))
			if err == nil && got.GetNumber() != 2*i {
				err = fmt.Errorf("got %v for %d", got, i)
			}
			outcomes <- err
		}()
	}
	for range calls {
		err = errors.Join(err, <-outcomes)
	}
	status, readError := os.ReadFile("/proc/self/status")
	if _, count, _ := strings.Cut(string(status), "Threads:"); err == nil && readError == nil {
		var threads int
		if _, readError = fmt.Sscan(count, &threads); threads > 45 {
			err = fmt.Errorf("%d threads", threads)
		}
	}
	return errors.Join(err, readError)
}

func servingPart() error {
	client, err := dividere.NewRegistryClient(os.Getenv("DIVIDERE_TEST_AT"), dividere.WithLease(500*time.Millisecond))
	if err != nil {
		return err
	}
	s, err := dividere.NewService("double", client, dividere.WithServiceEndpoint("tcp://127.0.0.1:*"))
	if err != nil {
		return err
	}
	err = dividere.Handle(s, func(_ context.Context, q *testpb.Question) (*testpb.Answer, error) {
		if sign := os.Getenv("DIVIDERE_TEST_STUCK"); sign != "" {
			// It says that it has a request, and keeps it.
			if err := os.WriteFile(sign, nil, 0o600); err != nil {
				return nil, err
			}
			select {}
		}
		return answer(2 * q.GetNumber()), nil
	})
	if err != nil {
		return err
	}
	if err := s.Start(context.Background()); err != nil {
		return err
	}
	select {}
}

func TestKillingAProcessLosesNoCallThatMayBeRepeated(t *testing.T) {
	client, at := registry(t)
	first := child(t, "serve", "DIVIDERE_TEST_AT="+at)
	second := child(t, "serve", "DIVIDERE_TEST_AT="+at)
	defer func() {
		must(t, second.Process.Kill())
		_ = second.Wait()
	}()
	until(t, "both are registered", func() bool {
		all, err := client.LookupAll(soon(t), "double")
		must(t, err)
		return len(all) == 2
	})
	c := caller(t, client)
	for i := range int32(2000) {
		if i == 500 {
			must(t, first.Process.Kill())
			_ = first.Wait()
		}
		got, err := dividere.Call[*testpb.Answer](soon(t), c, question(i), dividere.MayRepeat())
		must(t, err)
		if got.GetNumber() != 2*i {
			t.Fatalf("got %v for %d", got, i)
		}
	}
	until(t, "the dead one is forgotten", func() bool {
		all, err := client.LookupAll(soon(t), "double")
		must(t, err)
		return len(all) == 1
	})
}

func TestACallOfAKilledProcessIsRepeatedWhereItMayBe(t *testing.T) {
	for _, options := range [][]dividere.CallOption{nil, {dividere.MayRepeat()}} {
		client, at := registry(t)
		sign := filepath.Join(t.TempDir(), "has it")
		stuck := child(t, "serve", "DIVIDERE_TEST_AT="+at, "DIVIDERE_TEST_STUCK="+sign)
		c := caller(t, client)
		must(t, c.WaitForService(soon(t)))
		called := make(chan error, 1)
		go func() {
			_, err := dividere.Call[*testpb.Answer](soon(t), c, question(1), options...)
			called <- err
		}()
		until(t, "the request is there", func() bool {
			_, err := os.Stat(sign)
			return err == nil
		})
		service(t, client)
		must(t, stuck.Process.Kill())
		_ = stuck.Wait()
		if options == nil {
			wants(t, <-called, dividere.ErrUnreachable)
		} else {
			must(t, <-called)
		}
	}
}
