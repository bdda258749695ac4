package dividere_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"example.com/dividere"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func ExampleSendMany() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	publisher, subscriber := examplePair(ctx)
	defer publisher.Close()
	defer subscriber.Close()
	var numbers []*wrapperspb.Int64Value
	for i := range int64(1000) {
		numbers = append(numbers, wrapperspb.Int64(i))
	}
	if _, err := dividere.SendMany(ctx, publisher, numbers); err != nil {
		log.Fatal(err)
	}
	received, sum := 0, int64(0)
	for received < len(numbers) {
		some, err := dividere.RecvMany[*wrapperspb.Int64Value](ctx, subscriber, 256)
		if err != nil {
			log.Fatal(err)
		}
		for _, number := range some {
			sum += number.GetValue()
		}
		received += len(some)
	}
	fmt.Println(received, sum)
	// Output: 1000 499500
}

func ExampleBatch() {
	ctx := context.Background()
	publisher, err := dividere.NewPublisher("tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	defer publisher.Close()
	endpoint, err := publisher.LastEndpoint()
	if err != nil {
		log.Fatal(err)
	}
	subscriber, err := dividere.NewSubscriber(endpoint)
	if err != nil {
		log.Fatal(err)
	}
	defer subscriber.Close()
	if err := publisher.WaitForSubscribers(ctx, 1, ""); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		if err := publisher.Send(ctx, wrapperspb.Bytes(make([]byte, 100_000))); err != nil {
			log.Fatal(err)
		}
	}
	// The memory of the first messages is that of the last: nothing for the garbage collector.
	var batch dividere.Batch[*wrapperspb.BytesValue]
	total, received := 0, 0
	for received < 3 {
		images, err := batch.Recv(ctx, subscriber, 256)
		if err != nil {
			log.Fatal(err)
		}
		for _, image := range images {
			total += len(image.GetValue())
		}
		received += len(images)
	}
	fmt.Println(total, "bytes")
	// Output: 300000 bytes
}

func ExampleDecodeError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	publisher, subscriber := examplePair(ctx)
	defer publisher.Close()
	defer subscriber.Close()
	if err := publisher.Send(ctx, durationpb.New(time.Second)); err != nil {
		log.Fatal(err)
	}
	_, err := dividere.Recv[*wrapperspb.Int64Value](ctx, subscriber)
	var undecodable *dividere.DecodeError
	if errors.Is(err, dividere.ErrType) && errors.As(err, &undecodable) {
		fmt.Printf("%s, of %d bytes\n", undecodable.TypeName, len(undecodable.Payload))
	}
	// Output: google.protobuf.Duration, of 2 bytes
}

func ExampleSocket_Events() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	publisher, subscriber := examplePair(ctx)
	defer publisher.Close()
	defer subscriber.Close()
	for event, err := range subscriber.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Kind)
		if event.Kind == dividere.EventConnected {
			break
		}
	}
	// Output: connected
}

func ExampleNewProxy() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	proxy, err := dividere.NewProxy(dividere.ProxyPublishSubscribe, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "")
	if err != nil {
		log.Fatal(err)
	}
	defer proxy.Close()
	front, err := proxy.LastEndpoint(dividere.ProxyFront)
	if err != nil {
		log.Fatal(err)
	}
	back, err := proxy.LastEndpoint(dividere.ProxyBack)
	if err != nil {
		log.Fatal(err)
	}
	// Both connect: what binds is the proxy.
	publisher, err := dividere.NewPublisher(">" + front)
	if err != nil {
		log.Fatal(err)
	}
	defer publisher.Close()
	subscriber, err := dividere.NewSubscriber(back)
	if err != nil {
		log.Fatal(err)
	}
	defer subscriber.Close()
	if err := publisher.WaitForSubscribers(ctx, 1, ""); err != nil {
		log.Fatal(err)
	}
	if err := publisher.Send(ctx, wrapperspb.String("through the proxy")); err != nil {
		log.Fatal(err)
	}
	received, err := dividere.Recv[*wrapperspb.StringValue](ctx, subscriber)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(received.GetValue())
	// Output: through the proxy
}

// A server that lets in one client, known by its public key.
func ExampleWithCurveServer() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	server, err := dividere.NewKeyPair()
	if err != nil {
		log.Fatal(err)
	}
	client, err := dividere.NewKeyPair()
	if err != nil {
		log.Fatal(err)
	}
	publisher, err := dividere.NewPublisher("tcp://127.0.0.1:*",
		dividere.WithCurveServer(server.Secret), dividere.WithCurveAllow(client.Public))
	if err != nil {
		log.Fatal(err)
	}
	defer publisher.Close()
	at, err := publisher.LastEndpoint()
	if err != nil {
		log.Fatal(err)
	}
	subscriber, err := dividere.NewSubscriber(at, dividere.WithCurveClient(server.Public, client.Secret))
	if err != nil {
		log.Fatal(err)
	}
	defer subscriber.Close()
	if err := subscriber.WaitConnected(ctx, 1); err != nil {
		log.Fatal(err)
	}
	fmt.Println("let in")
	// Output: let in
}

// What dividere says goes where the program's own log goes.
func ExampleSetLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := dividere.SetLogger(logger, slog.LevelInfo); err != nil {
		log.Fatal(err)
	}
	// And no more.
	if err := dividere.SetLogger(nil, 0); err != nil {
		log.Fatal(err)
	}
	// Output:
}

// A program that ends at a signal: its own context is over then, so Shutdown has another one.
func ExampleShutdown() {
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := dividere.Shutdown(ctx); err != nil {
			log.Print(err)
		}
		fmt.Println("all is sent")
	}()
	// As that of signal.NotifyContext(context.Background(), os.Interrupt).
	ctx, interrupted := context.WithCancel(context.Background())
	defer interrupted()
	publisher, err := dividere.NewPublisher("tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	for second := int64(0); ; second++ {
		if second == 2 {
			interrupted()
		}
		if err := publisher.Send(ctx, wrapperspb.Int64(second)); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// context canceled
	// all is sent
}
