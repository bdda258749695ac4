//! Requests through something in between: zmq_proxy of libzmq, or the broker. The same clients and workers for both,
//! written with libzmq's C API. `dividere-bench balancing ROLE ...`:
//!
//! proxy                             binds, prints both endpoints, passes on until its input ends
//! broker                            the same
//! worker BACK COUNT CAPACITY        so many workers, each with so many requests at once; answers until its input ends
//! client FRONT COUNT WINDOW SIZE N  so many clients, each with so many requests of SIZE bytes under way; prints the
//!                                   nanoseconds that N requests of each took
//! echo BACK COUNT                   so many workers of the library, which brokers of 2.2.0 can have, too
//! call FRONT SECONDS                a request of the library, one call after another for that time; prints how many
//!                                   a second

use std::ffi::c_void;
use std::io::Read;
use std::time::{Duration, Instant};

use dividere::{Broker, BrokerSide, Channel, Deadline, Message, Options, Request, Worker};
use prost::Message as _;

use crate::raw;

pub fn run(arguments: &[String]) {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<usize>().expect("a number");
    match words.as_slice() {
        ["proxy"] => proxy(),
        ["broker"] => broker(),
        ["worker", back, count, capacity] => work(back, number(count), number(capacity)),
        ["client", front, clients, window, size, count] => {
            ask(front, number(clients), number(window), number(size), number(count))
        }
        ["echo", back, count] => echo(back, number(count)),
        ["call", front, seconds] => call(front, number(seconds)),
        other => panic!("not {other:?}"),
    }
}

/// Until whoever started us closes our input.
fn until_the_end() {
    let _end = std::io::stdin().read(&mut [0]);
}

fn proxy() {
    let (front, back) = (raw::socket(zmq_sys::ZMQ_ROUTER), raw::socket(zmq_sys::ZMQ_DEALER));
    let at = "tcp://127.0.0.1:*";
    crate::tell(&format!("{} {}", raw::bind(front, at), raw::bind(back, at)));
    let (front, back) = (front as usize, back as usize);
    std::thread::spawn(move || unsafe {
        zmq_sys::zmq_proxy(front as *mut c_void, back as *mut c_void, std::ptr::null_mut())
    });
    until_the_end();
}

fn broker() {
    let at = "tcp://127.0.0.1:*";
    let mut options = Options::new();
    // The workers below announce themselves once, and answer no question.
    options.balancing_mut().set_heartbeat_ms(3_600_000).expect("in range");
    let broker = Broker::new(at, at, &options).expect("free ports");
    let end = |side| broker.last_endpoint(side).expect("bound");
    crate::tell(&format!("{} {}", end(BrokerSide::Front), end(BrokerSide::Back)));
    until_the_end();
}

fn echo(back: &str, count: usize) {
    let workers: Vec<Worker> = (0..count)
        .map(|_| {
            let worker = Worker::new(back, &Options::new()).expect("an endpoint");
            let answer = |request: &mut Message, reply: &mut Message| {
                let payload = request.payload();
                reply.prepare("Echo", payload.len())?.copy_from_slice(payload);
                Ok(())
            };
            worker.serve(std::sync::Arc::new(answer)).expect("it is open");
            worker.wait_connected(0, LIMIT).expect("a broker");
            worker
        })
        .collect();
    crate::tell("ready");
    until_the_end();
    drop(workers);
}

const LIMIT: Deadline = Deadline::Never;

fn call(front: &str, seconds: usize) {
    let request = Request::new(front, &Options::new()).expect("an endpoint");
    request.wait_connected(0, LIMIT).expect("a broker");
    let (mut question, mut reply) = (Message::new(), Message::new());
    // A broker of 2.2.0 has to hear of its workers first; it ends when it is asked before.
    std::thread::sleep(Duration::from_secs(2));
    let mut one = || {
        question.prepare("Echo", 64).expect("room");
        request.call(&mut question, &mut reply, 10_000, 0).expect("an answer");
    };
    one();
    let (begun, time) = (Instant::now(), Duration::from_secs(seconds as u64));
    let mut calls = 0u64;
    while begun.elapsed() < time {
        one();
        calls += 1;
    }
    println!("{}", calls as f64 / begun.elapsed().as_secs_f64());
}

/// One frame of a message, which says whether another follows.
fn recv(socket: *mut c_void, message: &mut zmq_sys::zmq_msg_t, flags: i32) -> Option<bool> {
    let got = unsafe { zmq_sys::zmq_msg_recv(message, socket, flags) };
    (got >= 0).then(|| unsafe { zmq_sys::zmq_msg_more(message) } != 0)
}

fn send(socket: *mut c_void, bytes: &[u8], more: bool) {
    let flags = if more { zmq_sys::ZMQ_SNDMORE as i32 } else { 0 };
    let sent = unsafe { zmq_sys::zmq_send(socket, bytes.as_ptr().cast(), bytes.len(), flags) };
    assert_eq!(sent, bytes.len() as i32);
}

fn work(back: &str, count: usize, capacity: usize) {
    let capacity = u32::try_from(capacity).expect("a capacity");
    let heartbeat = dividere::proto::Heartbeat {
        capacity: Some(capacity),
        ..Default::default()
    };
    let announcement = dividere::envelope::encode("Heartbeat", &heartbeat.encode_to_vec()).expect("an envelope");
    let workers: Vec<usize> = (0..count)
        .map(|_| {
            let worker = raw::socket(zmq_sys::ZMQ_DEALER);
            raw::connect(worker, back);
            send(worker, &[1], true);
            send(worker, &announcement, false);
            worker as usize
        })
        .collect();
    crate::tell("ready");
    std::thread::spawn(move || {
        let mut items: Vec<zmq_sys::zmq_pollitem_t> =
            workers.iter().map(|worker| raw::readable(*worker as _)).collect();
        let mut message = raw::message();
        loop {
            unsafe { zmq_sys::zmq_poll(items.as_mut_ptr(), items.len() as i32, -1) };
            for worker in &workers {
                echo_all(*worker as *mut c_void, &mut message);
            }
        }
    });
    until_the_end();
}

/// Sends back whatever is there, but for the question of the broker, which begins with a frame of one byte.
fn echo_all(worker: *mut c_void, message: &mut zmq_sys::zmq_msg_t) {
    while let Some(mut more) = recv(worker, message, zmq_sys::ZMQ_DONTWAIT as i32) {
        if unsafe { zmq_sys::zmq_msg_size(message) } == 1 {
            while more {
                more = recv(worker, message, 0).expect("the rest");
            }
            continue;
        }
        loop {
            let flags = if more { zmq_sys::ZMQ_SNDMORE as i32 } else { 0 };
            assert!(unsafe { zmq_sys::zmq_msg_send(message, worker, flags) } >= 0);
            if !more {
                break;
            }
            more = recv(worker, message, 0).expect("the rest");
        }
    }
}

fn ask(front: &str, clients: usize, window: usize, size: usize, count: usize) {
    let sockets: Vec<*mut c_void> = (0..clients)
        .map(|_| {
            let client = raw::socket(zmq_sys::ZMQ_DEALER);
            raw::connect(client, front);
            client
        })
        .collect();
    let body = vec![1; size];
    let ask_one = |client: *mut c_void, number: usize| {
        send(client, &(number as u64).to_be_bytes(), true);
        send(client, b"", true);
        send(client, &body, false);
    };
    let mut items: Vec<zmq_sys::zmq_pollitem_t> = sockets.iter().map(|client| raw::readable(*client)).collect();
    let mut message = raw::message();
    let mut take = |client: *mut c_void| -> bool {
        let Some(mut more) = recv(client, &mut message, zmq_sys::ZMQ_DONTWAIT as i32) else {
            return false;
        };
        while more {
            more = recv(client, &mut message, 0).expect("the rest");
        }
        assert_eq!(unsafe { zmq_sys::zmq_msg_size(&message) }, size);
        true
    };
    // What the first ones wait for, connections and workers, is not what is measured.
    let mut run = |count: usize| {
        let (mut asked, mut answered) = (vec![0; clients], 0);
        let begun = Instant::now();
        for (client, asked) in sockets.iter().zip(&mut asked) {
            while *asked < window.min(count) {
                ask_one(*client, *asked);
                *asked += 1;
            }
        }
        while answered < count * clients {
            unsafe { zmq_sys::zmq_poll(items.as_mut_ptr(), items.len() as i32, -1) };
            for (client, asked) in sockets.iter().zip(&mut asked) {
                while take(*client) {
                    answered += 1;
                    if *asked < count {
                        ask_one(*client, *asked);
                        *asked += 1;
                    }
                }
            }
        }
        begun.elapsed()
    };
    run(window * 4);
    println!("{}", run(count).as_nanos());
}
