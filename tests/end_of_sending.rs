//! What was accepted before a close, or before a normal exit, arrives, also where the receiver is slow and says meanwhile
//! that it is alive: what it says to a connection that is closed already would end it, with all that is still to be sent.

mod common;

use std::time::Duration;

use common::{address, bytes, endpoint, role, soon, Process, LIMIT_MS};
use dividere::{Channel, Deadline, Dealer, Message, Options, Status};

const MESSAGES: u32 = 10_000;
/// So that all of it fits into the buffers of the system, of which the receiver's are full; and so that it does not.
const SIZES: [usize; 2] = [200, 1_800];

fn sender(endpoint: &str) -> Dealer {
    let mut options = Options::new();
    options.set_send_high_water_mark(0).unwrap();
    options.set_linger_ms(LIMIT_MS).unwrap();
    Dealer::new(endpoint, &options).unwrap()
}

fn receiver_that_talks(endpoint: &str) -> Dealer {
    let mut options = Options::new();
    options.set_receive_high_water_mark(10).unwrap();
    options.set_heartbeat_interval_ms(5).unwrap();
    Dealer::new(endpoint, &options).unwrap()
}

fn send_all(sender: &Dealer, size: usize) {
    let mut content = vec![0; size];
    for number in 0..MESSAGES {
        content[..4].copy_from_slice(&number.to_le_bytes());
        sender.send(&mut bytes(&content)).unwrap();
    }
}

fn receive_all(receiver: &Dealer, size: usize) {
    // Many heartbeats; that none of them does harm is what is to be seen.
    std::thread::sleep(Duration::from_millis(200));
    let mut message = Message::new();
    for number in 0..MESSAGES {
        let received = receiver.recv_bytes(&mut message, soon());
        received.unwrap_or_else(|error| panic!("message {number} of {size} bytes: {error}"));
        assert_eq!(message.bytes().len(), size);
        assert_eq!(message.bytes()[..4], number.to_le_bytes());
    }
    let nothing = receiver.recv_bytes(&mut message, Deadline::Now).unwrap_err();
    assert_eq!(nothing.status(), Status::WouldBlock);
}

#[test]
fn what_was_sent_before_a_close_arrives_at_a_slow_receiver_that_sends_heartbeats() {
    for size in SIZES {
        for transport in ["tcp", "ipc"] {
            let bound = sender(&endpoint(transport));
            let receiver = receiver_that_talks(&address(&bound));
            bound.wait_connected(1, soon()).unwrap();
            send_all(&bound, size);
            bound.close().unwrap();
            receive_all(&receiver, size);

            let receiver = receiver_that_talks(&endpoint(transport));
            let connected = sender(&address(&receiver));
            send_all(&connected, size);
            connected.close().unwrap();
            receive_all(&receiver, size);
        }
    }
}

#[test]
fn what_was_sent_before_an_exit_arrives_at_a_slow_receiver_that_sends_heartbeats() {
    const NAME: &str = "what_was_sent_before_an_exit_arrives_at_a_slow_receiver_that_sends_heartbeats";
    if let Some((size, at)) = role() {
        let sender = sender(&at);
        send_all(&sender, size.parse().unwrap());
        std::mem::forget(sender);
        return;
    }
    for size in SIZES {
        let receiver = receiver_that_talks(&endpoint("tcp"));
        let process = Process::start(NAME, &size.to_string(), &address(&receiver));
        receiver.wait_connected(1, soon()).unwrap();
        receive_all(&receiver, size);
        process.succeeds();
    }
}
