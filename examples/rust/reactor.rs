//! A reactor: one thread that measures, listens and answers. Its handlers run one after the other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dividere::{
    Channel, Deadline, Filter, Message, Options, Publisher, Reactor, Request, Response, Result, Subscriber,
};
use example_messages::{Mean, MeanRequest, Reading};

const WANTED: u64 = 5;

/// Collects readings, and answers what their mean is as soon as there are enough.
#[derive(Default)]
struct Station {
    readings: u64,
    sum: f64,
    waiting: Vec<Message>,
}

impl Station {
    fn add(&mut self, reading: &Reading) -> Result<()> {
        println!("{}: {} °C", reading.sensor, reading.celsius);
        self.readings += 1;
        self.sum += reading.celsius;
        for question in std::mem::take(&mut self.waiting) {
            self.ask(question)?;
        }
        Ok(())
    }

    fn ask(&mut self, question: Message) -> Result<()> {
        if self.readings < question.get::<MeanRequest>()?.readings_at_least {
            self.waiting.push(question);
            return Ok(());
        }
        let mut reply = Message::new();
        reply.set(&Mean {
            celsius: self.sum / self.readings as f64,
            readings: self.readings,
        })?;
        question.reply(&mut reply)
    }
}

fn main() -> Result<()> {
    let thermometer = Publisher::new("tcp://127.0.0.1:*", &Options::new())?;
    let filter = Filter::Types(&["example.Reading"]);
    let subscriber: Arc<dyn Channel> =
        Arc::new(Subscriber::new(&thermometer.last_endpoint()?, filter, &Options::new())?);
    let desk: Arc<dyn Channel> = Arc::new(Response::new("tcp://127.0.0.1:*", &Options::new())?);
    thermometer.wait_for_subscribers(Some("example.Reading"), 1, Deadline::from_ms(10_000))?;

    let reactor = Reactor::new()?;
    reactor.add(&subscriber, 0)?;
    reactor.add(&desk, 0)?;
    let station = Arc::new(Mutex::new(Station::default()));
    let shared = Arc::clone(&station);
    reactor.on("example.Reading", move |_, message| {
        let reading: Reading = message.get()?;
        shared.lock().unwrap().add(&reading)
    })?;
    reactor.on("example.MeanRequest", move |_, message| {
        // The message is the handler's for the call; a clone of it can be answered later, from any thread.
        station.lock().unwrap().ask(message.try_clone()?)
    })?;
    let next_celsius = Mutex::new(20.0);
    reactor.add_timer(Duration::from_millis(10), true, move |_| {
        let mut celsius = next_celsius.lock().unwrap();
        let reading = Reading {
            sensor: "kitchen".to_owned(),
            celsius: *celsius,
        };
        *celsius += 1.0;
        if let Err(error) = thermometer.publish(&reading) {
            eprintln!("a reading was not published: {error}");
        }
    })?;
    reactor.start("station")?; // on a thread of its own; `run` runs on this one

    let request = Request::new(&desk.last_endpoint()?, &Options::new())?;
    let question = MeanRequest {
        readings_at_least: WANTED,
    };
    let mean: Mean = request.call_as(&question, 20_000, 0)?;
    reactor.close()?;

    println!("mean of {} readings: {} °C", mean.readings, mean.celsius);
    assert!(mean.readings >= WANTED);
    assert_eq!(mean.celsius, 20.0 + (mean.readings - 1) as f64 / 2.0);
    Ok(())
}
