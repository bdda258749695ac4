// Package harness is what the Go programs of the benchmarks share: arguments, the clock, and the modes of
// benches/rust/src/main.rs.
package harness

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"time"

	"example.com/dividere-bench/benchpb"
)

// A Library sends and receives payloads.
type Library interface {
	// Send sends so many, and tells where it is bound before.
	Send(a Arguments, bound func(endpoint string)) error
	// Recv receives them, and tells when the first one was there.
	Recv(a Arguments, first func()) error
	// Pong answers so many, and tells where it is bound before.
	Pong(a Arguments, bound func(endpoint string)) error
	// Ping asks as often, and tells of each answer.
	Ping(a Arguments, each func()) error
}

// Arguments are those of the program.
type Arguments struct {
	Mode, Endpoint string
	Size, Count    int
}

// Payload makes one with a body of that many bytes.
func Payload(size int) *benchpb.Payload { return &benchpb.Payload{Body: make([]byte, size)} }

// Check fails where a payload is not as it should be.
func Check(payload *benchpb.Payload, size int) error {
	if len(payload.GetBody()) != size {
		return fmt.Errorf("a body of %d bytes came, not of %d", len(payload.GetBody()), size)
	}
	return nil
}

// Main runs a library as ARGUMENTS say: send|recv|ping|pong|both ENDPOINT SIZE COUNT.
func Main(library Library, arguments []string) {
	if err := run(library, arguments); err != nil {
		fmt.Fprintln(os.Stderr, "failed:", err)
		os.Exit(1)
	}
}

func run(library Library, arguments []string) error {
	if len(arguments) != 4 {
		return fmt.Errorf("usage: send|recv|ping|pong|both ENDPOINT SIZE COUNT")
	}
	a := Arguments{Mode: arguments[0], Endpoint: arguments[1]}
	var err error
	if a.Size, err = strconv.Atoi(arguments[2]); err != nil {
		return err
	}
	if a.Count, err = strconv.Atoi(arguments[3]); err != nil {
		return err
	}
	tell := func(endpoint string) { fmt.Println(endpoint) }
	receive := func() error {
		var start time.Time
		if err := library.Recv(a, func() { start = time.Now() }); err != nil {
			return err
		}
		fmt.Println(time.Since(start).Nanoseconds())
		return nil
	}
	switch a.Mode {
	case "send":
		return library.Send(a, tell)
	case "recv":
		return receive()
	case "pong":
		return library.Pong(a, tell)
	case "ping":
		out := bufio.NewWriter(os.Stdout)
		before := time.Now()
		err := library.Ping(a, func() {
			after := time.Now()
			fmt.Fprintf(out, "%d ", after.Sub(before).Nanoseconds())
			before = time.Now()
		})
		fmt.Fprintln(out)
		if err != nil {
			return err
		}
		return out.Flush()
	case "both":
		bound, sent := make(chan struct{}), make(chan error, 1)
		go func() { sent <- library.Send(a, func(string) { close(bound) }) }()
		select {
		case <-bound:
		case err := <-sent:
			return err
		}
		if err := receive(); err != nil {
			return err
		}
		return <-sent
	}
	return fmt.Errorf("no such mode: %s", a.Mode)
}
