// dividere's Go binding, as anybody would write it.
//
//	bench_go one|many MODE ENDPOINT SIZE COUNT
//
// many sends and receives with the calls for many messages at once. What is received is used again, as it is by hand.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"example.com/dividere"
	"example.com/dividere-bench/benchpb"
	"example.com/dividere-bench/harness"
	"google.golang.org/protobuf/proto"
)

const atOnce = 256

var background = context.Background()

type library struct {
	many bool
}

func options() dividere.Option {
	return dividere.WithOptions(dividere.WithFullQueue(dividere.FullQueueBlock),
		dividere.WithSendTimeout(time.Minute), dividere.WithLinger(time.Minute))
}

func (l library) Send(a harness.Arguments, bound func(string)) error {
	publisher, err := dividere.NewPublisher(a.Endpoint, options())
	if err != nil {
		return err
	}
	at, err := publisher.LastEndpoint()
	if err != nil {
		return err
	}
	bound(at)
	if err := publisher.WaitForSubscribers(background, 1, dividere.NameOf[*benchpb.Payload]()); err != nil {
		return err
	}
	payload := harness.Payload(a.Size)
	if l.many {
		some := make([]*benchpb.Payload, atOnce)
		for i := range some {
			some[i] = payload
		}
		for left := a.Count; left > 0; {
			sent, err := dividere.SendMany(background, publisher, some[:min(left, atOnce)])
			if err != nil {
				return err
			}
			left -= sent
		}
	} else {
		for range a.Count {
			if err := publisher.Send(background, payload); err != nil {
				return err
			}
		}
	}
	if a.Mode == "both" {
		return nil
	}
	return dividere.Shutdown(background)
}

func (l library) Recv(a harness.Arguments, first func()) error {
	subscriber, err := dividere.NewSubscriber(a.Endpoint, options())
	if err != nil {
		return err
	}
	if l.many {
		var batch dividere.Batch[*benchpb.Payload]
		for received := 0; received < a.Count; {
			some, err := batch.Recv(background, subscriber, atOnce)
			if err != nil {
				return err
			}
			for _, payload := range some {
				if err := harness.Check(payload, a.Size); err != nil {
					return err
				}
			}
			if received == 0 {
				first()
			}
			received += len(some)
		}
		return nil
	}
	var payload benchpb.Payload
	for i := range a.Count {
		if err := subscriber.RecvInto(background, &payload); err != nil {
			return err
		}
		if err := harness.Check(&payload, a.Size); err != nil {
			return err
		}
		if i == 0 {
			first()
		}
	}
	return nil
}

func (l library) Pong(a harness.Arguments, bound func(string)) error {
	response, err := dividere.NewResponse("@"+a.Endpoint, options())
	if err != nil {
		return err
	}
	at, err := response.LastEndpoint()
	if err != nil {
		return err
	}
	bound(at)
	var payload benchpb.Payload
	for range a.Count {
		if err := response.RecvInto(background, &payload); err != nil {
			return err
		}
		if err := harness.Check(&payload, a.Size); err != nil {
			return err
		}
		if err := response.Send(background, &payload); err != nil {
			return err
		}
	}
	return dividere.Shutdown(background)
}

func (l library) Ping(a harness.Arguments, each func()) error {
	request, err := dividere.NewRequest(a.Endpoint, options())
	if err != nil {
		return err
	}
	question := harness.Payload(a.Size)
	for range a.Count {
		answer, err := dividere.Call[*benchpb.Payload](background, request, question)
		if err != nil {
			return err
		}
		if err := harness.Check(answer, a.Size); err != nil {
			return err
		}
		each()
	}
	return nil
}

// frame prints the body with which a payload alone is as long as the envelope around one with a body of SIZE bytes.
func frame(text string) error {
	size, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	envelope, err := dividere.EncodeEnvelope(harness.Payload(size))
	if err != nil {
		return err
	}
	body := len(envelope)
	for proto.Size(harness.Payload(body)) > len(envelope) {
		body--
	}
	fmt.Println(body)
	return nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: bench_go one|many MODE ENDPOINT SIZE COUNT")
		os.Exit(2)
	}
	if os.Args[2] == "frame" && len(os.Args) > 4 {
		if err := frame(os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, "failed:", err)
			os.Exit(1)
		}
		return
	}
	harness.Main(library{os.Args[1] == "many"}, os.Args[2:])
}
