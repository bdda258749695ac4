//! A message sent just before a normal exit arrives; and the exit takes no longer than the linger time.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{address, bytes, role, soon, Process, LIMIT, LIMIT_MS};
use dividere::connection::endpoint::Endpoint;
use dividere::connection::options::FullQueue;
use dividere::{Channel, Deadline, Dealer, EventKind, Filter, Message, Options, Publisher, Subscriber};

const MESSAGES: u32 = 10_000;
const SIZE: usize = 1024;

fn options(linger_ms: i64) -> Options {
    let mut options = Options::new();
    options.set_linger_ms(linger_ms).unwrap();
    options.set_send_high_water_mark(i64::from(2 * MESSAGES)).unwrap();
    options.set_send_timeout_ms(LIMIT_MS).unwrap();
    options.set_full_queue(Some(FullQueue::Block));
    options
}

fn numbered(number: u32) -> Message {
    let mut content = [0; SIZE];
    content[..4].copy_from_slice(&number.to_be_bytes());
    bytes(&content)
}

/// The end of a process that queued messages, the way `how` says; `channel` is still open.
fn end(how: &str, channel: impl Channel + 'static) {
    match how {
        // The handle is closed, and main returns.
        "closed" => drop(channel),
        // Main returns; nobody closed it.
        "left open" => std::mem::forget(channel),
        "exit" => {
            std::mem::forget(channel);
            // Exit hooks run; nothing is dropped.
            std::process::exit(0)
        }
        // Other threads use it meanwhile.
        "in use" => {
            let channel: &'static _ = Box::leak(Box::new(channel));
            for _ in 0..2 {
                std::thread::spawn(|| channel.recv_bytes(&mut Message::new(), Deadline::Never));
                std::thread::spawn(|| channel.wait_connected(9, Deadline::Never));
            }
        }
        // A callback of the host's never returns.
        "held up" => {
            let (told, tells) = std::sync::mpsc::channel();
            let told = std::sync::Mutex::new(told);
            channel
                .events()
                .set_callback(Some(Arc::new(move |_| {
                    told.lock().unwrap().send(()).unwrap();
                    loop {
                        std::thread::park();
                    }
                })))
                .unwrap();
            // That it listens is an event.
            channel.attach(&Endpoint::parse("@tcp://127.0.0.1:*").unwrap()).unwrap();
            tells.recv_timeout(LIMIT).unwrap();
            std::mem::forget(channel);
        }
        other => panic!("no way to end: {other}"),
    }
}

fn receive_all(receiver: &dyn Channel) {
    let mut message = Message::new();
    for number in 0..MESSAGES {
        receiver
            .recv_bytes(&mut message, soon())
            .unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(message.bytes().len(), SIZE);
        assert_eq!(message.bytes()[..4], number.to_be_bytes());
    }
}

/// A dealer of the parent's that hears from the child.
fn control() -> (Dealer, String) {
    let control = Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap();
    let at = address(&control);
    (control, at)
}

fn hear(control: &Dealer) -> String {
    let mut message = Message::new();
    control.recv_bytes(&mut message, soon()).unwrap();
    String::from_utf8(message.bytes().to_vec()).unwrap()
}

#[test]
fn a_dealer_loses_nothing_at_exit() {
    if let Some((how, argument)) = role() {
        let (at, control) = argument.split_once(' ').unwrap();
        let dealer = Dealer::new(at, &options(LIMIT_MS)).unwrap();
        for number in 0..MESSAGES {
            dealer.send(&mut numbered(number)).unwrap();
        }
        Dealer::new(control, &Options::new())
            .unwrap()
            .send(&mut bytes(b"queued"))
            .unwrap();
        end(&how, dealer);
        return;
    }
    for how in ["closed", "left open", "exit", "in use"] {
        let receiver = Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap();
        let (control, at) = control();
        let argument = format!("{} {at}", address(&receiver));
        let sender = Process::start("a_dealer_loses_nothing_at_exit", how, &argument);
        // Slow: it begins when the sender is already ending.
        assert_eq!(hear(&control), "queued");
        receive_all(&receiver);
        sender.succeeds();
    }
}

#[test]
fn a_publisher_loses_nothing_at_exit() {
    if let Some((how, argument)) = role() {
        let publisher = Publisher::new("tcp://127.0.0.1:*", &options(LIMIT_MS)).unwrap();
        let control = Dealer::new(&argument, &Options::new()).unwrap();
        control.send(&mut bytes(address(&publisher).as_bytes())).unwrap();
        publisher.wait_for_subscribers(None, 1, soon()).unwrap();
        for number in 0..MESSAGES {
            publisher.send(&mut numbered(number)).unwrap();
        }
        control.send(&mut bytes(b"queued")).unwrap();
        end(&how, publisher);
        return;
    }
    for how in ["closed", "left open", "exit"] {
        let (control, at) = control();
        let sender = Process::start("a_publisher_loses_nothing_at_exit", how, &at);
        let receiver = Subscriber::new(&hear(&control), Filter::All, &Options::new()).unwrap();
        assert_eq!(hear(&control), "queued");
        receive_all(&receiver);
        sender.succeeds();
    }
}

#[test]
fn an_exit_takes_no_longer_than_the_linger_time() {
    const LINGER_MS: i64 = 500;
    if let Some((how, argument)) = role() {
        let (at, control) = argument.split_once(' ').unwrap();
        let dealer = Dealer::new(at, &options(LINGER_MS)).unwrap();
        for number in 0..MESSAGES {
            dealer.send(&mut numbered(number)).unwrap();
        }
        let control = Dealer::new(control, &Options::new()).unwrap();
        control.send(&mut bytes(b"queued")).unwrap();
        end(&how, dealer);
        return;
    }
    let exits = |how| {
        // It accepts nobody: the messages can never be sent.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (control, at) = control();
        let argument = format!(">tcp://{} {at}", listener.local_addr().unwrap());
        let sender = Process::start("an_exit_takes_no_longer_than_the_linger_time", how, &argument);
        assert_eq!(hear(&control), "queued");
        let begin = Instant::now();
        // Twice a second that is waited for what holds it up, and the time that a busy machine takes.
        assert!(sender.wait(LIMIT).success(), "{how}");
        assert!(begin.elapsed() < Duration::from_secs(8), "{how}: {:?}", begin.elapsed());
    };
    std::thread::scope(|scope| {
        for how in ["closed", "left open", "exit", "in use", "held up"] {
            scope.spawn(move || exits(how));
        }
    });
}

/// What it would go on to send is its subscription, to a publisher that is gone.
#[test]
fn a_subscriber_does_not_hold_up_an_exit() {
    if let Some((how, _)) = role() {
        let publisher = Publisher::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
        let subscriber = Subscriber::new(&address(&publisher), Filter::All, &options(LIMIT_MS)).unwrap();
        publisher.wait_for_subscribers(None, 1, soon()).unwrap();
        drop(publisher);
        while subscriber.events().recv(LIMIT_MS).unwrap().kind != EventKind::Disconnected {}
        end(&how, subscriber);
        return;
    }
    for how in ["closed", "left open"] {
        let begin = Instant::now();
        let process = Process::start("a_subscriber_does_not_hold_up_an_exit", how, "");
        assert!(process.wait(LIMIT).success(), "{how}");
        assert!(begin.elapsed() < LIMIT / 2, "{how}: {:?}", begin.elapsed());
    }
}

#[test]
fn a_signal_handler_may_end_the_process_in_the_middle_of_a_call() {
    const TEST: &str = "a_signal_handler_may_end_the_process_in_the_middle_of_a_call";
    extern "C" fn end_here(_: libc::c_int) {
        // SAFETY: what programs do, though POSIX does not allow it. Nothing is allocated in the calls that it ends.
        unsafe { libc::exit(0) }
    }
    if role().is_some() {
        let dealer = Dealer::new("tcp://127.0.0.1:*", &options(0)).unwrap();
        // SAFETY: the handler is a function of the right type; the thread lives until the process ends.
        unsafe {
            libc::signal(
                libc::SIGUSR1,
                end_here as extern "C" fn(libc::c_int) as libc::sighandler_t,
            );
            let sender = libc::pthread_self();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                libc::pthread_kill(sender, libc::SIGUSR1);
            });
        }
        loop {
            assert!(dealer.wait(Deadline::Now).is_err());
        }
    }
    // Half of these hold the socket's lock when the signal comes.
    let processes: Vec<Process> = (0..12).map(|_| Process::start(TEST, "", "")).collect();
    processes.into_iter().for_each(Process::succeeds);
}
