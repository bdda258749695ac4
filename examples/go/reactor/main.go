// A reactor: one thread that listens, measures and answers. Its handlers run one after the other, so what they share needs
// no lock.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"example.com/dividere"
	"example.com/dividere-examples/examplepb"
)

const wanted = 5

// station collects readings, and answers what their mean is as soon as there are enough. Of the reactor's thread.
type station struct {
	celsius []float64
	// Who asked before there were.
	waiting []*dividere.Message
}

func (s *station) reading(_ dividere.Source, reading *examplepb.Reading) error {
	fmt.Printf("%s: %g °C\n", reading.GetSensor(), reading.GetCelsius())
	s.celsius = append(s.celsius, reading.GetCelsius())
	var still []*dividere.Message
	for _, question := range s.waiting {
		var asked examplepb.MeanRequest
		if err := question.UnmarshalInto(&asked); err != nil {
			return err
		}
		if asked.GetReadingsAtLeast() > uint64(len(s.celsius)) {
			still = append(still, question)
			continue
		}
		if err := question.Reply(context.Background(), s.mean()); err != nil {
			return err
		}
	}
	s.waiting = still
	return nil
}

func (s *station) question(from dividere.Source, question *examplepb.MeanRequest) error {
	if question.GetReadingsAtLeast() <= uint64(len(s.celsius)) {
		return from.Reply(s.mean())
	}
	// It is answered later.
	kept, err := from.Keep()
	if err == nil {
		s.waiting = append(s.waiting, kept)
	}
	return err
}

func (s *station) mean() *examplepb.Mean {
	sum := 0.0
	for _, celsius := range s.celsius {
		sum += celsius
	}
	return &examplepb.Mean{Celsius: sum / float64(len(s.celsius)), Readings: uint64(len(s.celsius))}
}

func run(ctx context.Context) error {
	thermometer, err := dividere.NewPublisher("tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	defer thermometer.Close()
	at, err := thermometer.LastEndpoint()
	if err != nil {
		return err
	}
	subscriber, err := dividere.NewSubscriber(at, dividere.WithTypes(&examplepb.Reading{}))
	if err != nil {
		return err
	}
	defer subscriber.Close()
	desk, err := dividere.NewResponse("tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	defer desk.Close()
	if err := thermometer.WaitForSubscribers(ctx, 1, dividere.NameOf[*examplepb.Reading]()); err != nil {
		return err
	}

	reactor, err := dividere.NewReactor()
	if err != nil {
		return err
	}
	defer reactor.Close()
	var s station
	if err := dividere.On(reactor, s.reading); err != nil {
		return err
	}
	if err := dividere.On(reactor, s.question); err != nil {
		return err
	}
	celsius := 20.0
	_, err = reactor.Every(10*time.Millisecond, func() {
		if err := thermometer.Send(ctx, &examplepb.Reading{Sensor: "kitchen", Celsius: celsius}); err != nil {
			log.Print(err)
		}
		celsius++
	})
	if err != nil {
		return err
	}
	for _, source := range []dividere.Receiver{subscriber, desk} {
		if err := reactor.Add(source); err != nil {
			return err
		}
	}
	if err := reactor.Start(); err != nil {
		return err
	}
	askAt, err := desk.LastEndpoint()
	if err != nil {
		return err
	}
	request, err := dividere.NewRequest(askAt)
	if err != nil {
		return err
	}
	defer request.Close()
	mean, err := dividere.Call[*examplepb.Mean](ctx, request, &examplepb.MeanRequest{ReadingsAtLeast: wanted})
	if err != nil {
		return err
	}
	fmt.Printf("mean of %d readings: %g °C\n", mean.GetReadings(), mean.GetCelsius())
	if mean.GetReadings() < wanted || mean.GetCelsius() != 20+float64(mean.GetReadings()-1)/2 {
		return fmt.Errorf("that is wrong")
	}
	return reactor.Stop(ctx)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
	// Sends what was accepted, before main returns.
	if err := dividere.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}
