//! The side that asks, and shows what it measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dividere::connection::endpoint::{Endpoint, Transport};
use dividere::connection::options::FullQueue;
use dividere::{Channel, Deadline, Error, Message, Options, Publisher, Request, Status};
use serde_json::{json, Value};

use super::histogram::Histogram;
use super::server::{BEGIN, ECHO, END_TYPE, RESULT, SAMPLE_TYPE};
use super::{Measure, PerfArgs};
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::progress::Progress;
use crate::stop::Stop;

/// How long whatever is not measured may take.
const PATIENCE_MS: i64 = 10_000;
/// What one turn is, between two looks at the clock.
const TURN: u64 = 64;
/// Round trips that are not counted: the first ones pay for connections and caches.
const WARM_UP: u64 = 100;

pub fn run(
    args: &PerfArgs,
    endpoint: &str,
    options: &Options,
    stop: &Stop,
    output: &mut Output,
) -> Result<(), Failure> {
    let request = Arc::new(Request::new(endpoint, options).map_err(Failure::of_arguments)?);
    stop.closes(&request);
    let client = Client {
        args,
        endpoint,
        options,
        stop,
        request,
    };
    for size in &args.sizes {
        if args.only != Some(Measure::RoundTrip) {
            let told = client.throughput(*size)?;
            show(args, output, &told, throughput_line)?;
        }
        if args.only != Some(Measure::Throughput) {
            let told = client.round_trip(*size)?;
            show(args, output, &told, round_trip_line)?;
        }
    }
    Ok(())
}

struct Client<'a> {
    args: &'a PerfArgs,
    endpoint: &'a str,
    options: &'a Options,
    stop: &'a Stop,
    request: Arc<Request>,
}

impl Client<'_> {
    fn ask(&self, what: &[u8]) -> Result<Value, Failure> {
        let mut reply = Message::new();
        self.request
            .call(&mut Message::from_bytes(what)?, &mut reply, PATIENCE_MS, 0)?;
        serde_json::from_slice(reply.bytes())
            .map_err(|_| Failure::failed(format!("{} is no `dividere perf --serve`", self.endpoint)))
    }

    fn throughput(&self, size: usize) -> Result<Value, Failure> {
        let begun = self.ask(BEGIN)?;
        let at = reached(begun["endpoint"].as_str().unwrap_or_default(), self.endpoint)?;
        let mut options = self.options.clone();
        // Nothing is lost: what is not taken is waited for.
        options.set_full_queue(Some(FullQueue::Block));
        let publisher = Arc::new(Publisher::new(&format!(">{at}"), &options)?);
        self.stop.closes(&publisher);
        publisher.wait_for_subscribers(None, 1, Deadline::from_ms(PATIENCE_MS))?;
        let mut progress = Progress::new();
        let mut message = Message::new();
        let mut sent = 0u64;
        let began = Instant::now();
        while began.elapsed() < self.args.duration {
            for _ in 0..TURN {
                message.prepare(SAMPLE_TYPE, size)?.fill(b'x');
                publisher.send(&mut message)?;
            }
            sent += TURN;
            progress.update(|| format!("throughput, {size} B: {sent} messages"));
        }
        message.prepare(END_TYPE, 0)?;
        publisher.send(&mut message)?;
        publisher.flush(Deadline::from_ms(PATIENCE_MS))?;
        let counted = self.ask(RESULT)?;
        let wrong = || Failure::failed("the other side counts in another way: is it of the same version?");
        let messages = counted["messages"].as_u64().ok_or_else(wrong)?;
        let seconds = counted["seconds"]
            .as_f64()
            .filter(|seconds| *seconds > 0.0)
            .ok_or_else(wrong)?;
        if messages != sent {
            let text = format!("{messages} of {sent} messages arrived: the connection broke on the way");
            return Err(Error::new(Status::Unreachable, text).into());
        }
        Ok(json!({
            "measure": "throughput", "size": size, "messages": messages, "seconds": seconds,
            "messages_per_second": (messages as f64 / seconds).round(),
            "bytes_per_second": (messages as f64 * size as f64 / seconds).round(),
        }))
    }

    fn round_trip(&self, size: usize) -> Result<Value, Failure> {
        let mut times = Histogram::new();
        let mut progress = Progress::new();
        let (mut question, mut answer) = (Message::new(), Message::new());
        let mut ask = |times: &mut Histogram| -> Result<(), Failure> {
            // At least the byte that says what it is.
            question.prepare_bytes(size.max(1))?.fill(ECHO);
            let began = Instant::now();
            self.request.call(&mut question, &mut answer, PATIENCE_MS, 0)?;
            times.add(began.elapsed());
            if answer.bytes().len() != size.max(1) {
                return Err(Failure::failed(format!(
                    "{} is no `dividere perf --serve`",
                    self.endpoint
                )));
            }
            Ok(())
        };
        for _ in 0..WARM_UP {
            ask(&mut Histogram::new())?;
        }
        let began = Instant::now();
        while began.elapsed() < self.args.duration {
            ask(&mut times)?;
            progress.update(|| format!("round trip, {size} B: {} calls", times.count()));
        }
        let seconds = began.elapsed().as_secs_f64();
        Ok(json!({
            "measure": "round_trip", "size": size, "calls": times.count(), "seconds": seconds,
            "microseconds": {
                "min": rounded(times.least_us()), "mean": rounded(times.mean_us()),
                "p50": rounded(times.quantile_us(0.5)), "p90": rounded(times.quantile_us(0.9)),
                "p99": rounded(times.quantile_us(0.99)), "p99.9": rounded(times.quantile_us(0.999)),
                "max": rounded(times.most_us()),
            },
        }))
    }
}

/// Where the other side is bound, as it is reached from here: by the host that we know it by.
fn reached(bound: &str, known: &str) -> Result<String, Failure> {
    let (there, here) = (Endpoint::parse(bound)?, Endpoint::parse(known)?);
    match (there.transport(), here.transport()) {
        (Transport::Tcp { .. }, Transport::Tcp { host, .. }) => {
            let port = bound.rsplit(':').next().unwrap_or_default();
            Ok(format!("tcp://{host}:{port}"))
        }
        _ => Ok(bound.to_owned()),
    }
}

fn rounded(us: f64) -> f64 {
    (us * 10.0).round() / 10.0
}

fn show(
    args: &PerfArgs,
    output: &mut Output,
    told: &Value,
    line: fn(&Value) -> (String, String),
) -> Result<(), Failure> {
    if args.json {
        output.json(told)?;
    } else {
        let (figure, more) = line(told);
        let name = told["measure"].as_str().unwrap_or_default().replace('_', " ");
        let name = output.paint(Style::Name, format!("{name:<10}"));
        let more = output.paint(Style::Dim, more);
        output.line(format!("{name}  {:>8} B  {figure}  {more}", number(told, "size")))?;
    }
    output.flush()
}

fn number(told: &Value, name: &str) -> f64 {
    told[name].as_f64().unwrap_or_default()
}

fn throughput_line(told: &Value) -> (String, String) {
    let (rate, bytes) = (number(told, "messages_per_second"), number(told, "bytes_per_second"));
    let time = Duration::from_secs_f64(number(told, "seconds"));
    (
        format!("{rate:>12.0} messages/s  {:>10.1} MB/s", bytes / 1e6),
        format!("{} messages in {time:.2?}", told["messages"]),
    )
}

fn round_trip_line(told: &Value) -> (String, String) {
    let us = |name| number(&told["microseconds"], name);
    (
        format!("{:>12.1} us median  {:>10.1} us 99 %", us("p50"), us("p99")),
        format!(
            "min {:.1}, mean {:.1}, 90 % {:.1}, 99.9 % {:.1}, max {:.1} us; {} calls",
            us("min"),
            us("mean"),
            us("p90"),
            us("p99.9"),
            us("max"),
            told["calls"]
        ),
    )
}
