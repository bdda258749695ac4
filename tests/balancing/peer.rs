//! A broker, a worker or a client as a process of its own, for tests that kill it, stop it, or let it talk with dividere
//! 2.2.0. Each ends at the end of its input. An example, so that `cargo test` builds it, too.
//!
//! balancing_peer broker FRONT BACK [OPTION=VALUE...]    prints both endpoints; "statistics" is answered
//! balancing_peer worker BACK WORK_MS [OPTION=VALUE...]  answers with what it was asked, each after so long
//! balancing_peer client FRONT LEVEL TIMEOUT_MS RETRIES
//!                       asks once for each line of its input; prints for each the answer or the status
//! balancing_peer load FRONT CLIENTS TIMEOUT_MS RETRIES
//!                       asks with so many clients until its input ends; prints a line: answers, errors by status, the
//!                       longest time in milliseconds, wrong answers

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dividere::connection::options::OptionKey;
use dividere::{Broker, BrokerSide, Channel, Deadline, Message, Options, Request, Worker};

const TYPE: &str = "ServiceLookupReq";
const LIMIT: Duration = Duration::from_secs(20);

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["broker", front, back, settings @ ..] => broker(front, back, &options(settings)?),
        ["worker", back, work_ms, settings @ ..] => worker(back, work_ms.parse()?, &options(settings)?),
        ["client", front, level, timeout_ms, retries] => client(front, level, timeout_ms.parse()?, retries.parse()?),
        ["load", front, clients, timeout_ms, retries] => {
            load(front, clients.parse()?, timeout_ms.parse()?, retries.parse()?)
        }
        _ => Err("broker, worker, client or load; see the source".into()),
    }
}

fn options(settings: &[&str]) -> Result<Options, Box<dyn std::error::Error>> {
    let mut options = Options::new();
    for setting in settings {
        let (name, value) = setting.split_once('=').ok_or("OPTION=VALUE")?;
        options.set_int(OptionKey::from_name(name).ok_or("no such option")?, value.parse()?)?;
    }
    Ok(options)
}

fn say(text: &str) -> Outcome {
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

fn broker(front: &str, back: &str, options: &Options) -> Outcome {
    let broker = Broker::new(front, back, options)?;
    say(&format!(
        "{} {}",
        broker.last_endpoint(BrokerSide::Front)?,
        broker.last_endpoint(BrokerSide::Back)?
    ))?;
    for line in std::io::stdin().lock().lines() {
        match line?.as_str() {
            "statistics" => say(&format!("{:?}", broker.statistics()?))?,
            other => return Err(format!("'{other}' is no command").into()),
        }
    }
    broker.close()?;
    Ok(())
}

fn worker(back: &str, work_ms: u64, options: &Options) -> Outcome {
    let worker = Worker::new(back, options)?;
    worker.serve(Arc::new(move |request, reply| {
        std::thread::sleep(Duration::from_millis(work_ms));
        let payload = request.payload();
        match request.type_name() {
            Some(name) => reply.prepare(name, payload.len())?.copy_from_slice(payload),
            None => reply.prepare_bytes(payload.len())?.copy_from_slice(payload),
        }
        Ok(())
    }))?;
    worker.wait_connected(0, Deadline::after(LIMIT))?;
    say("connected")?;
    for line in std::io::stdin().lock().lines() {
        line?;
    }
    worker.stop(Deadline::after(LIMIT))?;
    say("stopped")
}

/// A ServiceLookupReq with a name, or the name as bytes.
fn question(level: &str, name: &str) -> dividere::Result<Message> {
    let mut message = Message::new();
    if level == "bytes" {
        message.prepare_bytes(name.len())?.copy_from_slice(name.as_bytes());
    } else {
        let payload = message.prepare(TYPE, name.len() + 2)?;
        payload[..2].copy_from_slice(&[0x0a, name.len() as u8]);
        payload[2..].copy_from_slice(name.as_bytes());
    }
    Ok(message)
}

fn client(front: &str, level: &str, timeout_ms: i64, retries: u32) -> Outcome {
    let request = Request::new(front, &Options::new())?;
    let mut reply = Message::new();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        line?;
        let mut message = question(level, &format!("name-{number}"))?;
        let expected = message.payload().to_vec();
        match request.call(&mut message, &mut reply, timeout_ms, retries) {
            Ok(()) if reply.payload() == expected => say(&format!("answer {number}"))?,
            Ok(()) => say(&format!("wrong {number}: {:?}", reply.payload()))?,
            Err(error) => say(&format!("{} {number}", error.status()))?,
        }
    }
    Ok(())
}

fn load(front: &str, clients: u32, timeout_ms: i64, retries: u32) -> Outcome {
    let (stop, answers, wrong) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let errors = Mutex::new(BTreeMap::<String, u64>::new());
    let longest = Mutex::new(Duration::ZERO);
    std::thread::scope(|scope| -> Outcome {
        for client in 0..clients {
            let (stop, answers, wrong, errors, longest) = (&stop, &answers, &wrong, &errors, &longest);
            scope.spawn(move || {
                let request = Request::new(front, &Options::new()).expect("a request");
                let mut reply = Message::new();
                let mut number = 0;
                while !stop.load(Ordering::Acquire) {
                    number += 1;
                    let mut message = question("typed", &format!("{client}-{number}")).expect("a message");
                    let expected = message.payload().to_vec();
                    let begun = Instant::now();
                    match request.call(&mut message, &mut reply, timeout_ms, retries) {
                        Ok(()) if reply.payload() == expected => {
                            answers.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(()) => {
                            wrong.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            let mut errors = errors.lock().expect("no panic");
                            *errors.entry(error.status().to_string()).or_default() += 1;
                        }
                    }
                    let mut longest = longest.lock().expect("no panic");
                    *longest = longest.max(begun.elapsed());
                }
            });
        }
        say("begun")?;
        for line in std::io::stdin().lock().lines() {
            line?;
        }
        stop.store(true, Ordering::Release);
        Ok(())
    })?;
    say(&format!(
        "answers={} errors={:?} longest_ms={} wrong={}",
        answers.load(Ordering::Relaxed),
        errors.lock().map_err(|_| "a panic")?,
        longest.lock().map_err(|_| "a panic")?.as_millis(),
        wrong.load(Ordering::Relaxed)
    ))
}
