//! One end of a benchmark, or both: `dividere-bench LIBRARY MODE ENDPOINT SIZE COUNT`.
//!
//! LIBRARY is `raw` (libzmq's C API, as its author would write it) or `rust` (this crate). MODE is `send` (binds,
//! prints its endpoint, waits for a subscriber, publishes COUNT messages of SIZE bytes), `recv` (connects, prints the
//! nanoseconds from the first message to the last), `pong` (binds, prints its endpoint, answers), `ping` (connects,
//! prints every round trip in nanoseconds), `both` (send and recv over inproc, in two threads).
//! `balancing`, `names`, `service` or `vanishing` instead of a LIBRARY: see the files of those names.
//! benches/run.py starts them in turns and makes the table.

mod balancing;
mod names;
mod raw;
mod rust;
mod service;
mod vanishing;

use std::io::Write;
use std::time::Instant;

/// What is sent. It is there already: each message of it costs its sender one copy, in every library.
/// Zeros, as in C: what is taken for an envelope at its first byte, by a call that looks for an error in its reply, would
/// be looked at to its end.
fn payload(size: usize) -> Vec<u8> {
    vec![0; size]
}

/// What both libraries do. Who answers sends back the very message that came. The endpoint is told through `bound`.
pub trait Library {
    fn send(endpoint: &str, size: usize, count: u64, bound: &dyn Fn(&str));
    /// Receives COUNT messages; calls `first` when the first one is there.
    fn recv(endpoint: &str, size: usize, count: u64, first: &mut dyn FnMut());
    fn pong(endpoint: &str, size: usize, count: u64, bound: &dyn Fn(&str));
    fn ping(endpoint: &str, size: usize, count: u64, each: &mut dyn FnMut());
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|library| library == "balancing") {
        return balancing::run(&arguments[2..]);
    }
    if arguments.get(1).is_some_and(|library| library == "names") {
        return names::run(&arguments[2..]);
    }
    if arguments.get(1).is_some_and(|library| library == "service") {
        return service::run(&arguments[2..]);
    }
    if arguments.get(1).is_some_and(|library| library == "vanishing") {
        return vanishing::run(&arguments[2..]);
    }
    let [_, library, mode, endpoint, size, count] = arguments.as_slice() else {
        eprintln!("usage: dividere-bench raw|rust send|recv|ping|pong|both ENDPOINT SIZE COUNT");
        std::process::exit(2);
    };
    let size: usize = size.parse().expect("SIZE is a number");
    let count: u64 = count.parse().expect("COUNT is a number");
    match library.as_str() {
        "raw" => run::<raw::Raw>(mode, endpoint, size, count),
        "rust" => run::<rust::Rust>(mode, endpoint, size, count),
        other => panic!("no library {other}"),
    }
}

fn tell(endpoint: &str) {
    println!("{endpoint}");
    std::io::stdout().flush().expect("somebody reads");
}

fn run<L: Library>(mode: &str, endpoint: &str, size: usize, count: u64) {
    match mode {
        "send" => L::send(endpoint, size, count, &tell),
        "pong" => L::pong(endpoint, size, count, &tell),
        "recv" => receive::<L>(endpoint, size, count),
        "ping" => {
            let mut times = Vec::with_capacity(count as usize);
            let mut last = None;
            L::ping(endpoint, size, count, &mut || {
                let now = Instant::now();
                if let Some(before) = last.replace(now) {
                    times.push(now.duration_since(before).as_nanos());
                }
            });
            let lines: Vec<String> = times.iter().map(u128::to_string).collect();
            println!("{}", lines.join(" "));
        }
        "both" => {
            let (bound, is_bound) = std::sync::mpsc::channel::<()>();
            std::thread::scope(|scope| {
                scope.spawn(move || L::send(endpoint, size, count, &|_| bound.send(()).expect("the receiver waits")));
                is_bound.recv().expect("the sender binds");
                receive::<L>(endpoint, size, count);
            });
        }
        other => panic!("no mode {other}"),
    }
}

fn receive<L: Library>(endpoint: &str, size: usize, count: u64) {
    let mut start = None;
    L::recv(endpoint, size, count, &mut || start = Some(Instant::now()));
    println!("{}", start.expect("a first message").elapsed().as_nanos());
}
