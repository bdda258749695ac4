package dividere_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"example.com/dividere"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The messages of these examples are those that protobuf brings along; a program's own are used the same way.

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// Before main returns: what was sent is delivered.
	defer dividere.Shutdown(ctx)

	publisher, err := dividere.NewPublisher("tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	at, err := publisher.LastEndpoint()
	if err != nil {
		log.Fatal(err)
	}
	subscriber, err := dividere.NewSubscriber(at, dividere.WithTypes(&wrapperspb.StringValue{}))
	if err != nil {
		log.Fatal(err)
	}
	if err := publisher.WaitForSubscribers(ctx, 1, dividere.NameOf[*wrapperspb.StringValue]()); err != nil {
		log.Fatal(err)
	}
	if err := publisher.Send(ctx, wrapperspb.String("hello")); err != nil {
		log.Fatal(err)
	}
	received, err := dividere.Recv[*wrapperspb.StringValue](ctx, subscriber)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(received.GetValue())
	// Output: hello
}

func ExampleAll() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	publisher, subscriber := examplePair(ctx)
	defer publisher.Close()
	for i := range int64(3) {
		if err := publisher.Send(ctx, wrapperspb.Int64(i)); err != nil {
			log.Fatal(err)
		}
	}
	for number, err := range dividere.All[*wrapperspb.Int64Value](ctx, subscriber) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(number.GetValue())
		if number.GetValue() == 2 {
			// Ends the loop, and any other that receives from it.
			subscriber.Close()
		}
	}
	// Output:
	// 0
	// 1
	// 2
}

func ExampleSubscriber_Recv() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	publisher, subscriber := examplePair(ctx)
	defer publisher.Close()
	defer subscriber.Close()
	for _, m := range []proto.Message{wrapperspb.Bool(true), durationpb.New(time.Second)} {
		if err := publisher.Send(ctx, m); err != nil {
			log.Fatal(err)
		}
	}
	for range 2 {
		received, err := subscriber.Recv(ctx)
		if err != nil {
			log.Fatal(err)
		}
		switch m := received.(type) {
		case *durationpb.Duration:
			fmt.Println("a duration:", m.AsDuration())
		default:
			fmt.Println(m.ProtoReflect().Descriptor().FullName())
		}
	}
	// Output:
	// google.protobuf.BoolValue
	// a duration: 1s
}

func ExampleCall() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	response, err := dividere.NewResponse("tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Close()
	at, err := response.LastEndpoint()
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		// Until it is closed.
		for question, err := range dividere.All[*wrapperspb.Int64Value](context.Background(), response) {
			if err != nil {
				log.Fatal(err)
			}
			if err := response.Send(context.Background(), wrapperspb.Int64(2*question.GetValue())); err != nil {
				log.Fatal(err)
			}
		}
	}()
	request, err := dividere.NewRequest(at)
	if err != nil {
		log.Fatal(err)
	}
	defer request.Close()
	answer, err := dividere.Call[*wrapperspb.Int64Value](ctx, request, wrapperspb.Int64(21), dividere.WithRetries(3, 2*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.GetValue())
	// Output: 42
}

func ExampleOn() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	response, err := dividere.NewResponse("tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Close()
	reactor, err := dividere.NewReactor()
	if err != nil {
		log.Fatal(err)
	}
	defer reactor.Close()
	err = dividere.On(reactor, func(from dividere.Source, name *wrapperspb.StringValue) error {
		return from.Reply(wrapperspb.String("hello, " + name.GetValue()))
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := reactor.Add(response); err != nil {
		log.Fatal(err)
	}
	// Or reactor.Run(ctx), on the goroutine that has nothing else to do.
	if err := reactor.Start(); err != nil {
		log.Fatal(err)
	}
	at, err := response.LastEndpoint()
	if err != nil {
		log.Fatal(err)
	}
	request, err := dividere.NewRequest(at)
	if err != nil {
		log.Fatal(err)
	}
	defer request.Close()
	answer, err := dividere.Call[*wrapperspb.StringValue](ctx, request, wrapperspb.String("Ada"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.GetValue())
	// Output: hello, Ada
}

func examplePair(ctx context.Context) (*dividere.Publisher, *dividere.Subscriber) {
	publisher, err := dividere.NewPublisher("tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	at, err := publisher.LastEndpoint()
	if err != nil {
		log.Fatal(err)
	}
	subscriber, err := dividere.NewSubscriber(at)
	if err != nil {
		log.Fatal(err)
	}
	if err := publisher.WaitForSubscribers(ctx, 1, ""); err != nil {
		log.Fatal(err)
	}
	return publisher, subscriber
}
