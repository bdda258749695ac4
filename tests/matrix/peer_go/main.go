// The Go peer of the matrix: does what each line of its input says, and answers each with one line. The lines are
// described in README.md one folder up; run.py there writes them.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"example.com/dividere"
	"example.com/dividere-matrix/matrixpb"
	"example.com/dividere-matrix/telemetrypb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Where only a failure would wait so long.
const limit = 20 * time.Second

func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), limit)
}

// channel is what sends and receives.
type channel interface {
	LastEndpoint() (string, error)
	WaitConnected(ctx context.Context, peers int) error
	Close() error
}

type sender interface {
	Send(ctx context.Context, m proto.Message) error
	SendBytes(ctx context.Context, data []byte) error
}

type receiver interface {
	RecvMessage(ctx context.Context) (*dividere.Message, error)
}

type rawReceiver interface {
	RecvRaw(ctx context.Context) (*dividere.Message, error)
}

type socket struct {
	channel
	// What was received last, to be answered.
	last *dividere.Message
}

type peer struct {
	sockets  map[string]*socket
	proxies  map[string]*dividere.Proxy
	reactors map[string]*served
	named    *named
}

func newPeer() *peer {
	return &peer{map[string]*socket{}, map[string]*dividere.Proxy{}, map[string]*served{}, newNamed()}
}

func invalid(format string, arguments ...any) error {
	return dividere.NewError(dividere.StatusInvalidArgument, fmt.Sprintf(format, arguments...))
}

// as gives the socket of this name as what a command needs.
func as[T any](p *peer, name string) (T, *socket, error) {
	var none T
	s, ok := p.sockets[name]
	if !ok {
		return none, nil, invalid("no socket is called %s", name)
	}
	fitting, ok := s.channel.(T)
	if !ok {
		return none, nil, invalid("%s is a %T, which cannot do that", name, s.channel)
	}
	return fitting, s, nil
}

// obey does what a line says.
func (p *peer) obey(words []string) (string, error) {
	ctx, cancel := soon()
	defer cancel()
	if len(words) == 0 {
		return "", invalid("an empty line")
	}
	switch words[0] {
	case "hello":
		return "ok go " + dividere.Version() + " with " + runtime.Version(), nil
	case "reset":
		return "ok", p.reset()
	}
	if len(words) < 2 {
		return "", invalid("not understood: %v", words)
	}
	name, rest := words[1], words[2:]
	switch words[0] {
	case "new":
		if len(rest) == 0 {
			return "", invalid("no name")
		}
		if made, err := p.named.make(ctx, name, rest[0], rest[1:]); made != "" || err != nil {
			return made, err
		}
		return p.make(name, rest[0], rest[1:])
	case "recv", "recv_bytes":
		return p.recv(ctx, name, words[0] == "recv")
	case "call":
		return p.call(ctx, name, rest)
	case "call_again":
		ms, retries := number(rest[0]), number(rest[1])
		return p.call(ctx, name, rest[2:], dividere.WithRetries(retries, time.Duration(ms)*time.Millisecond))
	case "expect":
		return p.expect(ctx, name, number(rest[0]))
	case "taken":
		return p.reactors[name].taken(ctx)
	}
	return "ok", p.do(ctx, words[0], name, rest)
}

// do does what is answered with nothing but "ok".
func (p *peer) do(ctx context.Context, what, name string, rest []string) error {
	switch what {
	case "send":
		return p.send(ctx, name, rest)
	case "send_empty", "send_routed":
		return p.sendAsDealer(ctx, what, name, rest)
	case "reply":
		s, ok := p.sockets[name]
		if !ok || s.last == nil {
			return invalid("%s has received nothing", name)
		}
		if rest[0] == "bytes" {
			data, err := payloadOf(rest[1])
			if err != nil {
				return err
			}
			return s.last.ReplyBytes(ctx, data)
		}
		m, err := typed(rest)
		if err != nil {
			return err
		}
		return s.last.Reply(ctx, m)
	case "reply_error":
		response, _, err := as[*dividere.Response](p, name)
		if err != nil {
			return err
		}
		status, err := statusNamed(rest[0])
		if err != nil {
			return err
		}
		return response.SendError(ctx, status, strings.Join(rest[1:], " "))
	case "connected":
		c, _, err := as[channel](p, name)
		if err != nil {
			return err
		}
		return c.WaitConnected(ctx, number(rest[0]))
	case "subscribe", "unsubscribe", "subscribe_prefix", "unsubscribe_prefix":
		return p.subscribe(what, name, rest[0])
	case "subscribers":
		publisher, _, err := as[*dividere.Publisher](p, name)
		if err != nil {
			return err
		}
		typeName := protoreflect.FullName(rest[0])
		if rest[0] == "-" {
			typeName = ""
		}
		return publisher.WaitForSubscribers(ctx, number(rest[1]), typeName)
	case "burst":
		return p.burst(ctx, name, number(rest[0]))
	case "on":
		return p.reactors[name].on(rest[0], rest[1:])
	case "add":
		source, _, err := as[dividere.Receiver](p, rest[0])
		if err != nil {
			return err
		}
		return p.reactors[name].reactor.Add(source)
	case "start":
		return p.reactors[name].reactor.Start()
	}
	return invalid("not understood: %s", what)
}

func (p *peer) reset() error {
	errs := []error{p.named.close()}
	for _, r := range p.reactors {
		errs = append(errs, r.reactor.Close())
	}
	for _, proxy := range p.proxies {
		errs = append(errs, proxy.Close())
	}
	for _, s := range p.sockets {
		if s.last != nil {
			errs = append(errs, s.last.Close())
		}
		errs = append(errs, s.Close())
	}
	*p = *newPeer()
	return errors.Join(errs...)
}

func (p *peer) send(ctx context.Context, name string, words []string) error {
	to, _, err := as[sender](p, name)
	if err != nil {
		return err
	}
	if words[0] == "bytes" {
		data, err := payloadOf(words[1])
		if err != nil {
			return err
		}
		return to.SendBytes(ctx, data)
	}
	m, err := typed(words)
	if err != nil {
		return err
	}
	return to.Send(ctx, m)
}

func (p *peer) sendAsDealer(ctx context.Context, what, name string, words []string) error {
	dealer, s, err := as[*dividere.Dealer](p, name)
	if err != nil {
		return err
	}
	m, err := typed(words)
	if err != nil {
		return err
	}
	if what == "send_empty" {
		return dealer.SendWithEmptyFrame(ctx, m)
	}
	route, err := s.last.Route()
	if err != nil {
		return err
	}
	return dealer.SendRouted(ctx, route, m)
}

func (p *peer) recv(ctx context.Context, name string, parsed bool) (string, error) {
	from, s, err := as[receiver](p, name)
	if err != nil {
		return "", err
	}
	receive := from.RecvMessage
	if !parsed {
		raw, _, err := as[rawReceiver](p, name)
		if err != nil {
			return "", err
		}
		receive = raw.RecvRaw
	}
	m, err := receive(ctx)
	if err != nil {
		return "", err
	}
	if s.last != nil {
		if err := s.last.Close(); err != nil {
			return "", err
		}
	}
	s.last = m
	routed := ""
	if _, isDealer := s.channel.(*dividere.Dealer); isDealer {
		route, err := m.Route()
		if err != nil {
			return "", err
		}
		if len(route) > 0 {
			routed = " routed"
		}
	}
	if !parsed {
		return "bytes " + toldPayload(m.Bytes()) + routed, nil
	}
	value, err := m.Unmarshal()
	if err != nil {
		return "", err
	}
	words, err := told(value)
	return words + routed, err
}

func (p *peer) call(ctx context.Context, name string, words []string, options ...dividere.CallOption) (string, error) {
	m, err := typed(words)
	if err != nil {
		return "", err
	}
	if caller := p.named.callers[name]; caller != nil {
		answer, err := caller.Call(ctx, m, dividere.MayRepeat())
		if err != nil {
			return "", err
		}
		return told(answer)
	}
	request, _, err := as[*dividere.Request](p, name)
	if err != nil {
		return "", err
	}
	answer, err := request.Call(ctx, m, options...)
	if err != nil {
		return "", err
	}
	return told(answer)
}

func (p *peer) subscribe(what, name, words string) error {
	s, _, err := as[*dividere.Subscriber](p, name)
	if err != nil {
		return err
	}
	switch what {
	case "subscribe":
		return s.Subscribe(protoreflect.FullName(words))
	case "unsubscribe":
		return s.Unsubscribe(protoreflect.FullName(words))
	}
	prefix, err := payloadOf(words)
	if err != nil {
		return err
	}
	if what == "subscribe_prefix" {
		return s.SubscribePrefix(prefix)
	}
	return s.UnsubscribePrefix(prefix)
}

func numbered(n int) *telemetrypb.Reading {
	return &telemetrypb.Reading{Sensor: fmt.Sprintf("%06d", n)}
}

func (p *peer) burst(ctx context.Context, name string, count int) error {
	to, _, err := as[dividere.Sender](p, name)
	if err != nil {
		return err
	}
	messages := make([]*telemetrypb.Reading, count)
	for i := range messages {
		messages[i] = numbered(i)
	}
	_, err = dividere.SendMany(ctx, to, messages)
	return err
}

func (p *peer) expect(ctx context.Context, name string, count int) (string, error) {
	from, _, err := as[dividere.Receiver](p, name)
	if err != nil {
		return "", err
	}
	for received := 0; received < count; {
		messages, err := dividere.RecvMany[*telemetrypb.Reading](ctx, from, count-received)
		if err != nil {
			return "", err
		}
		for _, m := range messages {
			if !proto.Equal(m, numbered(received)) {
				return fmt.Sprintf("bad message %d is %v", received, m), nil
			}
			received++
		}
	}
	return "ok " + strconv.Itoa(count), nil
}

// number reads one; what is none is as good as a number that nothing has.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

// The types that the messages are of, so that the program has them.
var _ = []proto.Message{&matrixpb.Position{}, &telemetrypb.Reading{}}

// line makes one of what obey gave.
func line(answer string, err error) string {
	if err == nil {
		return answer
	}
	status := dividere.StatusInternal
	var ours *dividere.Error
	switch {
	case errors.As(err, &ours):
		status = ours.Status
	case errors.Is(err, context.DeadlineExceeded):
		status = dividere.StatusTimeout
	}
	return fmt.Sprintf("error %v # %s", status, strings.ReplaceAll(err.Error(), "\n", " "))
}

func main() {
	p := newPeer()
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 16<<20)
	for input.Scan() {
		fmt.Println(line(p.obey(strings.Fields(input.Text()))))
	}
	if err := input.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
