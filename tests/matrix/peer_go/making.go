package main

// What a peer makes, and what it is made of.

import (
	"errors"
	"fmt"
	"strings"

	"example.com/dividere"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// make makes what `new KIND NAME ...` says.
func (p *peer) make(kind, name string, words []string) (string, error) {
	switch kind {
	case "reactor":
		r, err := newServed()
		if err == nil {
			p.reactors[name] = r
		}
		return "ok", err
	case "proxy":
		return p.makeProxy(name, words)
	}
	if len(words) == 0 {
		return "", invalid("no endpoint")
	}
	made, err := makeChannel(kind, words[0], words[1:])
	if err != nil {
		return "", err
	}
	p.sockets[name] = &socket{channel: made}
	at, err := endpoint(made.LastEndpoint())
	return "ok " + at, err
}

func makeChannel(kind, at string, words []string) (channel, error) {
	switch kind {
	case "publisher":
		return some(dividere.NewPublisher(at))
	case "request":
		return some(dividere.NewRequest(at))
	case "response":
		return some(dividere.NewResponse(at))
	case "dealer":
		return some(dividere.NewDealer(at))
	case "worker":
		return some(dividere.NewWorker(at))
	case "subscriber":
		return some(makeSubscriber(at, words))
	}
	return nil, invalid("cannot make a %s", kind)
}

// some keeps a nil pointer from becoming something that is not nil.
func some[T channel](made T, err error) (channel, error) {
	if err != nil {
		return nil, err
	}
	return made, nil
}

func makeSubscriber(at string, words []string) (*dividere.Subscriber, error) {
	switch {
	case len(words) == 1 && words[0] == "all":
		return dividere.NewSubscriber(at)
	case len(words) > 0 && words[0] == "types":
		var types []protoreflect.FullName
		for _, name := range words[1:] {
			types = append(types, protoreflect.FullName(name))
		}
		return dividere.NewSubscriber(at, dividere.WithTypeNames(types...))
	case len(words) == 2 && words[0] == "prefix":
		prefix, err := payloadOf(words[1])
		if err != nil {
			return nil, err
		}
		s, err := dividere.NewSubscriber(at, dividere.WithTypes())
		if err != nil {
			return nil, err
		}
		return s, s.SubscribePrefix(prefix)
	}
	return nil, invalid("no filter: %v", words)
}

func (p *peer) makeProxy(name string, words []string) (string, error) {
	kinds := map[string]dividere.ProxyKind{
		"request_response": dividere.ProxyRequestResponse, "publish_subscribe": dividere.ProxyPublishSubscribe,
	}
	if len(words) != 3 || kinds[words[0]] == 0 {
		return "", invalid("no proxy: %v", words)
	}
	proxy, err := dividere.NewProxy(kinds[words[0]], words[1], words[2], "")
	if err != nil {
		return "", err
	}
	p.proxies[name] = proxy
	front, err := endpoint(proxy.LastEndpoint(dividere.ProxyFront))
	if err != nil {
		return "", err
	}
	back, err := endpoint(proxy.LastEndpoint(dividere.ProxyBack))
	return fmt.Sprintf("ok %s %s", front, back), err
}

// endpoint is "-" for none.
func endpoint(at string, err error) (string, error) {
	if errors.Is(err, dividere.ErrNotFound) {
		return "-", nil
	}
	return at, err
}

// statusNamed gives the status that all languages call so.
func statusNamed(name string) (dividere.Status, error) {
	for status := dividere.StatusInvalidArgument; status < 1000; status++ {
		if status.String() == name {
			return status, nil
		}
	}
	return 0, invalid("no status: %s", strings.TrimSpace(name))
}
