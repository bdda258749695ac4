// github.com/pebbe/zmq4 with protobuf by hand: what a program without dividere writes, without an envelope.
package main

import (
	"os"

	"example.com/dividere-bench/benchpb"
	"example.com/dividere-bench/harness"
	"github.com/pebbe/zmq4"
	"google.golang.org/protobuf/proto"
)

type library struct{}

func bind(kind zmq4.Type, endpoint string, bound func(string)) (*zmq4.Socket, error) {
	socket, err := zmq4.NewSocket(kind)
	if err != nil {
		return nil, err
	}
	if kind == zmq4.XPUB {
		// It waits where a queue is full.
		if err := socket.SetXpubNodrop(true); err != nil {
			return nil, err
		}
	}
	if err := socket.Bind(endpoint); err != nil {
		return nil, err
	}
	at, err := socket.GetLastEndpoint()
	if err != nil {
		return nil, err
	}
	bound(at)
	return socket, nil
}

func send(socket *zmq4.Socket, payload *benchpb.Payload) error {
	data, err := proto.Marshal(payload)
	if err != nil {
		return err
	}
	_, err = socket.SendBytes(data, 0)
	return err
}

func recv(socket *zmq4.Socket, payload *benchpb.Payload, size int) error {
	data, err := socket.RecvBytes(0)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(data, payload); err != nil {
		return err
	}
	return harness.Check(payload, size)
}

// end waits until everything is sent.
func end(a harness.Arguments, socket *zmq4.Socket) error {
	if err := socket.Close(); err != nil || a.Mode == "both" {
		return err
	}
	return zmq4.Term()
}

func (library) Send(a harness.Arguments, bound func(string)) error {
	publisher, err := bind(zmq4.XPUB, a.Endpoint, bound)
	if err != nil {
		return err
	}
	// The subscription.
	if _, err := publisher.RecvBytes(0); err != nil {
		return err
	}
	payload := harness.Payload(a.Size)
	for range a.Count {
		if err := send(publisher, payload); err != nil {
			return err
		}
	}
	return end(a, publisher)
}

func (library) Recv(a harness.Arguments, first func()) error {
	subscriber, err := zmq4.NewSocket(zmq4.SUB)
	if err != nil {
		return err
	}
	if err := subscriber.SetSubscribe(""); err != nil {
		return err
	}
	if err := subscriber.Connect(a.Endpoint); err != nil {
		return err
	}
	var payload benchpb.Payload
	for i := range a.Count {
		if err := recv(subscriber, &payload, a.Size); err != nil {
			return err
		}
		if i == 0 {
			first()
		}
	}
	return nil
}

func (library) Pong(a harness.Arguments, bound func(string)) error {
	response, err := bind(zmq4.REP, a.Endpoint, bound)
	if err != nil {
		return err
	}
	var payload benchpb.Payload
	for range a.Count {
		if err := recv(response, &payload, a.Size); err != nil {
			return err
		}
		if err := send(response, &payload); err != nil {
			return err
		}
	}
	return end(a, response)
}

func (library) Ping(a harness.Arguments, each func()) error {
	request, err := zmq4.NewSocket(zmq4.REQ)
	if err != nil {
		return err
	}
	if err := request.Connect(a.Endpoint); err != nil {
		return err
	}
	question := harness.Payload(a.Size)
	for range a.Count {
		// A new one each time, as an answer has it that a program keeps.
		var answer benchpb.Payload
		if err := send(request, question); err != nil {
			return err
		}
		if err := recv(request, &answer, a.Size); err != nil {
			return err
		}
		each()
	}
	return nil
}

func main() { harness.Main(library{}, os.Args[1:]) }
