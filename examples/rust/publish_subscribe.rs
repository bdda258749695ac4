//! Publish and subscribe: every subscriber to a type gets every message of that type.

use std::thread;

use dividere::{Channel, Deadline, Filter, Options, Publisher, Result, Subscriber};
use example_messages::{Alarm, Reading};

const READINGS: u32 = 5;

fn publish(publisher: Publisher) -> Result<()> {
    // What is sent before a subscription has arrived is gone: wait for it.
    publisher.wait_for_subscribers(Some("example.Reading"), 1, Deadline::from_ms(10_000))?;
    for number in 0..READINGS {
        publisher.publish(&Reading {
            sensor: "kitchen".to_owned(),
            celsius: f64::from(20 + number),
        })?;
        publisher.publish(&Alarm {
            text: "Nobody subscribes to this, so it does not leave the publisher.".to_owned(),
        })?;
    }
    // The publisher is closed here. What it accepted still arrives, for up to a second (the option `linger_ms`).
    Ok(())
}

fn main() -> Result<()> {
    let publisher = Publisher::new("tcp://127.0.0.1:*", &Options::new())?; // * takes a free port
    let endpoint = publisher.last_endpoint()?;
    let subscriber = Subscriber::new(&endpoint, Filter::Types(&["example.Reading"]), &Options::new())?;
    thread::scope(|scope| {
        let published = scope.spawn(|| publish(publisher));
        for number in 0..READINGS {
            let reading: Reading = subscriber.recv_as(Deadline::from_ms(10_000))?;
            println!("{}: {} °C", reading.sensor, reading.celsius);
            assert_eq!(reading.celsius, f64::from(20 + number), "this is not the next reading");
        }
        published.join().unwrap()
    })
}
