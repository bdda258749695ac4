// Package dividere carries typed protobuf messages over ZeroMQ, between programs in Go, C, C++, Python and Rust.
//
//	publisher, err := dividere.NewPublisher("tcp://127.0.0.1:5555")
//	...
//	err = publisher.Send(ctx, &pb.Reading{Name: "cpu", Value: 0.7})
//
//	subscriber, err := dividere.NewSubscriber("tcp://127.0.0.1:5555", dividere.WithTypes(&pb.Reading{}))
//	...
//	reading, err := dividere.Recv[*pb.Reading](ctx, subscriber)
//
// What holds for every type and is not repeated at each:
//
// # Goroutines
//
// Any goroutine may use any handle ([Publisher], [Subscriber], ...), with any number of calls at once. A goroutine that waits
// costs no thread of the system. A message that was sent is the caller's again when the call returns.
//
// # Contexts
//
// What may wait takes a context, and returns ctx.Err() once that is over (with context.Cause, where it has one of its own);
// what was not received then is received next.
//
// # Closing
//
// Close wakes who waits, which returns [ErrClosed], and may be called twice. A handle that is forgotten is collected and
// closed, but for those that work by themselves (a [Proxy], a [Reactor] that was started, a [Service], ...), which say so: these
// work until they are closed. Returning from main ends a Go program at once: call [Shutdown] before, or what was sent last
// may be lost.
//
// # Errors
//
// errors.Is(err, dividere.ErrClosed) and the like; errors.As with *[Error] has the text, which names what was at fault.
//
// # Endpoints
//
// They are those of ZeroMQ: tcp://host:port, ipc://path, inproc://name; several are separated by commas. "@" in front binds,
// ">" connects, whatever the role does by itself. tcp://127.0.0.1:* takes a free port, which LastEndpoint tells.
package dividere
